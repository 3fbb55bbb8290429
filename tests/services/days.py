"""Days that pass at the desk of a business in New York: accounts, payments and calls of then."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from billing.money import parse_amount
from gateway.services import accounts, ledger
from gateway.services.accounts import Account, NewAccount
from gateway.store.base import new_id
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.history import History, Target

NEW_YORK = ZoneInfo("America/New_York")


class Calendar:
    """Units of work whose clock the test sets."""

    def __init__(self, units: UnitsOfWork) -> None:
        self.now = units.clock()
        self.units = UnitsOfWork(units.engine, lambda: self.now)

    def at(self, *when: int) -> "Calendar":
        """Local wall time of New York."""
        self.now = dt.datetime(*when, tzinfo=NEW_YORK).astimezone(dt.UTC)
        return self


def open_account(calendar: Calendar, name: str, plan: str, **more: Any) -> Account:
    with calendar.units.begin() as uow:
        new = NewAccount(name=name, billing_email=f"billing@{name}.test", plan_code=plan, **more)
        return accounts.create_account(uow, new, OLGA)


def pay(calendar: Calendar, account: Account, amount: str) -> None:
    with calendar.units.begin() as uow:
        ledger.top_up(
            uow,
            account.scope,
            amount_micros=parse_amount(amount),
            method="manual",
            reason="test money",
            actor=OLGA,
            idempotency_key=str(new_id()),
        )


def talk(calendar: Calendar, history: History, did: Any, seconds: int) -> None:
    history.units = calendar.units
    history.call(did, Target(talk=seconds), at=calendar.now - dt.timedelta(minutes=10))
