"""Issued statements: listed, opened, and the lines behind each of their charges (S5-16, S5-20)."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from billing.invoices import asked_for
from gateway.services import arrears, statement
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
from gateway.services.statement import StatementLine
from gateway.store import looks, statement_lines
from gateway.store import statements as store
from gateway.store.base import Scope
from gateway.store.statements import StoredStatement
from gateway.uow import UnitOfWork


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
