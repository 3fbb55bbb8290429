"""The minutes of a billing cycle: filled when it begins, reset, granted anew by an upgrade."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from billing.calendar import Period, billing_cycle, local_date
from billing.memberships import shares_billing_at
from billing.minutes import issue_posting
from billing.pools import (
    NOTHING_GIVEN,
    CycleGrant,
    Given,
    PoolFigures,
    PoolGrant,
    cycle_grant,
    given_in,
    left_seconds,
    next_cycle,
    pool_bucket,
    pool_bucket_id,
    pool_figures,
    takes_all,
    upgrade_grant,
)
from gateway.services import plans
from gateway.services.ledger import Books
from gateway.services.plans import PlanVersion
from gateway.store import accounts as account_store
from gateway.store import buckets, memberships, plan_changes
from gateway.store import included_credit as credit_store
from gateway.store.accounts import Account
from gateway.store.base import Scope
from gateway.store.buckets import StoredBucket
from gateway.uow import UnitOfWork

CATCH_UP_CYCLES_MAX = 24
OWN_GRANT = 0
"""The number of a cycle's own grant; upgrades count from one on."""
CLEAR_OF_THE_END = dt.timedelta(days=2)
"""Before the end of a cycle, and well inside it by the clock of whatever zone."""


def cycle_of(version: PlanVersion, zone: str, at: dt.datetime) -> Period:
    """The plan's anchor day says where cycles begin (S4-02)."""
    return billing_cycle(version.plan.terms.statement.anchor_day, at, zone)


def number_of(cycle: Period) -> int:
    """Months since the year 0: the same cycle has the same number in every year's reckoning. An
    account's first pool has it, and its first credit; each later one of it has the next number,
    also where the day of the cycle moves."""
    return cycle.starts_on.year * 12 + cycle.starts_on.month


def running(uow: UnitOfWork, scope: Scope, zone: str, version: PlanVersion) -> Period:
    """The account's cycle that runs: what minutes, credit and bundles of "the cycle" end with.

    One that has begun keeps its end whatever plan follows; until it has minutes or credit of any,
    the day of its plan says it.
    """
    pool = buckets.last_pool(uow.connection, scope)
    if pool is not None and pool.ends_at > uow.now:
        return _cycle_of_bucket(uow, scope, pool, zone)
    credit = credit_store.last_of(uow.connection, scope)
    if credit is not None and credit.ends_at > uow.now:
        return whole_cycle(uow, credit.plan_version_id, zone, credit.ends_at)
    return cycle_of(version, zone, uow.now)


def whole_cycle(
    uow: UnitOfWork, plan_version_id: uuid.UUID, zone: str, ends_at: dt.datetime
) -> Period:
    """The cycle that ends then, by the day of the plan that it began with: all its days, of which
    the account may have had the last ones alone."""
    inside = ends_at - CLEAR_OF_THE_END
    cycle = cycle_of(plans.plan_version(uow.connection, plan_version_id), zone, inside)
    if cycle.ends_at - ends_at > CLEAR_OF_THE_END:  # minutes that joined a credit's cycle
        cycle = billing_cycle(local_date(ends_at, zone).day, inside, zone)
    return replace(cycle, ends_at=ends_at)


def cycle_at(
    uow: UnitOfWork, scope: Scope, zone: str, version: PlanVersion, at: dt.datetime
) -> Period:
    """The account's cycle that an instant lies in, now or long ago: one of which it had minutes or
    credit, whatever plan followed; else that of its plan's day, as far as none of those begins."""
    planned = cycle_of(version, zone, at)
    behind = [
        found
        for found in (
            buckets.cycle_behind(uow.connection, scope, at),
            credit_store.cycle_behind(uow.connection, scope, at),
        )
        if found is not None
    ]
    if not behind:
        return planned
    plan_version_id, ends_at = min(behind, key=lambda found: found[1])
    had = whole_cycle(uow, plan_version_id, zone, ends_at)
    if had.starts_at <= at:
        return had
    ends_on, ends_at = min((planned.ends_on, planned.ends_at), (had.starts_on, had.starts_at))
    return replace(planned, ends_on=ends_on, ends_at=ends_at)


def number_now(uow: UnitOfWork, scope: Scope, zone: str, version: PlanVersion) -> int:
    """Of the account's cycle that runs, or is about to begin."""
    last = buckets.last_pool(uow.connection, scope)
    if last is None:
        return number_of(cycle_of(version, zone, uow.now))
    return last.n if last.ends_at > uow.now else last.n + 1


