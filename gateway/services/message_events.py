"""What the carrier tells of texts: one that came in, and what became of one of ours.

Any order, any repetition: a text is one row by its SID, its status only rises, and its charge
becomes due once, when the end and the carrier's own count of segments are known.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import structlog

from billing.messages import CARRIERS_OF_OUTBOUND, MessageStatus, is_final, message_rank
from billing.opt_outs import Keyword, keyword_of
from billing.segments import segments
from gateway.providers.telephony import CarrierMessage
from gateway.services import audit
from gateway.services.messages import is_toll_free_us
from gateway.store import conversations, messages, numbers, outbox
from gateway.store.base import new_id
from gateway.store.messages import Message, Receiver
from gateway.uow import UnitOfWork
from routing.numbering import is_e164, pretty

log = structlog.get_logger(__name__)
Params = Mapping[str, Any]

PEER_LENGTH_MAX: Final = 16
NOBODY: Final = "unknown"
# Where no network ever answers with a receipt, "sent" is the last word: the carrier itself gives a
# text up after ten hours (twilio.com/docs/api/errors/30001).
LAST_WORD_AFTER: Final = dt.timedelta(hours=10)
ASK_SOON: Final = dt.timedelta(seconds=5)
FIRST_CHECK: Final = dt.timedelta(minutes=2)

# twilio.com/docs/api/errors, in words for a business; other codes are shown as numbers.
ERRORS: Final = {
    30001: "The carrier's queue was full for too long.",
    30002: "The carrier account is suspended.",
    30003: "The phone could not be reached: switched off, or out of service.",
    30004: "The phone, or its network, blocks texts from this number.",
    30005: "That number is not in service.",
    30006: "That number is a landline, or its network takes no texts.",
    30007: "The network filtered the text as unwanted.",
    30008: "The network did not say why.",
    30032: "This toll-free number is not verified for texts yet.",
    30034: "This number is not registered for texts to US phones yet.",
}


@dataclass(frozen=True, slots=True)
class IncomingText:
    """A text to one of our numbers. `segments` is the carrier's NumSegments."""

    message_sid: str
    from_: str
    to: str
    body: str
    segments: int
    media_count: int
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class TextNews:
    """What a callback, an answer or the carrier's record says of a text of ours. `segments` is
    None where it does not say."""

    message_sid: str
    status: MessageStatus
    error_code: int | None = None
    segments: int | None = None
    source: str = "text"  # the receipt's kind: text, rest


def receive(uow: UnitOfWork, text: IncomingText, params: Params) -> bool:
    """Keep a text, note STOP or START, hand it on; False where the number is nobody's."""
    owner = numbers.owner_of(uow.connection, text.to) if text.to else None
    to = messages.receiver(uow.connection, owner) if owner is not None else None
    if to is None:
        return False
    receipt_id = messages.keep_receipt(
        uow.connection,
        to.tenant_id,
        key=f"text:{text.message_sid}",
        kind="text",
        message_sid=text.message_sid,
        params=params,
        now=uow.now,
    )
    message = _received(text, to, receipt_id, uow.now)
    if not messages.add(uow.connection, message, idempotency_key=None):
        return True
    conversations.touch(
        uow.connection, to.scope, to.did_id, message.peer, message.id, at=text.at, unread=1
    )
    _note_wish(uow, to, message)
    _hand_on(uow, to, message)
    return True


def _received(text: IncomingText, to: Receiver, receipt_id: uuid.UUID, now: dt.datetime) -> Message:
    toll_free = is_toll_free_us(to.number_type, to.country)
    return Message(
        tenant_id=to.tenant_id,
        id=new_id(),
        account_id=to.account_id,
        did_id=to.did_id,
        carrier_sid=text.message_sid,
        direction="inbound",
        peer=text.from_[:PEER_LENGTH_MAX] or NOBODY,
        body=text.body,
        media_count=text.media_count,
        encoding=segments(text.body, toll_free_us=toll_free).encoding,
        segments=text.segments,
        metered=True,
        status=MessageStatus.RECEIVED,
        error_code=None,
        error=None,
        plan_version_id=to.plan_version_id,
        receipt_id=receipt_id,
        forward_of=None,
        created_at=text.at,
        attempted_at=None,
        due_at=now,
        settled_at=None,
        quoted_micros=0,
        rate_micros=None,
        charge_micros=None,
        actor=None,
    )


