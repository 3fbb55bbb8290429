"""Where a telephone number belongs, and named sets of such places (C18)."""

import re
from dataclasses import dataclass
from functools import lru_cache

from phonenumbers import (
    NumberParseException,
    country_code_for_region,
    parse,
    region_code_for_number,
)

_COUNTRY = re.compile(r"[A-Z]{2}")
_MEMO_MAX = 65_536
_NANP_COUNTRY_CODE = "+1"
_AREA_CODE_END = 5  # "+1" and the three digits after it


def is_country(code: str) -> bool:
    """An ISO 3166 code that has telephone numbers."""
    return _COUNTRY.fullmatch(code) is not None and country_code_for_region(code) != 0


def country_cure(code: str) -> str:
    return f"{code!a} is no country: write the ISO 3166 code, such as US or GB"


@lru_cache(maxsize=_MEMO_MAX)
def country_of(e164: str) -> str | None:
    """ISO 3166 code by the numbering plan; None where the number belongs to no country.

    Puerto Rico, Guam and the other territories have codes of their own (PR, GU), as in ISO
    3166; Hawaii and Alaska are US. A ported number keeps the place of its digits.
    """
    try:
        return region_code_for_number(parse(e164))
    except NumberParseException:
        return None


@dataclass(frozen=True, slots=True)
class RegionList:
    """Countries (ISO 3166), area codes of +1, and prefixes without "+"; any of them matches."""

    countries: frozenset[str] = frozenset()
    area_codes: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    def matches(self, e164: str) -> bool:
        return (
            (e164.startswith(_NANP_COUNTRY_CODE) and e164[2:_AREA_CODE_END] in self.area_codes)
            or e164[1:].startswith(self.prefixes)
            or (bool(self.countries) and country_of(e164) in self.countries)
        )


@dataclass(frozen=True, slots=True)
class RegionSet:
    """A named place: what is included, less what is excluded. An exclusion always wins."""

    name: str
    include: RegionList
    exclude: RegionList = RegionList()

    def covers(self, e164: str) -> bool:
        return self.include.matches(e164) and not self.exclude.matches(e164)
