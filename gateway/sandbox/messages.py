"""Texts: sent by the customer through REST, or received on one of its numbers."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.sandbox.callbacks import Callback
from gateway.sandbox.calls import new_sid, to_document
from gateway.sandbox.errors import CarrierError
from gateway.sandbox.exchange import Exchange
from gateway.sandbox.params import API_VERSION, end_params
from gateway.sandbox.places import is_toll_free
from gateway.sandbox.poster import Reply, Request
from gateway.sandbox.rates import MESSAGE_SEGMENT

BODY_MAX = 1_600
UNREACHABLE, FILTERED = 30003, 30007  # twilio.com/docs/api/errors
GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_EXTENDED = frozenset("^{}\\[~]|€\f")  # two septets each
STOP_WORDS = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit"})
START_WORDS = frozenset({"start", "yes", "unstop"})


class Fate(StrEnum):
    """What becomes of a text to a telephone."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"  # sent, and told to have failed
    FAILED = "failed"  # never sent
    SILENT = "silent"  # sent, and nothing is heard of it again


@dataclass(slots=True)
class Message:
    sid: str
    account_sid: str
    from_: str
    to: str
    body: str
    direction: str  # inbound | outbound-api | outbound-reply
    status: str
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None = None
    segments: int = 1
    price_micros: int | None = None
    status_callback: str = ""
    error_code: int | None = None


class Messages:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._store = exchange.books.store
        self.by_sid = {
            document["sid"]: _from_document(document) for document in self._store.load("message")
        }
        self.fates: dict[str, Fate] = {}
        self._stopped: set[tuple[str, str]] = set()  # (subscriber, number)
        for message in self.by_sid.values():
            self._heed(message)

    def send(self, form: Mapping[str, str], *, direction: str = "outbound-api") -> Message:
        to, from_, body = form.get("To", ""), form.get("From", ""), form.get("Body", "")
        if not to.startswith("+") or not to[1:].isdigit() or to == "+15005550001":
            raise CarrierError(400, 21211, f"The 'To' number {to} is not a valid phone number.")
        if not from_:
            raise CarrierError(400, 21603, "A 'From' phone number is required.")
        if not self._exchange.books.numbers.may_send(from_):
            raise CarrierError(
                400, 21606, f"The 'From' phone number {from_} is not a valid, message-capable"
                " Twilio phone number for this destination.",
            )  # fmt: skip
        if not body:
            raise CarrierError(400, 21602, "Message body is required.")
        if len(body) > BODY_MAX:
            raise CarrierError(400, 21617, "The concatenated message body exceeds 1600 characters.")
        if (to, from_) in self._stopped:
            raise CarrierError(400, 21610, "Attempt to send to unsubscribed recipient")
        message = self._new(from_, to, body, direction, "queued")
        message.status_callback = form.get("StatusCallback", "")
        self._save(message)
        fate = self.fates.get(to, Fate.DELIVERED)
        steps = [(1.0, "sent")] if fate is not Fate.FAILED else []
        if fate is not Fate.SILENT:
            steps.append((3.0, fate.value))
        for seconds, status in steps:
            self._exchange.scheduler.after(seconds, self._progress(message, status))
        return message

    def receive(self, from_: str, to: str, body: str) -> Message:
        """Somebody texts a number; its SmsUrl is asked, and may answer with texts of its own."""
        message = self._new(from_, to, body, "inbound", "received")
        message.sent_at = message.created_at
        self._save(message)
        self._exchange.books.bill.charge(message.sid, message.segments * MESSAGE_SEGMENT)
        self._heed(message)
        number = self._exchange.books.numbers.owned.get(to)
        if number is not None and number.sms_url:
            params = _inbound_params(message)
            request = Request(number.sms_url, params, number.sms_method)
            fallback = number.sms_fallback_url
            self._ask(message, request, fallback, number.sms_fallback_method)
        return message

    def _heed(self, message: Message) -> None:
        """STOP and START of an inbound text, kept for each of the customer's numbers."""
        word, pair = message.body.strip().lower(), (message.from_, message.to)
        if message.direction == "inbound" and word in STOP_WORDS:
            self._stopped.add(pair)
        elif message.direction == "inbound" and word in START_WORDS:
            self._stopped.discard(pair)

    def _ask(self, message: Message, request: Request, fallback: str, method: str) -> None:
        def done(reply: Reply) -> None:
            if reply.error_code and fallback:
                extra = {"ErrorCode": str(reply.error_code), "ErrorUrl": request.url}
                self._ask(message, Request(fallback, {**request.params, **extra}, method), "", "")
            elif not reply.error_code:
                for text in _replies(reply.body):
                    self.send(
                        {"From": message.to, "To": message.from_, "Body": text},
                        direction="outbound-reply",
                    )

        self._exchange.scheduler.background(lambda: self._exchange.poster(request), done)

    def _new(self, from_: str, to: str, body: str, direction: str, status: str) -> Message:
        now = self._exchange.scheduler.now()
        return Message(
            new_sid("SM"), self._exchange.account_sid, from_, to, body, direction, status,
            created_at=now, updated_at=now, segments=segments(body, toll_free=is_toll_free(from_)),
        )  # fmt: skip

    def _progress(self, message: Message, status: str) -> Any:
        def step() -> None:
            now = self._exchange.scheduler.now()
            message.status, message.updated_at = status, now
            if status == "sent":
                message.sent_at = now
                self._exchange.books.bill.charge(message.sid, message.segments * MESSAGE_SEGMENT)
            elif message.sent_at:
                message.price_micros = message.segments * MESSAGE_SEGMENT
            if status in ("undelivered", "failed"):
                message.error_code = UNREACHABLE if message.sent_at else FILTERED
            self._save(message)
            if message.status_callback:
                params = {
                    "MessageSid": message.sid, "SmsSid": message.sid, "MessageStatus": status,
                    "SmsStatus": status, "AccountSid": message.account_sid, "From": message.from_,
                    "To": message.to, "ApiVersion": API_VERSION,
                }  # fmt: skip
                if message.error_code:
                    params["ErrorCode"] = str(message.error_code)
                self._exchange.courier.send(
                    Callback("message", message.sid, message.status_callback, params, now)
                )

        return step

    def _save(self, message: Message) -> None:
        self.by_sid[message.sid] = message
        self._store.save("message", message.sid, to_document(message))


