"""A plan that was never in force: the minutes and the credit of its cycles, and the plans to which
it would have led by itself, by the rules that renewals and upgrades use.

Whether the balance would have covered an upgrade is not asked, as it is not asked of calls; and
what would have rolled over is not known.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from billing import included
from billing.calendar import Period, local_date
from billing.packages import Bucket
from billing.pools import (
    NOTHING_GIVEN,
    CycleGrant,
    PoolGrant,
    cycle_grant,
    given_in,
    next_cycle,
    pool_bucket,
    pool_bucket_id,
    takes_all,
    upgrade_grant,
)
from billing.subscriptions import Subscription, preview_change
from gateway.services import pools
from gateway.services.accounts import Account
from gateway.services.plans import PlanVersion


@dataclass(frozen=True, slots=True)
class Step:
    """From one plan to the next by itself; `fee_micros` is due at once where access was paid."""

    at: dt.datetime
    version: PlanVersion
    fee_micros: int


@dataclass(slots=True)
class CreditCycle:
    """Included credit of a cycle, from its first grant on; `cost_micros` is what calls and texts
    would have cost since."""

    whole: Period
    starts_on: dt.date  # the first of its days: of a short cycle a later one
    starts_at: dt.datetime
    shared: bool
    own_micros: int  # of the plan that it began with
    granted_micros: int
    added_micros: int = 0
    cost_micros: int = 0

    @property
    def drawn_micros(self) -> int:
        granted = self.granted_micros + self.added_micros
        return included.drawn_micros(granted, self.cost_micros)


@dataclass(slots=True)
class Imagined:
    """Along a period, in the order of its legs: `turn` begins cycles, `upgrade` takes a step.

    `has_minutes` is False where the ledger has the minutes that the plan gave.
    """

    account: Account
    first: PlanVersion
    since: dt.datetime
    until: dt.datetime
    has_minutes: bool
    steps: list[Step] = field(default_factory=list)
    credit: list[CreditCycle] = field(default_factory=list)
    _cycle: Period | None = None
    _grants: list[tuple[Bucket, PlanVersion]] = field(default_factory=list)  # of `_cycle`
    _access: Subscription | None = None

    def __post_init__(self) -> None:
        if self.account.billing == "own":  # else its agency's credit pays
            self._begin_credit(self.since)
        if self.first.plan.terms.access_fee.month_micros:
            self._access = self._subscribe(self.account.created_at)

    @property
    def version(self) -> PlanVersion:
        """The plan as far as it was led."""
        return self.steps[-1].version if self.steps else self.first

    def version_at(self, at: dt.datetime) -> PlanVersion:
        """The plan of a call that began then."""
        return next((step.version for step in reversed(self.steps) if step.at <= at), self.first)

    def turn(self, at: dt.datetime) -> Iterator[Bucket]:
        """Fill each cycle that began by then, the first one whole."""
        pool, zone = self.version.plan.terms.allowance, self.account.time_zone
        if not self.has_minutes:
            return
        while pool is not None and (self._cycle is None or self._cycle.ends_at <= at):
            if self._cycle is None:
                cycle = pools.cycle_of(self.version, zone, self.since)
                grant = cycle_grant(pool, cycle, cycle.starts_on)
            else:
                anchor_day = self.version.plan.terms.statement.anchor_day
                cycle, grant = next_cycle(pool, anchor_day, self._cycle.ends_at, zone)
            self._cycle = cycle
            self._grants.clear()
            yield self._fill(cycle, grant)

    def upgrade(
        self, at: dt.datetime, wanted: PlanVersion, left_of: Callable[[Bucket], int]
    ) -> tuple[list[Bucket], Bucket | None]:
        """The next plan follows: its fee, its credit and its minutes. Answers what ends now, and
        what is granted; `left_of` a bucket is what the replay left in it."""
        zone, on = self.account.time_zone, local_date(at, self.account.time_zone)
        pool, share = wanted.plan.terms.allowance, wanted.plan.terms.upgrade.allowance
        assert pool is not None, "a plan that follows by itself has more minutes"
        given = NOTHING_GIVEN
        if self._cycle is not None:
            grants = [
                CycleGrant(version.plan.terms, place > 0, left_of(bucket))
                for place, (bucket, version) in enumerate(self._grants)
            ]
            given = given_in(grants, pool)
        cycle = self._cycle or pools.cycle_of(wanted, zone, at)
        whole = pools.cycle_of(self._grants[0][1] if self._grants else wanted, zone, at)
        grant = upgrade_grant(pool, whole, on, share=share, given=given)
        fee = self._fee(at, wanted, whole)
        self.steps.append(Step(at, wanted, fee))
        self._upgrade_credit(at, wanted)
        self._cycle = cycle
        if grant.seconds == 0:
            return [], None
        ended = []
        if takes_all(share, given):
            ended = [bucket for bucket, _ in self._grants if bucket.expires_at > at]
        return ended, self._fill(replace(cycle, starts_at=at), grant)

    def _fill(self, cycle: Period, grant: PoolGrant) -> Bucket:
        version = self.version
        assert version.plan.terms.allowance is not None
        number = cycle.starts_on.toordinal()
        bucket = pool_bucket(
            version.plan.terms.allowance,
            version.plan,
            bucket_id=pool_bucket_id(version.id, number, len(self._grants)),
            owner_id=self.account.id,
            remaining_seconds=grant.seconds,
            cycle=cycle,
        )
        self._grants.append((bucket, version))
        return bucket

    # Access.

    def _subscribe(self, at: dt.datetime) -> Subscription:
        return Subscription(
            id=self.account.id,
            account_id=self.account.id,
            term="month",
            zone=self.account.time_zone,
            anchor=local_date(at, self.account.time_zone),
            started_at=at,
        )

    def _fee(self, at: dt.datetime, wanted: PlanVersion, cycle: Period) -> int:
        """0 where the plan before had no access fee: the first term of the next begins."""
        if self._access is None:
            if wanted.plan.terms.access_fee.month_micros:
                self._access = self._subscribe(at)
            return 0
        return preview_change(
            self.version.plan,
            wanted.plan,
            term_period=self._access.current_period(at),
            cycle=cycle,
            on=local_date(at, self.account.time_zone),
        ).fee_micros

    def access_micros(self) -> int:
        """The fees of the months that began in the period, and those of the steps."""
        fees = sum(step.fee_micros for step in self.steps)
        n = 0
        while self._access is not None:
            at = self._access.period(n).starts_at
            if at >= self.until:
                break
            if at >= self.since:
                fees += self.version_at(at).plan.terms.access_fee.month_micros
            n += 1
        return fees

    # Included credit.

    def _begin_credit(self, at: dt.datetime) -> None:
        """From an instant on, to the end of the period; the first cycle of all is whole."""
        version, zone = self.version, self.account.time_zone
        terms = version.plan.terms.included
        while terms.credit_micros and at < self.until:
            cycle = pools.cycle_of(version, zone, at)
            on = local_date(at, zone) if self.credit or self.steps else cycle.starts_on
            self.credit.append(
                CreditCycle(
                    cycle,
                    on,
                    max(at, cycle.starts_at) if self.credit or self.steps else cycle.starts_at,
                    terms.scope == "agency_shared",
                    terms.credit_micros,
                    included.cycle_grant(terms.credit_micros, cycle, on).micros,
                )
            )
            at = cycle.ends_at

    def _upgrade_credit(self, at: dt.datetime, wanted: PlanVersion) -> None:
        terms, zone = wanted.plan.terms.included, self.account.time_zone
        if self.account.billing != "own":
            return
        self.credit = [cycle for cycle in self.credit if cycle.starts_at <= at]
        running = self.credit[-1] if self.credit and at < self.credit[-1].whole.ends_at else None
        whole = running.whole if running else pools.cycle_of(wanted, zone, at)
        in_full = wanted.plan.terms.upgrade.allowance == "full"
        begun_on = running.starts_on if running else whole.starts_on
        grant = included.upgrade_grant(
            terms.credit_micros,
            whole,
            begun_on if in_full else local_date(at, zone),
            own_micros=running.own_micros if running else 0,
            added_micros=running.added_micros if running else 0,
        )
        if running is not None:
            running.added_micros += grant.micros
        elif grant.micros:
            shared = terms.scope == "agency_shared"
            self.credit.append(CreditCycle(whole, begun_on, at, shared, 0, 0, grant.micros))
        self._begin_credit(whole.ends_at)

    def charge(self, at: dt.datetime, micros: int, *, own: bool) -> None:
        """What a call or a text would have cost, its own or a client's, at the instant whose credit
        it draws."""
        place = bisect_right(self.credit, at, key=lambda cycle: cycle.starts_at)
        if place and (own or self.credit[place - 1].shared):
            self.credit[place - 1].cost_micros += micros
