"""Settlement days: what an account used on each, and what of it is put on its card (C7)."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Connection,
    Date,
    ForeignKeyConstraint,
    Index,
    String,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Currency, Micros, Scope, TenantId, of_scope, scope_values


class SettlementDayRow(Base):
    """One closed day: the lines `first_seq` to `last_seq` of the account's wallet.

    `billed_micros` is asked for; what is too little is carried over to the next day's
    `carried_micros`. A day is closed once, whoever looks and however late.
    """

    __tablename__ = "settlement_day"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    currency: Mapped[Currency]
    starts_at: Mapped[dt.datetime]
    ends_at: Mapped[dt.datetime]
    first_seq: Mapped[int]
    last_seq: Mapped[int]
    used_micros: Mapped[Micros]
    carried_micros: Mapped[Micros]  # from days before
    billed_micros: Mapped[Micros]
    state: Mapped[str] = mapped_column(String(8))  # due, carried, nothing, paid
    closed_at: Mapped[dt.datetime]
    paid_at: Mapped[dt.datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_settlement_day_account",
        ),
        CheckConstraint("state in ('due','carried','nothing','paid')", name="state"),
        CheckConstraint("billed_micros >= 0", name="billed"),
        Index("ix_settlement_day_due", "day", postgresql_where="state = 'due'"),
    )


@dataclass(frozen=True, slots=True)
class StoredDay:
    """A closed day."""

    day: dt.date
    starts_at: dt.datetime
    ends_at: dt.datetime
    first_seq: int
    last_seq: int
    used_micros: int
    carried_micros: int
    billed_micros: int
    state: str


_COLUMNS = [getattr(SettlementDayRow, name) for name in StoredDay.__slots__]


_LAST = (
    select(*_COLUMNS)
    .where(*of_scope(SettlementDayRow))
    .order_by(SettlementDayRow.day.desc())
    .limit(1)
)


def last_of(connection: Connection, scope: Scope) -> StoredDay | None:
    row = connection.execute(_LAST, scope_values(scope)).first()
    return None if row is None else StoredDay(*row)


_DUE = (
    select(*_COLUMNS)
    .where(*of_scope(SettlementDayRow), SettlementDayRow.state == "due")
    .order_by(SettlementDayRow.day)
)


def due_of(connection: Connection, scope: Scope) -> list[StoredDay]:
    """Days that were billed and not paid, the oldest first."""
    rows = connection.execute(_DUE, scope_values(scope))
    return [StoredDay(*row) for row in rows]


def newest(connection: Connection, scope: Scope, *, limit: int) -> list[StoredDay]:
    rows = connection.execute(
        select(*_COLUMNS).where(*_of(scope)).order_by(SettlementDayRow.day.desc()).limit(limit)
    )
    return [StoredDay(*row) for row in rows]


def close(
    connection: Connection, scope: Scope, day: StoredDay, *, currency: str, now: dt.datetime
) -> None:
    """A day that is closed already stays as it is."""
    values = {name: getattr(day, name) for name in StoredDay.__slots__}
    connection.execute(
        insert(SettlementDayRow)
        .values(
            tenant_id=scope.tenant_id,
            account_id=scope.account_id,
            currency=currency,
            closed_at=now,
            **values,
        )
        .on_conflict_do_nothing()
    )


def mark_paid(connection: Connection, scope: Scope, day: dt.date, now: dt.datetime) -> None:
    connection.execute(
        update(SettlementDayRow)
        .where(*_of(scope), SettlementDayRow.day == day, SettlementDayRow.state == "due")
        .values(state="paid", paid_at=now)
    )


def accounts_due(connection: Connection, *, limit: int) -> list[Scope]:
    """Accounts with days that were billed and not paid, the oldest day first."""
    rows = connection.execute(
        select(SettlementDayRow.tenant_id, SettlementDayRow.account_id)
        .where(SettlementDayRow.state == "due")
        .group_by(SettlementDayRow.tenant_id, SettlementDayRow.account_id)
        .order_by(func.min(SettlementDayRow.day))
        .limit(limit)
    )
    return [Scope(row.tenant_id, row.account_id) for row in rows]


def _of(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return (
        SettlementDayRow.tenant_id == scope.tenant_id,
        SettlementDayRow.account_id == scope.account_id,
    )
