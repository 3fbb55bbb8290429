"""First answers to requests that spend or buy, so that a repeated request gets the same one."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, TenantId


class IdempotencyRow(Base):
    """`request_hash` tells a repeated request from another one under the same key (409)."""

    __tablename__ = "idempotency"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None]  # None while the first request is still under way
    body: Mapped[dict[str, Any] | None]
    created_at: Mapped[dt.datetime]
