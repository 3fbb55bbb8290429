"""The office nearest to the caller answers, by the distance between their postal areas."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from routing.facts import Situation
from routing.geography import (
    COUNTRIES_WITH_STATES,
    haversine_km,
    locate,
    normal_postal_code,
    postal_position,
)
from routing.reading import Reader
from routing.steps import Branch, Choose, Document, Label, Step

OFFICES_MAX: Final = 100

_ZIP: Final = re.compile(r"[0-9]{5}(?:[0-9]{4})?")
_CANADIAN: Final = re.compile(r"[A-Z][0-9][A-Z](?:[0-9][A-Z][0-9])?")


@dataclass(frozen=True, slots=True)
class Office:
    postal_code: str
    country: str
    then: Step


@dataclass(frozen=True, slots=True)
class NearestStep(Step):
    """Offices at the same distance: the earlier one. No position, no distance: `otherwise`."""

    offices: tuple[Office, ...]
    otherwise: Step | None = None

    pattern: ClassVar[str] = "nearest"
    chooses: ClassVar[bool] = True

    @classmethod
    def read(cls, reader: Reader, raw: Mapping[str, Any], path: str) -> Step | None:
        reader.fields(raw, path, ("pattern", "offices", "otherwise"))
        offices = [
            _read_office(reader, item, f"{path}/offices/{i}")
            for i, item in enumerate(reader.items(raw, "offices", path, OFFICES_MAX))
        ]
        otherwise = reader.branch(raw, "otherwise", path)
        return cls(tuple(office for office in offices if office is not None), otherwise)

    @classmethod
    def schema(cls) -> Document:
        office = {
            "type": "object",
            "properties": {
                "postal_code": {"type": "string", "minLength": 3, "maxLength": 12},
                "country": {"enum": sorted(COUNTRIES_WITH_STATES)},
                "then": {"$ref": "#/$defs/step"},
            },
            "required": ["postal_code", "then"],
            "additionalProperties": False,
        }
        return {
            "properties": {
                "offices": {
                    "type": "array",
                    "items": office,
                    "minItems": 1,
                    "maxItems": OFFICES_MAX,
                },
                "otherwise": {"$ref": "#/$defs/branch"},
            },
            "required": ["offices"],
        }

    def to_document(self) -> Document:
        document: Document = {
            "pattern": self.pattern,
            "offices": [
                {
                    "postal_code": office.postal_code,
                    "country": office.country,
                    "then": office.then.to_document(),
                }
                for office in self.offices
            ],
        }
        if self.otherwise is not None:
            document["otherwise"] = self.otherwise.to_document()
        return document

    def move(self, situation: Situation, position: str) -> Choose:
        place = locate(situation.facts)
        here = place.position if place else None
        if here is None:
            return Choose("/otherwise", "The caller's position is unknown: otherwise.")
        distances = []
        for index, office in enumerate(self.offices):
            spot = postal_position(office.country, office.postal_code)
            if spot is not None:
                distances.append((haversine_km(here, spot), index))
        if not distances:
            return Choose("/otherwise", "No office has a known position: otherwise.")
        km, index = min(distances)
        words = f"Office {self.offices[index].postal_code} is nearest, {km:.0f} km away."
        return Choose(f"/offices/{index}/then", words)

    def words(self, label: Label) -> str:
        return "goes to the office nearest to the caller"

    def branches(self) -> tuple[Branch, ...]:
        found = [
            Branch(f"/offices/{i}/then", f"Nearest to {office.postal_code}", office.then)
            for i, office in enumerate(self.offices)
        ]
        if self.otherwise is not None:
            found.append(Branch("/otherwise", "Everyone else", self.otherwise))
        return tuple(found)


def _read_office(reader: Reader, raw: object, path: str) -> Office | None:
    if not isinstance(raw, Mapping):
        reader.error(path, "not_an_office", "An office has “postal_code”, “country” and “then”.")
        return None
    reader.fields(raw, path, ("postal_code", "country", "then"))
    said = raw.get("country", "US")
    country = said.strip().upper() if isinstance(said, str) else ""
    if country not in COUNTRIES_WITH_STATES:
        reader.error(
            f"{path}/country", "unknown_country", "Offices are in the US or Canada: write US or CA."
        )
    typed = raw.get("postal_code")
    code = normal_postal_code(typed) if isinstance(typed, str) else ""
    shape = _CANADIAN if country == "CA" else _ZIP
    if not shape.fullmatch(code) or postal_position(country, code) is None:
        reader.error(
            f"{path}/postal_code",
            "unknown_postal_code",
            "Enter the office's postal code, such as 94105 or M5V 2T6.",
        )
    then = reader.needed_branch(raw, "then", path)
    return None if then is None else Office(code, country, then)
