"""A period priced anew after a mistake in a tariff: a preview, then reversals and new lines."""

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from billing.catalogue import load_catalogue
from billing.purchases import Purchaser
from gateway.services import (
    accounts,
    audit,
    ledger,
    overview,
    packages,
    plans,
    rerating,
    reversals,
    statement,
    what_if,
)
from gateway.services.accounts import Account, NewAccount
from gateway.services.errors import Invalid
from gateway.services.plans import PlanVersion
from gateway.services.rerating import Mistake
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.history import MOBILE, START, Target
from tests.services.test_what_if import Diary, give

UNTIL = START + dt.timedelta(days=31)
WHY = "The rate of 2 March was typed wrongly"


def document(per_minute: str, **more: Any) -> dict[str, Any]:
    plan = dict(load_catalogue()["payg"]) | {"name": "Typed", **more}
    tariff = plan["tariff"]
    inbound = [row | {"per_minute": per_minute} for row in tariff["inbound"]]
    plan["tariff"] = tariff | {"inbound": inbound}
    return plan


@pytest.fixture
def versions(units: UnitsOfWork, on_sale: None) -> tuple[PlanVersion, PlanVersion]:
    """0.50 a minute inbound was typed; 0.05 was meant."""
    with units.begin() as uow:
        wrong = plans.publish_plan(uow, "typed", document("0.50"), OLGA)
        return wrong, plans.publish_plan(uow, "typed", document("0.05"), OLGA)


def open_account(units: UnitsOfWork, name: str, version: PlanVersion) -> Account:
    with units.begin() as uow:
        account = accounts.create_account(
            uow,
            NewAccount(name=name, billing_email="bills@x.test", plan_code=version.plan_code),
            OLGA,
        )
        uow.connection.execute(
            text("update account set plan_version_id = :v where id = :id"),
            {"v": version.id, "id": account.id},
        )
        give(uow, account, 50_000_000)
        return accounts.get_account(uow, account.scope)


@pytest.fixture
def acme(units: UnitsOfWork, versions: tuple[PlanVersion, PlanVersion]) -> Account:
    return open_account(units, "Acme", versions[0])


@pytest.fixture
def mistake(versions: tuple[PlanVersion, PlanVersion]) -> Mistake:
    return Mistake(START, UNTIL, *versions)


def live(units: UnitsOfWork, account: Account, calls: int = 5) -> list[str]:
    diary = Diary(units, account)
    did = diary.number("+14155550100")
    sids = []
    for hour in range(calls):
        at = START + dt.timedelta(hours=hour)
        sids.append(diary.call(did, Target(MOBILE, talk=83), at=at))
    diary.call(did, Target(MOBILE), at=START + dt.timedelta(hours=20))
    return sids


def balance(units: UnitsOfWork, account: Account) -> int:
    with units.read() as uow:
        return accounts.get_account(uow, account.scope).balance_micros


def prove(units: UnitsOfWork) -> None:
    with units.read() as uow:
        for proof in ledger.verify(uow.connection):
            assert proof.report.ok, proof.report.fault


def preview(units: UnitsOfWork, account: Account, mistake: Mistake) -> rerating.Preview:
    with units.read() as uow:
        return rerating.preview(uow, account.scope, mistake)


def correct(units: UnitsOfWork, account: Account, mistake: Mistake) -> rerating.Corrected:
    return rerating.correct(units, account.scope, mistake, reason=WHY, actor=OLGA)


def test_a_preview_says_what_would_change_and_changes_nothing(
    units: UnitsOfWork, acme: Account, mistake: Mistake
) -> None:
    live(units, acme)
    before = balance(units, acme)
    seen = preview(units, acme, mistake)
    assert (seen.legs, seen.changing) == (12, 5), "the inbound legs that were answered"
    assert (seen.given_back_micros, seen.taken_micros) == (5 * 691_666, 5 * 69_166)
    assert seen.difference_micros == 5 * 622_500
    assert {change.difference_micros for change in seen.changes} == {-622_500}
    assert balance(units, acme) == before
    with units.read() as uow:
        assert [one.id for one in rerating.affected(uow, mistake)] == [acme.id]


