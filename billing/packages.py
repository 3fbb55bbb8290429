"""Seconds paid in advance: which buckets a leg draws, in which order, and what is left to pay.

A bucket holds the seconds of one period of a package or of a pool; its ledger account has the
unit SECONDS, and its balance is what remains, so that remaining + used + expired == size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from billing.metering import LegUsage
from billing.rates import LegKind, Tariff
from billing.rating import RatedLeg, charge_micros
from billing.regions import RegionSet
from billing.tariffs import OverrunPrice
from billing.terms import Scope

BucketKind = Literal["package", "pool", "bundle"]

_ONE_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Seconds that may be drawn by legs between `starts_at` and `expires_at`, the end excluded.

    `continues` says that it takes over from an earlier bucket: a leg that runs across the
    change draws what falls after it. A bucket that does not continue another gives nothing to
    a leg that was already running (S1-02). `overdrawn` lets it go below zero, where the plan
    neither cuts a call nor charges the rest from the balance (S4-08).
    """

    id: UUID
    kind: BucketKind
    owner_id: UUID
    remaining_seconds: int
    starts_at: datetime
    expires_at: datetime
    leg_scope: frozenset[LegKind]
    number_type: str | None = None
    region_set: RegionSet | None = None
    scope: Scope = "account"
    priority: int = 100
    continues: bool = False
    overdrawn: bool = False


@dataclass(frozen=True, slots=True)
class LegMoment:
    """Who made a leg and when.

    `shares_with` is the agency whose billing the account shared when the leg began; that
    moment counts for the whole leg, also where the account moves while it runs (S1-14).
    """

    account_id: UUID
    number_e164: str
    began_at: datetime
    answered_at: datetime
    shares_with: UUID | None = None


class Draw(NamedTuple):
    bucket_id: UUID
    seconds: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """How a leg's billed seconds are met: draws and rest add up to them.

    `overrun_seconds` are those among the draws that the bucket no longer had.
    """

    draws: tuple[Draw, ...]
    rest_seconds: int
    overrun_seconds: int = 0

    @property
    def drawn_seconds(self) -> int:
        return sum(draw.seconds for draw in self.draws)

    def paid_seconds(self, overrun_price: OverrunPrice) -> int:
        """What money is due for: the rest, and the overrun unless the plan prices it zero."""
        return self.rest_seconds + (self.overrun_seconds if overrun_price == "plan" else 0)


def draw(billed_seconds: int, usage: LegUsage, buckets: Sequence[Bucket], at: LegMoment) -> Drawn:
    """Meet a leg's billed seconds from the buckets that it may draw, in their order.

    Order: own before shared, then the lower priority, then what expires sooner, then what
    started sooner. A bucket gives only seconds that lie in its own time, the earliest first;
    the leg is split where it ends or runs out. Call it under the lock that guards the
    buckets: two legs that race for the last minute are then two calls, one after the other.
    """
    usable = sorted(
        (bucket for bucket in buckets if may_draw(bucket, usage, at)),
        key=lambda b: (b.owner_id != at.account_id, b.priority, b.expires_at, b.starts_at, b.id),
    )
    open_ = [(0, billed_seconds)] if billed_seconds > 0 else []
    draws = []
    for bucket in usable:
        window = _window(bucket, billed_seconds, usage.talk_seconds, at.answered_at)
        seconds, open_ = _take(open_, window, max(0, bucket.remaining_seconds))
        if seconds:
            draws.append(Draw(bucket.id, seconds))
    overrun = 0
    for bucket in usable:
        if bucket.overdrawn:
            window = _window(bucket, billed_seconds, usage.talk_seconds, at.answered_at)
            seconds, open_ = _take(open_, window, billed_seconds)
            overrun += seconds
            _add(draws, bucket.id, seconds)
    return Drawn(tuple(draws), sum(end - start for start, end in open_), overrun)


def may_draw(bucket: Bucket, usage: LegUsage, at: LegMoment) -> bool:
    """Whether a leg is of the kind, number, place, account and time that a bucket is for."""
    if usage.kind not in bucket.leg_scope:
        return False
    if bucket.number_type is not None and bucket.number_type != usage.number_type:
        return False
    if at.began_at < bucket.starts_at and not bucket.continues:
        return False
    return _belongs(bucket, at) and _lies_inside(bucket.region_set, usage, at.number_e164)


def _belongs(bucket: Bucket, at: LegMoment) -> bool:
    if bucket.owner_id == at.account_id:
        return True
    return bucket.scope == "agency_shared" and bucket.owner_id == at.shares_with


def _lies_inside(region_set: RegionSet | None, usage: LegUsage, number_e164: str) -> bool:
    """Our number decides, and where the leg goes to a telephone, its number as well (S1-17)."""
    if region_set is None:
        return True
    if not region_set.covers(number_e164):
        return False
    return usage.target_kind != "number" or region_set.covers(usage.target_address)


def _window(
    bucket: Bucket, billed_seconds: int, talk_seconds: int, answered_at: datetime
) -> tuple[int, int]:
    """The billed seconds, counted from 0, that lie in a bucket's time."""

    def before(instant: datetime) -> int:
        elapsed = -((answered_at - instant) // _ONE_SECOND)  # a begun second counts as before
        if elapsed >= talk_seconds:
            return billed_seconds  # increments past the hang-up belong to its last second
        free = max(0, talk_seconds - billed_seconds)  # free seconds come first
        return min(max(0, elapsed - free), billed_seconds)

    return before(bucket.starts_at), before(bucket.expires_at)


def _take(
    stretches: list[tuple[int, int]], window: tuple[int, int], most: int
) -> tuple[int, list[tuple[int, int]]]:
    """Take up to so many seconds inside a window; also what is still open afterwards."""
    taken, left = 0, []
    for start, end in stretches:
        low = max(start, window[0])
        high = max(low, min(end, window[1], low + most - taken))
        taken += high - low
        left += [piece for piece in ((start, min(low, end)), (high, end)) if piece[0] < piece[1]]
    return taken, left


def _add(draws: list[Draw], bucket_id: UUID, seconds: int) -> None:
    if seconds == 0:
        return
    for index, earlier in enumerate(draws):
        if earlier.bucket_id == bucket_id:
            draws[index] = Draw(bucket_id, earlier.seconds + seconds)
            return
    draws.append(Draw(bucket_id, seconds))


def price_rest(rated: RatedLeg, paid_seconds: int, tariff: Tariff) -> int:
    """Micros for the part of a leg that no bucket met, at the plan's normal rate (S1-03).

    The connect fee comes with the first second that is paid in money: a leg met by buckets
    alone costs none. Rounded once, as every leg.
    """
    if rated.rate is None:
        return 0
    return charge_micros(rated.rate.per_minute_micros, paid_seconds, tariff)
