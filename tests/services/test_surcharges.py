"""S2-18: what a dear destination costs on top is money on a line of its own, at settlement."""

import csv
import datetime as dt
import io
import uuid
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from billing.money import parse_amount
from billing.purchases import Purchaser
from gateway.services import (
    accounts,
    call_log,
    forwarding,
    overview,
    packages,
    plans,
    rerating,
    reversals,
    spreadsheet,
    statement,
    statement_files,
    statement_issuing,
    statements,
    what_if,
)
from gateway.services.accounts import Account
from gateway.services.plans import PlanVersion
from gateway.services.preview import Answer, Scenario
from gateway.services.rerating import Mistake
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.history import MOBILE, START, Target
from tests.services.test_rerating import balance, open_account, prove
from tests.services.test_what_if import Diary, give

UNTIL = START + dt.timedelta(days=31)
HAWAII = "+18085550101"
USAGE, ON_TOP = 69_166, 276_666  # 83 s at 0.05 and at 0.20 a minute, each rounded down


def document(per_minute: str | None = "0.20", **more: Any) -> dict[str, Any]:
    plan = dict(load_catalogue()["payg"]) | {"name": "Islands", **more}
    surcharge = {"label": "Hawaii", "prefixes": ["1808"], "per_minute": per_minute}
    return plan | {"tariff": plan["tariff"] | {"surcharges": [surcharge] if per_minute else []}}


def publish(units: UnitsOfWork, per_minute: str | None = "0.20", **more: Any) -> PlanVersion:
    with units.begin() as uow:
        return plans.publish_plan(uow, "islands", document(per_minute, **more), OLGA)


@pytest.fixture
def acme(units: UnitsOfWork, on_sale: None) -> Account:
    return open_account(units, "Acme", publish(units))


def dear_call(units: UnitsOfWork, account: Account, talk: int = 83, **how: Any) -> str:
    diary = Diary(units, account)
    return diary.call(diary.number("+14155550100"), Target(HAWAII, talk=talk), **how)


def asked(units: UnitsOfWork, account: Account, version: PlanVersion | None) -> what_if.WhatIf:
    with units.read() as uow:
        return what_if.what_if(uow, account.scope, since=START, until=UNTIL, version=version)


def test_s2_18_a_dear_leg_is_charged_on_two_lines_and_every_sum_has_both(
    units: UnitsOfWork, acme: Account
) -> None:
    call_sid = dear_call(units, acme)
    with units.read() as uow:
        call = call_log.get_call(uow, acme.scope, call_sid)
        day = overview.overview(uow, acme.scope).days[-1]
    dear = next(leg for leg in call.legs if leg.to == HAWAII)
    assert (dear.charge_micros, dear.surcharge_micros) == (USAGE + ON_TOP, ON_TOP)
    assert {(line.key, -line.amount_micros, line.rate_micros) for line in call.postings} == {
        (f"usage:{dear.leg_sid}:0", USAGE, 50_000),
        (f"surcharge:{dear.leg_sid}:0", ON_TOP, 200_000),
        (f"usage:{call_sid}:0", USAGE, 50_000),
    }
    assert call.call.charge_micros == 2 * USAGE + ON_TOP == day.charge_micros
    assert balance(units, acme) == 50_000_000 - 2 * USAGE - ON_TOP
    prove(units)


def test_s2_18_each_line_and_the_whole_leg_come_out_again_from_their_words(
    units: UnitsOfWork, acme: Account
) -> None:
    call_sid = dear_call(units, acme)
    with units.read() as uow:
        call = call_log.get_call(uow, acme.scope, call_sid)
        told = {line.key: statement.explain(uow, acme.scope, line.id) for line in call.postings}
        whole = statement.explain_legs(
            uow, acme.scope, {leg.leg_sid: leg.charge_micros for leg in call.legs}
        )
    dear = next(leg for leg in call.legs if leg.to == HAWAII)
    on_top = told[f"surcharge:{dear.leg_sid}:0"]
    assert on_top.words.startswith("83 s × $0.2000/min, surcharge Hawaii on top of the call")
    assert on_top.recompute() == ON_TOP
    assert told[f"usage:{dear.leg_sid}:0"].recompute() == USAGE
    assert whole[dear.leg_sid].recompute() == USAGE + ON_TOP
    assert whole[call_sid].recompute() == USAGE


def test_s2_18_a_leg_to_anywhere_else_has_no_surcharge_and_no_line(
    units: UnitsOfWork, acme: Account
) -> None:
    diary = Diary(units, acme)
    did = diary.number("+14155550100")
    answered = diary.call(did, Target(MOBILE, talk=83))
    rang_out = diary.call(did, Target(HAWAII), at=START + dt.timedelta(hours=3))
    with units.read() as uow:
        near = call_log.get_call(uow, acme.scope, answered)
        far = call_log.get_call(uow, acme.scope, rang_out)
    assert {leg.surcharge_micros for leg in near.legs} == {None}
    assert [leg.surcharge_micros for leg in far.legs] == [None, 0], "nobody answered: no line"
    assert {line.kind for line in near.postings} == {"usage"} and far.postings == ()


