"""Operator S2 sells from a prepaid balance that a card fills up: its plan as it ships."""

import datetime as dt
import uuid
from dataclasses import replace

import pytest
from world import CALLER, FRONT_DESK, ONE_PHONE, World

from billing.catalogue import CARRIER_COST, load_catalogue
from billing.charges import ChargeState
from billing.lifecycle import service_status
from billing.metering import LegStatus, LegUsage
from billing.rating import rate_leg
from billing.recharge import Charge, Hold, PastCharge, RechargeSettings, decide_recharge
from billing.recharge import settings_problems as problems_of
from billing.rentals import RentedNumber, rent, rent_again, rents_due
from billing.surcharges import rate_surcharge
from gateway.services import accounts, dunning, looks, messages, numbers
from gateway.services.accounts import NewAccount
from gateway.services.errors import BalanceTooLow, Invalid
from gateway.services.messages import NewText
from gateway.store.base import Scope
from tests.billing.buckets import NOON, forwarded, inbound
from tests.billing.plans import catalogue_plan
from tests.journeys.test_texts import deliver
from tests.rules.story import amounts, lines, midnight, owner_of, set_balance, talk, today

CODE = "prepaid_recharge"
PLAN = catalogue_plan(CODE)
MINUTE, RENT = 50_000, 2_000_000
CHOSEN = RechargeSettings(True, 10_000_000, 50_000_000, PLAN.terms.recharge)


def test_s2_01_every_plan_of_the_house_sells_numbers() -> None:
    for code in load_catalogue().keys() - {CARRIER_COST}:
        assert ("US", "local") in catalogue_plan(code).tariff.rental, code


def test_s2_02_without_a_first_payment_there_is_no_number_and_no_service(stage: World) -> None:
    assert PLAN.mode == "prepaid"
    with stage.units.begin() as uow:
        new = NewAccount(name="Bolt", billing_email="bolt@bolt.test", plan_code=CODE)
        bolt = accounts.create_account(uow, new, "test").scope
    with pytest.raises(BalanceTooLow):
        stage.buy(bolt)
    stage.top_up(bolt, RENT)
    assert stage.buy(bolt).status == "active"
    assert stage.balance(bolt) == 0


def test_s2_03_s2_09_rent_talk_and_texts_are_lines_of_their_own_and_sum_to_the_balance(
    stage: World,
) -> None:
    acme = stage.join("Acme", plan=CODE, document=ONE_PHONE)
    start = stage.balance(acme.scope)
    talk(stage, acme, 83)
    second = stage.buy(acme.scope)
    stage.carrier.receive_message(CALLER, acme.e164, "Hello")
    with stage.units.begin() as uow:
        text = NewText(acme.number.id, CALLER, "Hello back")
        messages.send(uow, acme.scope, text, actor="Ann", idempotency_key="k")
    stage.carrier.run_until_idle()
    deliver(stage)
    assert amounts(stage, acme.scope, "usage") == [2 * MINUTE], "inbound alone, two minutes"
    assert amounts(stage, acme.scope, "rental")[-1] == second.rental_micros == RENT
    assert sorted(amounts(stage, acme.scope, "sms")) == [10_000, 15_000], "each direction debits"
    assert stage.balance(acme.scope) == start - 2 * MINUTE - RENT - 25_000
    stage.prove_ledger()


def test_s2_04_rent_is_taken_in_advance_on_the_day_of_purchase_over_short_months() -> None:
    number = rented_on(dt.datetime(2027, 1, 31, 15, tzinfo=dt.UTC))
    due = rents_due(number, posted=-1, now=dt.datetime(2027, 4, 30, 15, tzinfo=dt.UTC))
    assert [f"{month.starts_on:%d %b}" for month in due] == ["31 Jan", "28 Feb", "31 Mar", "30 Apr"]
    assert due[0].starts_at == number.charged_from, "at once, not at the month's end"


