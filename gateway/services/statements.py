"""Statements: one for every account and period, issued once, numbered without gaps (S5-16).

The figures are the ledger's: the lines between two ends of the tenant's chain, read without any
lock, because what the chain has once is never changed. Only the number is taken under a lock.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from billing.calendar import Period, local_date
from billing.invoices import asked_for, invoice_of, tax_category
from billing.mandates import CURRENCY, collection_day
from billing.money import format_amount
from billing.postings import Posting, wallet
from billing.settling import Locale, due_on
from billing.shares import client_shares
from billing.statement_numbers import StatementNumber, series_of
from billing.statements import (
    Statement,
    periods_closed,
    statement_of,
)
from billing.vat import VatTreatment, vat_for
from gateway.services import arrears, credit_receipts, included_credit, plans, statement
from gateway.services.errors import NotFound
from gateway.services.pages import (
    LIMIT_DEFAULT,
    Page,
    clamp,
    cut,
    decode_cursor,
    encode_cursor,
    number_of,
)
from gateway.services.plans import PlanVersion
from gateway.services.statement import StatementLine
from gateway.store import accounts, looks, mandates, outbox, statement_lines
from gateway.store import clients as shared
from gateway.store import statements as store
from gateway.store.base import Scope, new_id
from gateway.store.clients import Share
from gateway.store.looks import BilledAccount
from gateway.store.statements import StoredStatement
from gateway.uow import UnitOfWork, UnitsOfWork

# Lines carry the instant at which their transaction began; none takes longer than a minute.
ISSUED_AFTER = dt.timedelta(minutes=5)


class _Overtaken(Exception):
    """Somebody else issued the account's next statement in the meantime."""


@dataclass(frozen=True)
class StatementView:
    """An issued statement. `ends_on` is its last day; `outstanding_micros` is what is left to
    pay of what it asked for, now."""

    stored: StoredStatement
    outstanding_micros: int

    @property
    def id(self) -> uuid.UUID:
        return self.stored.id

    @property
    def label(self) -> str:
        return self.stored.label

    @property
    def starts_on(self) -> dt.date:
        return self.stored.starts_on

    @property
    def ends_on(self) -> dt.date:
        return self.stored.ends_on - dt.timedelta(days=1)

    @property
    def payable_micros(self) -> int:
        """What pays all that is left, now: with its tax, in whole coins."""
        stored = self.stored
        return asked_for(self.outstanding_micros, stored.tax, stored.currency)

    @cached_property
    def document(self) -> dict[str, Any]:
        return self.stored.document


# Issuing.


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
    period = _next_period(account, version, last, uow.now)
    if period is None:
        return None
    after_seq = last.last_seq if last else 0
    last_seq = statement_lines.last_seq_before(
        uow.connection, scope, after_seq=after_seq, ends_at=period.ends_at
    )
    figures = _figures(uow, account, version, period, last, after_seq, last_seq)
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
    statement.document.update(_document(statement, figures, account, version, clients, issued_on))
    statement.document.update(invoice_fields(figures, tax))
    statement.document["debit"] = _debit(uow, statement, place, issued_on)
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
    account: BilledAccount, version: PlanVersion, last: StoredStatement | None, now: dt.datetime
) -> Period | None:
    """A changed zone or anchor never makes a period of no days: its lines go to the next. After a
    quiet statement a closed account gets no more of them."""
    if account.status == "closed" and last and not last.charges_micros and not last.credits_micros:
        return None
    closed = periods_closed(
        version.plan.terms.statement,
        last.ends_at if last else account.created_at,
        now - ISSUED_AFTER,
        account.time_zone,
    )
    return next((p for p in closed if last is None or p.ends_on > last.ends_on), None)


def _starts_on(account: BilledAccount, period: Period, last: StoredStatement | None) -> dt.date:
    """Where the statement before ended; the first begins on the day the account was opened."""
    if last is not None:
        return last.ends_on
    return max(period.starts_on, local_date(account.created_at, account.time_zone))


def _figures(
    uow: UnitOfWork,
    account: BilledAccount,
    version: PlanVersion,
    period: Period,
    last: StoredStatement | None,
    after_seq: int,
    last_seq: int,
) -> Statement:
    numbers: dict[str, str | None] = {}

    def stream() -> Iterator[Posting]:
        for line in statement_lines.lines(
            uow.connection, account.scope, after_seq=after_seq, last_seq=last_seq
        ):
            numbers.clear()  # one line at a time: memory does not grow with them
            numbers[line.posting.key] = line.number
            yield line.posting

    included = included_credit.between(uow, account.scope, after_seq=after_seq, last_seq=last_seq)
    return statement_of(
        stream(),
        ledger_account=wallet(account.id),
        number_of=lambda posting: numbers[posting.key],
        mode=version.plan.mode,
        currency=account.currency,
        period=period,
        opening_micros=last.closing_micros if last else 0,
        included=included,
    )


