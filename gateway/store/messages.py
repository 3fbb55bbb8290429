"""Texts in and out."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    Select,
    String,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.accounts import AccountRow
from gateway.store.base import E164, Base, Key, Micros, Scope, TenantId, new_id
from gateway.store.numbers import DidOwner, DidRow
from gateway.store.receipts import ReceiptRow


class MessageRow(Base):
    """`carrier_sid` is None for a text that is still on its way to the carrier. Due for charging:
    `due_at` is set and `settled_at` is not. Until then `quoted_micros` of an outbound text are
    spoken for: other texts cannot spend them."""

    __tablename__ = "message"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    did_id: Mapped[uuid.UUID]
    carrier_sid: Mapped[str | None] = mapped_column(String(34))
    direction: Mapped[str] = mapped_column(String(8))  # inbound, outbound
    peer: Mapped[E164]  # or a short code, or a sender's name: what the carrier calls From
    body: Mapped[str]
    media_count: Mapped[int]  # pictures that came along; the carrier keeps them
    encoding: Mapped[str] = mapped_column(String(8))
    segments: Mapped[int]  # our own count, and the carrier's NumSegments once `metered`
    metered: Mapped[bool]
    status: Mapped[str] = mapped_column(String(20))  # billing.messages.MessageStatus
    error_code: Mapped[int | None]
    error: Mapped[str | None]  # why it did not arrive, in words for the business
    plan_version_id: Mapped[uuid.UUID]
    receipt_id: Mapped[uuid.UUID | None]
    forward_of: Mapped[uuid.UUID | None]  # the inbound text that this one hands on
    created_at: Mapped[dt.datetime]
    attempted_at: Mapped[dt.datetime | None]  # when the carrier was asked to send it
    check_at: Mapped[dt.datetime | None]  # when to ask the carrier what became of it
    checks: Mapped[int]
    due_at: Mapped[dt.datetime | None]
    settled_at: Mapped[dt.datetime | None]
    quoted_micros: Mapped[Micros]
    rate_micros: Mapped[int | None]
    charge_micros: Mapped[int | None]
    cost_micros: Mapped[int | None]
    actor: Mapped[str | None]
    idempotency_key: Mapped[str | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_message_account",
        ),
        CheckConstraint("direction in ('inbound','outbound')", name="direction"),
        Index("uq_message_carrier_sid", "tenant_id", "carrier_sid", unique=True),
        Index(
            "uq_message_idempotency",
            "tenant_id",
            "account_id",
            "idempotency_key",
            unique=True,
        ),
        Index("ix_message_account", "tenant_id", "account_id", "id"),
        Index("ix_message_conversation", "tenant_id", "did_id", "peer", "id"),
        Index(
            "ix_message_forward",
            "tenant_id",
            "forward_of",
            postgresql_where="forward_of is not null",
        ),
        Index("ix_message_open", "tenant_id", "account_id", postgresql_where="settled_at is null"),
        Index("ix_message_check", "check_at", postgresql_where="check_at is not null"),
    )


@dataclass(frozen=True, slots=True)
class Message:
    """A text; `status` is one of billing.messages.MessageStatus."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    did_id: uuid.UUID
    carrier_sid: str | None
    direction: str
    peer: str
    body: str
    media_count: int
    encoding: str
    segments: int
    metered: bool
    status: str
    error_code: int | None
    error: str | None
    plan_version_id: uuid.UUID
    receipt_id: uuid.UUID | None
    forward_of: uuid.UUID | None
    created_at: dt.datetime
    attempted_at: dt.datetime | None
    due_at: dt.datetime | None
    settled_at: dt.datetime | None
    quoted_micros: int
    rate_micros: int | None
    charge_micros: int | None
    actor: str | None

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)


_MESSAGES = select(*(getattr(MessageRow, name) for name in Message.__dataclass_fields__))


def find(connection: Connection, scope: Scope, id: uuid.UUID) -> Message | None:
    row = connection.execute(_mine(scope).where(MessageRow.id == id)).first()
    return None if row is None else Message(*row)


def lock(connection: Connection, tenant_id: uuid.UUID, id: uuid.UUID) -> Message | None:
    """Until the transaction ends: callbacks of one text wait for each other."""
    row = connection.execute(
        _MESSAGES.where(MessageRow.tenant_id == tenant_id, MessageRow.id == id).with_for_update()
    ).first()
    return None if row is None else Message(*row)


def find_by_sid(connection: Connection, tenant_id: uuid.UUID, carrier_sid: str) -> Message | None:
    row = connection.execute(
        _MESSAGES.where(MessageRow.tenant_id == tenant_id, MessageRow.carrier_sid == carrier_sid)
    ).first()
    return None if row is None else Message(*row)


def find_by_key(connection: Connection, scope: Scope, idempotency_key: str) -> Message | None:
    row = connection.execute(
        _mine(scope).where(MessageRow.idempotency_key == idempotency_key)
    ).first()
    return None if row is None else Message(*row)


def add(connection: Connection, message: Message, **more: Any) -> bool:
    """False where a text with its SID or its key is there already."""
    values = {name: getattr(message, name) for name in Message.__dataclass_fields__}
    added = connection.execute(
        insert(MessageRow)
        .values(**values, checks=0, **more)
        .on_conflict_do_nothing()
        .returning(MessageRow.id)
    )
    return added.first() is not None


