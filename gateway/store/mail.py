"""Mail that was sent; without MAIL_URL this is the sandbox mailbox that ops can read."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base


class MailRow(Base):
    __tablename__ = "mail"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID]
    account_id: Mapped[uuid.UUID]
    key: Mapped[str] = mapped_column(unique=True)  # the outbox key: a second run sends nothing
    to_address: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str]
    sent_at: Mapped[dt.datetime]
    transport: Mapped[str]  # sandbox, smtp

    __table_args__ = (Index("ix_mail_sent_at", "sent_at"),)
