"""Mail that was sent; without MAIL_URL this is the sandbox mailbox that ops can read."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

from sqlalchemy import Connection, Index, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Scope, new_id


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
    attachments: Mapped[list[str]] = mapped_column(server_default="[]")  # names of files

    __table_args__ = (Index("ix_mail_sent_at", "sent_at"),)


def is_sent(connection: Connection, key: str) -> bool:
    return bool(connection.scalar(select(exists().where(MailRow.key == key))))


def keep(
    connection: Connection,
    scope: Scope,
    *,
    key: str,
    to_address: str,
    subject: str,
    body: str,
    attachments: Sequence[str] = (),
    transport: str,
    now: dt.datetime,
) -> None:
    connection.execute(
        insert(MailRow)
        .values(
            id=new_id(),
            tenant_id=scope.tenant_id,
            account_id=scope.account_id,
            key=key,
            to_address=to_address,
            subject=subject,
            body=body,
            attachments=list(attachments),
            sent_at=now,
            transport=transport,
        )
        .on_conflict_do_nothing(index_elements=["key"])
    )
