"""One account's ended legs on their way through one transaction, under its lock.

A hundred legs cost about what one costs, so the batch is the account, never the leg.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import NamedTuple, cast

from gateway.metrics import LEGS_SETTLED
from gateway.services import minutes, payers, plans, upgrades
from gateway.services.ledger import Books
from gateway.services.leg_batch import LegBatch
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


def settle_account(
    uow: UnitOfWork,
    scope: Scope,
    carrier: PlanVersion | None,
    *,
    after: QueuePlace,
    limit: int,
    before: dt.datetime = settlement.QUEUE_END_AT,
) -> Settled:
    """Settle the next of one account's due legs; none when another worker holds the account.

    In the order in which they ended, so that a balance that runs out does so at the same of the
    legs that are known, whatever order the carrier's webhooks came in. `before`: those alone that
    ended earlier.

    Raises `CreditTurns` where included credit ended before that: legs of two cycles do not meet.
    """
    locked = ledger_store.lock_books(uow.connection, scope, wait=False)
    if locked is None:
        return BUSY
    _check_credit(uow, scope, locked, before)
    legs = settlement.due_legs(uow.connection, scope, after=after, limit=limit, before=before)
    if not legs:
        return Settled(0, None)
    own = Books(scope, locked, locked.balance_micros)
    paid_in_advance = minutes.open_minutes(uow, scope, locked) if locked.draws_minutes else None
    agency = None
    if paid_in_advance and any(paid_in_advance.shares_with(leg.started_at) for leg in legs):
        agency = payers.take(uow, Scope(scope.tenant_id, cast(uuid.UUID, locked.parent_id)))
        if agency is None:
            return BUSY
        _check_credit(uow, agency.scope, agency.locked, before)
    # Read before the pipeline, in which no answer is waited for; a new process knows none of them.
    sold = {
        id: plans.plan_version(uow.connection, id).plan
        for id in {leg.plan_version_id for leg in legs}
    }
    batch = LegBatch(uow, own, carrier, sold, paid_in_advance, agency)
    bridged = _bridged(uow, scope, legs)
    with unawaited(uow.connection):
        for leg in legs:
            talked = bridged.get(leg.call_sid, 0)
            if talked is None and leg.kind == "inbound":
                continue  # a forwarded leg of this call still talks, and this one's price needs it
            if leg.beginning_awaited and leg.talk_seconds and batch.charges_ringing(leg):
                continue  # its first callback is late or lost; the carrier's record says it too
            batch.settle(leg, talked or 0)
    batch.write()
    if paid_in_advance is not None:
        upgrades.order_where_empty(uow, paid_in_advance, own, agency)
    LEGS_SETTLED.inc(len(batch.settled))
    return Settled(len(batch.settled), legs[-1].place if len(legs) == limit else None)


def _check_credit(uow: UnitOfWork, scope: Scope, locked: LockedBooks, before: dt.datetime) -> None:
    at = locked.credit_turns_at
    if at is not None and at <= uow.now and at < before:
        raise CreditTurns(scope, at)


def _bridged(uow: UnitOfWork, scope: Scope, legs: list[DueLeg]) -> dict[str, int | None]:
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
    return settlement.bridged_seconds(uow.connection, scope.tenant_id, sorted(calls))
