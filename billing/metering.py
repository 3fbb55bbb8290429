"""From what the carrier says about a leg to the seconds that a plan may charge."""

import math
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from billing.rates import LegKind, TargetKind, Tariff


class LegStatus(StrEnum):
    """CallStatus in the carrier's words: twilio.com/docs/voice/twiml, request parameters."""

    QUEUED = "queued"
    INITIATED = "initiated"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"


TERMINAL = frozenset(
    {
        LegStatus.COMPLETED,
        LegStatus.BUSY,
        LegStatus.FAILED,
        LegStatus.NO_ANSWER,
        LegStatus.CANCELED,
    }
)

_RANKS = {
    LegStatus.QUEUED: 0,
    LegStatus.INITIATED: 1,
    LegStatus.RINGING: 2,
    LegStatus.IN_PROGRESS: 3,
} | dict.fromkeys(TERMINAL, 4)


class LegUsage(NamedTuple):
    """An ended leg as metered.

    `talk_seconds` is answer to hang-up; `bridged_seconds` is the talk time of the call's
    forwarded and transferred legs together, and counts for an inbound leg only. Country and
    type are those of our number; the target is where a forwarded or transferred leg went.
    """

    kind: LegKind
    status: LegStatus
    talk_seconds: int
    ring_seconds: int = 0
    bridged_seconds: int = 0
    number_country: str = ""
    number_type: str = ""
    target_kind: TargetKind | None = None
    target_address: str = ""


def status_rank(status: LegStatus) -> int:
    """Later news has the higher rank; between two ends the carrier's order number decides."""
    return _RANKS[status]


def talk_seconds(status: LegStatus, call_duration: int | Decimal) -> int:
    """Only a completed leg was talked on, whatever duration comes with another end.

    A fraction of a second is rounded up, once, here (S5-02).
    """
    if status != LegStatus.COMPLETED:
        return 0
    return max(0, math.ceil(call_duration))


def bucket_day(started_at: datetime, time_zone: str) -> date:
    """A call belongs whole to the local day on which it started (S2-06)."""
    assert started_at.tzinfo is not None, "an instant needs a zone"
    return started_at.astimezone(ZoneInfo(time_zone)).date()


def billable_seconds(leg: LegUsage, tariff: Tariff) -> int:
    """Seconds that the plan looks at, before its threshold and increments."""
    legs = tariff.billable_legs
    if leg.status != LegStatus.COMPLETED or not legs.includes(leg.kind):
        return 0
    seconds = leg.talk_seconds
    if leg.kind == "inbound" and not legs.ivr_time:
        seconds = min(seconds, leg.bridged_seconds)
    if legs.ring_time and seconds > 0:
        seconds += leg.ring_seconds
    return seconds
