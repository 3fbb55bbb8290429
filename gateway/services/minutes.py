"""Buckets of seconds under the account's lock: who may draw them, and how they stand.

The tenant's chain guards an agency's buckets too: every writer of seconds holds it
(`lock_books`), so two legs of two clients that race for the last minute come one after the other.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, replace
from typing import cast

from billing.bundles import bundle_bucket
from billing.calendar import Period
from billing.memberships import BillingChange, shares_billing_at
from billing.metering import LegUsage
from billing.minutes import bucket_account, draw_posting
from billing.packages import Bucket, BucketKind, Drawn, LegMoment, draw
from billing.pools import left_to, pool_bucket
from billing.postings import Posting
from gateway.services import plans
from gateway.store import buckets, memberships
from gateway.store.base import Scope
from gateway.store.buckets import StoredBucket
from gateway.store.ledger import LockedBooks
from gateway.uow import UnitOfWork

__all__ = ["Minutes", "RenewFirst", "bucket_account", "bucket_of", "open_minutes"]


@dataclass(slots=True)
class Minutes:
    """The open buckets that an account's legs may draw, kept current while they do."""

    scope: Scope
    agency_id: uuid.UUID | None
    changes: tuple[BillingChange, ...]
    buckets: dict[uuid.UUID, Bucket]

    def shares_with(self, began_at: dt.datetime) -> uuid.UUID | None:
        """The agency that paid when a call began; the whole call is then its (S1-14)."""
        if self.agency_id is None or not shares_billing_at(self.changes, began_at):
            return None
        return self.agency_id

    def left_seconds(self, owner_id: uuid.UUID, now: dt.datetime) -> int:
        """What the buckets of one owner still give to a call that begins now."""
        return left_to(self.buckets.values(), owner_id, now)

    def draw(self, billed_seconds: int, usage: LegUsage, at: LegMoment) -> Drawn:
        """Take what the buckets give: the next leg finds them so much emptier."""
        return draw(billed_seconds, usage, tuple(self.buckets.values()), at)

    def post(
        self,
        drawn: Drawn,
        usage: LegUsage,
        *,
        at: dt.datetime,
        call_sid: str,
        leg_sid: str,
        plan_version_id: uuid.UUID,
        receipt_id: uuid.UUID | None,
    ) -> list[Posting]:
        """A line for each bucket that the leg drew."""
        lines = []
        for part in drawn.draws:
            bucket = self.buckets[part.bucket_id]
            lines.append(
                draw_posting(
                    usage,
                    part,
                    bucket,
                    at=at,
                    account_id=self.scope.account_id,
                    call_sid=call_sid,
                    leg_sid=leg_sid,
                    plan_version_id=plan_version_id,
                    receipt_id=receipt_id,
                )
            )
            self.buckets[bucket.id] = replace(
                bucket, remaining_seconds=bucket.remaining_seconds - part.seconds
            )
        return lines


class RenewFirst(Exception):
    """A bucket ended and nobody has looked yet at what follows it: settle after that."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"{scope.account_id} has a period of minutes to renew")
        self.scope = scope


def open_minutes(uow: UnitOfWork, scope: Scope, locked: LockedBooks) -> Minutes:
    """Read under the lock; a sub-account that ever shared its agency's billing sees its buckets.

    Raises `RenewFirst`: a leg across the end of a period finds the next one there.
    """
    changes: tuple[BillingChange, ...] = ()
    owners = [scope.account_id]
    if locked.parent_id is not None:
        changes = memberships.changes_of(uow.connection, scope)
        if any(change.shared for change in changes):
            owners.append(locked.parent_id)
    found = buckets.open_of(uow.connection, scope.tenant_id, owners)
    for stored in found:
        if stored.ends_at <= uow.now and stored.is_unattended:
            raise RenewFirst(Scope(scope.tenant_id, stored.account_id))
    return Minutes(
        scope,
        locked.parent_id,
        changes,
        {stored.id: bucket_of(uow, stored) for stored in found},
    )


def bucket_of(uow: UnitOfWork, stored: StoredBucket) -> Bucket:
    """A bucket as the rules know it: the plan version under which it was filled says the rest."""
    plan = plans.plan_version(uow.connection, stored.plan_version_id).plan
    if stored.kind == "pool":
        pool = plan.terms.allowance
        assert pool is not None, "a pool's bucket comes from a plan with a pool"
        return pool_bucket(
            pool,
            plan,
            bucket_id=stored.id,
            owner_id=stored.account_id,
            remaining_seconds=stored.remaining_seconds,
            cycle=Period(
                stored.n,
                stored.starts_at.date(),
                stored.ends_at.date(),
                stored.starts_at,
                stored.ends_at,
            ),
        )
    if stored.kind == "bundle":
        return bundle_bucket(
            plan.terms,
            bucket_id=stored.id,
            owner_id=stored.account_id,
            remaining_seconds=stored.remaining_seconds,
            starts_at=stored.starts_at,
            ends_at=stored.ends_at,
        )
    offer = plan.terms.find_package(stored.offer_code or "")
    assert offer is not None, "a package's bucket comes from a plan that offered it"
    return Bucket(
        id=stored.id,
        kind=cast(BucketKind, stored.kind),
        owner_id=stored.account_id,
        remaining_seconds=stored.remaining_seconds,
        starts_at=stored.starts_at,
        expires_at=stored.ends_at,
        leg_scope=offer.leg_scope,
        number_type=offer.number_type,
        region_set=offer.region_set,
        scope="agency_shared",
        priority=offer.priority,
        continues=stored.n > 0,
    )
