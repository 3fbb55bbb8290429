"""Make npa.csv, zip3.csv, states.csv and countries.csv: `python -m routing.data.generate`.

Runs by hand when phonenumbers, zipcodes or Babel is updated, and in a test that compares. Needs
`zipcodes` (a test dependency), Babel's names of countries and the geocoding data of phonenumbers
(4 s, 184 MB), which is why a serving process reads the tables instead. Area codes newer than
zipcodes' data get the mean position of their state.
"""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberType, timezone

FOLDER: Final = Path(__file__).parent

STATES: Final = {
    "Alabama": "AL", "Alaska": "AK", "Arizona": "AZ", "Arkansas": "AR", "California": "CA",
    "Colorado": "CO", "Connecticut": "CT", "Delaware": "DE", "Florida": "FL", "Georgia": "GA",
    "Hawaii": "HI", "Idaho": "ID", "Illinois": "IL", "Indiana": "IN", "Iowa": "IA",
    "Kansas": "KS", "Kentucky": "KY", "Louisiana": "LA", "Maine": "ME", "Maryland": "MD",
    "Massachusetts": "MA", "Michigan": "MI", "Minnesota": "MN", "Mississippi": "MS",
    "Missouri": "MO", "Montana": "MT", "Nebraska": "NE", "Nevada": "NV", "New Hampshire": "NH",
    "New Jersey": "NJ", "New Mexico": "NM", "New York": "NY", "North Carolina": "NC",
    "North Dakota": "ND", "Ohio": "OH", "Oklahoma": "OK", "Oregon": "OR", "Pennsylvania": "PA",
    "Rhode Island": "RI", "South Carolina": "SC", "South Dakota": "SD", "Tennessee": "TN",
    "Texas": "TX", "Utah": "UT", "Vermont": "VT", "Virginia": "VA", "Washington State": "WA",
    "West Virginia": "WV", "Wisconsin": "WI", "Wyoming": "WY", "Washington D.C.": "DC",
}  # fmt: skip
# Where the people are: the largest city. The middle of Ontario is a forest.
PROVINCES: Final[dict[str, tuple[str, float, float]]] = {
    "AB": ("Alberta", 51.05, -114.07), "BC": ("British Columbia", 49.28, -123.12),
    "MB": ("Manitoba", 49.90, -97.14), "NB": ("New Brunswick", 46.09, -64.78),
    "NL": ("Newfoundland and Labrador", 47.56, -52.71), "NS": ("Nova Scotia", 44.65, -63.58),
    "NT": ("Northwest Territories", 62.45, -114.37), "NU": ("Nunavut", 63.75, -68.52),
    "ON": ("Ontario", 43.65, -79.38), "PE": ("Prince Edward Island", 46.24, -63.13),
    "QC": ("Quebec", 45.50, -73.57), "SK": ("Saskatchewan", 52.13, -106.67),
    "YT": ("Yukon", 60.72, -135.06),
}  # fmt: skip
# First letter of a Canadian postal code (X is shared with Nunavut).
POSTAL_LETTERS: Final = {
    "AB": "T", "BC": "V", "MB": "R", "NB": "E", "NL": "A", "NS": "B", "NT": "X", "NU": "",
    "ON": "KLMNP", "PE": "C", "QC": "GHJ", "SK": "S", "YT": "Y",
}  # fmt: skip
# Codes that serve several provinces, or that the geocoder names by none of them.
CANADIAN_NPAS: Final = {"867": "NT", "782": "NS", "902": "NS"}
TERRITORIES: Final[dict[str, tuple[str, float, float]]] = {
    "PR": ("Puerto Rico", 18.40, -66.06), "VI": ("US Virgin Islands", 18.34, -64.93),
    "GU": ("Guam", 13.47, 144.75), "AS": ("American Samoa", -14.28, -170.70),
    "MP": ("Northern Mariana Islands", 15.21, 145.75),
}  # fmt: skip
_MAINLAND_STATES: Final = frozenset(STATES.values())
_TYPES: Final = frozenset(
    {PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
)

Points = list[tuple[float, float]]


def generate() -> dict[str, str]:
    """The text of each table by file name."""
    import zipcodes

    zips = [
        z
        for z in zipcodes.list_all()  # type: ignore[no-untyped-call]
        if z["country"] == "US" and z["lat"] and z["long"]
    ]
    zip3 = _zip3_rows(zips)
    npa = _npa_rows(zips)
    states = _state_rows(zips)
    return {
        "npa.csv": _csv(("area_code", "country", "state", "name", "lat", "lon", "time_zone"), npa),
        "zip3.csv": _csv(("zip3", "state", "lat", "lon"), zip3),
        "states.csv": _csv(("country", "state", "name", "postal_letters", "lat", "lon"), states),
        "countries.csv": _csv(("country", "name"), _country_rows()),
    }


def _country_rows() -> list[tuple[str, ...]]:
    """Every country that has phone numbers."""
    from babel import Locale

    names = Locale("en").territories
    return [(code, names[code]) for code in sorted(phonenumbers.SUPPORTED_REGIONS)]


def _zip3_rows(zips: Iterable[Mapping[str, str]]) -> list[tuple[str, ...]]:
    points: dict[str, Points] = defaultdict(list)
    states: dict[str, Counter[str]] = defaultdict(Counter)
    for place in zips:
        prefix = place["zip_code"][:3]
        points[prefix].append((float(place["lat"]), float(place["long"])))
        states[prefix][place["state"]] += 1
    return [
        (prefix, _commonest(states[prefix]), *_position(points[prefix]))
        for prefix in sorted(points)
    ]


def _state_rows(zips: Iterable[Mapping[str, str]]) -> list[tuple[str, ...]]:
    points: dict[str, Points] = defaultdict(list)
    for place in zips:
        points[place["state"]].append((float(place["lat"]), float(place["long"])))
    mainland = [
        ("US", code, name.removesuffix(" State"), "", *_position(points[code]))
        for name, code in STATES.items()
    ]
    territories = [
        (code, code, name, "", _degrees(lat), _degrees(lon))
        for code, (name, lat, lon) in TERRITORIES.items()
    ]
    provinces = [
        ("CA", code, name, POSTAL_LETTERS[code], _degrees(lat), _degrees(lon))
        for code, (name, lat, lon) in PROVINCES.items()
    ]
    return sorted(mainland + territories + provinces)


def _npa_rows(zips: Iterable[Mapping[str, str]]) -> list[tuple[str, ...]]:
    from phonenumbers.geodata import GEOCODE_DATA

    places: dict[str, list[str]] = defaultdict(list)
    for prefix, names in GEOCODE_DATA.items():
        if prefix.startswith("1") and len(prefix) >= 4 and "en" in names:
            places[prefix[1:4]].append(names["en"] if len(prefix) > 4 else f"*{names['en']}")
    points: dict[str, Points] = defaultdict(list)
    state_points: dict[str, Points] = defaultdict(list)
    zip_states: dict[str, Counter[str]] = defaultdict(Counter)
    zip_zones: dict[str, Counter[str]] = defaultdict(Counter)
    for place in zips:
        spot = (float(place["lat"]), float(place["long"]))
        state_points[place["state"]].append(spot)
        for code in place["area_codes"]:
            points[code].append(spot)
            zip_states[code][place["state"]] += 1
            zip_zones[code][place["timezone"]] += 1

    rows: list[tuple[str, ...]] = []
    for code in (str(n) for n in range(200, 1000)):
        sample = _sample_number(code)
        if sample is None:
            continue
        country = phonenumbers.region_code_for_number(sample) or ""
        state, name, zone = "", "", _zone(sample)
        lat, lon = "", ""
        if country == "US":
            state = _us_state(places[code], zip_states[code])
            lat, lon = _position(points[code] or state_points[state])
            name = _name(places[code]) or state
            zone = _commonest(zip_zones[code]) or zone
        elif country == "CA":
            state = CANADIAN_NPAS.get(code) or _province(places[code])
            name, north, east = PROVINCES[state]
            lat, lon = _degrees(north), _degrees(east)
            zone = "America/Edmonton" if code == "867" else zone  # three zones: Yellowknife's
        elif country in TERRITORIES:
            state = country
            name, north, east = TERRITORIES[country]
            lat, lon = _degrees(north), _degrees(east)
        rows.append((code, country, state, name, lat, lon, zone))
    return rows


def _sample_number(code: str) -> phonenumbers.PhoneNumber | None:
    """A valid local number of the area code; None for toll-free, premium and unassigned codes."""
    for exchange in range(200, 1000, 7):
        digits = int(f"{code}{exchange}1234")
        number = phonenumbers.PhoneNumber(country_code=1, national_number=digits)
        if phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) in _TYPES:
            return number
    return None


