"""Which plan may follow another by itself (C5), and which step is taken once."""

from typing import Any
from uuid import UUID

import pytest

from billing.lifecycle import Allowed, Refused
from billing.pools import may_start_on_pool
from billing.tariffs import Plan
from billing.upgrades import upgrade_errors, upgrade_id
from tests.billing.plans import plan

NEXT = "/upgrade/next_plan"


def tier(minutes: int, following: str = "", **more: Any) -> Plan:
    """Leads to `following` by itself where one is named."""
    rule = {"exhaustion": "auto_upgrade", "upgrade": {"next_plan": following}} if following else {}
    return plan(pool={"minutes": minutes}, **rule, **more)


SOLD = {"small": tier(100, "large"), "large": tier(500)}


def errors(code: str, wanted: Plan, **sold: Plan) -> dict[str, str]:
    return {e.path: e.message for e in upgrade_errors(code, wanted, SOLD | sold)}


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(tier(100, "large"), id="C5 more minutes"),
        pytest.param(
            plan(
                included={"minutes": 100}, exhaustion="auto_upgrade", upgrade={"next_plan": "large"}
            ),
            id="C5 included minutes",
        ),
        pytest.param(tier(900), id="a top tier that leads nowhere"),
        pytest.param(plan(upgrade={"next_plan": "unheard_of"}), id="a hint is not a step"),
    ],
)
def test_c5_a_plan_may_lead_to_one_with_more_minutes(wanted: Plan) -> None:
    assert errors("medium", wanted) == {}


@pytest.mark.parametrize(
    "wanted, words",
    [
        pytest.param(tier(100, "medium"), "this plan itself", id="C5 to itself"),
        pytest.param(
            tier(100, "huge"),
            "publish it first, or name one of: large, small",
            id="C5 to a plan that is not there",
        ),
        pytest.param(tier(500, "large"), "more than 500", id="C5 to no more minutes"),
        pytest.param(
            tier(100, "large", mode="postpaid"),
            "is prepaid and not postpaid",
            id="C5 to another mode",
        ),
        pytest.param(
            tier(100, "large", currency="EUR"), "in USD and not in EUR", id="C5 to another currency"
        ),
        pytest.param(
            tier(100, "large", access_fee={"month": "1", "year": "10"}),
            "not sold by the year",
            id="C5 to a plan without the term",
        ),
    ],
)
def test_c5_a_plan_that_leads_nowhere_useful_is_refused_at_its_field(
    wanted: Plan, words: str
) -> None:
    found = errors("medium", wanted)
    assert found.keys() == {NEXT} and words in found[NEXT]


def test_c5_plans_do_not_lead_in_a_circle() -> None:
    back = plan(pool={"minutes": 500}, upgrade={"next_plan": "small"})
    assert "large to small to large" in errors("large", back)[NEXT]
    hints = {"small": plan(upgrade={"next_plan": "large"})}
    assert list(upgrade_errors("large", back, hints)) == [], "hints of people may"


@pytest.mark.parametrize(
    "wanted, path",
    [
        pytest.param(tier(100), "/pool/minutes", id="C5 as few minutes"),
        pytest.param(plan(included={"minutes": 90}), "/included/minutes", id="C5 fewer, included"),
        pytest.param(plan(), "/pool/minutes", id="C5 none at all"),
        pytest.param(tier(500, mode="postpaid"), "/mode", id="C5 another mode"),
        pytest.param(tier(500, currency="EUR"), "/currency", id="C5 another currency"),
    ],
)
def test_c5_a_plan_that_another_leads_to_stays_larger(wanted: Plan, path: str) -> None:
    found = errors("large", wanted)
    assert found.keys() == {path} and "small upgrades to this plan by itself" in found[path]


def test_c5_a_step_is_taken_once_in_a_cycle() -> None:
    acme, bolt = UUID(int=1), UUID(int=2)
    steps = {
        upgrade_id(account, cycle, following)
        for account in (acme, bolt)
        for cycle in (24_315, 24_316)
        for following in ("large", "larger")
    }
    assert len(steps) == 8
    assert upgrade_id(acme, 24_315, "large") in steps


@pytest.mark.parametrize(
    "left, live, comes, allowed",
    [
        pytest.param(1, 0, False, True, id="S4-09 a second left"),
        pytest.param(0, 0, True, True, id="C5 more is on its way"),
        pytest.param(60, 60, True, True, id="C5 a running call has used the last minute"),
        pytest.param(0, 0, False, False, id="C5 S4-09 the upgrade waits for money"),
    ],
)
def test_c5_the_gate_while_an_upgrade_is_on_its_way(
    left: int, live: int, comes: bool, allowed: bool
) -> None:
    answer = may_start_on_pool(SOLD["small"].terms, left, live, upgrade_comes=comes)
    assert isinstance(answer, Allowed) is allowed
    if isinstance(answer, Refused):
        assert "top up" in answer.words and "larger plan" in answer.words
