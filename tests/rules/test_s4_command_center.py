"""Operator S4 sells a pool of minutes by the billing cycle: its two plans as they ship."""

import datetime as dt
from typing import Any

import pytest
from world import FRONT_DESK, MOBILE, ONE_PHONE, Member, World

from billing.calendar import billing_cycle
from billing.metering import LegStatus, LegUsage
from billing.purchases import Purchaser
from billing.rating import rate_leg
from gateway.services import accounts, bundles, card_payments, ledger, logins, pools, statements
from gateway.services.errors import NotForSale, ServiceError
from gateway.store.base import Scope
from gateway.store.ledger import PostingRow
from tests.billing.plans import catalogue_plan
from tests.rules.story import midnight, owner_of, talk
from tests.web.conftest import PASSWORD

SMALL, LARGE = catalogue_plan("command_center"), catalogue_plan("command_center_large")
ALLOCATED, LARGER = 30_000, 90_000  # seconds
FEE = 39_000_000
FOUR_HOURS = 14_400


@pytest.fixture
def office(stage: World) -> Member:
    stage.wait_until(midnight(cycle(stage).ends_on) + dt.timedelta(hours=9))
    return stage.join("Office", plan="command_center", document=ONE_PHONE)


def cycle(stage: World) -> Any:
    return billing_cycle(17, stage.carrier.clock.now(), "America/New_York")


def figures(stage: World, scope: Scope) -> pools.PoolFigures:
    with stage.units.read() as uow:
        found = pools.figures(uow, accounts.get_account(uow, scope))
    assert found is not None
    return found


def use(stage: World, office: Member, seconds: int) -> None:
    """Calls of at most four hours, one after the other."""
    while seconds:
        length = min(seconds, FOUR_HOURS)
        talk(stage, office, length)
        seconds -= length


@pytest.mark.parametrize("page", ["/", "/numbers", "/calls", "/billing", "/settings"])
def test_s4_01_the_minutes_left_stand_on_every_page(
    stage: World, office: Member, page: str
) -> None:
    shown = owner_of(stage, office).page(page)
    assert "Minutes left" in shown and "of 500" in shown


def test_s4_02_s4_03_s4_04_time_allocated_used_and_remaining_are_those_of_the_cycle(
    stage: World, office: Member
) -> None:
    assert SMALL.terms.allowance is not None and SMALL.terms.allowance.minutes == 500, "S4-04"
    talk(stage, office, 83)
    seen = figures(stage, office.scope)
    assert (seen.allocated_seconds, seen.used_seconds, seen.remaining_seconds) == (
        ALLOCATED,
        83,
        ALLOCATED - 83,
    )
    assert (seen.cycle_starts_on.day, seen.cycle_ends_on.day) == (17, 17), "S4-02"


def test_s4_05_an_upgrade_on_the_last_day_gives_the_full_complement_once_a_cycle(
    stage: World, office: Member
) -> None:
    stage.wait_until(midnight(cycle(stage).ends_on) - dt.timedelta(hours=3))
    for code in ("command_center_large", "command_center", "command_center_large"):
        with stage.units.begin() as uow:
            accounts.update_account(uow, office.scope, {"plan_code": code}, "Olga")
        assert figures(stage, office.scope).allocated_seconds == LARGER


def test_s4_06_minutes_are_reset_on_the_date_of_the_cycle_and_not_added_to(
    stage: World, office: Member
) -> None:
    talk(stage, office, 83)
    stage.wait_until(midnight(cycle(stage).ends_on) - dt.timedelta(seconds=35))
    talk(stage, office, 60)  # answered 30 s before midnight
    seen = figures(stage, office.scope)
    assert (seen.allocated_seconds, seen.used_seconds) == (ALLOCATED, 30)
    draws = [row for row in stage.rows(PostingRow, office.scope) if row.kind == "draw"]
    assert [row.amount_micros for row in draws] == [83, 30, 30], "each second in its own cycle"
    stage.prove_ledger()


def test_s4_07_minutes_are_on_the_bill_of_the_plan(stage: World, office: Member) -> None:
    assert SMALL.terms.settlement == "cycle"
    talk(stage, office, 83)
    stage.wait_until(midnight(cycle(stage).ends_on) + dt.timedelta(minutes=10))
    stage.renew()
    with stage.units.read() as uow:
        (bill,) = statements.list_statements(uow, office.scope).items
    charged = {line["kind"]: line["amount_micros"] for line in bill.document["charges"]}
    assert charged.pop("adjustment"), "with which this story began"
    assert charged == {"access_fee": FEE, "rental": office.number.rental_micros}