def _document(
    statement: StoredStatement,
    figures: Statement,
    account: BilledAccount,
    version: PlanVersion,
    clients: list[Share],
    issued_on: dt.date,
) -> dict[str, Any]:
    """All that is printed, so that a rendering of any later day says the same."""
    return {
        "number": statement.label,
        "issued_on": issued_on.isoformat(),
        "starts_on": statement.starts_on.isoformat(),
        "last_on": (statement.ends_on - dt.timedelta(days=1)).isoformat(),
        "due_on": statement.due_on.isoformat() if statement.due_on else None,
        "time_zone": account.time_zone,
        "currency": figures.currency,
        "mode": figures.mode,
        "customer": credit_receipts.customer_of(account),
        "support_contact": version.plan.terms.support_contact,
        "plan": {
            "code": version.plan_code,
            "name": version.plan.name,
            "version": version.version,
            "id": str(version.id),
        },
        "opening_micros": figures.opening_micros,
        "charges": [
            {
                "kind": line.kind.value,
                "description": line.description,
                "number": line.number,
                "rate_micros": line.rate_micros,
                "count": line.count,
                "seconds": line.seconds,
                "amount_micros": line.amount_micros,
            }
            for line in figures.charges
        ],
        "credits": [
            {
                "key": line.key,
                "at": line.at.isoformat(),
                "kind": line.kind.value,
                "description": line.description,
                "amount_micros": line.amount_micros,
                "balance_after_micros": line.balance_after_micros,
            }
            for line in figures.credits
        ],
        "seconds": [{"kind": line.kind.value, "seconds": line.seconds} for line in figures.seconds],
        "clients": _shares(figures, clients),
        "charges_micros": figures.charges_micros,
        "credits_micros": figures.credits_micros,
        "paid_from_credit_micros": figures.paid_from_credit_micros,
        "vat_micros": figures.vat_micros,
        "closing_micros": figures.closing_micros,
        "included_left_micros": figures.included_left_micros,
        "owed_micros": figures.owed_micros,
        "overdrawn_micros": figures.overdrawn_micros,
    }


def _tax(uow: UnitOfWork, scope: Scope, period: Period, seller_country: str) -> VatTreatment:
    """Of the last day of the period: what goes on is supplied when its bill is made up."""
    facts = accounts.tax_facts(uow.connection, scope)
    return vat_for(
        facts.country,
        business_id_checked=facts.business_id_checked,
        seller_country=seller_country,
        on=period.ends_on - dt.timedelta(days=1),
    )


def _debit(
    uow: UnitOfWork, statement: StoredStatement, place: Locale, issued_on: dt.date
) -> dict[str, str] | None:
    """The announcement of a debit: how much (an earlier month's rest comes by a debit of its own),
    when, from where, by which mandate; None where none comes."""
    mandate = mandates.in_force(uow.connection, statement.scope)
    invoice = statement.document["invoice"]
    if mandate is None or statement.due_on is None or statement.currency != CURRENCY:
        return None
    if invoice is None or not invoice["due_micros"]:
        return None
    return {
        "amount": format_amount(invoice["due_micros"]),
        "mandate": mandate.reference,
        "signed_on": mandate.signed_on.isoformat(),
        "iban": mandate.masked_iban,
        "collect_on": collection_day(statement.due_on, issued_on, place).isoformat(),
    }


def invoice_fields(figures: Statement, tax: VatTreatment) -> dict[str, Any]:
    """The tax, what is to be paid with it (all that is owed, earlier months too), and the charges
    as an invoice; `lines` stand beside those of `charges`, one for one."""
    invoice = invoice_of(figures, tax)
    return {
        "tax": {
            "kind": tax.kind.value,
            "rate_basis_points": tax.rate_basis_points,
            "note": tax.note,
        },
        "payable_micros": asked_for(figures.owed_micros, tax, figures.currency),
        "invoice": None
        if invoice is None
        else {
            "net_micros": invoice.net_micros,
            "vat_micros": invoice.vat_micros,
            "total_micros": invoice.total_micros,
            "paid_micros": invoice.paid_micros,
            "rounding_micros": invoice.rounding_micros,
            "due_micros": invoice.due_micros,
            "category": tax_category(tax).value,
            "lines": [
                {
                    "net_micros": line.net_micros,
                    "quantity": line.price.quantity,
                    "unit": line.price.unit.value,
                    "price_micros": line.price.micros,
                    "per": line.price.per,
                }
                for line in invoice.lines
            ],
        },
    }


