"""Statements: one per account and period, numbered without gaps, never changed."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Date,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    select,
)
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from billing.vat import VatKind, VatTreatment
from gateway.store.base import Base, Currency, Key, Micros, Scope, TenantId, of_scope, scope_values


class StatementRow(Base):
    """Figures in micros, equal to the ledger's lines `first_seq` to `last_seq` of this account.
    The database refuses UPDATE and DELETE of figures; the PDF is made from `document` once."""

    __tablename__ = "statement"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    number: Mapped[int]  # 1, 2, 3 … within a tenant
    label: Mapped[str] = mapped_column(String(24))  # as printed, and as payers quote it
    starts_on: Mapped[dt.date] = mapped_column(Date)
    ends_on: Mapped[dt.date] = mapped_column(Date)  # exclusive
    starts_at: Mapped[dt.datetime]
    ends_at: Mapped[dt.datetime]
    due_on: Mapped[dt.date | None] = mapped_column(Date)  # where something is owed
    currency: Mapped[Currency]
    opening_micros: Mapped[Micros]
    charges_micros: Mapped[Micros]
    credits_micros: Mapped[Micros]
    vat_micros: Mapped[Micros]
    closing_micros: Mapped[Micros]
    owed_micros: Mapped[Micros]
    first_seq: Mapped[int]
    last_seq: Mapped[int]
    document: Mapped[dict[str, Any]]
    issued_at: Mapped[dt.datetime]

    __table_args__ = (
        UniqueConstraint("tenant_id", "number"),
        UniqueConstraint("tenant_id", "account_id", "starts_on"),
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_statement_account",
        ),
        Index("ix_statement_label", "label"),
    )


class StatementFileRow(Base):
    """A rendering of a statement, kept so that it is the same file for ever."""

    __tablename__ = "statement_file"

    tenant_id: Mapped[TenantId]
    statement_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    media_type: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[dt.datetime]


class StatementCounterRow(Base):
    """The last number given; its row lock makes the sequence gapless."""

    __tablename__ = "statement_counter"

    tenant_id: Mapped[TenantId]
    last_number: Mapped[int]


@dataclass(frozen=True, slots=True)
class StoredStatement:
    """A row, its document included."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    number: int
    label: str
    starts_on: dt.date
    ends_on: dt.date
    starts_at: dt.datetime
    ends_at: dt.datetime
    due_on: dt.date | None
    currency: str
    opening_micros: int
    charges_micros: int
    credits_micros: int
    vat_micros: int
    closing_micros: int
    owed_micros: int
    first_seq: int
    last_seq: int
    document: dict[str, Any]
    issued_at: dt.datetime

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)

    @property
    def tax(self) -> VatTreatment:
        """How its charges are taxed, as it was when the statement was issued."""
        kept = self.document["tax"]
        return VatTreatment(VatKind(kept["kind"]), kept["rate_basis_points"], kept["note"])


_COLUMNS = [getattr(StatementRow, name) for name in StoredStatement.__slots__]


_LAST = (
    select(*_COLUMNS)
    .where(*of_scope(StatementRow))
    .order_by(StatementRow.starts_on.desc())
    .limit(1)
)


def last_of(connection: Connection, scope: Scope) -> StoredStatement | None:
    """The newest statement of an account."""
    row = connection.execute(_LAST, scope_values(scope)).first()
    return None if row is None else StoredStatement(*row)


def newest(
    connection: Connection, scope: Scope, *, before: int | None, limit: int
) -> list[StoredStatement]:
    """Newest first; `before` is a number."""
    query = (
        select(*_COLUMNS)
        .where(
            StatementRow.tenant_id == scope.tenant_id, StatementRow.account_id == scope.account_id
        )
        .order_by(StatementRow.starts_on.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(StatementRow.number < before)
    return [StoredStatement(*row) for row in connection.execute(query)]


def find(connection: Connection, scope: Scope, statement_id: uuid.UUID) -> StoredStatement | None:
    row = connection.execute(
        select(*_COLUMNS).where(
            StatementRow.tenant_id == scope.tenant_id,
            StatementRow.account_id == scope.account_id,
            StatementRow.id == statement_id,
        )
    ).first()
    return None if row is None else StoredStatement(*row)


def with_labels(connection: Connection, labels: Collection[str]) -> list[StoredStatement]:
    """Of all tenants: whose number somebody wrote on a transfer."""
    rows = connection.execute(
        select(*_COLUMNS).where(StatementRow.label.in_(list(labels))).order_by(StatementRow.id)
    )
    return [StoredStatement(*row) for row in rows]


def owing(connection: Connection, scope: Scope, *, limit: int) -> list[StoredStatement]:
    """The newest statements that asked for something, the oldest of them first."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(
            StatementRow.tenant_id == scope.tenant_id,
            StatementRow.account_id == scope.account_id,
            StatementRow.owed_micros > 0,
            StatementRow.due_on.is_not(None),
        )
        .order_by(StatementRow.starts_on.desc())
        .limit(limit)
    )
    return [StoredStatement(*row) for row in rows][::-1]


def take_number(connection: Connection, tenant_id: uuid.UUID) -> int:
    """The next number of the tenant; its row stays locked until the transaction ends, so that a
    number is given for a statement or not at all."""
    number: int = connection.execute(
        insert(StatementCounterRow)
        .values(tenant_id=tenant_id, last_number=1)
        .on_conflict_do_update(
            index_elements=["tenant_id"],
            set_={"last_number": StatementCounterRow.last_number + 1},
        )
        .returning(StatementCounterRow.last_number)
    ).scalar_one()
    return number


def add(connection: Connection, statement: StoredStatement) -> None:
    connection.execute(
        plain_insert(StatementRow).values(
            {name: getattr(statement, name) for name in StoredStatement.__slots__}
        )
    )


def find_file(
    connection: Connection, tenant_id: uuid.UUID, statement_id: uuid.UUID, media_type: str
) -> bytes | None:
    found = connection.scalar(
        select(StatementFileRow.content).where(
            StatementFileRow.tenant_id == tenant_id,
            StatementFileRow.statement_id == statement_id,
            StatementFileRow.media_type == media_type,
        )
    )
    return None if found is None else bytes(found)


def keep_file(
    connection: Connection,
    tenant_id: uuid.UUID,
    statement_id: uuid.UUID,
    media_type: str,
    content: bytes,
    now: dt.datetime,
) -> None:
    """Of two that made it at once, the first counts."""
    connection.execute(
        insert(StatementFileRow)
        .values(
            tenant_id=tenant_id,
            statement_id=statement_id,
            media_type=media_type,
            content=content,
            made_at=now,
        )
        .on_conflict_do_nothing()
    )
