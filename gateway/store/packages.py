"""Packages of minutes and the pool of a cycle; what is left of them stands in the ledger."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, Date, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Key, Micros, Seconds, TenantId


class PackageRow(Base):
    """One bought package; period `n` counts its renewals. Its seconds are the ledger account
    `package:<id hex>` in SECONDS, so that used + remaining == size by construction."""

    __tablename__ = "package"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]  # who bought it; an agency's serves its shared sub-accounts
    code: Mapped[str]
    name: Mapped[str]
    plan_version_id: Mapped[uuid.UUID]  # whose offer it was: price and scope do not change later
    number_type: Mapped[str] = mapped_column(String(16))
    region_set: Mapped[str]
    leg_scope: Mapped[str] = mapped_column(String(16))  # inbound, forwarded, both
    size_seconds: Mapped[Seconds]
    price_micros: Mapped[Micros]
    priority: Mapped[int]
    purchased_at: Mapped[dt.datetime]
    purchased_by: Mapped[str]  # the name at that time: survives deletion and renaming (S1-09)
    anchor_on: Mapped[dt.date] = mapped_column(Date)  # local day of the purchase
    n: Mapped[int]  # the current period
    starts_at: Mapped[dt.datetime]
    ends_at: Mapped[dt.datetime]
    renews: Mapped[bool]
    stopped_at: Mapped[dt.datetime | None]
    stopped_by: Mapped[str | None]
    expired_at: Mapped[dt.datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_package_account",
        ),
        CheckConstraint("size_seconds > 0", name="size"),
        Index("ix_package_account", "tenant_id", "account_id", "id"),
        Index("ix_package_due", "ends_at", postgresql_where="expired_at is null"),
    )


class PoolCycleRow(Base):
    """What a plan's pool was set to for one billing cycle (set, not added: S4-06)."""

    __tablename__ = "pool_cycle"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)
    starts_at: Mapped[dt.datetime]
    ends_at: Mapped[dt.datetime]
    granted_seconds: Mapped[Seconds]
    plan_version_id: Mapped[uuid.UUID]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_pool_cycle_account",
        ),
    )