def _shares(figures: Statement, clients: list[Share]) -> list[dict[str, Any]]:
    """An agency's charges by client, summing to them to the micro (M13); its own part is first.
    What nobody caused alone (packages, the agency's access) is shared by the seconds that each
    drew."""
    if len(clients) < 2:
        return []
    shared = figures.charges_micros - sum(client.own_micros for client in clients)
    shares = client_shares(
        shared,
        {client.account_id: client.own_micros for client in clients},
        {client.account_id: client.used_seconds for client in clients},
    )
    return [
        {
            "account_id": str(client.account_id),
            "name": client.name,
            "own_micros": shares[client.account_id].own_micros,
            "shared_micros": shares[client.account_id].shared_micros,
            "used_seconds": client.used_seconds,
            "total_micros": shares[client.account_id].total_micros,
        }
        for client in clients
    ]


@dataclass(frozen=True, slots=True)
class SoFar:
    """What the next statement will say, as it stands now: since the last one, up to a line."""

    since: dt.datetime
    after_seq: int
    last_seq: int
    figures: Statement
    shares: list[dict[str, Any]]


def so_far(uow: UnitOfWork, scope: Scope) -> SoFar:
    """Nothing is issued, and nothing is promised: corrections may follow."""
    account = looks.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    version = plans.plan_version(uow.connection, account.plan_version_id)
    last = store.last_of(uow.connection, scope)
    since = last.ends_at if last else account.created_at
    today = local_date(uow.now, account.time_zone)
    period = Period(0, local_date(since, account.time_zone), today, since, uow.now)
    after_seq = last.last_seq if last else 0
    last_seq = statement_lines.last_seq_before(
        uow.connection, scope, after_seq=after_seq, ends_at=uow.now + ISSUED_AFTER
    )
    figures = _figures(uow, account, version, period, last, after_seq, last_seq)
    clients = shared.shares(uow.connection, scope, after_seq=after_seq, last_seq=last_seq)
    return SoFar(since, after_seq, last_seq, figures, _shares(figures, clients))


# Looking.


def list_statements(
    uow: UnitOfWork, scope: Scope, after: str | None = None, limit: int = LIMIT_DEFAULT
) -> Page[StatementView]:
    """Newest first."""
    limit = clamp(limit)
    before = decode_cursor(after, number_of) if after else None
    found = store.newest(uow.connection, scope, before=before, limit=limit + 1)
    return cut(_views(uow, scope, found), limit, lambda view: encode_cursor(view.stored.number))


def get_statement(uow: UnitOfWork, scope: Scope, statement_id: uuid.UUID) -> StatementView:
    stored = store.find(uow.connection, scope, statement_id)
    if stored is None:
        raise NotFound("statement", statement_id)
    return _views(uow, scope, [stored])[0]


def lines_of_charge(
    uow: UnitOfWork,
    scope: Scope,
    view: StatementView,
    charge: dict[str, Any],
    after: str | None = None,
    limit: int = LIMIT_DEFAULT,
) -> Page[StatementLine]:
    """The ledger's lines that a charge of the document sums up, oldest first: each has its
    explanation."""
    limit = clamp(limit)
    found = statement_lines.keys_of_charge(
        uow.connection,
        scope,
        after_seq=view.stored.first_seq - 1,
        last_seq=view.stored.last_seq,
        kind=charge["kind"],
        description=charge["description"],
        number=charge["number"],
        rate_micros=charge["rate_micros"],
        behind=decode_cursor(after, number_of) if after else 0,
        limit=limit + 1,
    )
    lines = statement.get_by_keys(uow, scope, [key for _seq, key in found[:limit]])
    return Page(lines, encode_cursor(found[limit - 1][0]) if len(found) > limit else None)


def billing_details(uow: UnitOfWork, scope: Scope) -> dict[str, str]:
    """Who the next statement will be made out to."""
    account = looks.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    return {
        "legal_name": account.legal_name,
        "address": account.address,
        "vat_id": account.vat_id,
    }


def by_number(charges: list[dict[str, Any]]) -> list[tuple[str | None, list[dict[str, Any]], int]]:
    """The lines of a document by the number that they are about, each group with its sum."""
    groups: dict[str | None, list[dict[str, Any]]] = {}
    for line in charges:
        groups.setdefault(line["number"], []).append(line)
    return [
        (number, found, sum(line["amount_micros"] for line in found))
        for number, found in groups.items()
    ]


def _views(
    uow: UnitOfWork, scope: Scope, found: list[StoredStatement]
) -> tuple[StatementView, ...]:
    left = arrears.outstanding(uow, scope, found)
    return tuple(StatementView(stored, left[stored.id]) for stored in found)
