"""Texts as people and programs read them: conversations, one text, and why it cost what it did."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from billing.explain import Explanation, ReceiptRef
from billing.explain_message import explain_message
from billing.messages import MessageStatus, MessageUsage
from gateway.services import message_settlement, numbers, plans
from gateway.services.errors import NotFound
from gateway.services.numbers import Number
from gateway.services.pages import LIMIT_DEFAULT, Page, clamp, cut, decode_cursor, encode_cursor
from gateway.services.pages import uuid_of as _uuid_of
from gateway.store import conversations as talks
from gateway.store import messages as store
from gateway.store.base import Scope
from gateway.store.conversations import Conversation
from gateway.store.messages import Message, MessageReceipt
from gateway.uow import UnitOfWork

__all__ = ["Conversation", "Message"]


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation opened: `page` is newest first; `copies` are what was handed on, by the text
    that it hands on."""

    number: Number
    peer: str
    opted_out: bool
    page: Page[Message]
    copies: dict[uuid.UUID, Message]


@dataclass(frozen=True, slots=True)
class MessageDetail:
    """One text with its webhooks, and why it cost what it did; None until it is charged."""

    message: Message
    number: Number
    copy: Message | None
    receipts: tuple[MessageReceipt, ...]
    explanation: Explanation | None


def list_messages(
    uow: UnitOfWork,
    scope: Scope,
    after: str | None = None,
    limit: int = LIMIT_DEFAULT,
    *,
    did_id: uuid.UUID | None = None,
    peer: str | None = None,
    direction: str | None = None,
) -> Page[Message]:
    """Newest first."""
    limit = clamp(limit)
    before = decode_cursor(after, _uuid_of) if after else None
    rows = store.page(
        uow.connection,
        scope,
        before=before,
        limit=limit + 1,
        did_id=did_id,
        peer=peer,
        direction=direction,
    )
    return cut(rows, limit, lambda message: encode_cursor(message.id))


def list_conversations(
    uow: UnitOfWork,
    scope: Scope,
    after: str | None = None,
    limit: int = LIMIT_DEFAULT,
    *,
    did_id: uuid.UUID | None = None,
) -> Page[Conversation]:
    """The one with the newest text first."""
    limit = clamp(limit)
    before = decode_cursor(after, _uuid_of) if after else None
    rows = talks.page(uow.connection, scope, before=before, limit=limit + 1, did_id=did_id)
    return cut(rows, limit, lambda talk: encode_cursor(talk.last_message_id))


def open_thread(
    uow: UnitOfWork,
    scope: Scope,
    did_id: uuid.UUID,
    peer: str,
    after: str | None = None,
    limit: int = LIMIT_DEFAULT,
) -> Thread:
    """Raises `NotFound` where the two have never texted."""
    number = numbers.get_number(uow, scope, did_id)
    talk = talks.find(uow.connection, scope, did_id, peer)
    if talk is None:
        raise NotFound("conversation with", peer)
    page = list_messages(uow, scope, after, limit, did_id=did_id, peer=peer)
    copies = store.forwards_of(uow.connection, scope, [message.id for message in page.items])
    return Thread(number, peer, talk.opted_out, page, copies)


def mark_read(uow: UnitOfWork, scope: Scope, did_id: uuid.UUID, peer: str) -> None:
    talks.mark_read(uow.connection, scope, did_id, peer)


def get_message(uow: UnitOfWork, scope: Scope, message_id: uuid.UUID) -> Message:
    found = store.find(uow.connection, scope, message_id)
    if found is None:
        raise NotFound("message", message_id)
    return found


def get_detail(uow: UnitOfWork, scope: Scope, message_id: uuid.UUID) -> MessageDetail:
    message = get_message(uow, scope, message_id)
    sid = message.carrier_sid
    return MessageDetail(
        message,
        numbers.get_number(uow, scope, message.did_id),
        store.forwards_of(uow.connection, scope, [message_id]).get(message_id),
        store.receipts_of(uow.connection, scope.tenant_id, sid) if sid else (),
        explain(uow, message),
    )


def explain_sid(uow: UnitOfWork, scope: Scope, message_sid: str) -> Explanation | None:
    """Of the text that a line of the statement names; None for another account's. The root of a
    tenant, an agency, pays for texts of its clients and may ask about them."""
    message = store.find_by_sid(uow.connection, scope.tenant_id, message_sid)
    if message is None or scope.account_id not in (message.account_id, scope.tenant_id):
        return None
    return explain(uow, message)


def find_by_sid(uow: UnitOfWork, scope: Scope, message_sid: str) -> Message | None:
    """By the carrier's id."""
    message = store.find_by_sid(uow.connection, scope.tenant_id, message_sid)
    return message if message is not None and message.account_id == scope.account_id else None


def explain(uow: UnitOfWork, message: Message) -> Explanation | None:
    """Why a text costs what it costs, also why nothing: from the plan version of its moment."""
    if message.settled_at is None or message.charge_micros is None:
        return None
    version = plans.plan_version(uow.connection, message.plan_version_id)
    prices = version.plan.tariff.sms
    usage = MessageUsage(
        direction="inbound" if message.direction == "inbound" else "outbound",
        status=MessageStatus(message.status),
        segments=message.segments,
        to=message.peer if message.direction == "outbound" else "",
    )
    rated = message_settlement.rated_by(usage, prices)
    if rated is None or prices is None:
        return None
    return explain_message(
        usage,
        rated,
        prices,
        currency=version.plan.currency,
        plan_name=version.plan.name,
        plan_version=version.version,
        receipts=_receipts(uow, message),
        forgiven_micros=rated.charge_micros - message.charge_micros,
    )


def _receipts(uow: UnitOfWork, message: Message) -> Sequence[ReceiptRef]:
    """The webhook (or the answer) that brought the end."""
    if message.carrier_sid is None:
        return ()
    received = store.receipts_of(uow.connection, message.tenant_id, message.carrier_sid)
    return [
        ReceiptRef(_event(receipt.params), receipt.received_at)
        for receipt in received
        if receipt.id == message.receipt_id
    ]


def _event(params: dict[str, Any]) -> str:
    return str(params.get("MessageStatus") or params.get("SmsStatus") or "received")
