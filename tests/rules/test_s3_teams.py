"""Operator S3 sells access by the month or year and puts usage on a card: its two plans."""

import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from world import ONE_PHONE, Member, World

from billing.calendar import nth_period, period
from billing.plan_checks import tier_warnings
from billing.rating import rate_leg
from billing.settling import Bill, CarryOver, Locale, NothingDue, bill_for, settlement_of
from billing.subscriptions import Subscription, cancel, preview_change
from gateway.services import accounts, payment_methods, plan_changes, plans, subscriptions
from gateway.services.accounts import NewAccount
from tests.billing.buckets import inbound
from tests.billing.plans import catalogue_plan
from tests.rules.story import lines, midnight, today

SMALL, LARGE = catalogue_plan("small_teams"), catalogue_plan("large_teams")
ZONE = "America/New_York"
FEE = 49_000_000


def team(stage: World, plan: str = "small_teams", **more: object) -> Member:
    """A team that staff let begin without a card."""
    return stage.join("Team", plan=plan, document=ONE_PHONE, needs_card=False, **more)


def test_s3_01_a_cancelled_month_keeps_its_access_to_the_end_and_is_not_renewed() -> None:
    cancelled = cancel(month(), utc(2026, 3, 10), SMALL.terms.cancellation)
    assert cancelled.access_ends_at == midnight(dt.date(2026, 4, 3))
    assert cancelled.next_renewal_on(utc(2026, 3, 10)) is None


def test_s3_02_a_cancelled_year_lasts_to_the_last_second_of_its_anniversary() -> None:
    assert SMALL.terms.access_fee.year_micros == 490_000_000
    leap = Subscription(
        id=month().id,
        account_id=month().account_id,
        term="year",
        zone=ZONE,
        anchor=dt.date(2028, 2, 29),
        started_at=utc(2028, 2, 29, 15),
    )
    cancelled = cancel(leap, utc(2028, 5, 1), SMALL.terms.cancellation)
    end = midnight(dt.date(2029, 3, 1))
    assert cancelled.access_ends_at == end
    assert cancelled.gives_access_at(end - dt.timedelta(seconds=1))
    assert not cancelled.gives_access_at(end)


def month() -> Subscription:
    return Subscription(
        id=uuid.UUID(int=1),
        account_id=uuid.UUID(int=2),
        term="month",
        zone=ZONE,
        anchor=dt.date(2026, 3, 3),
        started_at=utc(2026, 3, 3, 15),
    )


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[misc]


def test_s3_03_a_change_of_plan_is_asked_for_and_done_by_staff(stage: World) -> None:
    one = team(stage)
    with stage.units.begin() as uow:
        asked = plan_changes.request(uow, one.scope, "large_teams", "Ann")
        assert asked.state == "requested"
    stage.renew()
    assert plan_of(stage, one) == "Small Teams", "asking changes nothing"
    with stage.units.begin() as uow:
        plan_changes.schedule(uow, one.scope, asked.id, None, "Olga")
    stage.renew()
    assert plan_of(stage, one) == "Large Teams"


def plan_of(stage: World, one: Member) -> str:
    with stage.units.read() as uow:
        account = accounts.get_account(uow, one.scope)
        return plans.plan_version(uow.connection, account.plan_version_id).plan.name


def test_s3_04_s3_08_access_is_paid_at_once_and_once_a_month_whoever_looks(stage: World) -> None:
    one = team(stage)
    assert [row.amount_micros for row in lines(stage, one.scope, "access_fee")] == [FEE]
    following = nth_period(today(stage), 1)
    with stage.units.read() as uow:
        access = subscriptions.view(uow, one.scope)
    assert access is not None and access.renews_on == following
    stage.wait_until(midnight(following) + dt.timedelta(hours=5))
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(stage.renew) for _ in range(2)]:
            done.result(60)
    assert [row.amount_micros for row in lines(stage, one.scope, "access_fee")] == [FEE, FEE]
    stage.prove_ledger()


def test_s3_05_large_teams_pay_less_for_every_unit() -> None:
    assert LARGE.terms.better_than == "small_teams"
    assert tier_warnings(LARGE, SMALL) == ()
    leg = inbound(60)
    assert rate_leg(leg, LARGE.tariff).charge_micros < rate_leg(leg, SMALL.tariff).charge_micros


def test_s3_06_a_step_down_costs_nothing_and_gives_nothing_back(stage: World) -> None:
    cycle = period(dt.date(2026, 3, 3), 0, ZONE)
    seen = preview_change(LARGE, SMALL, term_period=cycle, cycle=cycle, on=dt.date(2026, 3, 10))
    assert (seen.fee_micros, seen.next_fee_micros) == (0, FEE)
    one = team(stage, "large_teams")
    before = stage.balance(one.scope)
    with stage.units.begin() as uow:
        accounts.update_account(uow, one.scope, {"plan_code": "small_teams"}, "Olga")
        subscriptions.cancel_renewal(uow, one.scope, "Ann")
    assert stage.balance(one.scope) == before


def test_s3_07_service_begins_with_a_card_and_no_number_of_a_card_is_ever_kept(
    stage: World,
) -> None:
    with stage.units.begin() as uow:
        new = NewAccount(name="Cora", billing_email="cora@cora.test", plan_code="small_teams")
        cora = accounts.create_account(uow, new, "test").scope
    assert stage.status(cora) == "suspended"
    payment_methods.attach(
        stage.units,
        stage.runtime.cards(),
        cora,
        token="pm_card_visa",
        actor="Cora",
        idempotency_key="first",
    )
    assert stage.status(cora) == "active"
    assert rows_that_hold(stage, "4242") != [], "the last four digits are shown"
    assert rows_that_hold(stage, "424242424242") == []


def rows_that_hold(stage: World, digits: str) -> list[str]:
    """Names of the tables with these digits in a row."""
    with stage.units.read() as uow:
        tables = uow.connection.scalars(
            text("select tablename from pg_tables where schemaname = 'public'")
        ).all()
        return [
            table
            for table in tables
            if uow.connection.scalar(
                text(f'select exists (select from "{table}" as t where t::text like :digits)'),
                {"digits": f"%{digits}%"},
            )
        ]


@pytest.mark.parametrize(
    "used_at, billed_on",
    [
        pytest.param(utc(2026, 3, 6, 23), dt.date(2026, 3, 6), id="S3-09 a Friday"),
        pytest.param(utc(2026, 3, 7, 18), dt.date(2026, 3, 9), id="S3-09 a Saturday: Monday"),
        pytest.param(utc(2026, 11, 26, 18), dt.date(2026, 11, 27), id="S3-09 Thanksgiving: Friday"),
    ],
)
def test_usage_is_billed_at_the_end_of_its_business_day(
    used_at: dt.datetime, billed_on: dt.date
) -> None:
    bill = settlement_of(SMALL.terms.settlement, used_at, Locale(ZONE, "US"))
    assert bill is not None and bill.day == billed_on


@pytest.mark.parametrize(
    "used_micros, bill",
    [
        pytest.param(0, NothingDue(), id="S3-09 nothing used: no charge"),
        pytest.param(499_999, CarryOver(499_999), id="S3-09 too little for a card: carried over"),
        pytest.param(500_000, Bill(500_000), id="S3-09 the least that is charged"),
    ],
)
def test_a_card_is_charged_for_what_was_used(used_micros: int, bill: object) -> None:
    least = SMALL.terms.settlement_minimum_micros
    assert bill_for(used_micros, carried_micros=0, minimum_micros=least) == bill