def begin(uow: UnitOfWork, opened: Books) -> None:
    """A new account on a plan with minutes has them at once, all of them."""
    version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
    pool = version.plan.terms.allowance
    if pool is not None:
        cycle = cycle_of(version, opened.locked.time_zone, uow.now)
        whole = cycle_grant(pool, cycle, cycle.starts_on)
        _grant(uow, opened, version, whole, _Place(number_of(cycle), cycle, uow.now))


def reset(uow: UnitOfWork, opened: Books) -> None:
    """Fill each cycle that began since the last one, also after a downtime. A reset sets: what
    was left stays in its own bucket and expires there (S4-06).

    A cycle begins where the last one ended, so that no day is without minutes, whatever the day
    of the cycle is now; up to a new day it is a short one, with its share of the minutes.
    """
    version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
    pool = version.plan.terms.allowance
    last = buckets.last_pool(uow.connection, opened.scope)
    if pool is None or last is None:
        return
    zone = opened.locked.time_zone
    starts_at, n = last.ends_at, last.n
    for _ in range(CATCH_UP_CYCLES_MAX):
        if starts_at > uow.now:
            return
        anchor_day, n = version.plan.terms.statement.anchor_day, n + 1
        cycle, grant = next_cycle(pool, anchor_day, starts_at, zone)
        _grant(uow, opened, version, grant, _Place(n, cycle, starts_at))
        if version.plan.terms.exhaustion == "auto_upgrade":
            plan_changes.call_off(uow.connection, opened.scope, now=uow.now)
        starts_at = cycle.ends_at


def upgrade(uow: UnitOfWork, opened: Books, old: PlanVersion, new: PlanVersion) -> int:
    """What a change of plan grants at once: the full complement wherever the cycle is, or the part
    that the plan says; once for each cycle, however often the plan goes up and down (S4-05).

    Answers the seconds. It takes none away: a full complement is more than what it takes the place
    of, a part comes beside it, and a smaller plan leaves the cycle's minutes until it ends. A cycle
    keeps its end whatever the day of the new plan: `reset` goes on from there.
    """
    pool, zone = new.plan.terms.allowance, opened.locked.time_zone
    cycle, given = given_so_far(uow, opened.scope, zone, old, new)
    if pool is None or given is None:
        return 0
    share, on = new.plan.terms.upgrade.allowance, local_date(uow.now, zone)
    grant = upgrade_grant(pool, cycle, on, share=share, given=given)
    if grant.seconds == 0:
        return 0
    n = number_now(uow, opened.scope, zone, new)
    before = buckets.of_cycle(uow.connection, opened.scope, n)
    number = before[-1].upgrade + 1 if before else OWN_GRANT + 1
    if takes_all(share, given):
        _end_now(uow, opened.scope)
    _grant(uow, opened, new, grant, _Place(n, cycle, uow.now, number))
    return grant.seconds


def given_so_far(
    uow: UnitOfWork, scope: Scope, zone: str, old: PlanVersion, new: PlanVersion
) -> tuple[Period, Given | None]:
    """The cycle in which a change of plan grants now, and what was given in it. None where the
    last one is over: `reset` begins the next under the new plan, with all that it has."""
    last = buckets.last_pool(uow.connection, scope)
    if last is None or last.ends_at <= uow.now:
        begins = last is not None and old.plan.terms.allowance is not None
        return running(uow, scope, zone, new), None if begins else NOTHING_GIVEN
    grants = [
        CycleGrant(
            plans.plan_version(uow.connection, bucket.plan_version_id).plan.terms,
            bucket.upgrade > OWN_GRANT,
            max(0, bucket.remaining_seconds) if bucket.ends_at > uow.now else 0,
        )
        for bucket in buckets.of_cycle(uow.connection, scope, last.n)
    ]
    given = given_in(grants, new.plan.terms.allowance)
    return _cycle_of_bucket(uow, scope, last, zone), given


def _cycle_of_bucket(uow: UnitOfWork, scope: Scope, stored: StoredBucket, zone: str) -> Period:
    """By the day of the plan that began the cycle; that of an upgrade may be another."""
    first = stored
    if stored.upgrade > OWN_GRANT:
        first = buckets.of_cycle(uow.connection, scope, stored.n)[0]
    return whole_cycle(uow, first.plan_version_id, zone, stored.ends_at)


def takes_the_place_of(upgrade: StoredBucket, before: StoredBucket) -> bool:
    """Whether a grant ended when an upgrade of its cycle came."""
    return (
        (upgrade.account_id, upgrade.n) == (before.account_id, before.n)
        and upgrade.upgrade > before.upgrade
        and upgrade.starts_at == before.ends_at
    )


