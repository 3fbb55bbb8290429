"""The rulebook is complete, says what is so, and the page in docs/ says what the rulebook says."""

import ast
import re
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from billing.plan_schema import PLAN_SCHEMA
from billing.tariffs import PlanInvalid, parse_plan
from tests.architecture.test_floors import ROOT
from tests.rules.page import PAGE, RULE_ID, TESTS, functions, proofs_here, render
from tests.rules.rulebook import CONFLICTS, OPERATORS, RULES, RULES_OF, Conflict, Rule

AGREED = ("C16", "C17", "C18")  # with the numbers and their porting


def test_every_rule_of_every_operator_is_in_the_book_once() -> None:
    expected = [f"{who}-{n:02}" for who, last in RULES_OF.items() for n in range(1, last + 1)]
    assert [rule.id for rule in RULES] == expected
    conflicts = [f"C{n}" for n in range(1, 21) if f"C{n}" not in AGREED]
    assert [conflict.id for conflict in CONFLICTS] == conflicts


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_is_proven_or_waits_for_work_that_is_named(rule: Rule) -> None:
    here = proofs_here().get(rule.id, ())
    assert here or rule.elsewhere or rule.waits_for
    assert rule.settings or rule.held_by or rule.waits_for, "what holds it?"
    carriers = [test for test in rule.elsewhere if rule.id in ids_of(test)]
    assert here or carriers or rule.waits_for, "no test carries the id"
    for test in rule.elsewhere:
        assert is_collected(test), test


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_what_holds_a_rule_is_a_field_of_the_plan_document(rule: Rule) -> None:
    for path in rule.settings:
        assert field_at(path) is not None, path


def test_every_operators_plans_ship() -> None:
    assert OPERATORS.keys() == RULES_OF.keys()
    assert {plan for _, plans in OPERATORS.values() for plan in plans} <= load_catalogue().keys()


def test_no_test_of_this_folder_names_a_rule_that_nobody_published() -> None:
    assert proofs_here().keys() <= {rule.id for rule in RULES}


@pytest.mark.parametrize("conflict", CONFLICTS, ids=lambda conflict: conflict.id)
def test_each_side_of_a_conflict_is_a_plan_that_can_be_sold(conflict: Conflict) -> None:
    """And says so: a document that says something else there is another plan."""
    for words, changes in conflict.sides:
        for path in changes:
            assert field_at(path) is not None, path
        document = deepcopy(dict(load_catalogue()["payg"]))
        for path, value in changes.items():
            put(document, path.split("/")[1:], value)
        try:
            parse_plan(document)
        except PlanInvalid as refusal:
            pytest.fail(f"{words}: {refusal.errors}")
    for test in conflict.elsewhere:
        assert is_collected(test), test


def test_the_sides_of_a_conflict_differ() -> None:
    for conflict in CONFLICTS:
        seen = Counter(repr(sorted(changes.items())) for _, changes in conflict.sides)
        assert all(count == 1 for count in seen.values()), conflict.id


def test_the_page_is_what_the_rulebook_says_now() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), (
        "docs/rules.md is stale: run python -m tests.rules.page"
    )


THEIR_NAMES = re.compile(
    r"call ?tracking ?metrics|active ?demand|thryv|command ?cent(er|re)|\bcallr\b", re.IGNORECASE
)
DATA = ("gateway/demo_cast.py",)  # the demo's customers, each on a plan


def sources() -> list[Path]:
    folders = ("billing", "routing", "gateway", "webhooks", "workers")
    every = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return [path for path in every if not str(path).endswith(DATA)]


def test_no_code_knows_an_operator_or_a_plan_by_name() -> None:
    """Plans are data: one that is called otherwise behaves the same."""
    codes = {plan for _, plans in OPERATORS.values() for plan in plans}
    found = []
    for path in sources():
        text = path.read_text(encoding="utf-8")
        found += [f"{path.name}: {named[0]}" for named in THEIR_NAMES.finditer(text)]
        found += [
            f"{path.name}:{node.lineno}: {node.value}"
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Constant) and node.value in codes
        ]
    assert len(sources()) > 150
    assert found == []


def field_at(path: str) -> dict[str, Any] | None:
    """What the schema says of a field of the plan document."""
    schema: dict[str, Any] | None = PLAN_SCHEMA
    for step in path.split("/")[1:]:
        assert schema is not None, path
        inner = schema.get("items") if step == "*" else schema.get("properties", {}).get(step)
        if inner is None:
            return None
        schema = inner
    return schema


def put(document: dict[str, Any], steps: list[str], value: object) -> None:
    *outer, last = steps
    for step in outer:
        document[step] = dict(document.get(step) or {})
        document = document[step]
    if value is None:
        document.pop(last, None)
    else:
        document[last] = value


def parts_of(test: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"([^:]+)::([^\[]+)(?:\[(.+)\])?", test)
    assert found is not None, test
    return found[1], found[2], found[3] or ""


def is_collected(test: str) -> bool:
    """A function of that name is in that file, with that id among its parameters; or a class of
    that name, for a model of hypothesis."""
    path, name, parameter = parts_of(test)
    source = (TESTS / path).read_text(encoding="utf-8")
    if not name.startswith("test_"):
        return f"class {name}(" in source and f"{name}.TestCase" in source
    return any(f.name == name for f in functions(TESTS / path)) and parameter in source


def ids_of(test: str) -> set[str]:
    """The rules that a test names, in its name or in the ids of its parameters."""
    path, name, _ = parts_of(test)
    words = re.sub(r"_s(\d)_(\d\d)", r" S\1-\2", name)
    lines = (TESTS / path).read_text(encoding="utf-8").split(f"def {name}(")[0]
    decorators = lines.rpartition("\n\n\n")[2]
    return {first for first, _ in RULE_ID.findall(f"{words} {decorators}")}
