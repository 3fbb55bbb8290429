"""Ended legs of a tenant's accounts on their way through one transaction, under their locks.

A hundred legs cost about what one costs, so the batch is the account, never the leg; and a tenant
is one chain, so an agency's clients go through together where each has but a few.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from billing.postings import Posting
from gateway.metrics import LEGS_SETTLED
from gateway.services import minutes, payers, plans, upgrades
from gateway.services.ledger import Books
from gateway.services.leg_batch import LegBatch, Member
from gateway.services.minutes import Minutes
from gateway.services.plans import PlanVersion
from gateway.store import ledger as ledger_store
from gateway.store import settlement
from gateway.store.base import Scope
from gateway.store.direct import unawaited
from gateway.store.ledger import LockedBooks
from gateway.store.settlement import DueLeg, QueuePlace
from gateway.uow import UnitOfWork


class Settled(NamedTuple):
    """How many legs, and how far along the queue; None at its end, and where another worker holds
    the account: what is due of it was not looked at."""

    legs: int
    reached: QueuePlace | None
    is_busy: bool = False


BUSY = Settled(0, None, is_busy=True)


class CreditTurns(Exception):
    """Included credit ended, and the next cycle's has not begun: what ended before that draws the
    old one, and is settled first."""

    def __init__(self, scope: Scope, at: dt.datetime) -> None:
        super().__init__(f"{scope.account_id} has included credit that ended at {at.isoformat()}")
        self.scope = scope
        self.at = at


def settle_accounts(
    uow: UnitOfWork,
    tenant_id: uuid.UUID,
    account_ids: Sequence[uuid.UUID],
    carrier: PlanVersion | None,
    *,
    after: QueuePlace,
    limit: int,
    before: dt.datetime = settlement.QUEUE_END_AT,
) -> Settled:
    """Settle the next of the due legs of a tenant's accounts, but of none that another worker
    holds.

    In the order in which they ended, whoever's they are, so that a balance that runs out does so at
    the same of the legs that are known, whatever order the carrier's webhooks came in. `before`:
    those alone that ended earlier.

    Raises `CreditTurns` where included credit ended before that: legs of two cycles do not meet.
    """
    locked = ledger_store.lock_free_books(uow.connection, tenant_id, account_ids)
    if not locked:
        return BUSY
    for account_id, found in locked.items():
        _check_credit(uow, Scope(tenant_id, account_id), found, before)
    legs = settlement.due_legs(
        uow.connection, tenant_id, list(locked), after=after, limit=limit, before=before
    )
    is_busy = len(locked) < len(account_ids)
    if not legs:
        return Settled(0, None, is_busy)
    journal: list[Posting] = []  # of all: the chain has their lines in the order of the legs
    members = _members(uow, tenant_id, locked, legs, journal)
    agency = None
    if any(members[leg.account_id].is_shared(leg) for leg in legs):
        agency = _agency(uow, tenant_id, members, journal)
        if agency is None:
            return BUSY
        _check_credit(uow, agency.scope, agency.locked, before)
    # Read before the pipeline, in which no answer is waited for; a new process knows none of them.
    sold = {
        id: plans.plan_version(uow.connection, id).plan
        for id in {leg.plan_version_id for leg in legs}
    }
    batch = LegBatch(uow, tenant_id, carrier, sold, members, agency)
    bridged = _bridged(uow, tenant_id, legs)
    with unawaited(uow.connection):
        for leg in legs:
            talked = bridged.get(leg.call_sid, 0)
            if talked is None and leg.kind == "inbound":
                continue  # a forwarded leg of this call still talks, and this one's price needs it
            if leg.beginning_awaited and leg.talk_seconds and batch.charges_ringing(leg):
                continue  # its first callback is late or lost; the carrier's record says it too
            batch.settle(leg, talked or 0)
    batch.write()
    _order_upgrades(uow, members.values(), agency)
    LEGS_SETTLED.inc(len(batch.settled))
    reached = max(leg.place for leg in legs) if len(legs) == limit else None
    return Settled(len(batch.settled), reached, is_busy)


def _members(
    uow: UnitOfWork,
    tenant_id: uuid.UUID,
    locked: Mapping[uuid.UUID, LockedBooks],
    legs: Iterable[DueLeg],
    journal: list[Posting],
) -> dict[uuid.UUID, Member]:
    due = {id: locked[id] for id in {leg.account_id for leg in legs}}
    paid_in_advance = minutes.open_minutes(uow, tenant_id, due)
    return {
        id: Member(
            Books(Scope(tenant_id, id), books, books.balance_micros, journal),
            paid_in_advance.get(id),
        )
        for id, books in due.items()
    }


def _agency(
    uow: UnitOfWork,
    tenant_id: uuid.UUID,
    members: Mapping[uuid.UUID, Member],
    journal: list[Posting],
) -> Books | None:
    """The tenant's root, which may have legs here as well; None where another worker holds it."""
    if tenant_id in members:
        return members[tenant_id].books
    return payers.take(uow, Scope(tenant_id, tenant_id), journal)


def _check_credit(uow: UnitOfWork, scope: Scope, locked: LockedBooks, before: dt.datetime) -> None:
    at = locked.credit_turns_at
    if at is not None and at <= uow.now and at < before:
        raise CreditTurns(scope, at)


def _order_upgrades(uow: UnitOfWork, members: Iterable[Member], agency: Books | None) -> None:
    """For each that paid with minutes: the agency once, whichever of its clients drew them."""
    owners: dict[uuid.UUID, tuple[Books, Minutes]] = {}
    for member in members:
        if member.minutes is None:
            continue
        if agency is not None and member.minutes.sees(agency.scope.account_id):
            owners[agency.scope.account_id] = agency, member.minutes
        if member.minutes.shares_with(uow.now) is None:
            owners[member.books.scope.account_id] = member.books, member.minutes
    for owner, paid in owners.values():
        upgrades.order_where_empty(uow, owner, paid)


def _bridged(uow: UnitOfWork, tenant_id: uuid.UUID, legs: list[DueLeg]) -> dict[str, int | None]:
    """Asked only for plans that do not charge the time a caller spends with our own voice."""
    calls = {
        leg.call_sid
        for leg in legs
        if leg.kind == "inbound"
        and not plans.plan_version(
            uow.connection, leg.plan_version_id
        ).plan.tariff.billable_legs.ivr_time
    }
    if not calls:
        return {}
    return settlement.bridged_seconds(uow.connection, tenant_id, sorted(calls))
