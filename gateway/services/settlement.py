"""The drain: every due account, the ended legs of each in one transaction under its lock.

A hundred legs cost about what one costs, so the batch is the account, never the leg; accounts of
one tenant, which are one chain, go together as far as they fit. A second run finds nothing due and
changes nothing; two workers pass each other by SKIP LOCKED.
"""

from __future__ import annotations

import datetime as dt
import gc
import random
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import structlog

from gateway.services import plans, renewals
from gateway.services.account_settlement import CreditTurns, Settled, settle_accounts
from gateway.services.minutes import RenewFirst
from gateway.services.plans import PlanVersion
from gateway.store import accounts as account_store
from gateway.store import settlement
from gateway.store.base import Scope
from gateway.store.settlement import DueAccount
from gateway.uow import UnitsOfWork

log = structlog.get_logger(__name__)

LEGS_PER_TRANSACTION = 2_000
ACCOUNTS_PER_LOOK = 200
BUDGET_SECONDS = 40.0  # below the queue's job timeout


Group = Sequence[Scope]
"""Accounts of one tenant, in the order of their ids, that are settled together."""


@dataclass(frozen=True, slots=True)
class Drained:
    legs: int
    failed: int  # accounts whose transaction was rolled back; they stay due


def drain(
    units: UnitsOfWork,
    *,
    budget_seconds: float = BUDGET_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Drained:
    """Settle until nothing is due, or the budget is used up (the next ring goes on).

    Starts at a random account and goes round, so that two workers rarely meet. An account that
    fails is logged and left for the next run; the others do not wait for it. Of a tenant that
    another worker holds, no other account is tried: an agency and its clients are one chain, and
    asking for each of a thousand takes the core of the worker that settles them.
    """
    deadline = clock() + budget_seconds
    with units.read() as uow:
        carrier = plans.carrier_tariff(uow.connection)
    legs = failed = 0
    held_elsewhere: set[uuid.UUID] = set()
    left = deque[Group]()
    groups = _groups(_due_accounts(units))
    while group := left.popleft() if left else next(groups, None):
        tenant_id = group[0].tenant_id
        if tenant_id in held_elsewhere:
            continue
        try:
            with _uncollected():
                settled = _drain_group(units, group, carrier, lambda: clock() < deadline)
        except Exception:
            # One account's surprise must not stop everybody's settlement: the others of its group
            # go on without it. It stays due, shows in the settle lag and in this log, and the next
            # run tries it again.
            if len(group) > 1:
                left.extend([scope] for scope in group)
                continue
            log.exception("settle.failed", account_id=str(group[0].account_id))
            failed += 1
            continue
        if settled.is_busy:
            held_elsewhere.add(tenant_id)
        legs += settled.legs
        if clock() >= deadline:
            break
    return Drained(legs, failed)


def _groups(due: Iterable[DueAccount]) -> Iterator[Group]:
    """As many of one tenant's accounts as have the legs of one transaction."""
    for _, found in groupby(due, key=lambda account: account.scope.tenant_id):
        group: list[Scope] = []
        legs = 0
        for account in found:
            if group and legs + account.legs > LEGS_PER_TRANSACTION:
                yield group
                group, legs = [], 0
            group.append(account.scope)
            legs += account.legs
        yield group


@contextmanager
def _uncollected() -> Iterator[None]:
    """A batch makes a hundred thousand values and no cycle among them; looking for one takes a
    twelfth of this process's time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _due_accounts(units: UnitsOfWork) -> Iterator[DueAccount]:
    """From somewhere among those that are due, round to there. Ids sort by time of creation, so
    a number from the whole range would start every worker at the oldest account."""
    with units.read() as uow:
        span = settlement.due_tenants(uow.connection)
    if span is None:
        return
    oldest, newest = span
    start = Scope(uuid.UUID(int=random.randint(oldest.int, newest.int)), uuid.UUID(int=0))
    yield from _accounts_after(units, start, until=None)
    yield from _accounts_after(units, settlement.FIRST, until=start)


def _accounts_after(units: UnitsOfWork, after: Scope, until: Scope | None) -> Iterator[DueAccount]:
    while True:
        with units.read() as uow:
            found = settlement.due_accounts(
                uow.connection, after, limit=ACCOUNTS_PER_LOOK, count_to=LEGS_PER_TRANSACTION
            )
        for account in found:
            if until is not None and account.scope.tenant_id >= until.tenant_id:
                return
            yield account
        if len(found) < ACCOUNTS_PER_LOOK:
            return
        after = found[-1].scope


def _drain_group(
    units: UnitsOfWork,
    group: Group,
    carrier: PlanVersion | None,
    goes_on: Callable[[], bool],
    *,
    before: dt.datetime = settlement.QUEUE_END_AT,
) -> Settled:
    """Along their queue once. What came in behind is due at the next ring, as are legs that still
    wait for a fact: they must not keep the ones after them from being settled."""
    total, after, is_busy = 0, settlement.QUEUE_HEAD, False
    while True:
        try:
            settled = units.retrying(
                partial(
                    settle_accounts,
                    tenant_id=group[0].tenant_id,
                    account_ids=[scope.account_id for scope in group],
                    carrier=carrier,
                    after=after,
                    limit=LEGS_PER_TRANSACTION,
                    before=before,
                )
            )
        except RenewFirst as due:
            for scope in due.scopes:
                renewals.renew_account(units, scope)
            continue
        except CreditTurns as due:
            earlier = _settle_before(units, due, carrier, goes_on)
            total += earlier.legs
            if earlier.is_busy or not goes_on():
                return Settled(total, None, is_busy or earlier.is_busy)
            renewals.renew_account(units, due.scope, settled_until=due.at)
            continue
        total += settled.legs
        is_busy = is_busy or settled.is_busy
        if settled.reached is None or not goes_on():
            return Settled(total, None, is_busy)
        after = settled.reached


def _settle_before(
    units: UnitsOfWork, due: CreditTurns, carrier: PlanVersion | None, goes_on: Callable[[], bool]
) -> Settled:
    """All that draws the credit: of an agency, what its clients did as well."""
    with units.read() as uow:
        group = [due.scope, *account_store.sharing_clients(uow.connection, due.scope)]
    group.sort(key=lambda scope: scope.account_id)
    return _drain_group(units, group, carrier, goes_on, before=due.at)
