"""Top-ups: money that came in, one row a credit."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Key, Micros, TenantId


class TopUpRow(Base):
    __tablename__ = "top_up"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    amount_micros: Mapped[Micros]
    method: Mapped[str] = mapped_column(String(8))  # manual, card
    reason: Mapped[str]
    actor: Mapped[str]
    idempotency_key: Mapped[str]
    created_at: Mapped[dt.datetime]

    __table_args__ = (
        UniqueConstraint("tenant_id", "account_id", "idempotency_key"),
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_top_up_account",
        ),
        CheckConstraint("amount_micros > 0", name="positive"),
    )
