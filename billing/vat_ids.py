"""VAT ids: their form and their check digits, by country.

A right id says nothing yet of whose it is: that is looked up in the register (VIES in the Union),
by a person or with its help, before tax is left out on its strength.
"""

import re
from collections.abc import Callable

from stdnum.ch import vat as swiss
from stdnum.eu import vat as european
from stdnum.exceptions import ValidationError
from stdnum.gb import vat as british
from stdnum.no import mva as norwegian

_ANY = re.compile(r"[A-Z]{2}[A-Z0-9+*.]{2,18}")
_GREECE = {"GR": "EL"}
_SEPARATORS = re.compile(r"[\s.\-/]")


class InvalidVatId(ValueError):
    """The message says what to do about it."""


def parse_vat_id(typed: str, country: str) -> str:
    """As it is printed: "de 136 695 976" becomes "DE136695976".

    Where the country taxes, the id must be one of that country and its check digits right;
    elsewhere it is kept as it is, for it decides nothing.
    """
    text = _SEPARATORS.sub("", typed).upper()
    check = _check_of(country)
    if check is None:
        if _ANY.fullmatch(text) is None:
            raise InvalidVatId("write the country and the number, such as DE136695976")
        return text
    prefix = _GREECE.get(country, country)
    if not text.startswith(prefix) and not (country == "GB" and text.startswith("XI")):
        raise InvalidVatId(f"begin it with {prefix}, the account's country, or correct the country")
    try:
        check(text)
    except ValidationError:
        raise InvalidVatId(
            f"{text} is no VAT id of {country}: compare it with the register, digit by digit"
        ) from None
    return text


def is_in_vies(vat_id: str, country: str) -> bool:
    """Does the Union's register answer for it? It has Northern Ireland's ids, and Britain's not.
    `vat_id` as `parse_vat_id` gives it."""
    return country.lower() in european.MEMBER_STATES or (
        country == "GB" and vat_id.startswith("XI")
    )


def _check_of(country: str) -> Callable[[str], str] | None:
    match country:
        case "GB":
            return _british
        case "CH":
            return swiss.validate
        case "NO":
            return norwegian.validate
    return european.validate if country.lower() in european.MEMBER_STATES else None


def _british(text: str) -> str:
    """Northern Ireland's are in the Union's register."""
    return european.validate(text) if text.startswith("XI") else british.validate(text)
