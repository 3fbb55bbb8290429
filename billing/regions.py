"""Where a telephone number belongs, and named sets of such places (C18)."""

import re
from collections.abc import Callable
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


def region_words(region: RegionSet | None, area_words: Callable[[str], str] = str) -> str:
    """Which numbers it covers: "CA and US, without 808 and 907". A country is that of ISO 3166, so
    US has neither Puerto Rico nor another territory; `area_words` names an area code."""
    if region is None:
        return "any number"
    words = _listed(region.include, area_words)
    left_out = _listed(region.exclude, area_words)
    return f"{words}, without {left_out}" if left_out else words


def _listed(regions: RegionList, area_words: Callable[[str], str]) -> str:
    names = [*sorted(regions.countries), *map(area_words, sorted(regions.area_codes))]
    names += [f"+{prefix}" for prefix in regions.prefixes]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
