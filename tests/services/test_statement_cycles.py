"""Statements by the billing cycle end with the account's own cycles (C14, S4-02)."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from gateway.services import accounts, statement_issuing, statements
from gateway.uow import UnitsOfWork
from tests.services import test_included_credit as credit_plans
from tests.services.conftest import OLGA
from tests.services.days import Calendar, pay
from tests.services.test_pools import DAY, Desk, publish


def with_credit(calendar: Calendar, day: int) -> str:
    terms = {"period": "cycle", "anchor_day": day}
    return credit_plans.publish(calendar, f"day_{day}", "3.00", fee="1.00", statement=terms)


def with_minutes(calendar: Calendar, day: int) -> str:
    return publish(calendar, 300, day)


@pytest.fixture
def calendar(units: UnitsOfWork, on_sale: None) -> Calendar:
    """3 March 2026, nine in New York."""
    return Calendar(units).at(2026, 3, 3, 9)


def issue(desk: Desk) -> None:
    statement_issuing.issue_due(desk.calendar.units, desk.scope, "US")


def first_days(desk: Desk) -> list[str]:
    """Of the statements, and the day behind the last; no day is in none or in two."""
    with desk.calendar.units.read() as uow:
        found = list(statements.list_statements(uow, desk.scope, limit=200).items)[::-1]
    for before, after in pairwise(found):
        assert after.starts_on == before.ends_on + DAY
        assert after.stored.number == before.stored.number + 1
        assert after.stored.starts_at == before.stored.ends_at
        assert after.stored.first_seq == before.stored.last_seq + 1
    return [f"{one.starts_on:%m-%d}" for one in found] + [f"{found[-1].ends_on + DAY:%m-%d}"]


@pytest.mark.parametrize("sold", [with_minutes, with_credit])
@pytest.mark.parametrize(
    "old, new, days",
    [
        pytest.param(17, 20, ["03-03", "03-17", "03-20", "04-20", "05-20"], id="a later day"),
        pytest.param(20, 17, ["03-03", "03-20", "04-17", "05-17"], id="an earlier day"),
        pytest.param(2, 31, ["03-03", "04-02", "04-30", "05-31"], id="the month's last day"),
    ],
)
def test_c14_a_cycle_that_has_begun_keeps_its_end_for_its_statement_too(
    calendar: Calendar, sold: Callable[[Calendar, int], str], old: int, new: int, days: list[str]
) -> None:
    """Looked at every day, and once after months: the same statements."""
    plans = {day: sold(calendar, day) for day in (old, new)}
    daily, late = (Desk(calendar, plans[old], name) for name in ("daily", "late"))
    for desk in (daily, late):
        pay(calendar, desk.account, "90.00")
    calendar.at(2026, 3, 10, 9)
    for desk in (daily, late):
        desk.change(plans[new])
    calendar.at(2026, 3, 10, 1)
    for _ in range(90):
        calendar.now += DAY
        daily.renew()
        issue(daily)
    issue(late)
    assert first_days(daily) == first_days(late) == days


def test_c14_an_upgrade_in_the_cycle_ends_no_statement(calendar: Calendar) -> None:
    small, large = publish(calendar, 300, 17), publish(calendar, 600, 17)
    desk = Desk(calendar, small)
    calendar.at(2026, 3, 10, 9)
    desk.change(large)
    calendar.at(2026, 4, 18, 9)
    issue(desk)
    assert first_days(desk) == ["03-03", "03-17", "04-17"]


def test_c14_a_plan_without_minutes_lets_the_cycle_end_and_goes_on_by_its_own_day(
    calendar: Calendar,
) -> None:
    desk = Desk(calendar, publish(calendar, 300, 17))
    desk.change(publish(calendar, 0, 5))
    calendar.at(2026, 6, 6, 9)
    issue(desk)
    assert first_days(desk) == ["03-03", "03-17", "04-05", "05-05", "06-05"]


def test_c14_a_month_by_the_calendar_is_none_of_the_cycles_business(calendar: Calendar) -> None:
    month = {"period": "calendar", "anchor_day": 17}
    desk = Desk(calendar, publish(calendar, 300, 17, statement=month))
    calendar.at(2026, 5, 2, 9)
    issue(desk)
    assert first_days(desk) == ["03-03", "04-01", "05-01"]


def test_c14_minutes_that_come_after_a_downtime_end_what_was_open_before_them(
    calendar: Calendar,
) -> None:
    """The days before the cycle that has minutes are not thrown in with it."""
    desk = Desk(calendar, publish(calendar, 0, 1))
    calendar.at(2026, 3, 20, 9)
    desk.change(publish(calendar, 300, 17))
    desk.change(publish(calendar, 400, 28))
    calendar.at(2026, 5, 1, 9)
    issue(desk)
    assert first_days(desk) == ["03-03", "03-17", "04-17", "04-28"]


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Europe/Berlin"])
def test_c14_a_zone_that_moves_midnight_makes_no_statement_of_hours(
    calendar: Calendar, zone: str
) -> None:
    desk = Desk(calendar, publish(calendar, 300, 17))
    with calendar.units.begin() as uow:
        accounts.update_account(uow, desk.scope, {"time_zone": zone}, OLGA)
    for _ in range(60):
        calendar.now += DAY
        desk.renew()
        issue(desk)
    assert first_days(desk) == ["03-03", "03-17", "04-17"]
