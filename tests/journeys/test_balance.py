"""What a balance allows: service at zero, calls in progress, who may start, and top-ups."""

import datetime as dt
from typing import Any

import pytest
from world import CALLER, FRONT_DESK, ONE_PHONE, Member, World

from billing.catalogue import load_catalogue
from gateway.services import accounts, call_gate, plans, watchdog
from gateway.store.calls import CallRow
from gateway.store.ledger import PostingRow
from gateway.store.legs import LegRow
from gateway.store.mail import MailRow
from gateway.store.numbers import DidRow
from gateway.store.rollups import DailyUsageRow

REJECT = '<Reject reason="rejected"'


def talk(stage: World, member: Member, seconds: float) -> str:
    stage.person(FRONT_DESK, talks=seconds)
    call_sid = stage.call(member.e164)
    stage.settle()
    return call_sid


def sell(stage: World, code: str, like: str, **changes: Any) -> str:
    """Publish a plan that is another one with changes."""
    with stage.units.begin() as uow:
        plans.publish_plan(uow, code, {**load_catalogue()[like], **changes}, "Olga")
    return code


@pytest.mark.parametrize(
    "funds, plan, left, status",
    [
        pytest.param(100_000, "payg", 0, "active", id="S2-12 exactly 0.00 is not below zero"),
        pytest.param(99_999, "payg", -1, "suspended", id="S2-12 -0.000001 is below zero"),
        pytest.param(100_001, "payg", 1, "active", id="S2-12 a millionth is left"),
        pytest.param(50_000, "answered_minutes", 0, "suspended", id="C3 lte_zero ends at 0.00"),
        pytest.param(
            50_001, "answered_minutes", 1, "active", id="C3 lte_zero, a millionth is left"
        ),
    ],
)
def test_a_minutes_talk_suspends_or_not(
    stage: World, funds: int, plan: str, left: int, status: str
) -> None:
    bolt = stage.join("Bolt", funds=funds, plan=plan, document=ONE_PHONE)
    talk(stage, bolt, 60)
    assert stage.balance(bolt.scope) == left
    assert stage.status(bolt.scope) == status
    (number,) = stage.rows(DidRow, bolt.scope)
    assert number.status == status
    document = stage.ask(bolt.e164)
    assert (REJECT in document) == (status == "suspended")
    assert (FRONT_DESK in document) == (status == "active")
    stage.prove_ledger()


def test_a_refused_call_is_on_record_costs_nothing_and_stays_refused_when_asked_again(
    stage: World,
) -> None:
    bolt = stage.join("Bolt", funds=-1, document=ONE_PHONE)
    call_sid = stage.call(bolt.e164)
    assert REJECT in stage.ask(bolt.e164, call_sid=call_sid)
    stage.top_up(bolt.scope, 1_000_000)
    assert REJECT in stage.ask(bolt.e164, call_sid=call_sid)
    assert stage.settle() == 1
    (call,) = stage.rows(CallRow, bolt.scope)
    assert call.refused == "number_suspended"
    (leg,) = stage.rows(LegRow, bolt.scope)
    assert (leg.charge_micros, leg.cost_micros) == (0, 0)
    assert stage.balance(bolt.scope) == 999_999


def test_s2_17_a_top_up_restores_service_at_once_and_both_are_mailed(stage: World) -> None:
    bolt = stage.join("Bolt", funds=50_000, document=ONE_PHONE)
    talk(stage, bolt, 60)
    assert REJECT in stage.ask(bolt.e164)
    stage.top_up(bolt.scope, 50_000)
    assert stage.balance(bolt.scope) == 0
    assert FRONT_DESK in stage.ask(bolt.e164)
    stage.work()
    told = [mail.subject for mail in stage.rows(MailRow, bolt.scope)]
    assert told.count("Bolt: tracking numbers are suspended") == 1
    assert told.count("Bolt: service is restored") == 1
    stage.work()
    assert [mail.subject for mail in stage.rows(MailRow, bolt.scope)] == told


def test_a_low_balance_is_mailed_once_when_it_is_crossed(stage: World) -> None:
    acme = stage.join("Acme", funds=1_000_000, document=ONE_PHONE)
    with stage.units.begin() as uow:
        accounts.update_account(uow, acme.scope, {"low_balance_micros": 950_000}, "Olga")
    for _ in range(3):
        talk(stage, acme, 60)
    stage.work()
    mails = [mail.subject for mail in stage.rows(MailRow, acme.scope)]
    assert [m for m in mails if "down to" in m] == ["Acme: the balance is down to 0.90 USD"]


