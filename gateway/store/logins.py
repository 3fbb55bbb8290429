"""People who log in: members of an account, and staff."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base


class LoginRow(Base):
    """Global, keyed by e-mail. Staff (`ops`) belong to no tenant."""

    __tablename__ = "login"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)  # lower case
    name: Mapped[str]
    password_hash: Mapped[str]  # argon2id
    role: Mapped[str] = mapped_column(String(8))  # owner, member, ops
    tenant_id: Mapped[uuid.UUID | None]
    account_id: Mapped[uuid.UUID | None]
    session_epoch: Mapped[int]  # raised by a password change: older sessions end
    created_at: Mapped[dt.datetime]
    disabled_at: Mapped[dt.datetime | None]

    __table_args__ = (
        CheckConstraint("role in ('owner','member','ops')", name="role"),
        CheckConstraint("(role = 'ops') = (tenant_id is null)", name="staff_has_no_tenant"),
    )
