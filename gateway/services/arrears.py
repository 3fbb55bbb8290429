"""What an account still owes of what it was asked for, and since when it should have paid.

Payments are not booked against invoices: they raise the balance, and cover what is oldest first.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from billing.calendar import local_date
from billing.invoices import asked_for
from billing.lifecycle import AccountStatus, service_status
from billing.settling import Locale, due_on, overdue_on
from billing.statement_numbers import StatementNumber, series_of
from billing.tariffs import Plan
from billing.transfers import OpenInvoice
from gateway.services import settling
from gateway.store import credits, debits
from gateway.store import statements as store
from gateway.store.base import Scope
from gateway.store.looks import BilledAccount
from gateway.store.statements import StoredStatement
from gateway.uow import UnitOfWork

ARREARS = "arrears"
"""Why service is held back (`Books.hold`) when the ladder of notices ends in a suspension."""
STATEMENTS_LOOKED_AT = 36
BANK_DAYS = dt.timedelta(days=10)
"""How long after its collection a debit of which the bank says nothing counts as on its way."""
CARD_DAYS = 1  # a card has until the end of the next business day


@dataclass(frozen=True, slots=True)
class Arrears:
    """`overdue_on` is the first day of arrears, in the account's own calendar."""

    overdue_on: dt.date
    owed_micros: int


def outstanding(
    uow: UnitOfWork, scope: Scope, statements: Sequence[StoredStatement]
) -> dict[uuid.UUID, int]:
    """What is left of what each statement asked for. A later one asks for the earlier one's rest
    as well, so these are not to be added."""
    asked = [statement for statement in statements if statement.owed_micros]
    paid = credits.credited_since(uow.connection, scope, [s.last_seq for s in asked])
    left = dict.fromkeys((statement.id for statement in statements), 0)
    for statement, micros in zip(asked, paid, strict=True):
        left[statement.id] = max(0, statement.owed_micros - micros)
    return left


def open_statements(uow: UnitOfWork, scope: Scope) -> list[tuple[StoredStatement, int]]:
    """Those that are not paid in full, the oldest first, each with its own part alone."""
    found = store.owing(uow.connection, scope, limit=STATEMENTS_LOOKED_AT)
    left = outstanding(uow, scope, found)
    parts, before = [], 0
    for statement in found:
        part = left[statement.id] - before
        if part > 0:
            parts.append((statement, part))
            before = left[statement.id]
    return parts


def open_invoices(
    uow: UnitOfWork, labels: Collection[str]
) -> Iterator[tuple[StoredStatement, OpenInvoice]]:
    """The unpaid statements, of whichever tenants, that bear one of these numbers; what they ask
    for has its tax in it."""
    named = store.with_labels(uow.connection, labels)
    for scope in dict.fromkeys(statement.scope for statement in named):
        for statement, part in open_statements(uow, scope):
            if statement.label in labels:
                number = StatementNumber(series_of(statement.tenant_id), statement.number)
                asked = asked_for(part, statement.tax, statement.currency)
                yield (
                    statement,
                    OpenInvoice(number, statement.account_id, asked, statement.currency),
                )


def find(uow: UnitOfWork, account: BilledAccount, plan: Plan) -> Arrears | None:
    """None in good standing."""
    today = local_date(uow.now, account.time_zone)
    candidates = [
        found
        for found in (
            _below_floor(account, plan),
            _statement_unpaid(uow, account) if plan.mode == "postpaid" else None,
            _card_unpaid(uow, account) if plan.mode == "card_daily" else None,
        )
        if found is not None and found.overdue_on <= today
    ]
    return min(candidates, key=lambda found: found.overdue_on, default=None)


def _below_floor(account: BilledAccount, plan: Plan) -> Arrears | None:
    """The balance is used up, or the credit is: service stopped that day."""
    if account.suspended_at is None or account.status != AccountStatus.SUSPENDED:
        return None
    if service_status(account.balance_micros, plan) != AccountStatus.SUSPENDED:
        return None
    since = local_date(account.suspended_at, account.time_zone)
    return Arrears(since, max(0, -account.balance_micros))


def _statement_unpaid(uow: UnitOfWork, account: BilledAccount) -> Arrears | None:
    underway = debits.underway(
        uow.connection,
        account.scope,
        states=("submitted",),
        since=local_date(uow.now, account.time_zone) - BANK_DAYS,
    )
    unpaid = open_statements(uow, account.scope)
    for statement, _ in unpaid:
        if statement.due_on is not None and statement.id not in underway:
            return Arrears(overdue_on(statement.due_on), sum(part for _, part in unpaid))
    return None


def _card_unpaid(uow: UnitOfWork, account: BilledAccount) -> Arrears | None:
    place = Locale(account.time_zone, account.country)
    unpaid = settling.unpaid_days(uow, account)
    if not unpaid:
        return None
    last_day = due_on(unpaid[0].day, CARD_DAYS, place)
    return Arrears(overdue_on(last_day), sum(due.amount_micros for due in unpaid))