def test_a_suspended_number_says_the_notice_that_the_account_chose(stage: World) -> None:
    bolt = stage.join("Bolt", funds=-1, document=ONE_PHONE)
    with stage.units.begin() as uow:
        accounts.update_account(
            uow, bolt.scope, {"suspended_notice": "Bolt is <away> & sorry."}, "Olga"
        )
    document = stage.ask(bolt.e164)
    assert "Bolt is &lt;away&gt; &amp; sorry." in document
    assert REJECT not in document


@pytest.mark.parametrize(
    "plan, funds, limit",
    [
        pytest.param("payg", 1, 14_400, id="C2 let_finish: four hours, whatever is left"),
        pytest.param("payg_cut", 300_000, 180, id="C2 cut: 0.30 buys three minutes of two legs"),
        pytest.param("payg_cut", 301_665, 180, id="C2 cut: almost another second is none"),
        pytest.param("payg_cut", 301_666, 181, id="C2 cut: the next second is covered"),
        pytest.param("payg_grace", 100_000, 120, id="C2 grace: a minute, and a minute of grace"),
        pytest.param("payg_grace", 0, 60, id="C2 grace: nothing left but the grace"),
    ],
)
def test_the_dial_lasts_as_long_as_the_plan_and_the_balance_allow(
    stage: World, plan: str, funds: int, limit: int
) -> None:
    bolt = stage.join("Bolt", funds=funds, plan=plan, document=ONE_PHONE)
    assert f'timeLimit="{limit}"' in stage.ask(bolt.e164)


def test_c2_let_finish_ends_when_people_hang_up_and_the_overrun_is_on_the_bill(
    stage: World,
) -> None:
    bolt = stage.join("Bolt", funds=10_000, document=ONE_PHONE)
    talk(stage, bolt, 600)
    assert stage.balance(bolt.scope) == 10_000 - 2 * 500_000
    assert stage.status(bolt.scope) == "suspended"
    stage.prove_ledger()


def test_c2_cut_ends_the_call_at_the_last_second_that_is_paid(stage: World) -> None:
    bolt = stage.join("Bolt", funds=300_000, plan="payg_cut", document=ONE_PHONE)
    talk(stage, bolt, 600)
    legs = stage.rows(LegRow, bolt.scope)
    assert [leg.talk_seconds for leg in legs] == [180, 180]
    assert stage.balance(bolt.scope) == 0
    assert stage.status(bolt.scope) == "suspended"  # this plan suspends at zero
    stage.prove_ledger()


def test_c2_calls_that_drain_a_balance_together_are_ended_by_rest(stage: World) -> None:
    """0.60 is six minutes for one call: three at once use it up in two."""
    bolt = stage.join("Bolt", funds=600_000, plan="payg_cut", document=ONE_PHONE)
    stage.person(FRONT_DESK, talks=3_000, after=1)
    for _ in range(3):
        stage.carrier.place_call(CALLER, bolt.e164)
    for _ in range(80):
        stage.carrier.run_for(2)
        with stage.units.begin() as uow:
            watchdog.order_ends(uow)
        stage.work()
    calls = stage.rows(CallRow, bolt.scope)
    assert [call.status for call in calls] == ["completed"] * 3
    stage.settle()
    talked = [leg.talk_seconds for leg in stage.rows(LegRow, bolt.scope)]
    assert all(118 <= seconds <= 124 for seconds in talked), talked
    assert -30_000 < stage.balance(bolt.scope) <= 0
    stage.prove_ledger()


@pytest.fixture
def dear_cut(stage: World) -> str:
    """Both legs at 0.05 a minute and 0.20 more for the phone: 0.60 is two minutes."""
    surcharge = {"label": "Dear", "prefixes": ["1415"], "per_minute": "0.20"}
    tariff = load_catalogue()["payg_cut"]["tariff"] | {"surcharges": [surcharge]}
    return sell(stage, "dear_cut", "payg_cut", tariff=tariff)