def _note_wish(uow: UnitOfWork, to: Receiver, message: Message) -> None:
    """STOP and START. The carrier confirms both to the sender by itself, and answers HELP
    (help.twilio.com article 223134027), so nothing is replied here."""
    toll_free = to.number_type == "toll-free"
    wish = keyword_of(message.body, toll_free=toll_free)
    if wish not in (Keyword.STOP, Keyword.START):
        return
    later = messages.bodies_after(
        uow.connection, to.tenant_id, to.did_id, message.peer, message.created_at
    )
    if any(keyword_of(body, toll_free=toll_free) in _WISHES for body in later):
        return  # found late: the far end has changed its mind since
    where = (uow.connection, to.tenant_id, to.did_id, message.peer)
    if wish is Keyword.STOP:
        conversations.opt_out(*where, at=message.created_at)
    else:
        conversations.opt_in(*where)
    action = "message.opted_out" if wish is Keyword.STOP else "message.opted_in"
    audit.note(uow, to.scope, message.peer, action, to.e164, text=str(message.id))


_WISHES = (Keyword.STOP, Keyword.START)


def _hand_on(uow: UnitOfWork, to: Receiver, message: Message) -> None:
    """A copy to whom the number's setting names; never back to where the text came from."""
    if not to.texts_to or to.texts_to == message.peer:
        return
    if "@" not in to.texts_to:
        outbox.add(
            uow.connection,
            to.scope,
            queue="carrier",
            kind="forward_text",
            key=f"forward_text:{message.id}",
            payload={"message_id": str(message.id), "to": to.texts_to},
            now=uow.now,
        )
        return
    outbox.add(
        uow.connection,
        to.scope,
        queue="notify",
        kind="text_received",
        key=f"text_received:{message.id}",
        payload={
            "to": to.texts_to,
            "number": pretty(to.e164),
            "label": to.label,
            "from": pretty(message.peer) if is_e164(message.peer) else message.peer,
            "body": message.body,
            "pictures": message.media_count,
            "path": f"/messages/{to.did_id}/{quote(message.peer, safe='+')}",
        },
        now=uow.now,
    )


def report(
    uow: UnitOfWork, tenant_id: uuid.UUID, message_id: uuid.UUID, news: TextNews, params: Params
) -> bool:
    """News of a text of ours; False where there is no such text."""
    message = messages.lock(uow.connection, tenant_id, message_id)
    if message is None or message.direction != "outbound":
        return False
    if message.carrier_sid not in (None, news.message_sid):
        log.error("message.other_sid", message_id=str(message_id), sid=news.message_sid)
        return False
    receipt_id = messages.keep_receipt(
        uow.connection,
        tenant_id,
        key=f"{news.source}:{news.message_sid}:{news.status}",
        kind=news.source,
        message_sid=news.message_sid,
        params=params,
        now=uow.now,
    )
    messages.change(
        uow.connection, tenant_id, message_id, progress(message, news, receipt_id, uow.now)
    )
    return True


def progress(
    message: Message, news: TextNews, receipt_id: uuid.UUID, now: dt.datetime
) -> dict[str, Any]:
    """What the news changes of the row; the same news again changes nothing that counts.

    Due are a text's end and the carrier's count together: callbacks carry no NumSegments, so a
    text whose answer was lost is asked about before it is charged.
    """
    changes: dict[str, Any] = {"carrier_sid": news.message_sid}
    status = MessageStatus(message.status)
    if message_rank(news.status) > message_rank(status):
        status = news.status
        changes |= {"status": status, "error_code": news.error_code}
        changes["error"] = ERRORS.get(news.error_code) if news.error_code else None
        if is_final(status):
            changes["receipt_id"] = receipt_id
    metered = message.metered or news.segments is not None
    if news.segments is not None and message.settled_at is None:
        changes |= {"segments": news.segments, "metered": True}
    if message.status == MessageStatus.LOST:
        # Given up as never received, and here it is: it is charged like any other.
        changes |= {"settled_at": None, "charge_micros": None}
    if message.due_at is not None:
        return changes
    if metered and _has_ended(message, status, news, now):
        changes |= {"due_at": now, "check_at": None}
    elif is_final(status):
        changes["check_at"] = now + ASK_SOON
    elif message.carrier_sid is None:
        changes["check_at"] = now + FIRST_CHECK
    return changes


def _has_ended(message: Message, status: MessageStatus, news: TextNews, now: dt.datetime) -> bool:
    if is_final(status):
        return True
    asked_late = news.source == "rest" and now - message.created_at >= LAST_WORD_AFTER
    return asked_late and status == MessageStatus.SENT


def news_of(record: CarrierMessage) -> TextNews | None:
    """The carrier's record as news; None for a status that this release does not know."""
    if record.status not in CARRIERS_OF_OUTBOUND:
        log.error("message.unknown_status", sid=record.sid, status=record.status)
        return None
    status = MessageStatus(record.status)
    return TextNews(record.sid, status, record.error_code, record.segments, source="rest")


def told(record: CarrierMessage) -> dict[str, str]:
    """For the receipt of an answer: what the carrier's record said."""
    return {
        "MessageSid": record.sid,
        "MessageStatus": record.status,
        "NumSegments": str(record.segments or ""),
        "asked": "REST",
    }
