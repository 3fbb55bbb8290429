"""A plan in plain words: one sentence, or an outline for plans with many branches."""

from collections.abc import Iterator, Mapping

from routing.acts import Target
from routing.numbering import pretty
from routing.steps import Label, Step

_NO_ENDING = "an apology, and the call ends"


def describe(step: Step, labels: Mapping[str, str] | None = None) -> str:
    """ "Rings the front desk and the mobile together for 20 s, then voicemail."

    `labels` are names of phones by their address.
    """
    return capital(_sentence(step, labelling(labels))) + "."


def outline(step: Step, labels: Mapping[str, str] | None = None) -> tuple[tuple[int, str], ...]:
    """The plan as lines, each with its depth."""
    return tuple(_lines(step, labelling(labels), depth=0, then=""))


def phone_words(target: Target) -> str:
    """A phone without a name of its own: its number as people write it, or its address."""
    match target.type:
        case "number":
            return pretty(target.address)
        case "sip":
            return target.address.partition(":")[2] or target.address
        case "client":
            return f"softphone {target.address}"


def labelling(labels: Mapping[str, str] | None) -> Label:
    known = labels or {}
    return lambda target: known.get(target.address) or phone_words(target)


def capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _sentence(step: Step, label: Label) -> str:
    words = step.words(label)
    ways = step.branches()
    if not step.chooses:
        if ways:
            return f"{words}, then {_sentence(ways[0].step, label)}"
        return f"{words}, then {_NO_ENDING}" if step.ring_seconds() else words
    told = [f"{way.heading}: {_sentence(way.step, label)}" for way in ways]
    if _no_otherwise(step):
        told.append(f"Everyone else: {_NO_ENDING}")
    return f"{words}. " + ". ".join(told)


def _lines(step: Step, label: Label, *, depth: int, then: str) -> Iterator[tuple[int, str]]:
    yield depth, capital(then + step.words(label))
    ways = step.branches()
    if not step.chooses:
        if ways:
            yield from _lines(ways[0].step, label, depth=depth, then="then ")
        elif step.ring_seconds():
            yield depth, f"Then {_NO_ENDING}"
        return
    for way in ways:
        yield depth + 1, f"{way.heading}:"
        yield from _lines(way.step, label, depth=depth + 2, then="")
    if _no_otherwise(step):
        yield depth + 1, f"Everyone else: {_NO_ENDING}"


def _no_otherwise(step: Step) -> bool:
    return all(way.pointer != "/otherwise" for way in step.branches())
