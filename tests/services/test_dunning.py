"""The ladder of arrears: notices, suspension, due for release, and the way back (S2-14, S5-18)."""

import datetime as dt
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from billing.dunning import Delivery
from gateway.providers.mail import Mail, SandboxMailer
from gateway.providers.telephony import ProviderError
from gateway.services import (
    accounts,
    banners,
    billing_notices,
    deeds,
    dunning,
    ledger,
    looks,
    plans,
    statements,
)
from gateway.services.accounts import Account
from gateway.store import mail as mailbox
from gateway.store import numbers
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.days import Calendar, open_account, pay, talk
from tests.services.history import History

LADDER = {
    "notices": [
        {"day": 0, "channels": ["email", "in_app"]},
        {"day": 5, "channels": ["email", "in_app"]},
    ],
    "suspend_day": 7,
    "due_for_release_day": 20,
}


class Bouncing:
    """A mail server that knows nobody."""

    name = "bouncing"

    def send(self, mail: Mail) -> None:
        raise ProviderError(f"{mail.to} was refused by its mail server.", permanent=True)


@pytest.fixture
def calendar(units: UnitsOfWork, on_sale: None) -> Calendar:
    found = Calendar(units).at(2026, 3, 3, 9)
    document = load_catalogue()["payg"] | {
        "name": "Pay later",
        "mode": "postpaid",
        "credit_limit": "500.00",
        "settlement": "cycle",
        "suspension": LADDER,
        "statement": {"due_days": 10},
        "alerts": {"balance": []},
    }
    with found.units.begin() as uow:
        plans.publish_plan(uow, "pay_later", document, OLGA)
    return found


@pytest.fixture
def account(calendar: Calendar) -> Account:
    """30.00 used in March on the statement of 1 April, due on Monday, 13 April."""
    found = open_account(calendar, "acme", "pay_later")
    history = History(calendar.units, found)
    did = history.number("+14155550100")
    calendar.at(2026, 3, 5, 12)
    talk(calendar, history, did, 18_000)
    calendar.at(2026, 4, 1, 0, 6)
    looks.drain(calendar.units, "US")
    return found


def live(calendar: Calendar, account: Account, day: dt.date, mailer: Any = None) -> None:
    """A day passes: the account is looked at after its midnight, and mail goes out."""
    calendar.at(day.year, day.month, day.day, 0, 6)
    looks.drain(calendar.units, "US")
    handlers = billing_notices.handlers(
        calendar.units,
        mailer or SandboxMailer(),
        None,  # type: ignore[arg-type]
        "http://gateway.test",
    )
    deeds.work(calendar.units, "notify", handlers)


def days(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]


def state(calendar: Calendar, account: Account) -> Any:
    with calendar.units.read() as uow:
        return dunning.state_of(uow, account.scope)


def status(calendar: Calendar, account: Account) -> str:
    with calendar.units.read() as uow:
        return accounts.get_account(uow, account.scope).status


def read_notice(calendar: Calendar, account: Account) -> None:
    with calendar.units.begin() as uow:
        dunning.acknowledge(uow, account.scope, "ann")


def test_s5_18_a_postpaid_statement_has_a_due_date_on_a_business_day(
    calendar: Calendar, account: Account
) -> None:
    with calendar.units.read() as uow:
        (view,) = statements.list_statements(uow, account.scope).items
    assert view.stored.owed_micros == view.outstanding_micros == 30_000_000
    assert view.stored.due_on == dt.date(2026, 4, 13), "the 11th is a Saturday"


def test_s5_18_nothing_happens_until_the_due_date_has_passed(
    calendar: Calendar, account: Account
) -> None:
    live(calendar, account, dt.date(2026, 4, 13))
    assert state(calendar, account) is None
    live(calendar, account, dt.date(2026, 4, 14))
    found = state(calendar, account)
    assert found.overdue_on == dt.date(2026, 4, 14)
    assert [(n.day, n.channel, n.delivery) for n in found.notices] == [
        (0, "email", Delivery.DELIVERED),
        (0, "in_app", Delivery.SENT),
    ]


def test_s5_18_a_payment_in_time_keeps_the_ladder_away(
    calendar: Calendar, account: Account
) -> None:
    pay(calendar, account, "30.00")
    live(calendar, account, dt.date(2026, 4, 20))
    assert state(calendar, account) is None
    with calendar.units.read() as uow:
        (view,) = statements.list_statements(uow, account.scope).items
    assert view.outstanding_micros == 0


