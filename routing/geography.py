"""Where a caller is: country, state or province, area code, postal code, position.

Approximate by nature: a mobile keeps its area code when its owner moves, and carriers fill in
the rest as well as they can. The tables in routing/data are generated offline and read once.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from math import asin, cos, radians, sin, sqrt
from typing import Final

from routing.facts import CallFacts
from routing.numbering import is_e164, region_of

EARTH_RADIUS_KM: Final = 6371.0088  # mean radius, IUGG
# Countries whose callers have a state or province in our tables.
COUNTRIES_WITH_STATES: Final = frozenset({"US", "CA", "PR", "VI", "GU", "AS", "MP"})

Position = tuple[float, float]  # latitude, longitude in degrees


@dataclass(frozen=True, slots=True)
class AreaCode:
    """A North American area code; `state` is empty where the country has none."""

    code: str
    country: str
    state: str
    name: str
    position: Position | None
    time_zone: str


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of a caller's place; unknown parts are empty or None."""

    country: str
    state: str = ""
    area_code: str = ""
    postal_code: str = ""
    lat: float | None = None
    lon: float | None = None

    @property
    def position(self) -> Position | None:
        return None if self.lat is None or self.lon is None else (self.lat, self.lon)


def locate(facts: CallFacts) -> Place | None:
    """The caller's place, the carrier's word before the area code's; None for a withheld caller.

    A caller from a country without states in our tables has a country and nothing more.
    """
    if facts.caller is None:
        return None
    code = area_code_of(facts.caller)
    area = area_codes().get(code)
    told = facts.country.strip().upper()
    country = told if len(told) == 2 else ""
    country = country or (area.country if area else region_of(facts.caller) or "")
    if not country:
        return None
    if country not in COUNTRIES_WITH_STATES:
        return Place(country, area_code=code)
    state = facts.state.strip().upper()
    if state not in states_of(country):
        state = area.state if area and area.country == country else ""
    postal_code = normal_postal_code(facts.postal_code)
    spot = postal_position(country, postal_code)
    if spot is None and area and area.country == country and area.state == state:
        spot = area.position
    if spot is None:
        spot = _state_positions().get(state)
    lat, lon = spot or (None, None)
    return Place(country, state, code, postal_code, lat, lon)


def area_code_of(e164: str) -> str:
    """The three digits after +1; empty elsewhere. A toll-free code is an area code of no area."""
    return e164[2:5] if e164.startswith("+1") and len(e164) == 12 and is_e164(e164) else ""


def haversine_km(a: Position, b: Position) -> float:
    """Distance along the surface of a sphere: within 0.6 % of the real Earth's."""
    lat_a, lon_a, lat_b, lon_b = map(radians, (*a, *b))
    half = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, half)))


def postal_position(country: str, postal_code: str) -> Position | None:
    """The middle of the first three digits of a ZIP, or a Canadian province's largest city."""
    if country == "CA":
        return _canadian_letters().get(postal_code[:1])
    return _zip3().get(postal_code[:3])


def normal_postal_code(text: str) -> str:
    """Capitals without spaces or hyphens, so that "m5v 2t6" and "94105-1234" compare by prefix."""
    return "".join(text.split()).replace("-", "").upper()


@lru_cache(maxsize=1)
def area_codes() -> dict[str, AreaCode]:
    return {
        row["area_code"]: AreaCode(
            code=row["area_code"],
            country=row["country"],
            state=row["state"],
            name=row["name"],
            position=(float(row["lat"]), float(row["lon"])) if row["lat"] else None,
            time_zone=row["time_zone"],
        )
        for row in _table("npa.csv")
    }


@lru_cache(maxsize=1)
def state_names() -> dict[str, str]:
    """Codes of states, provinces and territories with their names in English."""
    return {row["state"]: row["name"] for row in _table("states.csv")}


@lru_cache(maxsize=1)
def country_names() -> dict[str, str]:
    """Two-letter codes of countries with their names in English."""
    return {row["country"]: row["name"] for row in _table("countries.csv")}


@lru_cache(maxsize=8)
def states_of(country: str) -> frozenset[str]:
    """The states that callers of a country have; US territories count on both sides."""
    also = COUNTRIES_WITH_STATES - {"US", "CA"} if country == "US" else frozenset()
    return also | {row["state"] for row in _table("states.csv") if row["country"] == country}


@lru_cache(maxsize=1)
def _zip3() -> dict[str, Position]:
    return {row["zip3"]: (float(row["lat"]), float(row["lon"])) for row in _table("zip3.csv")}


@lru_cache(maxsize=1)
def _canadian_letters() -> dict[str, Position]:
    return {
        letter: (float(row["lat"]), float(row["lon"]))
        for row in _table("states.csv")
        for letter in row["postal_letters"]
    }


@lru_cache(maxsize=1)
def _state_positions() -> dict[str, Position]:
    return {row["state"]: (float(row["lat"]), float(row["lon"])) for row in _table("states.csv")}


def _table(file_name: str) -> list[dict[str, str]]:
    text = resources.files("routing.data").joinpath(file_name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
