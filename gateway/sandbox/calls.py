"""Calls as the carrier keeps them: every leg is a call of its own, with its own SID and price."""

import secrets
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    QUEUED = "queued"
    INITIATED = "initiated"  # on callbacks only; REST calls it queued or ringing
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"


ENDED = frozenset({Status.COMPLETED, Status.BUSY, Status.FAILED, Status.NO_ANSWER, Status.CANCELED})


def new_sid(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


@dataclass(slots=True)
class Call:
    """One leg. `url` … `fallback_method` are the documents it started with; the `status_callback`
    fields are where its progress is told."""

    sid: str
    account_sid: str
    from_: str
    to: str
    direction: str  # inbound | outbound-api | outbound-dial
    status: Status
    created_at: datetime
    parent_call_sid: str = ""
    number_sid: str = ""
    forwarded_from: str = ""
    caller_name: str = ""
    stir: str = ""
    answered_by: str = ""
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    fallback_url: str = ""
    fallback_method: str = "POST"
    status_callback: str = ""
    status_callback_method: str = "POST"
    status_callback_events: tuple[str, ...] = ("completed",)
    events_sent: int = 0  # the next SequenceNumber
    price_micros: int | None = None
    hops: int = 0  # how many of our own numbers forwarded it already

    @property
    def over(self) -> bool:
        return self.status in ENDED

    @property
    def duration_seconds(self) -> int:
        """Whole seconds from answer to end; 0 where nobody answered or it still runs."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return int((self.ended_at - self.answered_at).total_seconds() + 0.5)

    @property
    def billed_minutes(self) -> int:
        """Whole started minutes of an answered leg, at least one: even a call answered only to be
        hung up is billed (twilio.com/docs/voice/twiml/hangup)."""
        if self.status is not Status.COMPLETED or self.answered_at is None:
            return 0
        return max(1, -(-self.duration_seconds // 60))


def to_document(value: Any) -> dict[str, Any]:
    """A dataclass as JSON-ready data; instants as ISO 8601."""
    return {
        name: item.isoformat() if isinstance(item, datetime) else item
        for name, item in asdict(value).items()
    }


def call_from_document(document: dict[str, Any]) -> Call:
    known = {item.name for item in fields(Call)}
    values = {name: value for name, value in document.items() if name in known}
    for name in ("created_at", "answered_at", "ended_at"):
        if values.get(name):
            values[name] = datetime.fromisoformat(values[name])
    values["status"] = Status(values["status"])
    if "status_callback_events" in values:
        values["status_callback_events"] = tuple(values["status_callback_events"])
    return Call(**values)
