"""Strict shapes: a carrier's form becomes values, or is refused in words.

The signature has no field boundaries (`To=x&ToA=y` and `To=xToAy` sign alike), so shapes are the
second half of the check. What is only shown to people is cleaned; what is used is matched.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from email.utils import parsedate_to_datetime
from typing import Any, Final

from werkzeug.datastructures import MultiDict

from billing.messages import CARRIERS_OF_OUTBOUND, MessageStatus
from billing.metering import TERMINAL, LegStatus
from gateway.services.calls import DialOutcome, LegEvent, RecordingEvent
from gateway.services.message_events import IncomingText, TextNews
from routing import numbering
from routing.facts import CallFacts

CALL_SID: Final = re.compile(r"CA[0-9a-f]{32}")
RECORDING_SID: Final = re.compile(r"RE[0-9a-f]{32}")
MESSAGE_SID: Final = re.compile(r"[SM]M[0-9a-f]{32}")
SECONDS: Final = re.compile(r"[0-9]{1,6}")
SEQUENCE: Final = re.compile(r"[0-9]{1,4}")
TENANT: Final = re.compile(r"[0-9a-f]{32}")
SECONDS_MAX: Final = 86_400  # the longest call that Twilio allows: TWILIO.md 2.1
CLOCKS_APART_MAX: Final = dt.timedelta(days=1)  # the carrier's and ours
TEXT_MAX: Final = 1_600
SEGMENTS_MAX: Final = 100  # 1,600 characters of UCS-2 are 24 parts
MEDIA_MAX: Final = 100  # ten today: TWILIO.md 1.11
ERROR_CODE_MAX: Final = 999_999
CURSOR_MAX: Final = 512
DIAL_STATUSES: Final = frozenset(
    {"completed", "answered", "busy", "no-answer", "failed", "canceled"}  # TWILIO.md 1.2
)
RECORDING_STATUSES: Final = frozenset({"in-progress", "completed", "absent", "failed"})

# Not XML 1.0 characters, or not storable in jsonb (NUL), or half of a surrogate pair.
UNCLEAN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class Malformed(Exception):
    """Says which field is wrong and what it should look like."""


Form = MultiDict[str, str]


def clean(text: str) -> str:
    # Printable text holds nothing unclean, and asking is ten times cheaper than looking.
    return (text if text.isprintable() else UNCLEAN.sub("", text))[:TEXT_MAX]


def as_received(form: Form) -> dict[str, Any]:
    """The form for the receipt: cleaned, every field kept; refuses a repeated key.

    Twilio repeats no key on any webhook we ask for; a repeated key is an attempt to show one
    value to the signature and another to us.
    """
    kept: dict[str, Any] = {}
    for name, values in form.lists():
        if len(values) > 1:
            raise Malformed(f"{clean(name)[:40]} is sent more than once.")
        kept[clean(name)[:80]] = clean(values[0])
    return kept


def tenant(text: str) -> uuid.UUID:
    if not TENANT.fullmatch(text):
        raise Malformed("The path names no tenant.")
    return uuid.UUID(text)


def call_sid(text: str | None, field: str = "CallSid") -> str:
    return _sid(text, CALL_SID, field, "CA and 32 hexadecimal digits")


def message_sid(text: str | None) -> str:
    return _sid(text, MESSAGE_SID, "MessageSid", "SM or MM and 32 hexadecimal digits")


def message(text: str) -> uuid.UUID:
    if not TENANT.fullmatch(text):
        raise Malformed("The path names no text.")
    return uuid.UUID(text)


def incoming_text(form: Form, *, now: dt.datetime) -> IncomingText:
    """A text to one of our numbers; the carrier sends no time with it (TWILIO.md 1.11)."""
    to = form.get("To", "")
    return IncomingText(
        message_sid=message_sid(form.get("MessageSid")),
        from_=clean(form.get("From", ""))[:64].strip(),
        to=to if numbering.is_e164(to) else "",
        body=clean(form.get("Body", "")),
        segments=max(1, _count(form, "NumSegments", SEGMENTS_MAX, 1)),
        media_count=_count(form, "NumMedia", MEDIA_MAX, 0),
        at=now,
    )


def text_news(form: Form) -> TextNews:
    """A status callback; it carries no NumSegments (TWILIO.md 1.12)."""
    status = form.get("MessageStatus", "")
    if status not in CARRIERS_OF_OUTBOUND:
        raise Malformed("MessageStatus is not one that we know.")
    return TextNews(
        message_sid=message_sid(form.get("MessageSid")),
        status=MessageStatus(status),
        error_code=_count(form, "ErrorCode", ERROR_CODE_MAX, 0) or None,
    )


def call_facts(form: Form, *, now: dt.datetime) -> CallFacts:
    raw = clean(form.get("From", ""))[:64]
    called = form.get("To", "")
    return CallFacts(
        call_sid=call_sid(form.get("CallSid")),
        caller=numbering.caller_number(raw),
        caller_raw=raw,
        called=called if numbering.is_e164(called) else "",
        country=_word(form, "FromCountry", 2),
        state=_word(form, "FromState", 40),
        city=_word(form, "FromCity", 60),
        postal_code=_word(form, "FromZip", 12),
        stir=_word(form, "StirVerstat", 40),
        forwarded_from=_word(form, "ForwardedFrom", 64),
        started_at=now,
    )


def leg_event(form: Form, *, now: dt.datetime, cursor: str = "", source: str = "leg") -> LegEvent:
    """A progress or status callback. Durations come from CallDuration (seconds), never from
    Duration, which is billing minutes (TWILIO.md 1.4)."""
    status = _status(form)
    kind, address = _address(clean(form.get("To", ""))[:255])
    at = _timestamp(form, now=now)
    return LegEvent(
        leg_sid=call_sid(form.get("CallSid")),
        status=status,
        seconds=_seconds(form, "CallDuration") if status in TERMINAL else 0,
        at=at,
        to_address=address,
        target_kind=kind,
        cursor=cursor,
        source=source,
        dialled_at=at if status is LegStatus.INITIATED else None,
    )


def dial_outcome(form: Form, *, cursor: str) -> DialOutcome:
    """The action callback. DialBridged tells a conversation from a declined whisper, and may be
    absent; the parent's own CallStatus tells whether the caller is still there."""
    bridged = form.get("DialBridged", "")
    status = form.get("DialCallStatus", "")
    if status not in DIAL_STATUSES:
        raise Malformed("DialCallStatus is not one that we know.")
    return DialOutcome(
        cursor=cursor,
        status=status,
        bridged={"true": True, "false": False}.get(bridged),
        caller_gone=form.get("CallStatus", "") in TERMINAL,
    )


