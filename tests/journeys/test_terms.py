"""Terms of a plan that end something: access at once, a call at its ceiling, what is not paid."""

from typing import Any

import pytest
from world import FRONT_DESK, MOBILE, ONE_PHONE, World

from billing.catalogue import load_catalogue
from gateway.services import plan_changes, plans, subscriptions
from gateway.services.errors import Conflict
from gateway.store.legs import LegRow
from gateway.store.mail import MailRow
from tests.journeys.test_renewals import DAY, a_plan, free_rent, lines, midnight, pass_days

REJECT = '<Reject reason="rejected"'


def sell(stage: World, code: str = "terms", like: str = "payg", **more: Any) -> str:
    with stage.units.begin() as uow:
        plans.publish_plan(uow, code, load_catalogue()[like] | a_plan(**more), "Olga")
    return code


@pytest.mark.parametrize("term", ["month", "year"])
def test_s3_01_a_plan_may_end_access_with_the_cancellation_itself(stage: World, term: str) -> None:
    fees = {"month": "5.00", "year": "50.00"}
    plan = sell(stage, access_fee=fees, cancellation={"effective": "now"})
    acme = stage.join("Acme", plan=plan, document=ONE_PHONE)
    if term == "year":
        with stage.units.begin() as uow:
            plan_changes.request(uow, acme.scope, plan, "ann", term="year")
    left = stage.balance(acme.scope)
    now = stage.carrier.clock.now()
    with stage.units.begin() as uow:
        assert subscriptions.would_end_at(uow, acme.scope) == now
        gone = subscriptions.cancel_renewal(uow, acme.scope, "ann")
    assert (gone.access_ends_at, gone.renews_on) == (now, None)
    stage.renew()
    assert (stage.status(acme.scope), stage.balance(acme.scope)) == ("suspended", left), "no refund"
    assert REJECT in stage.ask(acme.e164)
    with pytest.raises(Conflict), stage.units.begin() as uow:
        subscriptions.resume(uow, acme.scope, "ann")
    free_rent(stage, acme)
    pass_days(stage, midnight(2026, 4, 10), hours=24 * 7)
    assert len(lines(stage, acme, "access_fee")) == 1, "nothing renews"
    assert stage.balance(acme.scope) == left
    stage.prove_ledger()


@pytest.mark.parametrize(
    "in_call",
    [
        pytest.param({"policy": "let_finish"}, id="C2 let_finish"),
        pytest.param({"policy": "cut"}, id="C2 cut, with money for hours"),
        pytest.param(
            {"policy": "grace", "grace_seconds": 300}, id="C2 grace, with money for hours"
        ),
    ],
)
def test_s4_08_no_call_lasts_longer_than_the_hard_ceiling_of_its_plan(
    stage: World, in_call: dict[str, Any]
) -> None:
    plan = sell(stage, in_call=in_call | {"hard_ceiling_seconds": 90})
    document = {
        "pattern": "sequential",
        "targets": [
            {"type": "number", "address": MOBILE},
            {"type": "number", "address": FRONT_DESK},
        ],
    }
    acme = stage.join("Acme", plan=plan, document=document)
    stage.nobody(MOBILE)
    stage.person(FRONT_DESK, talks=3_000)
    stage.call(acme.e164)
    stage.settle()
    talked = {leg.to_address: leg.talk_seconds for leg in stage.rows(LegRow, acme.scope)}
    assert (talked[MOBILE], talked[FRONT_DESK]) == (0, 90)
    assert stage.balance(acme.scope) == 50_000_000 - 2 * 75_000
    stage.prove_ledger()


@pytest.mark.parametrize(
    "policy, status, left, fees",
    [
        pytest.param("post_anyway", "suspended", -1_000_000, 2, id="C7 charged all the same"),
        pytest.param("suspend", "suspended", 4_000_000, 1, id="C7 service waits with the fee"),
        pytest.param("drop", "suspended", 4_000_000, 1, id="C7 access ends"),
    ],
)
def test_s3_04_a_fee_that_the_balance_does_not_cover_does_what_the_plan_says(
    stage: World, policy: str, status: str, left: int, fees: int
) -> None:
    plan = sell(stage, access_fee={"month": "5.00"}, renewal_without_balance=policy)
    acme = stage.join("Acme", plan=plan, funds=4_000_000, document=None)
    free_rent(stage, acme)
    stage.wait_until(midnight(2026, 4, 3))
    stage.renew()
    assert (stage.status(acme.scope), stage.balance(acme.scope)) == (status, left)
    assert len(lines(stage, acme, "access_fee")) == fees
    stage.top_up(acme.scope, 1_000_000)
    stage.renew()
    back, after = ("suspended", 5_000_000) if policy == "drop" else ("active", 0)
    assert (stage.status(acme.scope), stage.balance(acme.scope)) == (back, after)
    pass_days(stage, midnight(2026, 4, 4), hours=6)
    assert len(lines(stage, acme, "access_fee")) == (1 if policy == "drop" else 2)
    stage.work()
    subjects = [mail.subject for mail in stage.rows(MailRow, acme.scope)]
    told = [subject for subject in subjects if "access fee" in subject]
    waits, gone = "Acme: the access fee waits for a top-up", "Acme: the access fee was not renewed"
    # The first fee of an account without money waits, unless it is charged all the same.
    assert told == {"post_anyway": [], "suspend": [waits, waits], "drop": [waits, gone]}[policy]
    stage.prove_ledger()


@pytest.mark.parametrize(
    "policy, status, left",
    [
        pytest.param("post_anyway", "suspended", -1_000_000, id="C7 charged all the same"),
        pytest.param("suspend", "suspended", 1_000_000, id="C7 service waits with the rent"),
        pytest.param("drop", "suspended", 1_000_000, id="S2-15 a number is never given up by that"),
    ],
)
def test_s2_04_rent_that_the_balance_does_not_cover_does_what_the_plan_says(
    stage: World, policy: str, status: str, left: int
) -> None:
    plan = sell(stage, renewal_without_balance=policy)
    acme = stage.join("Acme", plan=plan, funds=1_000_000, document=ONE_PHONE)
    stage.wait_until(midnight(2026, 4, 3) + DAY)
    stage.renew()
    assert (stage.status(acme.scope), stage.balance(acme.scope)) == (status, left)
    stage.top_up(acme.scope, 1_000_000)
    stage.renew()
    assert (stage.status(acme.scope), stage.balance(acme.scope)) == ("active", 0)
    assert FRONT_DESK in stage.ask(acme.e164)
    assert len(lines(stage, acme, "rental")) == 2
    stage.prove_ledger()
