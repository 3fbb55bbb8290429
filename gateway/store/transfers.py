"""Bank transfers as the bank told of them: credited to accounts, or left for people."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    Date,
    Index,
    String,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Currency, Micros


class BankTransferRow(Base):
    """Of the operator's own bank account, so of no tenant. `bank_id` makes a file that is
    imported twice count once. A negative amount is a debit that went back."""

    __tablename__ = "bank_transfer"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    bank_id: Mapped[str] = mapped_column(unique=True)
    booked_on: Mapped[dt.date] = mapped_column(Date)
    amount_micros: Mapped[Micros]
    currency: Mapped[Currency]
    reference: Mapped[str]
    payer: Mapped[str]
    state: Mapped[str] = mapped_column(String(12))  # credited, unmatched, dismissed, returned
    why: Mapped[str]  # why it was left; what people said when they decided
    credits: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)  # account, statement, amount
    imported_at: Mapped[dt.datetime]
    imported_by: Mapped[str]
    decided_at: Mapped[dt.datetime | None]
    decided_by: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("state in ('credited','unmatched','dismissed','returned')", name="state"),
        CheckConstraint("amount_micros <> 0", name="moves"),
        Index("ix_bank_transfer_unmatched", "id", postgresql_where="state = 'unmatched'"),
    )


@dataclass(frozen=True, slots=True)
class StoredTransfer:
    id: uuid.UUID
    bank_id: str
    booked_on: dt.date
    amount_micros: int
    currency: str
    reference: str
    payer: str
    state: str
    why: str
    credits: tuple[dict[str, Any], ...]
    imported_at: dt.datetime
    imported_by: str
    decided_at: dt.datetime | None
    decided_by: str | None


_COLUMNS = [getattr(BankTransferRow, name) for name in StoredTransfer.__slots__]


def add(connection: Connection, transfer: StoredTransfer) -> bool:
    """False where the bank has told of it before."""
    values = {name: getattr(transfer, name) for name in StoredTransfer.__slots__}
    added = connection.execute(
        insert(BankTransferRow)
        .values(**{**values, "credits": list(transfer.credits)})
        .on_conflict_do_nothing(index_elements=["bank_id"])
        .returning(BankTransferRow.id)
    )
    return added.first() is not None


def decide(
    connection: Connection,
    transfer_id: uuid.UUID,
    *,
    state: str,
    why: str,
    credits: list[dict[str, str]],
    at: dt.datetime | None = None,
    by: str | None = None,
) -> None:
    connection.execute(
        update(BankTransferRow)
        .where(BankTransferRow.id == transfer_id)
        .values(state=state, why=why, credits=credits, decided_at=at, decided_by=by)
    )


def find(
    connection: Connection, transfer_id: uuid.UUID, *, lock: bool = False
) -> StoredTransfer | None:
    query = select(*_COLUMNS).where(BankTransferRow.id == transfer_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    return None if row is None else _stored(row)


def newest(
    connection: Connection, *, before: uuid.UUID | None, unmatched: bool, limit: int
) -> list[StoredTransfer]:
    query = select(*_COLUMNS).order_by(BankTransferRow.id.desc()).limit(limit)
    if unmatched:
        query = query.where(BankTransferRow.state == "unmatched")
    if before is not None:
        query = query.where(BankTransferRow.id < before)
    return [_stored(row) for row in connection.execute(query)]


def _stored(row: Any) -> StoredTransfer:
    values = row._asdict()
    return StoredTransfer(**{**values, "credits": tuple(values["credits"])})
