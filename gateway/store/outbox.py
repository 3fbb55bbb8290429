"""Outbox: due work that is not settlement, written in the transaction that caused it."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base


class OutboxRow(Base):
    """Undistributed: claimed across tenants with SKIP LOCKED. `key` makes a deed happen once."""

    __tablename__ = "outbox"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID]
    account_id: Mapped[uuid.UUID]
    queue: Mapped[str] = mapped_column(String(16))  # carrier, notify
    kind: Mapped[str] = mapped_column(String(32))
    key: Mapped[str] = mapped_column(unique=True)
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime]
    attempts: Mapped[int]
    last_error: Mapped[str | None]
    done_at: Mapped[dt.datetime | None]
    dead_at: Mapped[dt.datetime | None]  # gave up: shown to ops, who may revive it

    __table_args__ = (
        Index(
            "ix_outbox_due",
            "queue",
            "due_at",
            postgresql_where="done_at is null and dead_at is null",
        ),
        Index("ix_outbox_dead", "dead_at", postgresql_where="dead_at is not null"),
    )