def test_the_correction_is_what_the_preview_said_by_reversals_and_new_lines(
    units: UnitsOfWork, acme: Account, mistake: Mistake
) -> None:
    (first, *_) = live(units, acme)
    before, promised = balance(units, acme), preview(units, acme, mistake)
    done = correct(units, acme, mistake)
    assert (done.legs, done.given_back_micros, done.taken_micros) == (
        promised.changing,
        promised.given_back_micros,
        promised.taken_micros,
    )
    assert balance(units, acme) == before + promised.difference_micros
    with units.read() as uow:
        lines = statement.of_legs(uow, acme.scope, [first])
        noted = audit.trail(uow, acme.scope)[0]
        explained = [statement.explain(uow, acme.scope, line.id) for line in lines]
        leg = statement.explain_legs(uow, acme.scope, {first: 69_166})[first]
        figures = overview.overview(uow, acme.scope)
        left = uow.connection.scalar(text("select sum(charge_micros) from leg"))
    assert [(line.kind, line.amount_micros, line.key) for line in lines] == [
        ("usage", -691_666, f"usage:{first}:0"),
        ("reversal", 691_666, f"reverse:usage:{first}:0"),
        ("usage", -69_166, f"usage:{first}:1"),
    ]
    assert [line.reason for line in lines] == [None, WHY, WHY]
    assert (noted.action, noted.detail["legs"]) == ("legs.repriced", 5)
    # Each line is explained by the version that made it, and comes out again from its words.
    assert [one.recompute() for one in explained] == [691_666, 691_666, 69_166]
    assert "$0.5000/min" in explained[0].words and "Typed v1" in explained[0].words
    assert "$0.0500/min" in explained[2].words and "Typed v2" in explained[2].words
    assert leg.words == explained[2].words
    assert sum(day.charge_micros for day in figures.days) == left == 10 * 69_166
    prove(units)


def test_a_second_run_finds_nothing_to_do(
    units: UnitsOfWork, acme: Account, mistake: Mistake
) -> None:
    live(units, acme)
    correct(units, acme, mistake)
    after = balance(units, acme)
    assert preview(units, acme, mistake).changing == 0
    assert correct(units, acme, mistake).legs == 0
    assert balance(units, acme) == after


def test_a_correction_that_was_wrong_itself_is_corrected_again_and_again(
    units: UnitsOfWork, acme: Account, mistake: Mistake
) -> None:
    (first, *_) = live(units, acme, calls=2)
    wrong, right = mistake.wrong, mistake.right
    with units.begin() as uow:
        free = plans.publish_plan(uow, "typed", document("0"), OLGA)
    start = 50_000_000 - 2 * 69_166
    for before, after, left in (
        (wrong, free, start),
        (free, right, start - 2 * 69_166),
        (right, wrong, start - 2 * 691_666),
        (wrong, right, start - 2 * 69_166),
    ):
        correct(units, acme, Mistake(START, UNTIL, before, after))
        assert balance(units, acme) == left
        with units.read() as uow:
            for version in (None, after):
                asked = what_if.what_if(uow, acme.scope, since=START, until=UNTIL, version=version)
                assert asked.total.difference_micros == 0, "M02 the same plan is zero"
    with units.read() as uow:
        kinds = [line.kind for line in statement.of_legs(uow, acme.scope, [first])]
    assert kinds == ["usage", "reversal", "usage", "reversal", "usage", "reversal", "usage"]
    prove(units)


def test_a_charge_that_was_undone_by_hand_stays_undone(
    units: UnitsOfWork, acme: Account, mistake: Mistake
) -> None:
    (first, *_) = live(units, acme, calls=3)
    with units.begin() as uow:
        line = statement.get_by_key(uow, acme.scope, f"usage:{first}:0")
        reversals.reverse_posting(uow, acme.scope, line.id, reason="Sorry", actor=OLGA)
    seen = preview(units, acme, mistake)
    assert (seen.changing, seen.undone_by_hand) == (2, 1)
    correct(units, acme, mistake)
    assert balance(units, acme) == 50_000_000 - 5 * 69_166, "three forwarded, two inbound legs"
    prove(units)