def cursor(text: str) -> str:
    """A place in the routing plan, as our own URL carried it."""
    if len(text) > CURSOR_MAX or UNCLEAN.search(text):
        raise Malformed("The path names no place in a routing plan.")
    return text


def index(text: str) -> int:
    if not SEQUENCE.fullmatch(text):
        raise Malformed("The path names no target.")
    return int(text)


def _address(to: str) -> tuple[str, str]:
    """The kind of phone, and its address as a routing plan writes it."""
    if to.startswith("client:"):
        return "client", to.removeprefix("client:")
    if to.startswith(("sip:", "sips:")):
        return "sip", to
    return "number", to


def recording_event(form: Form) -> RecordingEvent:
    status = form.get("RecordingStatus", "completed")
    if status not in RECORDING_STATUSES:
        raise Malformed("RecordingStatus is not one that we know.")
    return RecordingEvent(
        recording_sid=_sid(
            form.get("RecordingSid"), RECORDING_SID, "RecordingSid", "RE and 32 hexadecimal digits"
        ),
        status=status,
        seconds=_seconds(form, "RecordingDuration"),
    )


def _sid(text: str | None, shape: re.Pattern[str], field: str, words: str) -> str:
    if text is None or not shape.fullmatch(text):
        raise Malformed(f"{field} must be {words}.")
    return text


def _word(form: Form, field: str, limit: int) -> str:
    return clean(form.get(field, ""))[:limit].strip()


def _status(form: Form) -> LegStatus:
    try:
        return LegStatus(form.get("CallStatus", ""))
    except ValueError:
        raise Malformed("CallStatus is not one that we know.") from None


def _seconds(form: Form, field: str) -> int:
    """Absent or empty is 0: an unanswered leg has no duration."""
    text = form.get(field, "")
    if text == "":
        return 0
    if not SECONDS.fullmatch(text) or int(text) > SECONDS_MAX:
        raise Malformed(f"{field} must be whole seconds, at most {SECONDS_MAX}.")
    return int(text)


def _count(form: Form, field: str, largest: int, absent: int) -> int:
    text = form.get(field, "")
    if text == "":
        return absent
    if not SECONDS.fullmatch(text) or int(text) > largest:
        raise Malformed(f"{field} must be a whole number, at most {largest}.")
    return int(text)


def _timestamp(form: Form, *, now: dt.datetime) -> dt.datetime:
    """The carrier's own clock (RFC 2822); ours where it sent none, nonsense, or a moment so far
    away that a call would seem to end in another year."""
    text = form.get("Timestamp", "")
    try:
        parsed = parsedate_to_datetime(text) if text else now
        if parsed.tzinfo is None or abs(parsed - now) > CLOCKS_APART_MAX:
            return now
    except (TypeError, ValueError, OverflowError):
        return now
    return parsed.astimezone(dt.UTC)
