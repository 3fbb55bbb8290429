"""The routing plan: a tree of steps, read from JSON with every mistake at once.

A published plan is immutable. `parse_plan` is for publishing and checks against the account;
`load_plan` is for calls and trusts what was published.
"""

from collections.abc import Iterator
from typing import Final

from routing.acts import Target
from routing.patterns import PATTERNS, RejectStep
from routing.reading import (
    DEPTH_MAX,
    RING_SECONDS_DEFAULT,
    RING_SECONDS_MAX,
    RING_SECONDS_MIN,
    STEPS_MAX,
    TARGET_TYPES,
    TARGETS_PER_DIAL_MAX,
    TARGETS_PER_PLAN_MAX,
    WEIGHT_MAX,
    WHISPER_LENGTH_MAX,
    PlanContext,
    PlanInvalid,
    Reader,
)
from routing.steps import Document, FieldError, Step

# A caller who has waited half an hour is gone; so is whoever pays for the ringing line.
PATH_RING_SECONDS_MAX: Final = 1800


def parse_plan(document: object, context: PlanContext) -> Step:
    """The plan an account may publish; raises PlanInvalid with all that is wrong."""
    reader = Reader(PATTERNS, context)
    plan = reader.step(document, "")
    if plan is not None and not reader.errors:
        reader.errors.extend(_too_long_ringing(plan, "", 0))
    if plan is None or reader.errors:
        raise PlanInvalid(tuple(reader.errors))
    return plan


def load_plan(document: object) -> Step:
    """A plan we published ourselves: no number, zone or calendar is looked up again."""
    reader = Reader(PATTERNS, None)
    plan = reader.step(document, "")
    if plan is None or reader.errors:
        raise PlanInvalid(tuple(reader.errors))
    return plan


def to_document(step: Step) -> Document:
    """The JSON of a plan in its normal form: `load_plan` of it is the same plan."""
    return step.to_document()


def walk(step: Step, path: str = "") -> Iterator[tuple[str, Step]]:
    """Every step with its JSON pointer, parents first."""
    yield path, step
    for branch in step.branches():
        yield from walk(branch.step, path + branch.pointer)


def plan_targets(step: Step) -> Iterator[tuple[str, Target]]:
    """Every phone of the plan with its JSON pointer."""
    for path, part in walk(step):
        for pointer, target in part.targets():
            yield path + pointer, target


def find_step(plan: Step, pointer: str) -> Step | None:
    """The step at a JSON pointer; None where the plan has none."""
    if not pointer:
        return plan
    for branch in plan.branches():
        if pointer == branch.pointer or pointer.startswith(branch.pointer + "/"):
            return find_step(branch.step, pointer[len(branch.pointer) :])
    return None


def warnings(step: Step) -> tuple[FieldError, ...]:
    """What works but may surprise: calls that end in an apology, refusals that come too late."""
    found: list[FieldError] = []
    for path, part in walk(step):
        if getattr(part, "otherwise", part) is None:
            words = "Then the caller hears an apology and the call ends; add a step, or leave it."
            found.append(FieldError(f"{path}/otherwise", "no_ending", words))
        found.extend(FieldError(path + n.path, n.code, n.message) for n in part.notes())
    found.extend(_late_refusals(step, "", begun=False))
    return tuple(found)


def _late_refusals(step: Step, path: str, *, begun: bool) -> Iterator[FieldError]:
    if isinstance(step, RejectStep) and begun:
        words = "A call that already rang or spoke cannot be refused; it will just end here."
        yield FieldError(path, "reject_too_late", words)
    for branch in step.branches():
        yield from _late_refusals(
            branch.step, path + branch.pointer, begun=begun or not step.chooses
        )


def _too_long_ringing(step: Step, path: str, waited_seconds: int) -> Iterator[FieldError]:
    waited_seconds += step.ring_seconds()
    if waited_seconds > PATH_RING_SECONDS_MAX:
        words = (
            f"A caller would hear {waited_seconds} s of ringing up to here; "
            f"shorten it to {PATH_RING_SECONDS_MAX} s in all."
        )
        yield FieldError(f"{path}/targets", "rings_too_long", words)
        return
    for branch in step.branches():
        yield from _too_long_ringing(branch.step, path + branch.pointer, waited_seconds)


def _schema() -> Document:
    step: Document = {"type": "object", "required": ["pattern"], "oneOf": []}
    for name, kind in PATTERNS.items():
        own = kind.schema()
        step["oneOf"].append(
            {
                "title": name,
                "properties": {"pattern": {"const": name}, **own["properties"]},
                "required": ["pattern", *own["required"]],
                "additionalProperties": False,
            }
        )
    target = {
        "type": "object",
        "properties": {
            "type": {"enum": list(TARGET_TYPES)},
            "address": {"type": "string", "minLength": 1},
            "ring_seconds": {
                "type": "integer",
                "minimum": RING_SECONDS_MIN,
                "maximum": RING_SECONDS_MAX,
                "default": RING_SECONDS_DEFAULT,
            },
            "whisper": {"type": ["string", "null"], "maxLength": WHISPER_LENGTH_MAX},
            "confirm": {"type": "boolean", "default": False},
            "weight": {"type": "integer", "minimum": 1, "maximum": WEIGHT_MAX, "default": 1},
        },
        "required": ["type", "address"],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Routing plan",
        "$ref": "#/$defs/step",
        "$defs": {
            "step": step,
            "branch": {"anyOf": [{"$ref": "#/$defs/step"}, {"type": "null"}]},
            "target": target,
        },
    }


PLAN_SCHEMA: Final[Document] = _schema()

__all__ = [
    "DEPTH_MAX",
    "PATH_RING_SECONDS_MAX",
    "PLAN_SCHEMA",
    "STEPS_MAX",
    "TARGETS_PER_DIAL_MAX",
    "TARGETS_PER_PLAN_MAX",
    "FieldError",
    "PlanContext",
    "PlanInvalid",
    "Step",
    "Target",
    "find_step",
    "load_plan",
    "parse_plan",
    "plan_targets",
    "to_document",
    "walk",
    "warnings",
]
