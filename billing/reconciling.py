"""One leg in two books, ours and the carrier's: where they differ, and what kind of difference.

Only what a webhook did not tell is ever healed, and only once. Any other difference is shown to
staff: a customer is not billed again behind their back.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from billing.metering import TERMINAL, LegStatus, talk_seconds

SECOND_TOLERANCE = 1
"""The carrier rounds durations by itself: twilio.com/docs/voice/api/call-resource, Duration."""
PRICE_TOLERANCE_MICROS = 10
"""The carrier writes prices with five decimals; our cost has six, rounded up."""

OUTSIDE_CALLS = frozenset(
    {
        "calls-globalconference",
        "calls-media-stream-minutes",
        "calls-pay-verb-transactions",
        "calls-recordings",
        "calls-text-to-speech",
        "calls-transfers",
    }
)
"""Voice features billed beside a call's own price: twilio.com/docs/usage/api/usage-record."""
WITHIN_PRICES = ("calls", "sms", "mms", "phonenumbers", "totalprice")
"""Categories, by how they begin, whose price stands on a call, a message or a number."""


class DriftKind(StrEnum):
    """At most 24 characters, the width of its column."""

    MISSING_LEG = "missing_leg"
    MISSING_WEBHOOK = "missing_webhook"
    NOT_AT_CARRIER = "not_at_carrier"
    STATUS = "status"
    DURATION = "duration"
    PRICE = "price"
    ROUNDING = "rounding"
    DAY_SHIFT = "day_shift"
    OUTSIDE_CALL = "outside_call"


HEALED_BY_TELLING = frozenset({DriftKind.MISSING_LEG, DriftKind.MISSING_WEBHOOK})
HARMLESS = frozenset({DriftKind.ROUNDING, DriftKind.DAY_SHIFT})
"""Expected between two clocks and two roundings; shown, and no reason to worry."""


@dataclass(frozen=True, slots=True)
class OurLeg:
    """`cost_micros` is what we expect the carrier to take; None until it is settled."""

    status: LegStatus
    ended: bool
    talk_seconds: int
    cost_micros: int | None
    started_at: datetime


@dataclass(frozen=True, slots=True)
class TheirLeg:
    """As the carrier's record has it; `price_micros` is positive, and None until it is known."""

    status: LegStatus
    duration_seconds: int | None
    price_micros: int | None
    started_at: datetime | None

    @property
    def talk_seconds(self) -> int:
        return talk_seconds(self.status, self.duration_seconds or 0)


@dataclass(frozen=True, slots=True)
class Difference:
    """`ours` and `theirs` are what each book says: seconds, micros, a status or a day."""

    kind: DriftKind
    ours: str | int | None = None
    theirs: str | int | None = None


def differences(ours: OurLeg | None, theirs: TheirLeg | None) -> tuple[Difference, ...]:
    """All that differs about one leg; nothing for a call that still goes on at the carrier."""
    if theirs is None:
        return () if ours is None else (Difference(DriftKind.NOT_AT_CARRIER, ours.status.value),)
    if theirs.status not in TERMINAL:
        return ()
    if ours is None:
        return (Difference(DriftKind.MISSING_LEG, None, theirs.talk_seconds),)
    if not ours.ended:
        return (Difference(DriftKind.MISSING_WEBHOOK, ours.status.value, theirs.status.value),)
    found = [*_usage(ours, theirs), *_day(ours, theirs)]
    return tuple(found)


def _usage(ours: OurLeg, theirs: TheirLeg) -> list[Difference]:
    """Who talked, for how long, at which price: only the first that differs by more than a
    rounding, because the later ones follow from it."""
    completed = LegStatus.COMPLETED
    if (ours.status == completed) != (theirs.status == completed):
        return [Difference(DriftKind.STATUS, ours.status.value, theirs.status.value)]
    seconds = abs(ours.talk_seconds - theirs.talk_seconds)
    if seconds > SECOND_TOLERANCE:
        return [Difference(DriftKind.DURATION, ours.talk_seconds, theirs.talk_seconds)]
    found = []
    if seconds:
        found.append(Difference(DriftKind.ROUNDING, ours.talk_seconds, theirs.talk_seconds))
    if ours.cost_micros is not None and theirs.price_micros is not None:
        price = abs(ours.cost_micros - theirs.price_micros)
        if price > PRICE_TOLERANCE_MICROS:
            return [Difference(DriftKind.PRICE, ours.cost_micros, theirs.price_micros)]
        if price and not found:
            found.append(Difference(DriftKind.ROUNDING, ours.cost_micros, theirs.price_micros))
    return found


def _day(ours: OurLeg, theirs: TheirLeg) -> list[Difference]:
    """The carrier counts UTC days by its own clock; at midnight a call may fall on another."""
    if theirs.started_at is None:
        return []
    mine, yours = _utc_day(ours.started_at), _utc_day(theirs.started_at)
    if mine == yours:
        return []
    return [Difference(DriftKind.DAY_SHIFT, mine.isoformat(), yours.isoformat())]


def _utc_day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def outside_calls(category: str) -> bool:
    """Whether a category of the carrier's usage records costs beside the prices of calls,
    messages and numbers."""
    return category in OUTSIDE_CALLS or not category.startswith(WITHIN_PRICES)


def day_difference(calls_micros: int, billed_micros: int, legs: int) -> Difference | None:
    """The day's calls in the usage records against the sum of their prices, with a rounding's
    worth of slack for each leg."""
    if abs(billed_micros - calls_micros) <= PRICE_TOLERANCE_MICROS * max(1, legs):
        return None
    return Difference(DriftKind.OUTSIDE_CALL, calls_micros, billed_micros)
