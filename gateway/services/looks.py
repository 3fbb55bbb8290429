"""What comes with the calendar, account by account: statements, settlement days, arrears, alerts.

Each account is looked at once a day, a little after its own midnight, and whenever money comes
in. A look asks what is due by now and does it, so that days of downtime are made up for, and a
second clock finds nothing left.
"""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable

import structlog

from billing.calendar import local_date, local_midnight
from gateway.services import (
    alerts,
    card_settling,
    dunning,
    included_credit,
    overview,
    plans,
    settling,
    statement_figures,
    statement_issuing,
)
from gateway.services.errors import NotFound
from gateway.store import ledger as ledger_store
from gateway.store import looks
from gateway.store.base import Scope
from gateway.store.looks import BilledAccount
from gateway.uow import UnitOfWork, UnitsOfWork

log = structlog.get_logger(__name__)

ACCOUNTS_PER_LOOK = 200
BUDGET_SECONDS = 40.0  # below the queue's job timeout
AFTER_MIDNIGHT = statement_figures.ISSUED_AFTER
AFTER_FAILURE = dt.timedelta(minutes=5)


def drain(
    units: UnitsOfWork,
    seller_country: str,
    *,
    budget_seconds: float = BUDGET_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Look at every account that is due, or as many as the budget allows (the next ring goes on);
    how many. One that fails is logged and comes again in five minutes: the others do not wait."""
    deadline = clock() + budget_seconds
    looked = 0
    while True:
        with units.read() as uow:
            due = looks.due(uow.connection, now=uow.now, limit=ACCOUNTS_PER_LOOK)
        random.shuffle(due)  # so that two workers rarely meet at an account
        for scope in due:
            looked += _look_or_log(units, scope, seller_country)
            if clock() >= deadline:
                return looked
        if len(due) < ACCOUNTS_PER_LOOK:
            return looked


def _look_or_log(units: UnitsOfWork, scope: Scope, seller_country: str) -> bool:
    """False where another worker has been there in the meantime."""
    with units.read() as uow:
        if not looks.is_due(uow.connection, scope, now=uow.now):
            return False
    try:
        look(units, scope, seller_country)
    except Exception:
        # One account's surprise must not keep everybody's statements back; it is tried again.
        log.exception("calendar.failed", account_id=str(scope.account_id))
        with units.begin() as uow:
            looks.look_again(uow.connection, scope, uow.now + AFTER_FAILURE)
    return True


def look(units: UnitsOfWork, scope: Scope, seller_country: str) -> None:
    """Statements each in a transaction of their own; the rest in one, under the account's lock."""
    statement_issuing.issue_due(units, scope, seller_country)
    units.retrying(lambda uow: _look(uow, scope))


def _look(uow: UnitOfWork, scope: Scope) -> None:
    locked = ledger_store.lock_books(uow.connection, scope)
    if locked is None:
        raise NotFound("account", scope.account_id)
    included_credit.count(uow, scope, locked)
    account = _account(uow, scope)
    plan = plans.plan_version(uow.connection, account.plan_version_id).plan
    alerts.follow_plan(uow, account, plan.terms.alerts)
    if plan.mode == "card_daily":
        settling.close_days(uow, scope, uow.now)
        if settling.unpaid_days(uow, account):
            card_settling.leave_due(uow, scope)
    dunning.look(uow, scope)
    alerts.look(
        uow,
        scope,
        account.balance_micros,
        lambda: overview.overview(uow, scope, overview.BURN_WINDOW_DAYS).days_left,
    )
    looks.look_again(uow.connection, scope, next_look_at(account.time_zone, uow.now))


def next_look_at(zone: str, now: dt.datetime) -> dt.datetime:
    """A little after the next local midnight: everything that ends, ends at one."""
    tomorrow = local_date(now - AFTER_MIDNIGHT, zone) + dt.timedelta(days=1)
    return local_midnight(tomorrow, zone) + AFTER_MIDNIGHT


def _account(uow: UnitOfWork, scope: Scope) -> BilledAccount:
    found = looks.find(uow.connection, scope)
    assert found is not None, "an account with books is there"
    return found