def test_the_whole_ladder_and_the_way_back(calendar: Calendar, account: Account) -> None:
    for day in days(dt.date(2026, 4, 14), dt.date(2026, 4, 20)):
        live(calendar, account, day)
        read_notice(calendar, account)
    assert status(calendar, account) == "active"
    live(calendar, account, dt.date(2026, 4, 21))
    assert status(calendar, account) == "suspended", "day 7"
    for day in days(dt.date(2026, 4, 22), dt.date(2026, 5, 3)):
        live(calendar, account, day)
        assert not state(calendar, account).due_for_release
    live(calendar, account, dt.date(2026, 5, 4))
    assert state(calendar, account).due_for_release, "day 20, two notices on two channels"
    with calendar.units.read() as uow:
        (line,) = dunning.queue(uow, release_only=True).items
        (number,) = numbers.of_account(uow.connection, account.scope, before=None, limit=10)
    assert (line.name, line.numbers) == ("acme", 1)
    assert number.released_at is None, "nothing is released by itself"
    pay(calendar, account, "30.00")
    looks.drain(calendar.units, "US")
    assert status(calendar, account) == "active"
    assert state(calendar, account) is None


def test_s2_14_m09_notices_that_bounced_warn_nobody(calendar: Calendar, account: Account) -> None:
    for day in days(dt.date(2026, 4, 14), dt.date(2026, 5, 20)):
        live(calendar, account, day, Bouncing())
        read_notice(calendar, account)
    found = state(calendar, account)
    assert {n.delivery for n in found.notices if n.channel == "email"} == {Delivery.BOUNCED}
    assert found.suspended and not found.due_for_release
    with calendar.units.read() as uow:
        assert banners.banners(uow, account.scope).bounced_email == "billing@acme.test"


def test_s2_14_a_corrected_address_takes_the_banner_down(
    calendar: Calendar, account: Account
) -> None:
    live(calendar, account, dt.date(2026, 4, 14), Bouncing())
    with calendar.units.begin() as uow:
        accounts.update_account(uow, account.scope, {"billing_email": "ann@acme.test"}, "ann")
    with calendar.units.read() as uow:
        assert banners.banners(uow, account.scope).bounced_email is None


def test_two_looks_send_one_notice(calendar: Calendar, account: Account) -> None:
    for _ in range(3):
        live(calendar, account, dt.date(2026, 4, 14))
        with calendar.units.begin() as uow:
            dunning.look(uow, account.scope)
    with calendar.units.read() as uow:
        table = mailbox.MailRow.__table__
        mails = uow.connection.execute(
            table.select().where(table.c.subject.contains("overdue"))
        ).all()
    assert len(mails) == 1
    assert "30.00 USD has been due since 2026-04-14" in mails[0].body


def test_an_announced_payment_stops_the_days(calendar: Calendar, account: Account) -> None:
    live(calendar, account, dt.date(2026, 4, 15))
    with calendar.units.begin() as uow:
        dunning.pause(uow, account.scope, "they called: Friday", OLGA)
    for day in days(dt.date(2026, 4, 16), dt.date(2026, 5, 1)):
        live(calendar, account, day)
    assert status(calendar, account) == "active"
    with calendar.units.begin() as uow:
        dunning.resume(uow, account.scope, "it did not come", OLGA)
    live(calendar, account, dt.date(2026, 5, 2))
    assert status(calendar, account) == "active"
    live(calendar, account, dt.date(2026, 5, 8))
    assert status(calendar, account) == "suspended"


def test_a_part_of_the_payment_does_not_bring_service_back(
    calendar: Calendar, account: Account
) -> None:
    for day in days(dt.date(2026, 4, 14), dt.date(2026, 4, 21)):
        live(calendar, account, day)
    pay(calendar, account, "10.00")
    looks.drain(calendar.units, "US")
    assert status(calendar, account) == "suspended"
    pay(calendar, account, "20.00")
    looks.drain(calendar.units, "US")
    assert status(calendar, account) == "active"


def test_s2_19_a_prepaid_account_is_in_arrears_from_the_day_its_money_ended(
    calendar: Calendar,
) -> None:
    document = load_catalogue()["payg"] | {"suspension": LADDER, "name": "Prepaid"}
    with calendar.units.begin() as uow:
        plans.publish_plan(uow, "prepaid_ladder", document, OLGA)
    calendar.at(2026, 3, 3, 9)
    account = open_account(calendar, "bolt", "prepaid_ladder")
    with calendar.units.begin() as uow:
        ledger.adjust(
            uow,
            account.scope,
            amount_micros=-1_000_000,
            reason="used up",
            actor=OLGA,
            idempotency_key="x",
        )
    assert status(calendar, account) == "suspended"
    live(calendar, account, dt.date(2026, 3, 4))
    assert state(calendar, account).overdue_on == dt.date(2026, 3, 3)
    pay(calendar, account, "5.00")
    assert status(calendar, account) == "active", "at once, as ever"
    looks.drain(calendar.units, "US")
    assert state(calendar, account) is None
