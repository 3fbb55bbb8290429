"""Bank transfers as the bank told of them: credited to accounts, or left for people."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import CheckConstraint, Date, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Currency, Micros


class BankTransferRow(Base):
    """Of the operator's own bank account, so of no tenant. `bank_id` makes a file that is
    imported twice count once."""

    __tablename__ = "bank_transfer"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    bank_id: Mapped[str] = mapped_column(unique=True)
    booked_on: Mapped[dt.date] = mapped_column(Date)
    amount_micros: Mapped[Micros]
    currency: Mapped[Currency]
    reference: Mapped[str]
    payer: Mapped[str]
    state: Mapped[str] = mapped_column(String(12))  # credited, unmatched, dismissed
    why: Mapped[str]  # why it was left; what people said when they decided
    credits: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)  # account, statement, amount
    imported_at: Mapped[dt.datetime]
    imported_by: Mapped[str]
    decided_at: Mapped[dt.datetime | None]
    decided_by: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("state in ('credited','unmatched','dismissed')", name="state"),
        CheckConstraint("amount_micros > 0", name="positive"),
        Index("ix_bank_transfer_unmatched", "id", postgresql_where="state = 'unmatched'"),
    )
