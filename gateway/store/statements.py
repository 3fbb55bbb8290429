"""Statements: one per account and period, numbered without gaps, never changed."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import Date, ForeignKeyConstraint, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Currency, Key, Micros, TenantId


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
