"""Who did what: append-only."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from gateway.store.base import Base, Key, TenantId


class AuditRow(Base):
    __tablename__ = "audit"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    at: Mapped[dt.datetime]
    actor: Mapped[str]  # "olga@…", "token rl_ab12…", "system"
    action: Mapped[str]  # "number.bought", "forwarding.published", …
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]

    __table_args__ = (Index("ix_audit_account", "tenant_id", "account_id", "id"),)
