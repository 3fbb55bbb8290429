"""Conversations: one of our numbers and one far end each; and who said STOP."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    ForeignKeyConstraint,
    Index,
    Select,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import E164, Base, Scope, TenantId
from gateway.store.messages import MessageRow
from gateway.store.numbers import DidRow


class ConversationRow(Base):
    """One of our numbers and one far end: what the list of conversations shows, without reading
    texts. Texts that are only handed on to the business's own phone make no conversation."""

    __tablename__ = "conversation"

    tenant_id: Mapped[TenantId]
    did_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    peer: Mapped[E164] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID]
    last_at: Mapped[dt.datetime]
    last_message_id: Mapped[uuid.UUID]
    unread: Mapped[int]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_conversation_account",
        ),
        Index("ix_conversation_account", "tenant_id", "account_id", "last_message_id"),
    )


class OptOutRow(Base):
    """A phone that said STOP to one of our numbers; START removes the row."""

    __tablename__ = "opt_out"

    tenant_id: Mapped[TenantId]
    did_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    peer: Mapped[E164] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime]


@dataclass(frozen=True, slots=True)
class Conversation:
    """As the list shows it: the newest text in short, how many are unread, and whether the far
    end wants no more of them."""

    did_id: uuid.UUID
    number: str
    label: str
    peer: str
    last_at: dt.datetime
    last_message_id: uuid.UUID
    unread: int
    direction: str
    status: str
    snippet: str
    media_count: int
    opted_out: bool


SNIPPET_LENGTH = 120

_CONVERSATIONS = (
    select(
        ConversationRow.did_id,
        DidRow.e164,
        DidRow.label,
        ConversationRow.peer,
        ConversationRow.last_at,
        ConversationRow.last_message_id,
        ConversationRow.unread,
        MessageRow.direction,
        MessageRow.status,
        func.left(MessageRow.body, SNIPPET_LENGTH),
        MessageRow.media_count,
        exists().where(
            OptOutRow.tenant_id == ConversationRow.tenant_id,
            OptOutRow.did_id == ConversationRow.did_id,
            OptOutRow.peer == ConversationRow.peer,
        ),
    )
    .join(
        DidRow,
        (DidRow.tenant_id == ConversationRow.tenant_id) & (DidRow.id == ConversationRow.did_id),
    )
    .join(
        MessageRow,
        (MessageRow.tenant_id == ConversationRow.tenant_id)
        & (MessageRow.id == ConversationRow.last_message_id),
    )
)


def page(
    connection: Connection,
    scope: Scope,
    *,
    before: uuid.UUID | None,
    limit: int,
    did_id: uuid.UUID | None = None,
) -> Sequence[Conversation]:
    """The one with the newest text first."""
    found = _mine(scope).order_by(ConversationRow.last_message_id.desc()).limit(limit)
    if before is not None:
        found = found.where(ConversationRow.last_message_id < before)
    if did_id is not None:
        found = found.where(ConversationRow.did_id == did_id)
    return [Conversation(*row) for row in connection.execute(found)]


def find(connection: Connection, scope: Scope, did_id: uuid.UUID, peer: str) -> Conversation | None:
    row = connection.execute(
        _mine(scope).where(ConversationRow.did_id == did_id, ConversationRow.peer == peer)
    ).first()
    return None if row is None else Conversation(*row)


def _mine(scope: Scope) -> Select[*tuple[Any, ...]]:
    return _CONVERSATIONS.where(
        ConversationRow.tenant_id == scope.tenant_id,
        ConversationRow.account_id == scope.account_id,
    )


def touch(
    connection: Connection,
    scope: Scope,
    did_id: uuid.UUID,
    peer: str,
    message_id: uuid.UUID,
    *,
    at: dt.datetime,
    unread: int,
) -> None:
    """A text of this conversation; `unread` is 1 for one that came in, and an answer of ours
    (0) means that what came before was read."""
    row = insert(ConversationRow).values(
        tenant_id=scope.tenant_id,
        did_id=did_id,
        peer=peer,
        account_id=scope.account_id,
        last_at=at,
        last_message_id=message_id,
        unread=unread,
    )
    newest = func.greatest(ConversationRow.last_message_id, row.excluded.last_message_id)
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["tenant_id", "did_id", "peer"],
            set_={
                "last_at": func.greatest(ConversationRow.last_at, row.excluded.last_at),
                "last_message_id": newest,
                "unread": ConversationRow.unread + 1 if unread else 0,
            },
        )
    )


def mark_read(connection: Connection, scope: Scope, did_id: uuid.UUID, peer: str) -> None:
    connection.execute(
        update(ConversationRow)
        .where(
            ConversationRow.tenant_id == scope.tenant_id,
            ConversationRow.account_id == scope.account_id,
            ConversationRow.did_id == did_id,
            ConversationRow.peer == peer,
            ConversationRow.unread > 0,
        )
        .values(unread=0)
    )


def is_opted_out(
    connection: Connection, tenant_id: uuid.UUID, did_id: uuid.UUID, peer: str
) -> bool:
    return bool(
        connection.scalar(
            select(
                exists().where(
                    OptOutRow.tenant_id == tenant_id,
                    OptOutRow.did_id == did_id,
                    OptOutRow.peer == peer,
                )
            )
        )
    )


def opt_out(
    connection: Connection, tenant_id: uuid.UUID, did_id: uuid.UUID, peer: str, *, at: dt.datetime
) -> None:
    connection.execute(
        insert(OptOutRow)
        .values(tenant_id=tenant_id, did_id=did_id, peer=peer, at=at)
        .on_conflict_do_nothing()
    )


def opt_in(connection: Connection, tenant_id: uuid.UUID, did_id: uuid.UUID, peer: str) -> None:
    connection.execute(
        delete(OptOutRow).where(
            OptOutRow.tenant_id == tenant_id, OptOutRow.did_id == did_id, OptOutRow.peer == peer
        )
    )