def test_s2_18_a_call_is_cut_where_its_surcharge_uses_the_balance_up(
    stage: World, dear_cut: str
) -> None:
    bolt = stage.join("Bolt", funds=600_000, plan=dear_cut, document=ONE_PHONE)
    talk(stage, bolt, 600)
    assert [leg.talk_seconds for leg in stage.rows(LegRow, bolt.scope)] == [120, 120]
    assert stage.balance(bolt.scope) == 0
    assert {line.kind: line.amount_micros for line in stage.rows(PostingRow, bolt.scope)}[
        "surcharge"
    ] == 400_000
    stage.repeat_webhooks()
    assert stage.settle() == 0 and stage.balance(bolt.scope) == 0
    stage.prove_ledger()


def test_s2_18_the_first_block_and_live_calls_are_counted_with_their_surcharges(
    stage: World, dear_cut: str
) -> None:
    bolt = stage.join("Bolt", funds=4_998, plan=dear_cut, document=ONE_PHONE)
    assert REJECT in stage.ask(bolt.e164), "a second costs 833 + 833 + 3,333"
    stage.top_up(bolt.scope, 1)
    assert 'timeLimit="1"' in stage.ask(bolt.e164)
    acme = stage.join("Acme", funds=600_000, plan=dear_cut, document=ONE_PHONE)
    stage.person(FRONT_DESK, talks=3_000, after=1)
    for _ in range(2):
        stage.carrier.place_call(CALLER, acme.e164)
    for _ in range(40):
        stage.carrier.run_for(2)
        with stage.units.begin() as uow:
            watchdog.order_ends(uow)
        stage.work()
    assert [call.status for call in stage.rows(CallRow, acme.scope)] == ["completed"] * 2
    stage.settle()
    talked = [leg.talk_seconds for leg in stage.rows(LegRow, acme.scope)]
    assert all(58 <= seconds <= 64 for seconds in talked), talked
    stage.prove_ledger()


def test_c2_a_top_up_during_the_call_lets_it_go_on(stage: World) -> None:
    bolt = stage.join("Bolt", funds=100_000, plan="payg_grace", document=ONE_PHONE)
    stage.person(FRONT_DESK, talks=100, after=1)
    stage.carrier.place_call(CALLER, bolt.e164)
    stage.carrier.run_for(70)
    stage.top_up(bolt.scope, 1_000_000)
    for _ in range(30):
        stage.carrier.run_for(2)
        with stage.units.begin() as uow:
            watchdog.order_ends(uow)
        stage.work()
    stage.settle()
    assert {leg.talk_seconds for leg in stage.rows(LegRow, bolt.scope)} == {100}


@pytest.mark.parametrize(
    "funds, rings",
    [
        pytest.param(1_000_000, True, id="C3 1.00 starts a call"),
        pytest.param(999_999, False, id="C3 0.999999 starts none"),
    ],
)
def test_c3_a_call_needs_the_least_balance_of_its_plan_to_start(
    stage: World, funds: int, rings: bool
) -> None:
    plan = sell(stage, "min_start", "payg", min_balance_to_start="1.00")
    acme = stage.join("Acme", funds=funds, plan=plan, document=ONE_PHONE)
    assert (FRONT_DESK in stage.ask(acme.e164)) is rings
    assert stage.status(acme.scope) == "active"  # refused is not suspended
    (call,) = stage.rows(CallRow, acme.scope)
    assert call.refused == (None if rings else "balance_below_minimum")


def test_an_owner_is_told_once_a_day_that_callers_are_turned_away(stage: World) -> None:
    bolt = stage.join("Bolt", funds=900, plan="payg_cut", document=ONE_PHONE)
    for _ in range(2):
        assert REJECT in stage.ask(bolt.e164)
    assert stage.status(bolt.scope) == "active", "there is money, and it starts no call"
    stage.work()
    told = [mail.subject for mail in stage.rows(MailRow, bolt.scope)]
    assert told.count("Bolt: new callers are turned away") == 1
    with stage.units.read() as uow:
        assert call_gate.turns_callers_away(uow, bolt.scope)
    stage.top_up(bolt.scope, 1_000_000)
    with stage.units.read() as uow:
        assert not call_gate.turns_callers_away(uow, bolt.scope), "a top-up is enough"
    assert FRONT_DESK in stage.ask(bolt.e164)


