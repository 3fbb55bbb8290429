"""Accounts: a business, or an agency with sub-accounts under one tenant."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Currency, Key, TenantId


class AccountDirectoryRow(Base):
    """Account id -> tenant, for callers who know only the id (ops acting for an account)."""

    __tablename__ = "account_directory"

    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID]


class AccountRow(Base):
    __tablename__ = "account"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    parent_id: Mapped[uuid.UUID | None]
    name: Mapped[str]
    status: Mapped[str] = mapped_column(String(16))  # active, suspended, closed
    currency: Mapped[Currency]
    country: Mapped[str] = mapped_column(String(2))
    time_zone: Mapped[str]  # IANA
    plan_version_id: Mapped[uuid.UUID]  # the version in force; a call keeps the one it began with
    billing: Mapped[str] = mapped_column(String(16))  # own, agency_shared
    billing_email: Mapped[str]
    allowed_countries: Mapped[list[str]]  # ISO regions that calls may be forwarded to
    suspended_notice: Mapped[str | None]  # None: <Reject>; text: said to callers (and billed)
    low_balance_micros: Mapped[int | None]  # warn once per crossing
    created_at: Mapped[dt.datetime]
    suspended_at: Mapped[dt.datetime | None]
    settings: Mapped[dict[str, Any]]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "parent_id"],
            ["account.tenant_id", "account.id"],
            name="fk_account_parent",
        ),
        CheckConstraint("status in ('active','suspended','closed')", name="status"),
        CheckConstraint("billing in ('own','agency_shared')", name="billing"),
        Index("ix_account_parent", "tenant_id", "parent_id"),
    )
