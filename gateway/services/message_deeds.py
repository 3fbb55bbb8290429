"""Deeds at the carrier for texts: send one, hand one on, look for those that never reached us."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Final

import structlog

from billing.messages import MessageStatus
from gateway.links import PublicLinks
from gateway.providers.telephony import OutcomeUnknown, ProviderError, Telephony
from gateway.services import audit, message_events, messages, numbers
from gateway.services.deeds import ATTEMPTS_MAX, Handler
from gateway.services.errors import ServiceError
from gateway.services.messages import NewText
from gateway.store import conversations
from gateway.store import messages as store
from gateway.store.base import Scope
from gateway.store.messages import Message
from gateway.store.outbox import DueDeed
from gateway.uow import UnitOfWork, UnitsOfWork
from routing.numbering import pretty

log = structlog.get_logger(__name__)

FORWARDER: Final = "forwarding"
OPTED_OUT: Final = 21610  # twilio.com/docs/api/errors/21610
# While a text is being sent nobody else looks for it; a worker that dies leaves it to the sweep.
SENDING_TAKES_AT_MOST: Final = dt.timedelta(seconds=60)


def handlers(units: UnitsOfWork, telephony: Telephony, links: PublicLinks) -> dict[str, Handler]:
    return {
        "send_message": lambda deed: send_message(units, telephony, links, deed),
        "forward_text": lambda deed: forward_text(units, deed),
    }


def send_message(
    units: UnitsOfWork, telephony: Telephony, links: PublicLinks, deed: DueDeed
) -> None:
    """Ask the carrier once. After a lost answer the sweep finds out what it did; a second run of
    this deed never sends a second text (RELIABILITY R8)."""
    message_id = uuid.UUID(deed.payload["message_id"])
    with units.begin() as uow:
        begun = _begin(uow, deed.tenant_id, message_id)
    if begun is None:
        return
    message, from_ = begun
    try:
        sent = telephony.send_message(
            from_=from_,
            to=message.peer,
            body=message.body,
            status_callback=links.message_status(message.tenant_id, message.id),
        )
    except OutcomeUnknown:
        log.warning("message.unknown", message_id=str(message_id))
        with units.begin() as uow:
            _ask_soon(uow, message)
        return
    except ProviderError as refusal:
        if not refusal.permanent and deed.attempts < ATTEMPTS_MAX:
            with units.begin() as uow:
                store.change(
                    uow.connection,
                    message.tenant_id,
                    message.id,
                    {"attempted_at": None, "check_at": None},
                )
            raise
        with units.begin() as uow:
            refuse(uow, message, refusal.words, refusal.code)
        return
    news = message_events.news_of(sent)
    with units.begin() as uow:
        if news is None:
            _ask_soon(uow, message)
        else:
            message_events.report(
                uow, message.tenant_id, message.id, news, message_events.told(sent)
            )


def _begin(
    uow: UnitOfWork, tenant_id: uuid.UUID, message_id: uuid.UUID
) -> tuple[Message, str] | None:
    """The text and its number, marked as being sent; None where there is nothing to send (any
    more)."""
    message = store.lock(uow.connection, tenant_id, message_id)
    if message is None or message.status != MessageStatus.DRAFT:
        return None
    if message.attempted_at is not None:
        _ask_soon(uow, message)
        return None
    words = messages.still_refused(uow, message)
    if words is not None:
        refuse(uow, message, words)
        return None
    store.change(
        uow.connection,
        tenant_id,
        message_id,
        {"attempted_at": uow.now, "check_at": uow.now + SENDING_TAKES_AT_MOST},
    )
    number = numbers.get_number(uow, message.scope, message.did_id)
    return message, number.e164


def _ask_soon(uow: UnitOfWork, message: Message) -> None:
    store.change(
        uow.connection,
        message.tenant_id,
        message.id,
        {"check_at": uow.now + message_events.ASK_SOON},
    )


def refuse(uow: UnitOfWork, message: Message, words: str, code: int | None = None) -> None:
    """It never reached the carrier, and costs nothing."""
    current = store.lock(uow.connection, message.tenant_id, message.id)
    if current is None or current.status != MessageStatus.DRAFT:
        return
    store.change(
        uow.connection,
        message.tenant_id,
        message.id,
        {
            "status": MessageStatus.REFUSED,
            "error": words,
            "error_code": code,
            "settled_at": uow.now,
            "charge_micros": 0,
            "check_at": None,
        },
    )
    if code == OPTED_OUT:
        conversations.opt_out(
            uow.connection, message.tenant_id, message.did_id, message.peer, at=uow.now
        )
    audit.note(
        uow,
        message.scope,
        message.actor or "system",
        "message.refused",
        message.id,
        to=message.peer,
        reason=words,
    )


def forward_text(units: UnitsOfWork, deed: DueDeed) -> None:
    """Hand a text on to the business's own phone: a text like any other, with its price. One that
    may not go is kept with the reason, beside the text that it would have handed on."""
    scope = Scope(deed.tenant_id, deed.account_id)
    message_id = uuid.UUID(deed.payload["message_id"])
    units.retrying(lambda uow: _forward(uow, scope, message_id, str(deed.payload["to"])))


def _forward(uow: UnitOfWork, scope: Scope, message_id: uuid.UUID, to: str) -> None:
    received = store.find(uow.connection, scope, message_id)
    if received is None or message_id in store.forwards_of(uow.connection, scope, [message_id]):
        return
    body = _handed_on(received)
    key = f"forward:{message_id}"
    text = NewText(received.did_id, to, body)
    try:
        messages.send(uow, scope, text, actor=FORWARDER, idempotency_key=key, forward_of=message_id)
    except ServiceError as refusal:
        messages.new_message(
            numbers.get_number(uow, scope, received.did_id),
            to,
            body,
            uow,
            plan_version_id=received.plan_version_id,
            actor=FORWARDER,
            idempotency_key=key,
            forward_of=message_id,
            refusal=refusal.words,
        )


def _handed_on(received: Message) -> str:
    sender = pretty(received.peer) if received.peer.startswith("+") else received.peer
    pictures = f" [{received.media_count} pictures]" if received.media_count else ""
    return f"{sender}: {received.body}{pictures}"[: messages.BODY_LENGTH_MAX]