def test_minutes_that_were_drawn_stay_drawn_and_only_the_rest_is_priced_anew(
    units: UnitsOfWork, on_sale: None
) -> None:
    offer = {"code": "small", "number_type": "local", "minutes": 2, "price": "0.01"}
    sells = {
        "package_limits": {"minutes_min": 1, "minutes_max": 500_000},
        "packages": [offer | {"leg_scope": ["inbound"]}],
    }
    with units.begin() as uow:
        wrong = plans.publish_plan(uow, "typed", document("0.50", **sells), OLGA)
        right = plans.publish_plan(uow, "typed", document("0.05", **sells), OLGA)
    acme = open_account(units, "Acme", wrong)
    diary = Diary(units, acme)
    diary.now = START - dt.timedelta(hours=1)
    with diary.units.begin() as uow:
        packages.buy(uow, acme.scope, "small", Purchaser("a", "Ann"), idempotency_key="k")
    did = diary.number("+14155550100")
    diary.call(did, talk=100, at=START)
    diary.call(did, talk=83, at=START + dt.timedelta(hours=1))
    assert balance(units, acme) == 50_000_000 - 10_000 - 525_000, "63 s at 0.50 a minute"
    correct(units, acme, Mistake(START, UNTIL, wrong, right))
    assert balance(units, acme) == 50_000_000 - 10_000 - 52_500, "63 s at 0.05 a minute"
    with units.read() as uow:
        (draw,) = uow.connection.scalars(
            text("select -balance_micros from ledger_account where name = 'seconds_issued'")
        )
        assert (
            uow.connection.scalar(
                text("select balance_micros from ledger_account where name = 'seconds_used'")
            )
            == draw
            == 120
        )
    prove(units)


def test_what_an_overrun_forgave_is_not_charged_after_all(
    units: UnitsOfWork, on_sale: None
) -> None:
    zero = {
        "suspend_when": "lte_zero",
        "in_call": {"policy": "let_finish", "overrun_price": "zero"},
    }
    with units.begin() as uow:
        wrong = plans.publish_plan(uow, "typed", document("0.50", **zero), OLGA)
        right = plans.publish_plan(uow, "typed", document("0.60", **zero), OLGA)
    acme = open_account(units, "Acme", wrong)
    with units.begin() as uow:
        give(uow, acme, 700_000 - 50_000_000)
    diary = Diary(units, acme)
    did = diary.number("+14155550100")
    for hour in range(2):
        diary.call(did, talk=83, at=START + dt.timedelta(hours=hour))
    assert balance(units, acme) == 0
    correct(units, acme, Mistake(START, UNTIL, wrong, right))
    # The first leg was paid in full, so it costs the right price; the second had 8,334 left.
    assert balance(units, acme) == 700_000 - 830_000 - 8_334
    prove(units)


def test_money_that_comes_back_restores_service(
    units: UnitsOfWork, acme: Account, mistake: Mistake
) -> None:
    live(units, acme, calls=3)
    with units.begin() as uow:
        give(uow, acme, -1_000_000 - balance(units, acme))
        assert accounts.get_account(uow, acme.scope).status == "suspended"
    correct(units, acme, mistake)
    with units.read() as uow:
        assert accounts.get_account(uow, acme.scope).status == "active"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        pytest.param(lambda m: {"until": m.since}, "/until", id="an empty period"),
        pytest.param(
            lambda m: {"until": m.since + dt.timedelta(days=500)}, "/until", id="a long period"
        ),
        pytest.param(lambda m: {"right": m.wrong}, "/right", id="the same version"),
    ],
)
def test_a_correction_that_makes_no_sense_is_refused_at_its_field(
    units: UnitsOfWork,
    acme: Account,
    mistake: Mistake,
    change: Callable[[Mistake], dict[str, Any]],
    path: str,
) -> None:
    with pytest.raises(Invalid) as refused:
        correct(units, acme, dataclasses.replace(mistake, **change(mistake)))
    assert [error.path for error in refused.value.errors] == [path]


def test_a_correction_needs_a_reason(units: UnitsOfWork, acme: Account, mistake: Mistake) -> None:
    with pytest.raises(Invalid, match="say why"):
        rerating.correct(units, acme.scope, mistake, reason=" ", actor=OLGA)