def test_s2_05_a_number_given_up_owes_no_further_month_and_a_month_paid_is_paid_once() -> None:
    """Nothing comes back for the rest of the month; bought back within it, nothing is paid."""
    number = rented_on(dt.datetime(2027, 3, 1, 15, tzinfo=dt.UTC))
    given_up = replace(number, released_at=dt.datetime(2027, 3, 11, tzinfo=dt.UTC))
    year_end = dt.datetime(2027, 12, 31, tzinfo=dt.UTC)
    assert len(rents_due(given_up, posted=-1, now=year_end)) == 1
    again = rent_again(
        number.id,
        given_up,
        months_posted=1,
        purchased_at=dt.datetime(2027, 3, 20, tzinfo=dt.UTC),
        tariff=PLAN.tariff,
    )
    assert rents_due(again, posted=-1, now=dt.datetime(2027, 3, 31, tzinfo=dt.UTC)) == ()
    (april,) = rents_due(again, posted=-1, now=dt.datetime(2027, 4, 2, tzinfo=dt.UTC))
    assert april.starts_on == dt.date(2027, 4, 1)


def rented_on(purchased_at: dt.datetime) -> RentedNumber:
    return rent(
        uuid.UUID(int=1),
        PLAN.tariff,
        purchased_at=purchased_at,
        zone="America/New_York",
        numbers_bought_before=0,
    )


@pytest.mark.parametrize(
    "status, talked, billed",
    [
        pytest.param(LegStatus.COMPLETED, 83, 120, id="S2-07 answer to hang-up"),
        pytest.param(LegStatus.NO_ANSWER, 0, 0, id="S2-07 ringing is not talking"),
        pytest.param(LegStatus.BUSY, 0, 0, id="S2-07 busy"),
    ],
)
def test_talk_time_is_what_is_charged(status: LegStatus, talked: int, billed: int) -> None:
    usage = LegUsage(
        kind="inbound",
        status=status,
        talk_seconds=talked,
        ring_seconds=30,
        number_country="US",
        number_type="local",
    )
    assert rate_leg(usage, PLAN.tariff).billed_seconds == billed


@pytest.mark.parametrize("page", ["/", "/numbers", "/calls", "/messages", "/billing", "/settings"])
def test_s2_08_the_balance_stands_on_every_page(stage: World, page: str) -> None:
    acme = stage.join("Acme", plan=CODE, funds=12_340_000, document=None)
    assert "12.34" in owner_of(stage, acme).page(page)


@pytest.mark.parametrize(
    "minimum, maximum, field",
    [
        pytest.param(0, 50_000_000, None, id="S2-10 a minimum of 0"),
        pytest.param(-1, 50_000_000, "/minimum", id="S2-10 below 0"),
        pytest.param(50_000_000, 50_000_000, "/maximum", id="S2-10 minimum and maximum alike"),
        pytest.param(50_000_001, 50_000_000, "/maximum", id="S2-10 the wrong way round"),
    ],
)
def test_a_customer_chooses_the_minimum(minimum: int, maximum: int, field: str | None) -> None:
    settings = RechargeSettings(True, minimum, maximum, PLAN.terms.recharge)
    assert [error.path for error in problems_of(settings)] == ([field] if field else [])


@pytest.mark.parametrize(
    "balance, amount",
    [
        pytest.param(10_000_000, None, id="S2-11 exactly the minimum is not below it"),
        pytest.param(9_999_999, 40_000_000, id="S2-11 a millionth below: up to the maximum"),
        pytest.param(0, 50_000_000, id="S2-11 from nothing"),
        pytest.param(-1_500_000, 51_500_000, id="S2-11 an overdraft is filled too"),
    ],
)
def test_the_card_fills_the_balance_to_the_maximum(balance: int, amount: int | None) -> None:
    found = recharge(balance)
    if amount is None:
        assert isinstance(found, Hold)
    else:
        assert found == Charge(amount, "card")


def test_s2_11_two_debits_that_cross_at_once_make_one_charge() -> None:
    on_its_way = PastCharge(40_000_000, NOON, ChargeState.UNKNOWN)
    assert isinstance(recharge(0, on_its_way), Hold)


def recharge(balance: int, *past: PastCharge) -> Charge | Hold:
    return decide_recharge(
        CHOSEN,
        balance_micros=balance,
        charges=past,
        card_id="card",
        card_free_at=None,
        system_stopped=False,
        zone="America/New_York",
        now=NOON,
        quantum_micros=10_000,
    )