def test_s4_08_and_s4_09_an_overrun_finishes_and_nobody_else_gets_in(stage: World) -> None:
    acme = stage.join("Acme", funds=10_000, plan="answered_minutes", document=ONE_PHONE)
    stage.person(FRONT_DESK, talks=300, after=5)
    stage.ring(acme.e164, seconds=120)
    second = stage.ask(acme.e164)
    assert REJECT in second, "refused while the first overruns"
    stage.carrier.run_until_idle()
    stage.settle()
    stage.sweep()
    stage.settle()
    calls = {call.refused: call for call in stage.rows(CallRow, acme.scope)}
    assert calls[None].status == "completed"
    assert "balance_exhausted" in calls
    assert {leg.talk_seconds for leg in stage.rows(LegRow, acme.scope) if leg.talk_seconds} == {300}
    assert stage.balance(acme.scope) == 0, "the overrun is priced zero"
    assert REJECT in stage.ask(acme.e164), "no new call afterwards"
    stage.prove_ledger()


@pytest.mark.parametrize(
    "talked, charge",
    [
        pytest.param(30, 0, id="S4-13 30 s is free"),
        pytest.param(31, 25_833, id="S4-13 31 s counts whole"),
        pytest.param(83, 69_166, id="S4-13 83 s counts whole"),
    ],
)
def test_s4_13_a_call_counts_only_when_it_is_longer_than_thirty_seconds(
    stage: World, talked: int, charge: int
) -> None:
    acme = stage.join("Acme", plan="answered_minutes", document=ONE_PHONE)
    talk(stage, acme, talked)
    assert stage.balance(acme.scope) == 50_000_000 - charge


def test_s2_03_a_plan_for_inbound_talk_charges_one_leg_in_started_minutes(stage: World) -> None:
    acme = stage.join("Acme", plan="prepaid_minute", document=ONE_PHONE)
    talk(stage, acme, 83)
    charges = {leg.kind: leg.charge_micros for leg in stage.rows(LegRow, acme.scope)}
    assert charges == {"inbound": 100_000, "forwarded": 0}
    usage = [p for p in stage.rows(PostingRow, acme.scope) if p.kind == "usage"]
    assert [p.leg_sid for p in usage] == [
        leg.leg_sid for leg in stage.rows(LegRow, acme.scope) if leg.kind == "inbound"
    ]


def test_what_the_carrier_takes_is_booked_beside_the_charge_in_started_minutes(
    stage: World,
) -> None:
    acme = stage.join("Acme", document=ONE_PHONE)
    talk(stage, acme, 83)
    costs = {leg.kind: leg.cost_micros for leg in stage.rows(LegRow, acme.scope)}
    assert costs == {"inbound": 2 * 8_500, "forwarded": 2 * 14_000}
    booked = {p.leg_sid: p.amount_micros for p in stage.rows(PostingRow, acme.scope)
              if p.kind == "carrier_cost" or p.key.startswith("cost:")}  # fmt: skip
    assert booked == {leg.leg_sid: leg.cost_micros for leg in stage.rows(LegRow, acme.scope)}
    charges = sum(leg.charge_micros for leg in stage.rows(LegRow, acme.scope))
    assert stage.balance(acme.scope) == 50_000_000 - charges, "no customer pays the cost line"
    assert charges - sum(costs.values()) == 138_332 - 45_000
    for leg in stage.rows(LegRow, acme.scope):
        assert stage.carrier.call(leg.leg_sid).billed_minutes == 2, "as the carrier's own record"


def test_a_call_is_priced_by_the_plan_that_it_began_under(stage: World) -> None:
    """E12: a plan that changes during the call does not touch it."""
    acme = stage.join("Acme", document=ONE_PHONE)
    stage.person(FRONT_DESK, talks=60)
    stage.ring(acme.e164, seconds=20)
    with stage.units.begin() as uow:
        accounts.update_account(uow, acme.scope, {"plan_code": "prepaid_minute"}, "Olga")
    stage.carrier.run_until_idle()
    stage.settle()
    assert stage.balance(acme.scope) == 50_000_000 - 100_000
    talk(stage, acme, 60)
    assert stage.balance(acme.scope) == 50_000_000 - 100_000 - 50_000


def test_s2_06_a_call_over_midnight_belongs_to_the_local_day_on_which_it_began(
    stage: World,
) -> None:
    acme = stage.join("Acme", document=ONE_PHONE)  # New York
    now = stage.carrier.clock.now()
    midnight = (now + dt.timedelta(days=1)).replace(hour=5, minute=0, second=0, microsecond=0)
    stage.carrier.run_until(midnight - dt.timedelta(seconds=30))
    began = (midnight - dt.timedelta(hours=6)).date()
    talk(stage, acme, 600)
    assert [(row.day, row.calls) for row in stage.rows(DailyUsageRow, acme.scope)] == [(began, 1)]
