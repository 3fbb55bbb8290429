"""The minutes of a billing cycle: figures for every screen, upgrades, resets, the gate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from billing.calendar import Period, billing_cycle, local_date
from billing.lifecycle import Allowed, RefusalReason, Refused
from billing.packages import Bucket
from billing.tariffs import Plan
from billing.terms import SECONDS_PER_MINUTE, Pool, Share, Terms


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """Time allocated, used and remaining in a cycle, in seconds (S4-03).

    What a call used beyond all that was left is the overrun: it takes nothing from minutes that
    are bought later, and remaining never shows below zero.
    """

    allocated_seconds: int
    remaining_seconds: int
    overrun_seconds: int
    cycle_starts_on: date
    cycle_ends_on: date

    @property
    def used_seconds(self) -> int:
        return self.allocated_seconds - self.remaining_seconds + self.overrun_seconds


def pool_figures(
    allocated_seconds: int, balances_seconds: Sequence[int], cycle: Period
) -> PoolFigures:
    """Figures from the ledger alone: what was issued, and how each bucket stands now."""
    return PoolFigures(
        allocated_seconds,
        left_seconds(balances_seconds),
        -sum(balance for balance in balances_seconds if balance < 0),
        cycle.starts_on,
        cycle.ends_on,
    )


def left_seconds(balances_seconds: Sequence[int]) -> int:
    """What buckets still give: one that is overdrawn takes nothing from the others."""
    return sum(balance for balance in balances_seconds if balance > 0)


def left_to(buckets: Iterable[Bucket], owner_id: UUID, at: datetime) -> int:
    """What the buckets of one owner give to a call that begins at an instant."""
    return left_seconds(
        [
            bucket.remaining_seconds
            for bucket in buckets
            if bucket.owner_id == owner_id and bucket.starts_at <= at < bucket.expires_at
        ]
    )


def pool_bucket_id(subscription_id: UUID, cycle: int, grant: int = 0) -> UUID:
    """A cycle's pool; each upgrade within it is a further grant with a bucket of its own."""
    return uuid5(subscription_id, f"pool:{cycle}:{grant}")


def pool_bucket(
    pool: Pool,
    plan: Plan,
    *,
    bucket_id: UUID,
    owner_id: UUID,
    remaining_seconds: int,
    cycle: Period,
) -> Bucket:
    """A reset sets, it does not add: the old cycle's bucket keeps its own seconds (S4-06).

    A call across the reset draws each cycle for the seconds that lie in it. After an upgrade
    the cycle has two buckets, where it was `full` one up to the upgrade and one from it; `cycle`
    is then that part.
    """
    return Bucket(
        id=bucket_id,
        kind="pool",
        owner_id=owner_id,
        remaining_seconds=remaining_seconds,
        starts_at=cycle.starts_at,
        expires_at=cycle.ends_at,
        leg_scope=pool.leg_scope,
        scope=pool.scope,
        continues=True,
        overdrawn=plan.terms.minutes_are_all,
    )


@dataclass(frozen=True, slots=True)
class PoolGrant:
    """So many seconds, and the sum that says why."""

    seconds: int
    formula: str


NOTHING = PoolGrant(0, "0")


@dataclass(frozen=True, slots=True)
class Given:
    """What the cycle that runs was given so far: the minutes of the greatest plan that gave any,
    its own or an upgrade, and whether they stay beside a full complement: because an upgrade gave
    one before, or because so much rolled over that more is left than the complement."""

    minutes: int = 0
    stays: bool = False


NOTHING_GIVEN = Given()


class CycleGrant(NamedTuple):
    """A grant of the cycle that runs: by which plan, whether by an upgrade, and the seconds that it
    still gives."""

    terms: Terms
    by_upgrade: bool
    left_seconds: int


def given_in(grants: Iterable[CycleGrant], pool: Pool | None) -> Given:
    """What a cycle was given before a plan with `pool` comes to it."""
    minutes, left, in_full = 0, 0, False
    for grant in grants:
        assert grant.terms.allowance is not None, "a pool's bucket comes from a plan with a pool"
        minutes = max(minutes, grant.terms.allowance.minutes)
        in_full |= grant.by_upgrade and grant.terms.upgrade.allowance == "full"
        left += grant.left_seconds
    return Given(minutes, in_full or (pool is not None and left > pool.size_seconds))


def takes_all(share: Share, given: Given) -> bool:
    """Whether an upgrade takes the place of what the cycle had."""
    return share == "full" and not given.stays


def next_cycle(
    pool: Pool, anchor_day: int, starts_at: datetime, zone: str
) -> tuple[Period, PoolGrant]:
    """The cycle that begins where the one before ended, and its minutes: up to a new day of the
    plan a short one, which then starts on `starts_on` with its share."""
    cycle, on = billing_cycle(anchor_day, starts_at, zone), local_date(starts_at, zone)
    return replace(cycle, starts_on=on, starts_at=starts_at), cycle_grant(pool, cycle, on)


def cycle_grant(pool: Pool, cycle: Period, on: date) -> PoolGrant:
    """What a cycle begins with: all the minutes of the plan.

    Where the day of the cycle was changed, the old cycle lasts to its own end, `on`, and what is
    left then until the new day has its share by calendar days, rounded down.
    """
    left, days = cycle.days_left(on), cycle.days
    whole = f"{pool.minutes} × {SECONDS_PER_MINUTE}"
    if left == days:
        return PoolGrant(pool.size_seconds, whole)
    return PoolGrant(pool.size_seconds * left // days, f"floor({whole} × {left} / {days})")


def upgrade_grant(
    new: Pool, cycle: Period, on: date, *, share: Share, given: Given = NOTHING_GIVEN
) -> PoolGrant:
    """What an upgrade grants in the cycle that runs.

    `full` is the whole complement whatever day it is (S4-05), in the place of what the cycle had;
    where that stays, what the plan has more. `prorated` comes beside what the cycle has: what the
    plan has more, for the days left, rounded down. Once is enough: a plan that has no more than one
    that gave some in this cycle grants nothing.
    """
    if new.minutes <= given.minutes:
        return NOTHING
    if takes_all(share, given):
        return PoolGrant(new.size_seconds, f"{new.minutes} × {SECONDS_PER_MINUTE}")
    more = f"({new.minutes} - {given.minutes})" if given.minutes else f"{new.minutes}"
    formula = f"{more} × {SECONDS_PER_MINUTE}"
    seconds = (new.minutes - given.minutes) * SECONDS_PER_MINUTE
    if share == "prorated":
        left, days = cycle.days_left(on), cycle.days
        seconds, formula = seconds * left // days, f"floor({formula} × {left} / {days})"
    return PoolGrant(seconds, formula)


def may_start_on_pool(
    terms: Terms, remaining_seconds: int, live_seconds: int = 0, *, upgrade_comes: bool = False
) -> Allowed | Refused:
    """The gate of a plan whose minutes are all there is (S4-09).

    `live_seconds` are what running calls have used and nobody has drawn: while one call
    overruns, a second is refused. Where the plan upgrades by itself, `upgrade_comes` says that
    more minutes are on their way; an upgrade that waits for money brings none.
    """
    if not terms.minutes_are_all or remaining_seconds - live_seconds > 0:
        return Allowed()
    cure = "upgrade the plan to take calls again."
    if terms.exhaustion == "auto_upgrade":
        if upgrade_comes:
            return Allowed()
        cure = "top up what the upgrade waits for, or choose a larger plan, to take calls again."
    words = f"The minutes of this cycle are used up: {cure}"
    return Refused(RefusalReason.MINUTES_EXHAUSTED, words)