def test_s4_08_s4_09_a_call_outlasts_the_pool_free_of_charge_and_the_next_waits_for_an_upgrade(
    stage: World, office: Member
) -> None:
    use(stage, office, ALLOCATED - 60)
    before = stage.balance(office.scope)
    stage.person(FRONT_DESK, talks=600)
    stage.ring(office.e164, seconds=120)  # the pool has run out
    assert "<Reject" in stage.ask(office.e164), "S4-09, while the first overruns"
    stage.carrier.run_until_idle()
    stage.settle()
    seen = figures(stage, office.scope)
    assert (seen.remaining_seconds, seen.overrun_seconds) == (0, 540)
    assert stage.balance(office.scope) == before, "S4-08"
    assert "<Reject" in stage.ask(office.e164), "S4-09"
    with stage.units.begin() as uow:
        accounts.update_account(uow, office.scope, {"plan_code": "command_center_large"}, "Olga")
    assert f'timeLimit="{FOUR_HOURS}"' in stage.ask(office.e164), "S4-08: the fraud ceiling"


def test_s4_10_all_numbers_and_phones_draw_one_pool_at_once(stage: World, office: Member) -> None:
    other = stage.buy(office.scope)
    stage.publish(
        office.scope, other.id, ONE_PHONE | {"targets": [{"type": "number", "address": MOBILE}]}
    )
    for phone in (FRONT_DESK, MOBILE):
        stage.person(phone, talks=100)
    stage.ring(office.e164, seconds=10)
    stage.ring(other.e164, seconds=10)
    stage.carrier.run_until_idle()
    stage.settle()
    assert figures(stage, office.scope).used_seconds == 200


def test_s4_11_no_single_minutes_are_sold(stage: World, office: Member) -> None:
    with pytest.raises(ServiceError), stage.units.begin() as uow:
        card_payments.quote(uow, stage.runtime.cards(), office.scope, 5_000_000, None)
    with pytest.raises(NotForSale), stage.units.begin() as uow:
        bundles.buy(uow, office.scope, 100, Purchaser("", "Ann"), idempotency_key="k")
    with pytest.raises(NotForSale), stage.units.begin() as uow:
        ledger.top_up(
            uow,
            office.scope,
            amount_micros=5_000_000,
            method="manual",
            reason="asked to",
            actor="Olga",
            idempotency_key="k",
        )
    assert SMALL.terms.topup.bundles == ()


def test_s4_12_a_larger_plan_has_more_seats_and_more_calls_at_once(
    stage: World, office: Member
) -> None:
    assert (SMALL.concurrent_calls, LARGE.concurrent_calls) == (6, 20)
    stage.person(FRONT_DESK, talks=600)
    for _ in range(6):
        stage.ring(office.e164, seconds=10)
    assert "<Reject" in stage.ask(office.e164)
    for seat in range(3):
        hire(stage, office, seat)
    with pytest.raises(ServiceError):
        hire(stage, office, 3)
    with stage.units.begin() as uow:
        accounts.update_account(uow, office.scope, {"plan_code": "command_center_large"}, "Olga")
    hire(stage, office, 3)
    assert "<Dial" in stage.ask(office.e164)


def hire(stage: World, office: Member, seat: int) -> None:
    with stage.units.begin() as uow:
        logins.create_login(
            uow,
            office.scope,
            email=f"staff{seat}{office.e164[1:]}@office.test",
            name=f"Staff {seat}",
            password=PASSWORD,
            role="member",
            actor="Ann",
        )


@pytest.mark.parametrize(
    "seconds, counted",
    [
        pytest.param(30, 0, id="S4-13 30 s do not count"),
        pytest.param(31, 31, id="S4-13 31 s count whole"),
    ],
)
def test_only_calls_over_thirty_seconds_count(
    stage: World, office: Member, seconds: int, counted: int
) -> None:
    talk(stage, office, seconds)
    assert figures(stage, office.scope).used_seconds == counted


@pytest.mark.parametrize(
    "status, bridged, counted",
    [
        pytest.param(LegStatus.COMPLETED, 0, 0, id="S4-14 nobody picked up"),
        pytest.param(LegStatus.COMPLETED, 25, 0, id="S4-14 a wrong number, hung up on"),
        pytest.param(LegStatus.COMPLETED, 45, 45, id="S4-14 a mailbox took it: once"),
    ],
)
def test_only_calls_that_somebody_took_count(status: LegStatus, bridged: int, counted: int) -> None:
    caller = LegUsage(
        kind="inbound",
        status=status,
        talk_seconds=90,
        bridged_seconds=bridged,
        number_country="US",
        number_type="local",
    )
    assert rate_leg(caller, SMALL.tariff).billed_seconds == counted
    phone = LegUsage(kind="forwarded", status=status, talk_seconds=bridged)
    assert rate_leg(phone, SMALL.tariff).billed_seconds == 0