def test_s2_18_minutes_cover_the_leg_and_the_surcharge_is_still_money(
    units: UnitsOfWork, on_sale: None
) -> None:
    offer = {"code": "small", "number_type": "local", "minutes": 10, "price": "0.01"}
    version = publish(
        units,
        package_limits={"minutes_min": 1, "minutes_max": 500_000},
        packages=[offer | {"leg_scope": ["inbound", "forwarded"]}],
    )
    acme = open_account(units, "Acme", version)
    diary = Diary(units, acme)
    diary.now = START - dt.timedelta(hours=1)
    with diary.units.begin() as uow:
        packages.buy(uow, acme.scope, "small", Purchaser("a", "Ann"), idempotency_key="k")
    before = balance(units, acme)
    call_sid = diary.call(diary.number("+14155550100"), Target(HAWAII, talk=83))
    assert balance(units, acme) == before - ON_TOP
    with units.read() as uow:
        call = call_log.get_call(uow, acme.scope, call_sid)
        explained = statement.explain_legs(
            uow, acme.scope, {leg.leg_sid: leg.charge_micros for leg in call.legs}
        )
        drawn = [statement.explain(uow, acme.scope, line.id) for line in call.postings]
    assert sorted(line.kind for line in call.postings) == ["draw", "draw", "surcharge"]
    assert sorted(one.recompute() for one in drawn) == [83, 83, ON_TOP]
    assert sorted(one.recompute() for one in explained.values()) == [0, ON_TOP]
    for version_asked in (None, version):
        assert asked(units, acme, version_asked).total.difference_micros == 0
    prove(units)


@pytest.mark.parametrize(
    "funds, leg, on_top",
    [
        pytest.param(USAGE + 100_000, USAGE, 100_000, id="C2 the surcharge takes what is left"),
        pytest.param(50_000, 50_000, 0, id="C2 nothing is left for it"),
    ],
)
def test_s2_18_past_zero_a_surcharge_is_forgiven_where_the_plan_forgives(
    units: UnitsOfWork, on_sale: None, funds: int, leg: int, on_top: int
) -> None:
    forgives = {"policy": "let_finish", "overrun_price": "zero"}
    free = {"inbound": False, "forwarded": True}
    base = document()["tariff"] | {"billable_legs": free}
    with units.begin() as uow:
        version = plans.publish_plan(
            uow,
            "islands",
            document() | {"suspend_when": "lte_zero", "in_call": forgives, "tariff": base},
            OLGA,
        )
    acme = open_account(units, "Acme", version)
    with units.begin() as uow:
        give(uow, acme, funds - 50_000_000)
    call_sid = dear_call(units, acme)
    with units.read() as uow:
        call = call_log.get_call(uow, acme.scope, call_sid)
        told = [statement.explain(uow, acme.scope, line.id).recompute() for line in call.postings]
    assert balance(units, acme) == 0
    assert told == [part for part in (leg, on_top) if part]
    assert asked(units, acme, version).total.difference_micros == 0
    prove(units)


def test_m02_the_same_plan_is_zero_and_one_without_surcharges_is_cheaper_by_them(
    units: UnitsOfWork, acme: Account
) -> None:
    dear_call(units, acme)
    with units.read() as uow:
        own = plans.plan_version(uow.connection, acme.plan_version_id)
    without = publish(units, None)
    assert asked(units, acme, None).total.difference_micros == 0
    assert asked(units, acme, own).total.difference_micros == 0
    assert asked(units, acme, without).total.difference_micros == -ON_TOP


def correct(units: UnitsOfWork, account: Account, wrong: PlanVersion, right: PlanVersion) -> Any:
    mistake = Mistake(START, UNTIL, wrong, right)
    with units.read() as uow:
        promised = rerating.preview(uow, account.scope, mistake)
    done = rerating.correct(units, account.scope, mistake, reason="Typed wrongly", actor=OLGA)
    assert (done.legs, done.given_back_micros, done.taken_micros) == (
        promised.changing,
        promised.given_back_micros,
        promised.taken_micros,
    )
    return done


def test_m03_a_surcharge_typed_wrongly_is_undone_and_the_call_itself_stays(
    units: UnitsOfWork, on_sale: None
) -> None:
    wrong = publish(units, "2.00")
    acme = open_account(units, "Acme", wrong)
    call_sid = dear_call(units, acme)
    right = publish(units, "0.20")
    done = correct(units, acme, wrong, right)
    assert (done.legs, done.given_back_micros, done.taken_micros) == (1, 2_766_666, ON_TOP)
    with units.read() as uow:
        call = call_log.get_call(uow, acme.scope, call_sid)
        told = [
            (line.key, statement.explain(uow, acme.scope, line.id).recompute())
            for line in call.postings
            if line.leg_sid != call_sid
        ]
    dear = next(leg for leg in call.legs if leg.to == HAWAII)
    assert (dear.charge_micros, dear.surcharge_micros) == (USAGE + ON_TOP, ON_TOP)
    assert told == [
        (f"usage:{dear.leg_sid}:0", USAGE),
        (f"surcharge:{dear.leg_sid}:0", 2_766_666),
        (f"reverse:surcharge:{dear.leg_sid}:0", 2_766_666),
        (f"surcharge:{dear.leg_sid}:1", ON_TOP),
    ]
    assert balance(units, acme) == 50_000_000 - 2 * USAGE - ON_TOP
    assert correct(units, acme, wrong, right).legs == 0, "a second run finds nothing"
    for version in (None, right):
        assert asked(units, acme, version).total.difference_micros == 0
    prove(units)


