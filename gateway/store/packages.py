"""Packages of minutes and the buckets that hold seconds; what is left stands in the ledger."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, Date, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Key, Micros, Seconds, TenantId


class PackageRow(Base):
    """One bought package; period `n` counts its renewals. Each period has a bucket of its own."""

    __tablename__ = "package"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]  # who bought it; an agency's serves its shared sub-accounts
    code: Mapped[str]  # of the offer; with its plan version it says size, price and what draws it
    plan_version_id: Mapped[uuid.UUID]
    purchased_at: Mapped[dt.datetime]
    purchased_by: Mapped[str]  # the name at that time: survives deletion and renaming (S1-09)
    time_zone: Mapped[str]  # of the account when it was bought: its months keep their midnights
    anchor_on: Mapped[dt.date] = mapped_column(Date)  # local day of the purchase
    n: Mapped[int]  # the current period
    starts_at: Mapped[dt.datetime]
    ends_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime]  # the end of the period, or the next try of a renewal that waits
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
        Index("ix_package_account", "tenant_id", "account_id", "id"),
        Index("ix_package_due", "due_at", postgresql_where="expired_at is null"),
    )


class BucketRow(Base):
    """Seconds of one period of a package, or of one grant of a pool: the ledger account
    "<kind>:<id hex>" in SECONDS, so that used + remaining == size by construction.

    The id follows from what it is for, so that the same period is filled once. It stays open
    after its end until no leg of its time can come any more; then what is left expires.
    """

    __tablename__ = "bucket"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]  # the owner; shared sub-accounts of an agency draw it too
    kind: Mapped[str] = mapped_column(String(8))  # package, pool
    package_id: Mapped[uuid.UUID | None]
    offer_code: Mapped[str | None]  # of a package, in its plan version
    plan_version_id: Mapped[uuid.UUID]
    n: Mapped[int]  # a package's month; a pool's: months since the year 0
    upgrade: Mapped[int]  # a pool's: 0 is the cycle's own, later ones came with an upgrade
    starts_at: Mapped[dt.datetime]
    ends_at: Mapped[dt.datetime]
    look_at: Mapped[dt.datetime]  # when it is looked at next: is it over, may it be closed?
    closed_at: Mapped[dt.datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_bucket_account",
        ),
        CheckConstraint("kind in ('package','pool')", name="kind"),
        Index("ix_bucket_open", "tenant_id", "account_id", postgresql_where="closed_at is null"),
        Index("ix_bucket_due", "look_at", postgresql_where="closed_at is null"),
    )
