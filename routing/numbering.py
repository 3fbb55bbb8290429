"""Phone numbers: what people type, what carriers send, and what may be dialled.

Inside the house a number is a `str` in E.164 and is trusted. A parse costs 11-31 µs and a
regular expression 0.3 µs, so a webhook uses `is_e164` and `caller_number`; `parse_e164` belongs
to forms and the API. `phonenumbers.geocoder` is never imported: 4 s and 184 MB per process.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

# The same rule as the CHECK on every phone number column. ASCII digits only: `\d` would also
# take Arabic-Indic digits. Always with `fullmatch`: `$` would let a newline through.
E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")

TYPED_LENGTH_MAX: Final = 60

# Numbers that spell why the caller is hidden, typed on a telephone's keys: carriers send
# +266696687 for ANONYMOUS (doorkeeper.jp/developer/blocking-phone-number-twilio).
_WITHHELD_WORDS: Final = ("ANONYMOUS", "RESTRICTED", "BLOCKED", "UNKNOWN", "UNAVAILABLE", "PRIVATE")
_KEYPAD: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
_WITHHELD_NUMBERS: Final = frozenset("+" + word.translate(_KEYPAD) for word in _WITHHELD_WORDS)

_TYPE_NAMES: Final = {
    PhoneNumberType.FIXED_LINE: "local",
    # Every US number: the plan cannot tell a mobile from a desk phone there.
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "local",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.TOLL_FREE: "toll-free",
    PhoneNumberType.PREMIUM_RATE: "premium",
    PhoneNumberType.SHARED_COST: "shared-cost",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: "personal",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.VOICEMAIL: "voicemail",
}
# Country codes that belong to networks in the sky or on no ground (ITU-T E.164 assignments).
_SATELLITE_CODES: Final = frozenset({870, 878, 881, 882, 883})
_NON_GEOGRAPHIC: Final = "001"  # what phonenumbers calls "no country"

_DENIED_TYPES: Final = {
    "premium": "premium-rate numbers are not dialled, they cost many times a call",
    "shared-cost": "shared-cost numbers are not dialled, their price cannot be known",
    "pager": "pagers cannot take a call",
    "uan": "universal access numbers are not dialled, their price cannot be known",
    "satellite": "satellite and international network numbers are not dialled",
    "unknown": "this number is not in use in its country",
}


class InvalidNumber(ValueError):
    """What was typed is not a phone number; the message says what to type instead."""


@dataclass(frozen=True, slots=True)
class Dialable:
    """Whether a destination may be dialled at all; the reason is for people."""

    ok: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.ok


def is_e164(text: str) -> bool:
    """Whether the text has the shape of E.164; not whether the number exists."""
    return E164.fullmatch(text) is not None


def parse_e164(text: str, default_region: str = "US") -> str:
    """The number as people type it, in E.164; 11-31 µs, so not for the webhook path."""
    typed = text.strip()
    if not typed:
        raise InvalidNumber("Enter a phone number, for example +14155550101.")
    if len(typed) > TYPED_LENGTH_MAX:
        raise InvalidNumber("That is too long for a phone number; enter one number only.")
    try:
        number = phonenumbers.parse(typed, default_region)
    except NumberParseException as problem:
        raise InvalidNumber(_cure(problem.error_type)) from None
    if number.extension:
        raise InvalidNumber("An extension cannot be dialled; enter the number alone.")
    if not phonenumbers.is_valid_number(number):
        raise InvalidNumber(_why_invalid(number, default_region))
    found = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not is_e164(found):  # phonenumbers allows national numbers of up to 17 digits
        raise InvalidNumber("A phone number has 7 to 15 digits with its country code.")
    return found


def caller_number(raw: str | None) -> str | None:
    """The caller's number, or None where the caller withheld it or has none.

    A carrier sends E.164 if it can, else whatever it got: `anonymous`, `Restricted`,
    `client:alice`, `sip:…`, or nothing (twilio.com/docs/voice/twiml).
    """
    number = (raw or "").strip()
    if not is_e164(number) or number in _WITHHELD_NUMBERS:
        return None
    return number


def region_of(e164: str) -> str | None:
    """The ISO country a number belongs to; None where it belongs to none.

    Not the calling code: +1 is 25 countries, and +44 also Guernsey, Jersey and Man.
    """
    region = _classify(e164)[0]
    return None if region == _NON_GEOGRAPHIC else region


def number_type(e164: str) -> str:
    """local, toll-free, mobile, premium, shared-cost, satellite, personal, voip, pager, uan,
    voicemail or unknown."""
    return _classify(e164)[1]


def is_dialable_destination(e164: str) -> Dialable:
    """Refuse what fraud dials: premium, shared cost, pagers, satellites, numbers of no country.

    +1500 numbers are "personal" and stay allowed: the carrier's test numbers are among them.
    Other personal numbers (+44 70) are a known surcharge trap.
    """
    region, kind = _classify(e164)
    if kind in _DENIED_TYPES:
        return Dialable(False, _DENIED_TYPES[kind])
    if region is None or region == _NON_GEOGRAPHIC:
        return Dialable(False, "this number belongs to no country")
    if kind == "personal" and not e164.startswith("+1"):
        return Dialable(False, "personal follow-me numbers are not dialled, they carry surcharges")
    return Dialable(True)


def pretty(e164: str) -> str:
    """The number for people: (415) 555-0101 at home, +44 20 7946 0000 abroad; else unchanged."""
    if not is_e164(e164):
        return e164
    if e164.startswith("+1") and len(e164) == 12:
        return f"({e164[2:5]}) {e164[5:8]}-{e164[8:]}"
    try:
        number = phonenumbers.parse(e164, None)
    except NumberParseException:
        return e164
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


@lru_cache(maxsize=8192)
def _classify(e164: str) -> tuple[str | None, str]:
    try:
        number = phonenumbers.parse(e164, None)
    except NumberParseException:
        return None, "unknown"
    region = phonenumbers.region_code_for_number(number)
    if number.country_code in _SATELLITE_CODES:
        return region, "satellite"
    kind = _TYPE_NAMES.get(phonenumbers.number_type(number), "unknown")
    # 976 exchanges are pay-per-call in every area code, and the metadata does not flag them.
    if number.country_code == 1 and e164[5:8] == "976":
        kind = "premium"
    return region, kind


def _cure(error_type: int) -> str:
    if error_type == NumberParseException.INVALID_COUNTRY_CODE:
        return "No country has that code; start with + and the country code, as in +14155550101."
    if error_type == NumberParseException.TOO_LONG:
        return "That number has too many digits; a phone number has at most 15."
    return "That is not a phone number; write it like (415) 555-0101 or +14155550101."


def _why_invalid(number: phonenumbers.PhoneNumber, default_region: str) -> str:
    code = number.country_code
    region = phonenumbers.region_code_for_country_code(code) if code else default_region
    example = phonenumbers.example_number(region)
    like = ""
    if example is not None:
        shown = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        like = f"; a number there looks like {shown}"
    match phonenumbers.is_possible_number_with_reason(number):
        case phonenumbers.ValidationResult.TOO_SHORT:
            return f"That number has too few digits for +{code}{like}."
        case phonenumbers.ValidationResult.TOO_LONG:
            return f"That number has too many digits for +{code}{like}."
        case _:
            return f"No number like that exists under +{code}{like}."
