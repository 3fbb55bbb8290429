"""Texts in and out, the conversations they make, and who said STOP."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    String,
    bindparam,
    delete,
    exists,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.accounts import AccountRow
from gateway.store.base import E164, Base, Key, Micros, Scope, TenantId, new_id
from gateway.store.numbers import DidRow
from gateway.store.receipts import ReceiptRow


class MessageRow(Base):
    """`carrier_sid` is None for a text that is still on its way to the carrier. Due for charging:
    `due_at` is set and `settled_at` is not. Until then `quoted_micros` of an outbound text are
    spoken for: other texts cannot spend them."""

    __tablename__ = "message"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    did_id: Mapped[uuid.UUID]
    carrier_sid: Mapped[str | None] = mapped_column(String(34))
    direction: Mapped[str] = mapped_column(String(8))  # inbound, outbound
    peer: Mapped[E164]  # or a short code, or a sender's name: what the carrier calls From
    body: Mapped[str]
    media_count: Mapped[int]  # pictures that came along; the carrier keeps them
    encoding: Mapped[str] = mapped_column(String(8))
    segments: Mapped[int]  # the carrier's NumSegments once known; our own count before
    status: Mapped[str] = mapped_column(String(20))  # billing.messages.MessageStatus
    error_code: Mapped[int | None]
    error: Mapped[str | None]  # why it did not arrive, in words for the business
    plan_version_id: Mapped[uuid.UUID]
    receipt_id: Mapped[uuid.UUID | None]
    forward_of: Mapped[uuid.UUID | None]  # the inbound text that this one hands on
    created_at: Mapped[dt.datetime]
    attempted_at: Mapped[dt.datetime | None]  # when the carrier was asked to send it
    check_at: Mapped[dt.datetime | None]  # when to ask the carrier what became of it
    checks: Mapped[int]
    due_at: Mapped[dt.datetime | None]
    settled_at: Mapped[dt.datetime | None]
    quoted_micros: Mapped[Micros]
    rate_micros: Mapped[int | None]
    charge_micros: Mapped[int | None]
    cost_micros: Mapped[int | None]
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
        Index("ix_message_account", "tenant_id", "account_id", "id"),
        Index("ix_message_conversation", "tenant_id", "did_id", "peer", "id"),
        Index(
            "ix_message_forward",
            "tenant_id",
            "forward_of",
            postgresql_where="forward_of is not null",
        ),
        Index("ix_message_open", "tenant_id", "account_id", postgresql_where="settled_at is null"),
        Index("ix_message_check", "check_at", postgresql_where="check_at is not null"),
    )


class ConversationRow(Base):
    """One of our numbers and one far end: what the list of conversations shows, without reading
    texts. Texts that are only handed on to the business's own phone make no conversation."""

    __tablename__ = "conversation"

    tenant_id: Mapped[TenantId]
    did_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    peer: Mapped[E164] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID]
    last_at: Mapped[dt.datetime]
    last_message_id: Mapped[uuid.UUID]
    unread: Mapped[int]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_conversation_account",
        ),
        Index("ix_conversation_account", "tenant_id", "account_id", "last_message_id"),
    )


class OptOutRow(Base):
    """A phone that said STOP to one of our numbers; START removes the row."""

    __tablename__ = "opt_out"

    tenant_id: Mapped[TenantId]
    did_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    peer: Mapped[E164] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime]