@pytest.mark.parametrize(
    "balance, status, answer",
    [
        pytest.param(0, "active", "<Dial", id="S2-12 exactly 0.00 is not below"),
        pytest.param(-1, "suspended", "<Reject", id="S2-12 -0.000001 is below"),
    ],
)
def test_service_stops_below_zero(stage: World, balance: int, status: str, answer: str) -> None:
    assert service_status(balance, PLAN) == status
    acme = stage.join("Acme", plan=CODE, document=ONE_PHONE)
    set_balance(stage, acme.scope, balance)
    assert stage.status(acme.scope) == status
    assert answer in stage.ask(acme.e164)
    stage.top_up(acme.scope, 1_000_000)
    assert "<Dial" in stage.ask(acme.e164), "and comes back"


def test_s2_14_an_account_needs_an_address_for_its_bills(stage: World) -> None:
    acme = stage.join("Acme", plan=CODE, document=None)
    for nobody in ("", "not an address"):
        with pytest.raises(Invalid), stage.units.begin() as uow:
            accounts.update_account(uow, acme.scope, {"billing_email": nobody}, "Ann")
        with pytest.raises(Invalid), stage.units.begin() as uow:
            new = NewAccount(name="Bolt", billing_email=nobody, plan_code=CODE)
            accounts.create_account(uow, new, "test")


def test_s2_15_s2_19_numbers_of_an_unpaid_account_are_listed_for_people_and_released_by_nobody(
    stage: World,
) -> None:
    acme = stage.join("Acme", plan=CODE, document=None)
    set_balance(stage, acme.scope, -1)
    ladder = PLAN.terms.suspension
    assert ladder.due_for_release_day is not None and PLAN.terms.release_policy.ops_approval
    first = today(stage)
    for day in range(ladder.due_for_release_day + 3):
        stage.wait_until(midnight(first + dt.timedelta(days=day + 1)) + dt.timedelta(minutes=10))
        looks.drain(stage.units, "US")
        stage.work()
        if day == ladder.notices[0].day + 1:
            read_notice(stage, acme.scope)
    with stage.units.read() as uow:
        found = dunning.state_of(uow, acme.scope)
        kept = numbers.get_number(uow, acme.scope, acme.number.id)
    assert found is not None and found.due_for_release
    assert kept.status != "released" and kept.carrier_sid


def read_notice(stage: World, scope: Scope) -> None:
    with stage.units.begin() as uow:
        dunning.acknowledge(uow, scope, "Ann")


def test_s2_16_the_page_says_that_a_released_number_does_not_come_back(stage: World) -> None:
    acme = stage.join("Acme", plan=CODE, document=None)
    page = owner_of(stage, acme).page(f"/numbers/{acme.number.id}")
    assert "cannot be recovered" in page


def test_s2_17_one_payment_by_hand_brings_service_back_where_nothing_recharges(
    stage: World,
) -> None:
    assert PLAN.terms.topup.card
    acme = stage.join("Acme", plan=CODE, document=ONE_PHONE)
    set_balance(stage, acme.scope, -1)
    assert "<Reject" in stage.ask(acme.e164)
    stage.top_up(acme.scope, 20_000_000)
    assert "<Dial" in stage.ask(acme.e164)
    assert len(lines(stage, acme.scope, "topup")) == 2, "the first, and this one"


@pytest.mark.parametrize(
    "to, extra",
    [
        pytest.param(FRONT_DESK, None, id="S2-18 forwarding at home is in the price"),
        pytest.param("+442079460000", 50_000, id="S2-18 London is charged on top"),
    ],
)
def test_forwarding_to_a_toll_number_is_the_purchasers(to: str, extra: int | None) -> None:
    leg = forwarded(60, to)
    assert rate_leg(leg, PLAN.tariff).charge_micros == 0
    found = rate_surcharge(leg, PLAN.tariff)
    assert (found and found.charge_micros) == extra
    assert rate_leg(inbound(60), PLAN.tariff).charge_micros == MINUTE
