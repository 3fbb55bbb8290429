"""Phones ring: all together, or one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from routing.acts import Target
from routing.facts import Situation
from routing.reading import RING_SECONDS_DEFAULT, TARGETS_PER_DIAL_MAX, Reader
from routing.steps import Branch, Document, FieldError, Label, Ring, Round, Step

SEQUENCE_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class _RingingStep(Step):
    ringing: tuple[Target, ...]
    otherwise: Step | None = None

    targets_max: ClassVar[int]

    @classmethod
    def read(cls, reader: Reader, raw: Mapping[str, Any], path: str) -> Step | None:
        reader.fields(raw, path, ("pattern", "targets", "otherwise"))
        targets = reader.targets(raw, path, cls.targets_max)
        return cls(targets, reader.branch(raw, "otherwise", path))

    @classmethod
    def schema(cls) -> Document:
        return {
            "properties": {
                "targets": {
                    "type": "array",
                    "items": {"$ref": "#/$defs/target"},
                    "minItems": 1,
                    "maxItems": cls.targets_max,
                },
                "otherwise": {"$ref": "#/$defs/branch"},
            },
            "required": ["targets"],
        }

    def to_document(self) -> Document:
        document: Document = {
            "pattern": self.pattern,
            "targets": [target_document(target) for target in self.ringing],
        }
        if self.otherwise is not None:
            document["otherwise"] = self.otherwise.to_document()
        return document

    def branches(self) -> tuple[Branch, ...]:
        if self.otherwise is None:
            return ()
        return (Branch("/otherwise", "If nobody answers", self.otherwise),)

    def targets(self) -> tuple[tuple[str, Target], ...]:
        return tuple((f"/targets/{i}", target) for i, target in enumerate(self.ringing))


@dataclass(frozen=True, slots=True)
class SimultaneousStep(_RingingStep):
    """One round of many. The carrier has one timeout for all: the longest one counts."""

    pattern: ClassVar[str] = "simultaneous"
    targets_max: ClassVar[int] = TARGETS_PER_DIAL_MAX

    def move(self, situation: Situation, position: str) -> Ring:
        everyone = tuple(range(len(self.ringing)))
        return Ring((Round(self.ringing, everyone, self.ring_seconds()),))

    def ring_seconds(self) -> int:
        return max((target.ring_seconds for target in self.ringing), default=0)

    def words(self, label: Label) -> str:
        together = " together" if len(self.ringing) > 1 else ""
        phones = listed([_with_confirm(target, label) for target in self.ringing])
        return f"rings {phones}{together} for {self.ring_seconds()} s"

    def notes(self) -> tuple[FieldError, ...]:
        found = []
        if len({target.ring_seconds for target in self.ringing}) > 1:
            words = f"They ring together, and all for the longest time: {self.ring_seconds()} s."
            found.append(FieldError("/targets", "ring_seconds_differ", words))
        seen: set[tuple[str, str]] = set()
        for i, target in enumerate(self.ringing):
            if (target.type, target.address) in seen:
                words = "This phone is in the group twice; it would be busy with itself."
                found.append(FieldError(f"/targets/{i}/address", "same_phone_twice", words))
            seen.add((target.type, target.address))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class SequentialStep(_RingingStep):
    """Many rounds of one. A busy or failed phone gives way at once."""

    pattern: ClassVar[str] = "sequential"
    targets_max: ClassVar[int] = SEQUENCE_MAX

    def move(self, situation: Situation, position: str) -> Ring:
        return Ring(
            tuple(
                Round((target,), (index,), target.ring_seconds)
                for index, target in enumerate(self.ringing)
            )
        )

    def ring_seconds(self) -> int:
        return sum(target.ring_seconds for target in self.ringing)

    def words(self, label: Label) -> str:
        rung = [
            f"{_with_confirm(target, label)} for {target.ring_seconds} s" for target in self.ringing
        ]
        return "rings " + ", then ".join(rung)


def target_document(target: Target) -> Document:
    document: Document = {"type": target.type, "address": target.address}
    if target.ring_seconds != RING_SECONDS_DEFAULT:
        document["ring_seconds"] = target.ring_seconds
    if target.whisper:
        document["whisper"] = target.whisper
    if target.confirm:
        document["confirm"] = True
    if target.weight != 1:
        document["weight"] = target.weight
    return document


def listed(names: list[str], last: str = "and") -> str:
    """a, b and c"""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def _with_confirm(target: Target, label: Label) -> str:
    return f"{label(target)} (who must press 1)" if target.confirm else label(target)
