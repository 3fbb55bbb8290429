"""Settlement by card: what was used on a business day is asked for when it is over (C7, S3-09)."""

import datetime as dt

import pytest

from billing.catalogue import load_catalogue
from billing.money import parse_amount
from gateway.services import accounts, ledger, looks, plans, settling
from gateway.services.accounts import Account
from gateway.services.settling import CardDue
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.days import Calendar, open_account, pay
from tests.services.history import History, Target


@pytest.fixture
def calendar(units: UnitsOfWork, on_sale: None) -> Calendar:
    """Monday 2 March 2026; DST begins on Sunday the 8th."""
    found = Calendar(units).at(2026, 3, 2, 9)
    document = load_catalogue()["payg"] | {
        "name": "Card each day",
        "mode": "card_daily",
        "credit_limit": "100.00",
        "settlement": "business_day",
        "settlement_minimum": "0.50",
    }
    with found.units.begin() as uow:
        plans.publish_plan(uow, "card_days", document, OLGA)
        daily = document | {"name": "Card every day", "settlement": "daily"}
        plans.publish_plan(uow, "card_daily_all", daily, OLGA)
    return found


class Desk:
    """An account with a number; a call of a minute costs 0.10 on both legs."""

    def __init__(self, calendar: Calendar, plan: str = "card_days") -> None:
        self.calendar = calendar
        self.account: Account = open_account(calendar, "acme", plan)
        self.history = History(calendar.units, self.account)
        self.did = self.history.number("+14155550100")

    def use(self, amount: str) -> None:
        seconds = parse_amount(amount) * 60 // 100_000
        self.history.units = self.calendar.units
        at = self.calendar.now - dt.timedelta(minutes=1)
        self.history.call(self.did, Target(talk=seconds), at=at)

    def due(self) -> list[tuple[str, str]]:
        """(day, amount) of what the card is to be charged."""
        return [(d.day.isoformat(), f"{d.amount_micros / 1e6:.2f}") for d in self.asked()]

    def asked(self) -> tuple[CardDue, ...]:
        with self.calendar.units.begin() as uow:
            return settling.due_for_card(uow, self.account.scope, self.calendar.now)

    def charge_all(self) -> None:
        """What the card network does: the net amount comes in as a credit."""
        for due in self.asked():
            with self.calendar.units.begin() as uow:
                ledger.top_up(
                    uow,
                    self.account.scope,
                    amount_micros=due.amount_micros,
                    method="card",
                    reason=due.key,
                    actor="system",
                    idempotency_key=due.key,
                )


def test_s3_09_usage_of_a_day_is_due_when_the_day_is_over(calendar: Calendar) -> None:
    desk = Desk(calendar)
    calendar.at(2026, 3, 2, 12)
    desk.use("3.00")
    calendar.at(2026, 3, 2, 23, 59)
    assert desk.due() == []
    calendar.at(2026, 3, 3, 0, 1)
    assert desk.due() == [("2026-03-02", "3.00")]
    assert desk.asked()[0].key == f"settle:{desk.account.id}:2026-03-02"
    assert desk.asked()[0].purpose == "daily"


def test_s3_09_a_weekend_lands_on_the_monday_after_it_dst_and_all(calendar: Calendar) -> None:
    desk = Desk(calendar)
    for day, amount in ((6, "1.00"), (7, "2.00"), (8, "4.00"), (9, "8.00")):
        calendar.at(2026, 3, day, 12)
        desk.use(amount)
    calendar.at(2026, 3, 9, 23, 59)
    assert desk.due() == [("2026-03-06", "1.00")]
    calendar.at(2026, 3, 10, 0, 1)
    assert desk.due() == [("2026-03-06", "1.00"), ("2026-03-09", "14.00")]