def segments(body: str, *, toll_free: bool = False) -> int:
    """160 (153 in parts) septets of GSM-7, or 70 (67) UTF-16 units of anything else; a part of a
    toll-free number's text holds one less. An escape or a surrogate pair never parts."""
    if all(char in GSM_7 or char in GSM_7_EXTENDED for char in body):
        widths, one, part = [1 + (char in GSM_7_EXTENDED) for char in body], 160, 153
    else:
        widths, one, part = [1 + (ord(char) > 0xFFFF) for char in body], 70, 67
    if sum(widths) <= one:
        return 1
    count, used = 1, 0
    for width in widths:
        if used + width > part - toll_free:
            count, used = count + 1, 0
        used += width
    return count


def _inbound_params(message: Message) -> dict[str, str]:
    """twilio.com/docs/messaging/guides/webhook-request"""
    return {
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "SmsMessageSid": message.sid,
        "AccountSid": message.account_sid,
        "From": message.from_,
        "To": message.to,
        "Body": message.body,
        "NumMedia": "0",
        "NumSegments": str(message.segments),
        "SmsStatus": "received",
        "ApiVersion": API_VERSION,
        **end_params("From", message.from_),
        **end_params("To", message.to),
    }


def _replies(body: bytes) -> list[str]:
    if b"<!DOCTYPE" in body:
        return []
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return []
    texts = [(element.findtext("Body") or element.text or "") for element in root.iter("Message")]
    return [text.strip() for text in texts if text.strip()]


def _from_document(document: dict[str, Any]) -> Message:
    known = {item.name for item in fields(Message)}
    values = {name: value for name, value in document.items() if name in known}
    for name in ("created_at", "updated_at", "sent_at"):
        if values.get(name):
            values[name] = datetime.fromisoformat(values[name])
    return Message(**values)
