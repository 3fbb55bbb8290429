"""Texts in and out, and who said STOP."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import E164, Base, Key, Micros, TenantId


class MessageRow(Base):
    """`carrier_sid` is None for a text that is still on its way to the carrier. Due for charging:
    `due_at` is set and `settled_at` is not."""

    __tablename__ = "message"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    did_id: Mapped[uuid.UUID]
    carrier_sid: Mapped[str | None] = mapped_column(String(34))
    direction: Mapped[str] = mapped_column(String(8))  # inbound, outbound
    peer: Mapped[E164]
    body: Mapped[str]
    encoding: Mapped[str] = mapped_column(String(8))
    segments: Mapped[int]  # the carrier's NumSegments once known; our own count before
    status: Mapped[str] = mapped_column(String(20))  # the carrier's words; draft, refused are ours
    error_code: Mapped[int | None]
    plan_version_id: Mapped[uuid.UUID]
    receipt_id: Mapped[uuid.UUID | None]
    created_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime | None]
    settled_at: Mapped[dt.datetime | None]
    rate_micros: Mapped[int | None]
    charge_micros: Mapped[Micros | None]
    cost_micros: Mapped[Micros | None]
    actor: Mapped[str | None]
    idempotency_key: Mapped[str | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_message_account",
        ),
        CheckConstraint("direction in ('inbound','outbound')", name="direction"),
        Index("uq_message_carrier_sid", "tenant_id", "carrier_sid", unique=True),
        Index(
            "uq_message_idempotency",
            "tenant_id",
            "account_id",
            "idempotency_key",
            unique=True,
        ),
        Index("ix_message_account", "tenant_id", "account_id", "created_at", "id"),
        Index(
            "ix_message_due",
            "tenant_id",
            "account_id",
            postgresql_where="due_at is not null and settled_at is null",
        ),
    )


class OptOutRow(Base):
    """A phone that said STOP to one of our numbers; START removes the row."""

    __tablename__ = "opt_out"

    tenant_id: Mapped[TenantId]
    did_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    peer: Mapped[E164] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime]