def test_m03_both_lines_of_a_leg_are_undone_where_both_were_wrong(
    units: UnitsOfWork, on_sale: None
) -> None:
    right = publish(units, None)
    dear = document()["tariff"]
    outbound = [row | {"per_minute": "0.50"} for row in dear["outbound"]]
    with units.begin() as uow:
        wrong = plans.publish_plan(
            uow, "islands", document() | {"tariff": dear | {"outbound": outbound}}, OLGA
        )
    acme = open_account(units, "Acme", wrong)
    call_sid = dear_call(units, acme)
    correct(units, acme, wrong, right)
    with units.read() as uow:
        call = call_log.get_call(uow, acme.scope, call_sid)
        figures = overview.overview(uow, acme.scope)
    assert [line.kind for line in call.postings].count("reversal") == 2
    assert call.call.charge_micros == 2 * USAGE == sum(d.charge_micros for d in figures.days)
    assert balance(units, acme) == 50_000_000 - 2 * USAGE
    correct(units, acme, right, wrong)
    assert asked(units, acme, wrong).total.difference_micros == 0
    prove(units)


def test_m03_a_surcharge_undone_by_hand_stays_undone(units: UnitsOfWork, on_sale: None) -> None:
    wrong = publish(units, "2.00")
    acme = open_account(units, "Acme", wrong)
    call_sid = dear_call(units, acme)
    with units.begin() as uow:
        lines = call_log.get_call(uow, acme.scope, call_sid).postings
        (line,) = [line for line in lines if line.kind == "surcharge"]
        reversals.reverse_posting(uow, acme.scope, line.id, reason="Sorry", actor=OLGA)
    assert correct(units, acme, wrong, publish(units, "0.20")).legs == 0
    assert balance(units, acme) == 50_000_000 - 2 * USAGE
    prove(units)


def test_s5_16_a_statement_has_surcharges_with_their_rate_and_the_csv_sums_up(
    units: UnitsOfWork, acme: Account
) -> None:
    dear_call(units, acme)
    april = UnitsOfWork(units.engine, lambda: dt.datetime(2026, 4, 2, tzinfo=dt.UTC))
    assert statement_issuing.issue_due(april, acme.scope, "US") == 1
    with april.read() as uow:
        (view,) = statements.list_statements(uow, acme.scope).items
    (line,) = [line for line in view.document["charges"] if line["kind"] == "surcharge"]
    assert (line["description"], line["number"]) == ("Surcharge Hawaii", "+14155550100")
    assert (line["rate_micros"], line["seconds"], line["amount_micros"]) == (200_000, 83, ON_TOP)
    text = "".join(spreadsheet.csv_lines(statement_files.leg_rows(april, acme.scope, view.id)))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert sum(parse_amount(row["charge"]) for row in rows) == view.stored.charges_micros
    assert [parse_amount(row["surcharge"]) for row in rows if row["leg"] == "forwarded"] == [ON_TOP]


def test_s2_18_the_price_and_a_warning_stand_there_before_anybody_is_called(
    units: UnitsOfWork, acme: Account, links: Any
) -> None:
    plan = {
        "pattern": "simultaneous",
        "targets": [
            {"type": "number", "address": HAWAII},
            {"type": "number", "address": MOBILE},
        ],
    }
    did_id: uuid.UUID = Diary(units, acme).number("+14155550100")
    answers = (Answer(HAWAII, talk_seconds=83),)
    with units.begin() as uow:
        seen = forwarding.what_would_happen(
            uow, acme.scope, links, did_id, Scenario(START, None, answers), plan
        )
        forwarding.publish(uow, acme.scope, did_id, plan, OLGA)
        dear = forwarding.dear_targets(uow, acme.scope, plan)
        balance_now = accounts.get_account(uow, acme.scope).balance_micros
    assert seen.total_micros == 2 * USAGE + ON_TOP and balance_now == 50_000_000
    (leg,) = [leg for leg in seen.legs if leg.to == HAWAII]
    assert (leg.surcharge_micros, leg.charge_micros) == (ON_TOP, USAGE + ON_TOP)
    assert seen.cheapest_micros < seen.dearest_micros
    assert [(one.address, one.surcharge.label) for one in dear] == [(HAWAII, "Hawaii")]
    assert seen.dear_targets == dear
