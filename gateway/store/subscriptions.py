"""Access by month or year, and changes of plan: both effective-dated."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, Date, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Key, Micros, TenantId


class SubscriptionRow(Base):
    """The access fee of an account; period `n` was posted as `access:<id>:<n>`."""

    __tablename__ = "subscription"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    plan_version_id: Mapped[uuid.UUID]
    term: Mapped[str] = mapped_column(String(8))  # month, year
    fee_micros: Mapped[Micros]
    time_zone: Mapped[str]  # of the account when it began: terms keep their midnights
    anchor_on: Mapped[dt.date] = mapped_column(Date)
    n: Mapped[int]  # the last term that was posted; -1 before the first
    ends_at: Mapped[dt.datetime]  # of the current period
    due_at: Mapped[dt.datetime]  # the end of the period, or the next try of a fee that waits
    renews: Mapped[bool]
    canceled_at: Mapped[dt.datetime | None]
    canceled_by: Mapped[str | None]
    cancel_effect: Mapped[str | None] = mapped_column(String(12))  # period_end, now
    ended_at: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_subscription_account",
        ),
        CheckConstraint("term in ('month','year')", name="term"),
        Index(
            "uq_subscription_open",
            "tenant_id",
            "account_id",
            unique=True,
            postgresql_where="ended_at is null",
        ),
        Index("ix_subscription_due", "due_at", postgresql_where="ended_at is null"),
    )


class PlanChangeRow(Base):
    """An account moves to another plan version from an instant on; asked for, then decided."""

    __tablename__ = "plan_change"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    plan_version_id: Mapped[uuid.UUID]
    effective_at: Mapped[dt.datetime]
    state: Mapped[str] = mapped_column(String(12))  # requested, scheduled, applied, canceled
    requested_by: Mapped[str]
    decided_by: Mapped[str | None]
    note: Mapped[str]
    created_at: Mapped[dt.datetime]
    decided_at: Mapped[dt.datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_plan_change_account",
        ),
        CheckConstraint("state in ('requested','scheduled','applied','canceled')", name="state"),
        Index("ix_plan_change_account", "tenant_id", "account_id", "id"),
        Index("ix_plan_change_due", "effective_at", postgresql_where="state = 'scheduled'"),
    )
