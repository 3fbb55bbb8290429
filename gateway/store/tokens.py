"""API tokens: only their SHA-256 is kept."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base


class ApiTokenRow(Base):
    """Global, keyed by hash. An `ops` token belongs to no tenant and names the account it acts
    for in the header `Ringledger-Account`."""

    __tablename__ = "api_token"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    prefix: Mapped[str] = mapped_column(String(12))  # shown in lists, so that people can tell them
    name: Mapped[str]
    role: Mapped[str] = mapped_column(String(8))  # account, ops
    tenant_id: Mapped[uuid.UUID | None]
    account_id: Mapped[uuid.UUID | None]
    created_by: Mapped[str]
    created_at: Mapped[dt.datetime]
    last_used_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]

    __table_args__ = (
        CheckConstraint("role in ('account','ops')", name="role"),
        Index("ix_api_token_account", "account_id", "id"),
    )
