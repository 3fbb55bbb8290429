"""Issuing: one statement for every account and period, once, numbered without gaps (S5-16).

Only the number is taken under a lock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from billing.calendar import Period, local_date
from billing.invoices import asked_for
from billing.money import format_amount
from billing.settling import Locale, due_on
from billing.statement_numbers import StatementNumber, series_of
from billing.statements import (
    periods_closed,
)
from billing.vat import VatTreatment, vat_for
from gateway.services import plans, pools
from gateway.services.errors import NotFound
from gateway.services.plans import PlanVersion
from gateway.services.statement_documents import debit_of, document_of, invoice_fields
from gateway.services.statement_figures import ISSUED_AFTER, figures_of
from gateway.store import accounts, looks, outbox, statement_lines
from gateway.store import clients as shared
from gateway.store import statements as store
from gateway.store.base import Scope, new_id
from gateway.store.looks import BilledAccount
from gateway.store.statements import StoredStatement
from gateway.uow import UnitOfWork, UnitsOfWork


class _Overtaken(Exception):
    """Somebody else issued the account's next statement in the meantime."""


def issue_due(units: UnitsOfWork, scope: Scope, seller_country: str) -> int:
    """Every statement that an account is owed, oldest first, each in a transaction of its own;
    how many were issued. A second run, or a second clock, finds nothing left."""
    issued = 0
    while True:
        try:
            found = units.retrying(lambda uow: issue_next(uow, scope, seller_country))
        except _Overtaken:
            continue
        if found is None:
            return issued
        issued += 1


def issue_next(uow: UnitOfWork, scope: Scope, seller_country: str) -> StoredStatement | None:
    """The statement of the oldest period that is over and has none; None when there is none."""
    account = looks.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    version = plans.plan_version(uow.connection, account.plan_version_id)
    last = store.last_of(uow.connection, scope)
    period = _next_period(uow, account, version, last)
    if period is None:
        return None
    after_seq = last.last_seq if last else 0
    last_seq = statement_lines.last_seq_before(
        uow.connection, scope, after_seq=after_seq, ends_at=period.ends_at
    )
    figures = figures_of(uow, account, version, period, last, after_seq, last_seq)
    number = store.take_number(uow.connection, scope.tenant_id)
    if store.last_of(uow.connection, scope) != last:
        raise _Overtaken
    label = str(StatementNumber(series_of(scope.tenant_id), number))
    issued_on = local_date(uow.now, account.time_zone)
    payable = figures.mode == "postpaid" and figures.owed_micros > 0
    place = Locale(account.time_zone, account.country)
    statement = StoredStatement(
        tenant_id=scope.tenant_id,
        id=new_id(),
        account_id=scope.account_id,
        number=number,
        label=label,
        starts_on=_starts_on(account, period, last),
        ends_on=period.ends_on,
        starts_at=last.ends_at if last else period.starts_at,
        ends_at=period.ends_at,
        due_on=due_on(issued_on, version.plan.terms.statement.due_days, place) if payable else None,
        currency=figures.currency,
        opening_micros=figures.opening_micros,
        charges_micros=figures.charges_micros,
        credits_micros=figures.credits_micros,
        vat_micros=figures.vat_micros,
        closing_micros=figures.closing_micros,
        owed_micros=figures.owed_micros,
        first_seq=after_seq + 1,
        last_seq=last_seq,
        document={},
        issued_at=uow.now,
    )
    clients = shared.shares(uow.connection, scope, after_seq=after_seq, last_seq=last_seq)
    tax = _tax(uow, scope, period, seller_country)
    statement.document.update(document_of(statement, figures, account, version, clients, issued_on))
    statement.document.update(invoice_fields(figures, tax))
    statement.document["debit"] = debit_of(uow, statement, place, issued_on)
    store.add(uow.connection, statement)
    outbox.add(
        uow.connection,
        scope,
        queue="notify",
        kind="statement",
        key=f"statement:{statement.id}",
        payload={
            "id": str(statement.id),
            "label": label,
            "starts_on": statement.starts_on.isoformat(),
            "last_on": (period.ends_on - dt.timedelta(days=1)).isoformat(),
            "charges": format_amount(figures.charges_micros),
            "closing": format_amount(figures.closing_micros),
            "owed": format_amount(figures.owed_micros),
            "payable": format_amount(asked_for(figures.owed_micros, tax, figures.currency)),
            "tax": tax.note,
            "debit": statement.document["debit"],
            "due_on": statement.due_on.isoformat() if statement.due_on else None,
            "currency": figures.currency,
        },
        now=uow.now,
    )
    return statement


def _next_period(
    uow: UnitOfWork, account: BilledAccount, version: PlanVersion, last: StoredStatement | None
) -> Period | None:
    """A changed zone or anchor never makes a period of no days: its lines go to the next. After a
    quiet statement a closed account gets no more of them."""
    if account.status == "closed" and last and not last.charges_micros and not last.credits_micros:
        return None
    closed = _closed(uow, account, version, last.ends_at if last else account.created_at)
    return next((p for p in closed if last is None or p.ends_on > last.ends_on), None)


def _closed(
    uow: UnitOfWork, account: BilledAccount, version: PlanVersion, after: dt.datetime
) -> Iterator[Period]:
    """By the calendar, or by the account's cycles: one that has begun keeps its end, also for its
    statement, whatever plan or day follows (C14)."""
    terms, until = version.plan.terms.statement, uow.now - ISSUED_AFTER
    if terms.period == "calendar":
        yield from periods_closed(terms, after, until, account.time_zone)
        return
    while True:
        cycle = pools.cycle_at(uow, account.scope, account.time_zone, version, after)
        if cycle.ends_at > until:
            return
        yield cycle
        after = cycle.ends_at


def _starts_on(account: BilledAccount, period: Period, last: StoredStatement | None) -> dt.date:
    """Where the statement before ended; the first begins on the day the account was opened."""
    if last is not None:
        return last.ends_on
    return max(period.starts_on, local_date(account.created_at, account.time_zone))


def _tax(uow: UnitOfWork, scope: Scope, period: Period, seller_country: str) -> VatTreatment:
    """Of the last day of the period: what goes on is supplied when its bill is made up."""
    facts = accounts.tax_facts(uow.connection, scope)
    return vat_for(
        facts.country,
        business_id_checked=facts.business_id_checked,
        seller_country=seller_country,
        on=period.ends_on - dt.timedelta(days=1),
    )