def change(
    connection: Connection, tenant_id: uuid.UUID, id: uuid.UUID, values: Mapping[str, Any]
) -> None:
    connection.execute(
        update(MessageRow)
        .where(MessageRow.tenant_id == tenant_id, MessageRow.id == id)
        .values(**values)
    )


def page(
    connection: Connection,
    scope: Scope,
    *,
    before: uuid.UUID | None,
    limit: int,
    did_id: uuid.UUID | None = None,
    peer: str | None = None,
    direction: str | None = None,
) -> Sequence[Message]:
    """Newest first. A conversation is read along an index of its own."""
    found = _mine(scope).order_by(MessageRow.id.desc()).limit(limit)
    if before is not None:
        found = found.where(MessageRow.id < before)
    if did_id is not None:
        found = found.where(MessageRow.did_id == did_id)
    if peer is not None:
        found = found.where(MessageRow.peer == peer)
    if direction is not None:
        found = found.where(MessageRow.direction == direction)
    return [Message(*row) for row in connection.execute(found)]


def forwards_of(
    connection: Connection, scope: Scope, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, Message]:
    """The copies that went to the business's own phone, by the text that they hand on."""
    rows = connection.execute(_mine(scope).where(MessageRow.forward_of.in_(list(ids))))
    copies = [Message(*row) for row in rows]
    return {copy.forward_of: copy for copy in copies if copy.forward_of is not None}


def bodies_after(
    connection: Connection, tenant_id: uuid.UUID, did_id: uuid.UUID, peer: str, at: dt.datetime
) -> list[str]:
    """What the far end wrote later than that."""
    return list(
        connection.scalars(
            select(MessageRow.body).where(
                MessageRow.tenant_id == tenant_id,
                MessageRow.did_id == did_id,
                MessageRow.peer == peer,
                MessageRow.direction == "inbound",
                MessageRow.created_at > at,
            )
        )
    )


def quoted_micros(
    connection: Connection, tenant_id: uuid.UUID, account_ids: Collection[uuid.UUID]
) -> int:
    """What texts that are on their way, and not charged yet, may cost together."""
    total = connection.scalar(
        select(func.coalesce(func.sum(MessageRow.quoted_micros), 0)).where(
            MessageRow.tenant_id == tenant_id,
            MessageRow.account_id.in_(account_ids),
            MessageRow.settled_at.is_(None),
        )
    )
    return int(total or 0)


def _mine(scope: Scope) -> Select[*tuple[Any, ...]]:
    return _MESSAGES.where(
        MessageRow.tenant_id == scope.tenant_id, MessageRow.account_id == scope.account_id
    )


# What came in.


@dataclass(frozen=True, slots=True)
class Receiver:
    """The number that a text came to, and whose it is."""

    tenant_id: uuid.UUID
    did_id: uuid.UUID
    account_id: uuid.UUID
    e164: str
    label: str
    country: str
    number_type: str
    texts_to: str
    account_status: str
    plan_version_id: uuid.UUID

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)


def receiver(connection: Connection, owner: DidOwner) -> Receiver | None:
    """None for a number that was given back, or an account that is closed."""
    row = connection.execute(
        select(
            DidRow.tenant_id,
            DidRow.id,
            DidRow.account_id,
            DidRow.e164,
            DidRow.label,
            DidRow.country,
            DidRow.number_type,
            DidRow.texts_to,
            AccountRow.status,
            AccountRow.plan_version_id,
        )
        .join(
            AccountRow,
            (AccountRow.tenant_id == DidRow.tenant_id) & (AccountRow.id == DidRow.account_id),
        )
        .where(
            DidRow.tenant_id == owner.tenant_id,
            DidRow.id == owner.did_id,
            DidRow.status != "released",
            AccountRow.status != "closed",
        )
    ).first()
    return None if row is None else Receiver(*tuple(row))


def keep_receipt(
    connection: Connection,
    tenant_id: uuid.UUID,
    *,
    key: str,
    kind: str,
    message_sid: str,
    params: Mapping[str, Any],
    now: dt.datetime,
) -> uuid.UUID:
    """The receipt of this event: a second delivery finds the first."""
    connection.execute(
        insert(ReceiptRow)
        .values(
            tenant_id=tenant_id,
            id=new_id(),
            key=key,
            call_sid=message_sid,
            leg_sid=message_sid,
            kind=kind,
            params=dict(params),
            received_at=now,
        )
        .on_conflict_do_nothing()
    )
    return connection.execute(
        select(ReceiptRow.id).where(ReceiptRow.tenant_id == tenant_id, ReceiptRow.key == key)
    ).scalar_one()


@dataclass(frozen=True, slots=True)
class MessageReceipt:
    id: uuid.UUID
    kind: str
    params: dict[str, Any]
    received_at: dt.datetime


def receipts_of(
    connection: Connection, tenant_id: uuid.UUID, message_sid: str
) -> tuple[MessageReceipt, ...]:
    rows = connection.execute(
        select(ReceiptRow.id, ReceiptRow.kind, ReceiptRow.params, ReceiptRow.received_at)
        .where(ReceiptRow.tenant_id == tenant_id, ReceiptRow.call_sid == message_sid)
        .order_by(ReceiptRow.id)
    )
    return tuple(MessageReceipt(*row) for row in rows)