def test_c7_daily_counts_every_day_by_itself(calendar: Calendar) -> None:
    desk = Desk(calendar, "card_daily_all")
    for day, amount in ((6, "1.00"), (7, "2.00"), (8, "4.00")):
        calendar.at(2026, 3, day, 12)
        desk.use(amount)
    calendar.at(2026, 3, 9, 1)
    assert desk.due() == [
        ("2026-03-06", "1.00"),
        ("2026-03-07", "2.00"),
        ("2026-03-08", "4.00"),
    ]


def test_s3_09_a_day_without_usage_asks_for_nothing(calendar: Calendar) -> None:
    desk = Desk(calendar)
    calendar.at(2026, 3, 5, 1)
    assert desk.due() == []


def test_s3_09_too_little_waits_for_more(calendar: Calendar) -> None:
    desk = Desk(calendar)
    calendar.at(2026, 3, 2, 12)
    desk.use("0.30")
    calendar.at(2026, 3, 3, 12)
    assert desk.due() == []
    desk.use("0.30")
    calendar.at(2026, 3, 4, 1)
    assert desk.due() == [("2026-03-03", "0.60")]


def test_s3_09_a_charge_that_came_in_is_never_asked_for_again(calendar: Calendar) -> None:
    desk = Desk(calendar)
    for day in (2, 3, 4):
        calendar.at(2026, 3, day, 12)
        desk.use("3.00")
        desk.charge_all()
    calendar.at(2026, 3, 5, 1)
    assert desk.due() == [("2026-03-04", "3.00")]
    desk.charge_all()
    assert desk.due() == []
    looks.drain(calendar.units, "US")
    calendar.at(2026, 3, 5, 12)
    desk.use("1.00")
    assert desk.due() == [], "today is not over"


def test_c7_money_that_came_another_way_covers_the_oldest_day_first(calendar: Calendar) -> None:
    desk = Desk(calendar)
    for day in (2, 3):
        calendar.at(2026, 3, day, 12)
        desk.use("3.00")
    calendar.at(2026, 3, 4, 12)
    desk.use("5.00")
    pay(calendar, desk.account, "4.00")
    assert desk.due() == [("2026-03-03", "2.00")]


def test_c7_credit_in_hand_pays_before_the_card_is_asked(calendar: Calendar) -> None:
    desk = Desk(calendar)
    pay(calendar, desk.account, "10.00")
    calendar.at(2026, 3, 2, 12)
    desk.use("4.00")
    calendar.at(2026, 3, 3, 12)
    assert desk.due() == []
    desk.use("8.00")
    calendar.at(2026, 3, 4, 12)
    assert desk.due() == [("2026-03-03", "2.00")]


def test_c7_days_of_downtime_are_closed_one_by_one_and_once(calendar: Calendar) -> None:
    desk = Desk(calendar)
    for day in (2, 3, 4, 5, 6):
        calendar.at(2026, 3, day, 12)
        desk.use("1.00")
    calendar.at(2026, 3, 20, 12)
    asked = desk.due()
    assert asked == [(f"2026-03-0{day}", "1.00") for day in (2, 3, 4, 5, 6)]
    assert desk.due() == asked
    with calendar.units.begin() as uow:
        assert settling.close_days(uow, desk.account.scope, calendar.now) == 0
        assert settling.accounts_due_for_card(uow) == [desk.account.scope]


def test_c7_prepaid_accounts_are_never_asked_by_day(calendar: Calendar) -> None:
    desk = Desk(calendar, "payg")
    calendar.at(2026, 3, 2, 12)
    desk.use("4.00")
    calendar.at(2026, 3, 10, 12)
    assert desk.due() == []


def test_the_days_of_an_account_sum_to_its_usage(calendar: Calendar) -> None:
    desk = Desk(calendar)
    for day in range(2, 28):
        calendar.at(2026, 3, day, 12)
        desk.use(f"{(day * 7) % 5}.{day:02}")
    calendar.at(2026, 4, 1, 1)
    asked = desk.asked()
    with calendar.units.read() as uow:
        balance = accounts.get_account(uow, desk.account.scope).balance_micros
    assert sum(due.amount_micros for due in asked) == -balance
    assert len({due.key for due in asked}) == len(asked)
