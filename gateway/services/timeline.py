"""What happened during a call, in the order it happened, told from the receipts."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from routing.numbering import caller_number, pretty


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """`at` is the carrier's own time where the webhook carries one (whole seconds), else ours."""

    at: dt.datetime
    received_at: dt.datetime
    receipt_id: uuid.UUID
    kind: str  # voice, leg, dial, status, recording, confirm, rest
    leg_sid: str
    status: str
    words: str
    params: Mapping[str, Any]


_LEG_WORDS = {
    "initiated": "{to} was dialled",
    "ringing": "{to} rings",
    "in-progress": "{to} answered",
    "answered": "{to} answered",
    "completed": "{to} hung up after {seconds} s",
    "busy": "{to} was busy",
    "no-answer": "{to} did not answer",
    "failed": "{to} could not be reached",
    "canceled": "{to} stopped ringing: somebody else answered, or the caller hung up",
}
_CALL_WORDS = {
    "completed": "The call ended after {seconds} s",
    "busy": "The call was refused as busy",
    "no-answer": "The call ended without an answer",
    "failed": "The call failed",
    "canceled": "The caller hung up",
}
_DIAL_WORDS = {
    "completed": "The conversation ended",
    "answered": "The conversation ended",
    "busy": "Nobody could be reached: busy",
    "no-answer": "Nobody answered in time",
    "failed": "Nobody could be reached",
    "canceled": "The caller hung up while it rang",
}


def of(receipts: Sequence[Any], addresses: Mapping[str, str]) -> tuple[TimelineEvent, ...]:
    """Events by the carrier's clock; webhooks of the same second keep the order they came in.

    The call itself comes first: its webhook has our clock's fraction of a second, and the leg that
    was dialled in that second has none. `addresses`: leg sid -> who was called on it.
    """
    events = [_event(receipt, addresses) for receipt in receipts]
    return tuple(sorted(events, key=lambda event: (event.kind != "voice", event.at)))


def _event(receipt: Any, addresses: Mapping[str, str]) -> TimelineEvent:
    params: dict[str, Any] = receipt.params
    status = str(params.get("DialCallStatus" if receipt.kind == "dial" else "CallStatus", ""))
    return TimelineEvent(
        at=_carrier_time(params) or receipt.received_at,
        received_at=receipt.received_at,
        receipt_id=receipt.id,
        kind=receipt.kind,
        leg_sid=receipt.leg_sid,
        status=status,
        words=_words(receipt, status, addresses.get(receipt.leg_sid, "")),
        params=params,
    )


def _words(receipt: Any, status: str, to: str) -> str:
    params: Mapping[str, Any] = receipt.params
    target = pretty(to or str(params.get("To", ""))) or "The target"
    match receipt.kind:
        case "voice":
            caller = caller_number(str(params.get("From", "")))
            called = pretty(str(params.get("To", "")))
            return f"{pretty(caller) if caller else 'A withheld number'} called {called}"
        case "leg":
            return _of_leg(target, status, params)
        case "dial":
            return _DIAL_WORDS.get(status, f"Forwarding ended: {status}")
        case "status":
            return _of_call(status, params)
        case "voicemail":
            return "The caller left a message"
        case "recording":
            return f"A voicemail of {params.get('RecordingDuration', 0)} s was recorded"
        case "confirm":
            pressed = params.get("Digits")
            return f"{target} pressed {pressed}" if pressed else f"{target} pressed nothing"
        case "rest":
            of_parent = receipt.leg_sid == receipt.call_sid
            told = _of_call(status, params) if of_parent else _of_leg(target, status, params)
            return f"We asked the carrier, who says: {told}"
        case kind:
            return f"{kind}: {status}" if status else str(kind)


def _of_leg(target: str, status: str, params: Mapping[str, Any]) -> str:
    words = _LEG_WORDS.get(status, "{to}: {status}")
    return words.format(to=target, seconds=_seconds(params), status=status)


def _of_call(status: str, params: Mapping[str, Any]) -> str:
    return _CALL_WORDS.get(status, f"The call is {status}").format(seconds=_seconds(params))


def _seconds(params: Mapping[str, Any]) -> Any:
    return params.get("CallDuration", params.get("DialCallDuration", 0))


def _carrier_time(params: Mapping[str, Any]) -> dt.datetime | None:
    """`Timestamp` of progress callbacks is RFC 2822 in UTC: twilio.com/docs/voice/twiml/number."""
    text = params.get("Timestamp")
    if not isinstance(text, str):
        return None
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return None if at.tzinfo is None else at.astimezone(dt.UTC)
