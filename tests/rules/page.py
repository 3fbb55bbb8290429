"""Writes docs/rules.md from the rulebook, the catalogue and the tests of this folder.

python -m tests.rules.page
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from billing.catalogue import load_catalogue
from tests.rules.rulebook import CONFLICTS, OPERATORS, RULES, Conflict, Rule

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "rules.md"
RULE_ID = re.compile(r"\b(S[1-5]-\d\d)(?: to (S[1-5]-\d\d))?")
NAMED = re.compile(r"^test_(?:s\d_\d\d_|to_|and_|c\d+_)*")
SHOWN_MAX = 60
HEAD = """\
# The rules, and where they are proven

Five operators publish how they sell call tracking. Each is a plan document of the catalogue
(`billing/catalogue/`), and no code knows any of them by name. For every rule: the setting of the
plan that holds it, what the operator's plan says there, and the tests that prove it. Tests in
[tests/rules](../tests/rules) prove it by the operator's own plan, the others prove its edges.

This page is made by `python -m tests.rules.page` and checked by `tests/rules/test_rulebook.py`.
"""


def render() -> str:
    parts = [HEAD]
    for operator, (title, plans) in OPERATORS.items():
        names = ", ".join(f"`{plan}`" for plan in plans)
        rows = [_rule_row(rule, plans) for rule in RULES if rule.id.startswith(operator)]
        parts.append(f"## {operator}: {title}\n\nPlans: {names}.\n")
        parts.append(_table(("rule", "held by", "proven by"), rows))
    parts.append("## Where they disagree\n\nOne engine; each side is a valid plan.\n")
    rows = [_conflict_row(conflict) for conflict in CONFLICTS]
    parts.append(_table(("conflict", "held by", "proven by"), rows))
    return "\n".join(parts)


def _rule_row(rule: Rule, plans: tuple[str, ...]) -> tuple[str, str, str]:
    tests = (*(f"rules/{test}" for test in proofs_here().get(rule.id, ())), *rule.elsewhere)
    held = [f"`{path}`: {_values(path, plans)}" for path in rule.settings]
    held += [rule.held_by] if rule.held_by else []
    proven = [_link(test) for test in tests]
    if rule.waits_for:
        proven.append(f"*not yet: {rule.waits_for}*")
    return f"**{rule.id}** {rule.words}", "<br>".join(held), "<br>".join(proven)


def _conflict_row(conflict: Conflict) -> tuple[str, str, str]:
    held = [
        f"{words}: " + ", ".join(f"`{path}` {_shown(value)}" for path, value in changes.items())
        for words, changes in conflict.sides
    ] or ["kinds of postings: `reversal` and `adjustment`, with reason and actor"]
    proven = [_link(test) for test in conflict.elsewhere]
    return f"**{conflict.id}** {conflict.words}", "<br>".join(held), "<br>".join(proven)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    words = NAMED.sub("", name).replace("_", " ")
    return f"[{words}](../tests/{path})"


def _values(path: str, plans: tuple[str, ...]) -> str:
    """What the operator's plans say; one value where all say the same."""
    found = {plan: _shown_at(load_catalogue()[plan], path) for plan in plans}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return "; ".join(found.values())


def _shown_at(document: Mapping[str, Any], path: str) -> str:
    found = list(dict.fromkeys(_shown(value) for value in _at(document, path.split("/")[1:])))
    return _short(", ".join(found)) if found else "not said"


def _at(value: Any, steps: list[str]) -> Iterator[Any]:
    if not steps:
        yield value
    elif steps[0] == "*":
        for entry in value:
            yield from _at(entry, steps[1:])
    elif isinstance(value, Mapping) and steps[0] in value:
        yield from _at(value[steps[0]], steps[1:])


def _shown(value: Any) -> str:
    """A value as people read it; a long list by its length."""
    if isinstance(value, Mapping):
        return _short(", ".join(f"{name} {_shown(part)}" for name, part in value.items()))
    if isinstance(value, list):
        if any(isinstance(entry, Mapping) for entry in value):
            return f"{len(value)} entries"
        return _short(", ".join(map(str, value)))
    return value if isinstance(value, str) else json.dumps(value)


def _short(words: str) -> str:
    return words if len(words) <= SHOWN_MAX else f"{words[:SHOWN_MAX].rstrip(' ,')} …"


@cache
def proofs_here() -> dict[str, tuple[str, ...]]:
    """The tests of this folder by the rules in their names and in their parameters' ids."""
    found: dict[str, list[str]] = {}
    for path in sorted(Path(__file__).parent.glob("test_s*.py")):
        for test in functions(path):
            words = " ".join([_as_ids(test.name), *_literals(test.decorator_list)])
            for rule_id in dict.fromkeys(_ids(words)):
                found.setdefault(rule_id, []).append(f"{path.name}::{test.name}")
    return {rule_id: tuple(tests) for rule_id, tests in found.items()}


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from (
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def _as_ids(name: str) -> str:
    return re.sub(r"_s(\d)_(\d\d)", r" S\1-\2", name).replace("_", " ")


def _literals(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                yield inner.value


def _ids(words: str) -> Iterator[str]:
    """`S1-06 to S1-09` names four."""
    for first, last in RULE_ID.findall(words):
        operator, number = first.split("-")
        until = int(last.split("-")[1]) if last else int(number)
        yield from (f"{operator}-{n:02}" for n in range(int(number), until + 1))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(TESTS.parent)}")
