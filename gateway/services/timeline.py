"""What happened during a call, in the order it happened, told from the receipts."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any


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
    "no-answer": "The caller hung up before anything answered",
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
        words=_words(receipt.kind, status, params, addresses.get(receipt.leg_sid, "")),
        params=params,
    )


def _words(kind: str, status: str, params: Mapping[str, Any], to: str) -> str:
    seconds = params.get("CallDuration", params.get("DialCallDuration", 0))
    target = to or str(params.get("To", "")) or "The target"
    match kind:
        case "voice":
            return f"{params.get('From') or 'A withheld number'} called {params.get('To', '')}"
        case "leg":
            return _LEG_WORDS.get(status, "{to}: {status}").format(
                to=target, seconds=seconds, status=status
            )
        case "dial":
            return _DIAL_WORDS.get(status, f"Forwarding ended: {status}")
        case "status":
            return _CALL_WORDS.get(status, f"The call is {status}").format(seconds=seconds)
        case "recording":
            return f"A voicemail of {params.get('RecordingDuration', 0)} s was recorded"
        case "confirm":
            pressed = params.get("Digits")
            return f"{target} pressed {pressed}" if pressed else f"{target} pressed nothing"
        case "rest":
            return f"We asked the carrier: {status}"
        case _:
            return f"{kind}: {status}" if status else kind


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
