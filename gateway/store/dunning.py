"""Accounts in arrears, and how far up the ladder each has been sent."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import Date, ForeignKeyConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, TenantId


class DunningRow(Base):
    """`billing.dunning.DunningState` of one account; none in good standing."""

    __tablename__ = "dunning"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    overdue_on: Mapped[dt.date] = mapped_column(Date)
    paused_on: Mapped[dt.date | None] = mapped_column(Date)
    paused_days: Mapped[int]
    notices: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)  # day, channel, delivery
    suspended: Mapped[bool]
    due_for_release: Mapped[bool]
    changed_at: Mapped[dt.datetime]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_dunning_account",
        ),
        Index("ix_dunning_overdue", "overdue_on"),
    )
