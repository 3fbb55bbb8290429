"""The minutes of a billing cycle: filled when it begins, reset, granted anew by an upgrade."""

from __future__ import annotations

import datetime as dt

from billing.calendar import Period, billing_cycle, local_date
from billing.memberships import shares_billing_at
from billing.minutes import issue_posting
from billing.pools import (
    PoolFigures,
    left_seconds,
    pool_bucket,
    pool_bucket_id,
    pool_figures,
    upgrade_seconds,
)
from gateway.services import plans
from gateway.services.ledger import Books
from gateway.services.plans import PlanVersion
from gateway.store import accounts as account_store
from gateway.store import buckets, memberships, plan_changes
from gateway.store.accounts import Account
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

CATCH_UP_CYCLES_MAX = 24
OWN_GRANT = 0
"""The number of a cycle's own grant; upgrades count from one on."""


def cycle_of(version: PlanVersion, zone: str, at: dt.datetime) -> Period:
    """The plan's anchor day says where cycles begin (S4-02)."""
    return billing_cycle(version.plan.terms.statement.anchor_day, at, zone)


def number_of(cycle: Period) -> int:
    """Months since the year 0: the same cycle has the same number in every year's reckoning."""
    return cycle.starts_on.year * 12 + cycle.starts_on.month


def begin(uow: UnitOfWork, opened: Books) -> None:
    """A new account on a plan with minutes has them at once, all of them."""
    version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
    pool = version.plan.terms.allowance
    if pool is not None:
        cycle = cycle_of(version, opened.locked.time_zone, uow.now)
        _grant(uow, opened, version, cycle, pool.size_seconds, OWN_GRANT, uow.now)


def reset(uow: UnitOfWork, opened: Books) -> None:
    """Fill each cycle that began since the last one, also after a downtime. A reset sets: what
    was left stays in its own bucket and expires there (S4-06)."""
    version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
    pool = version.plan.terms.allowance
    last = buckets.last_pool(uow.connection, opened.scope)
    if pool is None or last is None:
        return
    zone = opened.locked.time_zone
    starts_at = last.ends_at
    for _ in range(CATCH_UP_CYCLES_MAX):
        if starts_at > uow.now:
            return
        cycle = cycle_of(version, zone, starts_at)
        if number_of(cycle) > last.n:
            _grant(uow, opened, version, cycle, pool.size_seconds, OWN_GRANT, starts_at)
            if version.plan.terms.exhaustion == "auto_upgrade":
                plan_changes.call_off(uow.connection, opened.scope, now=uow.now)
        starts_at = cycle.ends_at


def upgrade(uow: UnitOfWork, opened: Books, old: PlanVersion, new: PlanVersion) -> int:
    """What a change of plan grants at once: the full complement wherever the cycle is, or the part
    that the plan says; once for each cycle, however often the plan goes up and down (S4-05).

    Answers the seconds. A smaller plan grants nothing now: the cycle's minutes stay until it ends.
    """
    pool, before = new.plan.terms.allowance, old.plan.terms.allowance
    if pool is None or (before is not None and pool.minutes <= before.minutes):
        return 0
    zone = opened.locked.time_zone
    cycle = cycle_of(new, zone, uow.now)
    granted = upgrade_grants(uow, opened.scope, cycle)
    seconds = upgrade_seconds(
        pool,
        cycle,
        local_date(uow.now, zone),
        share=new.plan.terms.upgrade.allowance,
        granted_seconds=granted,
    )
    if seconds == 0:
        return 0
    if not granted:
        _end_now(uow, opened.scope)
    _grant(uow, opened, new, cycle, seconds, len(granted) + 1, uow.now)
    return seconds


def upgrade_grants(uow: UnitOfWork, scope: Scope, cycle: Period) -> list[int]:
    """Seconds that upgrades of a cycle granted so far."""
    of_cycle = [
        bucket
        for bucket in buckets.of_cycle(uow.connection, scope, number_of(cycle))
        if bucket.upgrade > OWN_GRANT
    ]
    moved = buckets.moved(uow.connection, scope.tenant_id, [b.id for b in of_cycle])
    return [moved[bucket.id][0] for bucket in of_cycle]


def _end_now(uow: UnitOfWork, scope: Scope) -> None:
    """The cycle's own bucket gives up to the upgrade; the greater one gives from it on."""
    for bucket in buckets.open_of(uow.connection, scope.tenant_id, [scope.account_id]):
        if bucket.kind == "pool" and bucket.ends_at > uow.now:
            look_at = uow.now + dt.timedelta(seconds=1)  # what follows it is there already
            buckets.change(
                uow.connection, scope.tenant_id, bucket.id, ends_at=uow.now, look_at=look_at
            )


def _grant(
    uow: UnitOfWork,
    opened: Books,
    version: PlanVersion,
    cycle: Period,
    seconds: int,
    upgrade: int,
    starts_at: dt.datetime,
) -> None:
    pool = version.plan.terms.allowance
    assert pool is not None
    bucket_id = pool_bucket_id(opened.scope.account_id, number_of(cycle), upgrade)
    bucket = pool_bucket(
        pool,
        version.plan,
        bucket_id=bucket_id,
        owner_id=opened.scope.account_id,
        remaining_seconds=0,
        cycle=cycle,
    )
    if seconds:
        opened.postings.append(
            issue_posting(
                bucket,
                seconds=seconds,
                at=uow.now,
                plan_version_id=version.id,
                description=f"Minutes of the cycle from {cycle.starts_on:%d %b %Y}",
            )
        )
    buckets.add(
        uow.connection,
        opened.scope,
        bucket_id=bucket_id,
        kind="pool",
        plan_version_id=version.id,
        n=number_of(cycle),
        upgrade=upgrade,
        starts_at=starts_at,
        ends_at=cycle.ends_at,
    )
    account_store.change(uow.connection, opened.scope, {"draws_minutes": True})


def figures(uow: UnitOfWork, account: Account) -> PoolFigures | None:
    """Allocated, used and remaining in the cycle that runs (S4-03), bundles with it; None without
    either. A client that shares its agency's billing sees the agency's, and its own bundles."""
    if not account.draws_minutes:
        return None
    owner = owner_of(uow, account)
    running = [
        bucket
        for bucket in buckets.open_of(uow.connection, owner.tenant_id, {owner.id, account.id})
        if bucket.kind in ("pool", "bundle") and bucket.starts_at <= uow.now < bucket.ends_at
    ]
    if not running:
        return None
    moved = buckets.moved(uow.connection, owner.tenant_id, [b.id for b in running])
    version = plans.plan_version(uow.connection, running[-1].plan_version_id)
    return pool_figures(
        sum(moved[bucket.id][0] for bucket in running),
        [bucket.remaining_seconds for bucket in running],
        cycle_of(version, owner.time_zone, uow.now),
    )


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