def _end_now(uow: UnitOfWork, scope: Scope) -> None:
    """What the cycle has gives up to the upgrade; the full complement gives from it on."""
    for bucket in buckets.open_of(uow.connection, scope.tenant_id, [scope.account_id]):
        if bucket.kind == "pool" and bucket.ends_at > uow.now:
            look_at = uow.now + dt.timedelta(seconds=1)  # what follows it is there already
            buckets.change(
                uow.connection, scope.tenant_id, bucket.id, ends_at=uow.now, look_at=look_at
            )


@dataclass(frozen=True, slots=True)
class _Place:
    """Of a grant: the number of its cycle, which one it is there, and since when it is good."""

    n: int
    cycle: Period
    starts_at: dt.datetime
    upgrade: int = OWN_GRANT


def _grant(
    uow: UnitOfWork, opened: Books, version: PlanVersion, grant: PoolGrant, place: _Place
) -> None:
    pool = version.plan.terms.allowance
    assert pool is not None
    bucket_id = pool_bucket_id(opened.scope.account_id, place.n, place.upgrade)
    bucket = pool_bucket(
        pool,
        version.plan,
        bucket_id=bucket_id,
        owner_id=opened.scope.account_id,
        remaining_seconds=0,
        cycle=place.cycle,
    )
    if grant.seconds:
        opened.postings.append(
            issue_posting(
                bucket,
                seconds=grant.seconds,
                at=uow.now,
                plan_version_id=version.id,
                description=f"Minutes of the cycle from {place.cycle.starts_on:%d %b %Y}",
                formula=grant.formula,
            )
        )
    buckets.add(
        uow.connection,
        opened.scope,
        bucket_id=bucket_id,
        kind="pool",
        plan_version_id=version.id,
        n=place.n,
        upgrade=place.upgrade,
        starts_at=place.starts_at,
        ends_at=place.cycle.ends_at,
    )
    account_store.change(uow.connection, opened.scope, {"draws_minutes": True})


def figures(uow: UnitOfWork, account: Account) -> PoolFigures | None:
    """Allocated, used and remaining in the cycle that runs (S4-03), bundles with it; None without
    either. A client that shares its agency's billing sees the agency's, and its own bundles."""
    if not account.draws_minutes:
        return None
    owner = owner_of(uow, account)
    drawn = [
        bucket
        for bucket in buckets.open_of(uow.connection, owner.tenant_id, {owner.id, account.id})
        if bucket.kind in ("pool", "bundle") and bucket.starts_at <= uow.now < bucket.ends_at
    ]
    if not drawn:
        return None
    moved = buckets.moved(uow.connection, owner.tenant_id, [b.id for b in drawn])
    return pool_figures(
        sum(moved[bucket.id][0] for bucket in drawn),
        [bucket.remaining_seconds for bucket in drawn],
        _cycle_shown(uow, owner, drawn),
    )


def _cycle_shown(uow: UnitOfWork, owner: Account, drawn: Sequence[StoredBucket]) -> Period:
    """That of the pool; with bundles alone, the account's. It begins where the one before ended."""
    pool = next((bucket for bucket in drawn if bucket.kind == "pool"), None)
    if pool is None:
        version = plans.plan_version(uow.connection, drawn[-1].plan_version_id)
        scope = Scope(owner.tenant_id, drawn[-1].account_id)
        return running(uow, scope, owner.time_zone, version)
    scope = Scope(owner.tenant_id, pool.account_id)
    cycle = _cycle_of_bucket(uow, scope, pool, owner.time_zone)
    if pool.starts_at > cycle.starts_at:
        for before in buckets.of_cycle(uow.connection, scope, pool.n - 1):
            day = local_date(before.ends_at, owner.time_zone)
            cycle = replace(cycle, starts_on=max(cycle.starts_on, day))
    return cycle


def owner_of(uow: UnitOfWork, account: Account) -> Account:
    """Whose minutes and money an account uses now."""
    if account.billing != "agency_shared" or account.parent_id is None:
        return account
    agency = account_store.find(uow.connection, Scope(account.tenant_id, account.parent_id))
    assert agency is not None, "a parent stays in its tenant"
    return agency


def remaining_seconds(uow: UnitOfWork, scope: Scope) -> int:
    """What a call that begins now may draw: every bucket that runs, packages and bundles too; the
    agency's for a client that shares its billing."""
    owners = [scope.account_id]
    if scope.account_id != scope.tenant_id:
        changes = memberships.changes_of(uow.connection, scope)
        if shares_billing_at(changes, uow.now):
            owners.append(scope.tenant_id)
    return left_seconds(
        [
            bucket.remaining_seconds
            for bucket in buckets.open_of(uow.connection, scope.tenant_id, owners)
            if bucket.starts_at <= uow.now < bucket.ends_at
        ]
    )
