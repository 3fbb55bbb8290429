"""Receipts: every webhook that counted, as received, once."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped

from gateway.store.base import Base, Key, TenantId


class ReceiptRow(Base):
    """`key` names the event, not the delivery: a repeated webhook finds its first receipt.

    The database refuses UPDATE and DELETE (migration 0001): a charge points here.
    """

    __tablename__ = "receipt"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    key: Mapped[str]  # voice:<call>, leg:<leg>:<status>, dial:<call>:<cursor>, status:<call>, …
    call_sid: Mapped[str]
    leg_sid: Mapped[str]
    kind: Mapped[str]  # voice, leg, dial, status, recording, confirm, rest (we asked the carrier)
    params: Mapped[dict[str, Any]]
    received_at: Mapped[dt.datetime]

    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        Index("ix_receipt_call", "tenant_id", "call_sid", "id"),
    )
