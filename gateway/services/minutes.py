"""Buckets of seconds under the account's lock: who may draw them, and how they stand.

The tenant's chain guards an agency's buckets too: every writer of seconds holds it
(`lock_books`), so two legs of two clients that race for the last minute come one after the other.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import chain
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


Shelf = dict[uuid.UUID, Bucket]
"""Buckets as they stand, kept current while legs draw them: one for all accounts of a transaction,
so that the clients of an agency find its minutes as the one before left them."""


@dataclass(slots=True)
class Minutes:
    """The open buckets that an account's legs may draw."""

    scope: Scope
    agency_id: uuid.UUID | None
    changes: tuple[BillingChange, ...]
    shelf: Shelf
    bucket_ids: tuple[uuid.UUID, ...]

    @property
    def buckets(self) -> list[Bucket]:
        return [self.shelf[id] for id in self.bucket_ids]

    def shares_with(self, began_at: dt.datetime) -> uuid.UUID | None:
        """The agency that paid when a call began; the whole call is then its (S1-14)."""
        if self.agency_id is None or not shares_billing_at(self.changes, began_at):
            return None
        return self.agency_id

    def sees(self, owner_id: uuid.UUID) -> bool:
        """Whether its buckets are among these: those of an agency, once it was shared with."""
        return owner_id == self.agency_id and any(change.shared for change in self.changes)

    def left_seconds(self, owner_id: uuid.UUID, now: dt.datetime) -> int:
        """What the buckets of one owner still give to a call that begins now."""
        return left_to(self.buckets, owner_id, now)

    def draw(self, billed_seconds: int, usage: LegUsage, at: LegMoment) -> Drawn:
        """Take what the buckets give: the next leg finds them so much emptier."""
        return draw(billed_seconds, usage, self.buckets, at)

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
            bucket = self.shelf[part.bucket_id]
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
            self.shelf[bucket.id] = replace(
                bucket, remaining_seconds=bucket.remaining_seconds - part.seconds
            )
        return lines


class RenewFirst(Exception):
    """Buckets ended and nobody has looked yet at what follows them: settle after that."""

    def __init__(self, scopes: Collection[Scope]) -> None:
        super().__init__(f"{len(scopes)} accounts have a period of minutes to renew")
        self.scopes = scopes


def open_minutes(
    uow: UnitOfWork, tenant_id: uuid.UUID, locked: Mapping[uuid.UUID, LockedBooks]
) -> dict[uuid.UUID, Minutes]:
    """By account, for those that have any; read under their lock. A sub-account that ever shared
    its agency's billing sees its buckets.

    Raises `RenewFirst`: a leg across the end of a period finds the next one there.
    """
    drawing = {id: books.parent_id for id, books in locked.items() if books.draws_minutes}
    if not drawing:
        return {}
    clients = [id for id, parent_id in drawing.items() if parent_id is not None]
    changes = memberships.changes_of_each(uow.connection, tenant_id, clients) if clients else {}
    owners: dict[uuid.UUID, list[uuid.UUID]] = {id: [id] for id in drawing}
    for id, moves in changes.items():
        if any(change.shared for change in moves):
            owners[id].append(cast(uuid.UUID, drawing[id]))
    found = buckets.open_of(uow.connection, tenant_id, set(chain.from_iterable(owners.values())))
    over = {
        Scope(tenant_id, stored.account_id)
        for stored in found
        if stored.ends_at <= uow.now and stored.is_unattended
    }
    if over:
        raise RenewFirst(over)
    shelf = {stored.id: bucket_of(uow, stored) for stored in found}
    owned: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    for stored in found:
        owned[stored.account_id].append(stored.id)
    return {
        id: Minutes(
            Scope(tenant_id, id),
            parent_id,
            changes.get(id, ()),
            shelf,
            tuple(chain.from_iterable(owned[owner] for owner in owners[id])),
        )
        for id, parent_id in drawing.items()
    }


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
