"""Where the caller is decides: country, state or province, area code, postal code.

A rule names places, and a caller in any of them matches. Of several matching rules the most
specific place wins (the longest postal code, then area code, state, country), then the earlier
rule. A withheld caller, and one in no rule, takes `otherwise`. Ported mobiles keep their old
area code, so that geography is a good guess and not a fact.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import phonenumbers

from routing.facts import Situation
from routing.geography import (
    Place,
    area_codes,
    country_names,
    locate,
    normal_postal_code,
    state_names,
)
from routing.patterns.ringing import listed
from routing.reading import Reader, shown
from routing.steps import Branch, Choose, Document, FieldError, Label, Step

RULES_MAX: Final = 100
PLACES_PER_RULE_MAX: Final = 500

_POSTAL: Final = re.compile(r"[A-Z0-9]{1,10}")
_AREA_CODE: Final = re.compile(r"[2-9][0-9]{2}")


@dataclass(frozen=True, slots=True)
class GeographicRule:
    then: Step
    countries: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    area_codes: tuple[str, ...] = ()
    postal_codes: tuple[str, ...] = ()

    def specificity(self, place: Place) -> tuple[int, int]:
        """How closely the rule names the place; (0, 0) when it does not at all."""
        prefixes = [code for code in self.postal_codes if place.postal_code.startswith(code)]
        if place.postal_code and prefixes:
            return 4, max(map(len, prefixes))
        if place.area_code and place.area_code in self.area_codes:
            return 3, 0
        if place.state and place.state in self.states:
            return 2, 0
        return (1, 0) if place.country in self.countries else (0, 0)

    def heading(self) -> str:
        names = state_names()
        places = [f"postal codes {code}…" for code in self.postal_codes]
        places += [f"area code {code}" for code in self.area_codes]
        places += [names.get(state, state) for state in self.states]
        places += [country_names().get(country, country) for country in self.countries]
        extra = [f"{len(places) - 5} more"] if len(places) > 6 else []
        return f"Callers from {listed(places[: 5 if extra else 6] + extra, 'or')}"


@dataclass(frozen=True, slots=True)
class GeographicStep(Step):
    rules: tuple[GeographicRule, ...]
    otherwise: Step | None = None

    pattern: ClassVar[str] = "geographic"
    chooses: ClassVar[bool] = True

    @classmethod
    def read(cls, reader: Reader, raw: Mapping[str, Any], path: str) -> Step | None:
        reader.fields(raw, path, ("pattern", "rules", "otherwise"))
        rules = [
            _read_rule(reader, item, f"{path}/rules/{i}")
            for i, item in enumerate(reader.items(raw, "rules", path, RULES_MAX))
        ]
        otherwise = reader.branch(raw, "otherwise", path)
        return cls(tuple(rule for rule in rules if rule is not None), otherwise)

    @classmethod
    def schema(cls) -> Document:
        def places(pattern: str) -> Document:
            return {
                "type": "array",
                "items": {"type": "string", "pattern": pattern},
                "minItems": 1,
                "maxItems": PLACES_PER_RULE_MAX,
            }

        rule = {
            "type": "object",
            "properties": {
                "countries": places("^[A-Za-z]{2}$"),
                "states": places("^[A-Za-z]{2}$"),
                "area_codes": places("^[2-9][0-9]{2}$"),
                "postal_codes": places("^[A-Za-z0-9][A-Za-z0-9 -]{0,11}$"),
                "then": {"$ref": "#/$defs/step"},
            },
            "required": ["then"],
            "minProperties": 2,
            "additionalProperties": False,
        }
        return {
            "properties": {
                "rules": {"type": "array", "items": rule, "minItems": 1, "maxItems": RULES_MAX},
                "otherwise": {"$ref": "#/$defs/branch"},
            },
            "required": ["rules"],
        }

    def to_document(self) -> Document:
        rules = []
        for rule in self.rules:
            places = {name: list(getattr(rule, name)) for name in _KINDS if getattr(rule, name)}
            rules.append({**places, "then": rule.then.to_document()})
        document: Document = {"pattern": self.pattern, "rules": rules}
        if self.otherwise is not None:
            document["otherwise"] = self.otherwise.to_document()
        return document

    def move(self, situation: Situation, position: str) -> Choose:
        place = locate(situation.facts)
        if place is None:
            return Choose("/otherwise", "The caller's place is unknown: otherwise.")
        scores = [rule.specificity(place) for rule in self.rules]
        best = max(scores)
        if best == (0, 0):
            return Choose("/otherwise", f"Caller is in {_where(place)}: no rule matches.")
        index = scores.index(best)
        words = f"Caller is in {_where(place)}: rule {index + 1} matches."
        return Choose(f"/rules/{index}/then", words)

    def words(self, label: Label) -> str:
        return "goes by where the caller is"

    def branches(self) -> tuple[Branch, ...]:
        found = [
            Branch(f"/rules/{i}/then", rule.heading(), rule.then)
            for i, rule in enumerate(self.rules)
        ]
        if self.otherwise is not None:
            found.append(Branch("/otherwise", "Everyone else", self.otherwise))
        return tuple(found)

    def notes(self) -> tuple[FieldError, ...]:
        """Area codes that our table lacks: a slip of the hand, or newer than the table."""
        return tuple(
            FieldError(
                f"/rules/{i}/area_codes/{j}",
                "unknown_area_code",
                f"We do not know area code {code}; check that it is not a slip.",
            )
            for i, rule in enumerate(self.rules)
            for j, code in enumerate(rule.area_codes)
            if code not in area_codes()
        )


def _where(place: Place) -> str:
    parts = [f"postal code {place.postal_code}" if place.postal_code else ""]
    parts += [state_names().get(place.state, place.state)]
    parts += [country_names().get(place.country, place.country)]
    parts += [f"area code {place.area_code}" if place.area_code else ""]
    return ", ".join(part for part in parts if part)


def _is_country(code: str) -> bool:
    return code in phonenumbers.SUPPORTED_REGIONS


def _is_state(code: str) -> bool:
    return code in state_names()


def _is_area_code(code: str) -> bool:
    return _AREA_CODE.fullmatch(code) is not None


def _is_postal_code(code: str) -> bool:
    return _POSTAL.fullmatch(code) is not None


# Field -> how an entry is recognised, and what to write instead.
_KINDS: Final[dict[str, tuple[Callable[[str], bool], str]]] = {
    "countries": (_is_country, "use two-letter country codes such as US, CA or GB"),
    "states": (
        _is_state,
        "use two-letter codes of US states or Canadian provinces, such as NV or ON",
    ),
    "area_codes": (_is_area_code, "use three-digit North American area codes such as 212"),
    "postal_codes": (_is_postal_code, "use the beginning of a postal code, such as 941 or M5V"),
}


def _read_rule(reader: Reader, raw: object, path: str) -> GeographicRule | None:
    if not isinstance(raw, Mapping):
        reader.error(path, "not_a_rule", "A rule is an object with places and “then”.")
        return None
    reader.fields(raw, path, (*_KINDS, "then"))
    places = {name: _read_places(reader, raw, name, path) for name in _KINDS if name in raw}
    if not places:
        reader.error(path, "no_criteria", f"Name at least one place: {listed(list(_KINDS), 'or')}.")
    then = reader.needed_branch(raw, "then", path)
    return None if then is None else GeographicRule(then, **places)


def _read_places(reader: Reader, raw: Mapping[str, Any], name: str, path: str) -> tuple[str, ...]:
    known, cure = _KINDS[name]
    found = []
    for i, item in enumerate(reader.items(raw, name, path, PLACES_PER_RULE_MAX)):
        code = normal_postal_code(item) if isinstance(item, str) else ""
        if not code or (reader.checking and not known(code)):
            reader.error(
                f"{path}/{name}/{i}", "unknown_place", f"“{shown(item)}” is unknown; {cure}."
            )
        found.append(code)
    return tuple(dict.fromkeys(found))
