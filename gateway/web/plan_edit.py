"""What the buttons of the forwarding editor do to a plan: new document in, new document out.

Changing a step's pattern keeps what it can. A pattern that chooses or speaks first (hours,
geographic, nearest, say) takes the old step in as a branch; going back takes it out again.
"""

from copy import deepcopy
from typing import Any

from gateway.web.plan_form import Document, find

RINGING = ("simultaneous", "sequential")
WRAPPING = {"hours": "then", "say": "then", "geographic": "otherwise", "nearest": "otherwise"}
ENDING = ("voicemail", "reject")
PATTERNS = (*RINGING, "hours", "geographic", "nearest", "say", *ENDING)
BRANCHES = ("then", "otherwise")
MAY_LACK = {
    "simultaneous": ("otherwise",),
    "sequential": ("otherwise",),
    "hours": ("otherwise",),
    "geographic": ("otherwise",),
    "nearest": ("otherwise",),
    "say": ("then",),
}


class NoSuchPlace(Exception):
    """The button's pointer leads nowhere: a stale page or a forged form."""


def new_target() -> Document:
    return {"type": "number", "address": "", "ring_seconds": 20}


def new_rule() -> Document:
    return {"then": new_step("simultaneous")}


def new_office() -> Document:
    return {"postal_code": "", "country": "US", "then": new_step("simultaneous")}


def new_opening() -> Document:
    return {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}


def new_step(pattern: str, time_zone: str = "UTC") -> Document:
    """What a fresh step of a pattern looks like: complete but for what only people know."""
    match pattern:
        case "simultaneous" | "sequential":
            return {"pattern": pattern, "targets": [new_target()]}
        case "hours":
            return {
                "pattern": pattern,
                "time_zone": time_zone,
                "open": [new_opening()],
                "then": new_step("simultaneous"),
                "otherwise": new_step("voicemail"),
            }
        case "geographic":
            return {"pattern": pattern, "rules": [new_rule()], "otherwise": new_step("voicemail")}
        case "nearest":
            return {
                "pattern": pattern,
                "offices": [new_office()],
                "otherwise": new_step("voicemail"),
            }
        case "say":
            return {
                "pattern": pattern,
                "text": "Thank you for calling.",
                "then": new_step("simultaneous"),
            }
        case "reject":
            return {"pattern": pattern, "reason": "busy"}
        case _:
            return {
                "pattern": "voicemail",
                "say": "Please leave a message after the tone.",
            }


NEW_ITEM = {
    "targets": new_target,
    "rules": new_rule,
    "offices": new_office,
    "open": new_opening,
}


def apply(document: Document, op: str, *, time_zone: str) -> tuple[Document, str]:
    """Do `add:/targets`, `remove:/targets/1`, `up:…`, `down:…`, `set:/otherwise`.

    Answers the new document and the pointer that should have the focus.
    """
    verb, _, path = op.partition(":")
    document = deepcopy(document)
    parent_path, _, last = path.rpartition("/")
    parent = find(document, parent_path)
    match verb:
        case "add" if last in NEW_ITEM and isinstance(parent, dict):
            items = parent.setdefault(last, [])
            if isinstance(items, list):
                items.append(NEW_ITEM[last]())
                return document, f"{path}/{len(items) - 1}"
        case "set" if last in BRANCHES and isinstance(parent, dict):
            parent.setdefault(last, new_step("voicemail", time_zone))
            return document, path
        case "remove" if isinstance(parent, dict) and last in BRANCHES and last in parent:
            del parent[last]
            return document, parent_path
        case "remove" if isinstance(parent, list) and _index(parent, last) is not None:
            del parent[int(last)]
            return document, parent_path
        case "up" | "down" if isinstance(parent, list):
            here, there = _index(parent, last), _index(parent, last, 1 if verb == "down" else -1)
            if here is not None and there is not None:
                parent[here], parent[there] = parent[there], parent[here]
                return document, f"{parent_path}/{there}"
            if here is not None:
                return document, path
    raise NoSuchPlace(op)


def _index(items: list[Any], token: str, offset: int = 0) -> int | None:
    if not (token.isascii() and token.isdigit()):
        return None
    index = int(token) + offset
    return index if 0 <= int(token) < len(items) and 0 <= index < len(items) else None


def change_pattern(document: Document, path: str, pattern: str, *, time_zone: str) -> Document:
    """The same plan with another pattern at `path`; an unknown pattern or place changes nothing."""
    document = deepcopy(document)
    step = find(document, path)
    if not isinstance(step, dict) or pattern not in PATTERNS:
        return document
    changed = _changed(step, pattern, time_zone)
    step.clear()
    step.update(changed)
    return document


def _changed(step: Document, pattern: str, time_zone: str) -> Document:
    kept = _branch_with(step, pattern)
    if kept is not None:
        return kept
    fresh = new_step(pattern, time_zone)
    if pattern in WRAPPING:
        fresh[WRAPPING[pattern]] = deepcopy(step)
        return fresh
    if pattern in RINGING:
        source = step if "targets" in step else _first_ringing(step)
        if source is not None:
            fresh["targets"] = source["targets"]
        if isinstance(step.get("otherwise"), dict):
            fresh["otherwise"] = step["otherwise"]
        elif source is not None and isinstance(source.get("otherwise"), dict):
            fresh["otherwise"] = source["otherwise"]
    return fresh


def _branches(step: Document) -> list[Document]:
    inner = [step.get(name) for name in BRANCHES]
    for group in ("rules", "offices"):
        items = step.get(group)
        inner += [item.get("then") for item in items or [] if isinstance(item, dict)]
    return [branch for branch in inner if isinstance(branch, dict)]


def _branch_with(step: Document, pattern: str) -> Document | None:
    """Going back from a wrapper, or straight to an ending: the branch that already is one."""
    if step.get("pattern") not in WRAPPING and pattern not in ENDING:
        return None
    return next((b for b in _branches(step) if b.get("pattern") == pattern), None)


def _first_ringing(step: Document) -> Document | None:
    return next((b for b in _branches(step) if isinstance(b.get("targets"), list)), None)