def _zone(number: phonenumbers.PhoneNumber) -> str:
    """The time zone; "" where the list is long, which is all of North America and says nothing."""
    zones = timezone.time_zones_for_number(number)
    # Of two or three, the last of the alphabet is where the people are: America/Anchorage, not
    # Adak; America/St_Johns, not Halifax.
    return zones[-1] if 0 < len(zones) <= 3 and zones[0] != "Etc/Unknown" else ""


def _us_state(names: list[str], zip_states: Counter[str]) -> str:
    told: Counter[str] = Counter()
    for name in names:
        if name.startswith("*") and name[1:] in STATES:
            return STATES[name[1:]]
        last = name.rpartition(", ")[2]
        if last in _MAINLAND_STATES:
            told[last] += 1
    mainland = Counter({s: n for s, n in zip_states.items() if s in _MAINLAND_STATES})
    return _commonest(told or mainland)


def _province(names: list[str]) -> str:
    by_name = {name: code for code, (name, *_) in PROVINCES.items()} | {"British Colombia": "BC"}
    told: Counter[str] = Counter()
    for name in names:
        last = name.lstrip("*").rpartition(", ")[2]
        code = by_name.get(last, last)
        if code in PROVINCES:
            told[code] += 1
    return _commonest(told)


def _name(names: list[str]) -> str:
    """The state or city that the whole area code is named by, else its state in words."""
    whole = [name[1:] for name in names if name.startswith("*")]
    if whole:
        return whole[0].removesuffix(" State")
    last = _commonest(Counter(name.rpartition(", ")[2] for name in names)) if names else ""
    return next((name for name, code in STATES.items() if code == last), "").removesuffix(" State")


def _commonest(counted: Counter[str]) -> str:
    return min(counted.items(), key=lambda item: (-item[1], item[0]))[0] if counted else ""


def _position(points: Points) -> tuple[str, str]:
    if not points:
        return "", ""
    lat = sum(p[0] for p in points) / len(points)
    lon = sum(p[1] for p in points) / len(points)
    return _degrees(lat), _degrees(lon)


def _degrees(value: float) -> str:
    """A hundredth of a degree, about a kilometre: finer would be a pretence."""
    return f"{value:.2f}"


def _csv(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def main() -> None:
    for file_name, text in generate().items():
        (FOLDER / file_name).write_text(text, encoding="utf-8")
        print(f"{file_name}: {text.count(chr(10)) - 1} rows")


if __name__ == "__main__":
    main()
