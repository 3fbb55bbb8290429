"""The drain: every due account, each account's ended legs in one transaction under its lock.

A hundred legs cost about what one costs, so the batch is the account, never the leg. A second
run finds nothing due and changes nothing; two workers pass each other by SKIP LOCKED.
"""

from __future__ import annotations

import datetime as dt
import gc
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, cast

import structlog

from billing.fees import surcharge_posting
from billing.ledger import cost_posting, usage_posting
from billing.lifecycle import price_overrun
from billing.metering import LegStatus, LegUsage, bucket_day
from billing.packages import LegMoment, price_rest
from billing.rates import LegKind, TargetKind
from billing.rating import RatedLeg, carrier_cost, rate_leg
from billing.surcharges import rate_surcharge
from billing.tariffs import Plan
from gateway.metrics import LEGS_SETTLED
from gateway.services import audit, ledger, minutes, payers, plans, renewals, upgrades
from gateway.services.ledger import Books
from gateway.services.minutes import Minutes, RenewFirst
from gateway.services.plans import PlanVersion
from gateway.store import accounts as account_store
from gateway.store import ledger as ledger_store
from gateway.store import settlement
from gateway.store.base import Scope
from gateway.store.direct import unawaited
from gateway.store.ledger import LockedBooks
from gateway.store.settlement import DayKey, DaySums, DueLeg, Marked, QueuePlace, SettledLeg, Winner
from gateway.uow import UnitOfWork, UnitsOfWork

log = structlog.get_logger(__name__)

LEGS_PER_TRANSACTION = 2_000
LEGS_PER_MARK = 400
ACCOUNTS_PER_LOOK = 200
BUDGET_SECONDS = 40.0  # below the queue's job timeout

TARGET_KINDS: dict[str, TargetKind] = {"number": "number", "sip": "sip", "client": "client"}


@dataclass(frozen=True, slots=True)
class Drained:
    legs: int
    accounts: int
    failed: int  # accounts whose transaction was rolled back; they stay due


def drain(
    units: UnitsOfWork,
    *,
    budget_seconds: float = BUDGET_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Drained:
    """Settle until nothing is due, or the budget is used up (the next ring goes on).

    Starts at a random account and goes round, so that two workers rarely meet. An account that
    fails is logged and left for the next run; the others do not wait for it.
    """
    deadline = clock() + budget_seconds
    with units.read() as uow:
        carrier = plans.carrier_tariff(uow.connection)
    legs = accounts = failed = 0
    for scope in _due_accounts(units):
        try:
            with _uncollected():
                settled = _drain_account(units, scope, carrier, lambda: clock() < deadline).legs
        except Exception:
            # One account's surprise must not stop everybody's settlement; it stays due, shows in
            # the settle lag and in this log, and the next run tries it again.
            log.exception("settle.failed", account_id=str(scope.account_id))
            failed += 1
            continue
        legs += settled
        accounts += settled > 0
        if clock() >= deadline:
            break
    return Drained(legs, accounts, failed)


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


def _due_accounts(units: UnitsOfWork) -> Iterable[Scope]:
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


def _accounts_after(units: UnitsOfWork, after: Scope, until: Scope | None) -> Iterable[Scope]:
    while True:
        with units.read() as uow:
            found = settlement.due_accounts(uow.connection, after, limit=ACCOUNTS_PER_LOOK)
        for scope in found:
            if until is not None and scope.tenant_id > until.tenant_id:
                return
            yield scope
        if len(found) < ACCOUNTS_PER_LOOK:
            return
        after = found[-1]


def _drain_account(
    units: UnitsOfWork,
    scope: Scope,
    carrier: PlanVersion | None,
    goes_on: Callable[[], bool],
    *,
    before: dt.datetime = settlement.QUEUE_END_AT,
) -> Settled:
    """Along its queue once. What came in behind is due at the next ring, as are legs that still
    wait for a fact: they must not keep the ones after them from being settled."""
    total, after = 0, settlement.QUEUE_HEAD
    while True:
        try:
            settled = units.retrying(
                partial(
                    settle_account,
                    scope=scope,
                    carrier=carrier,
                    after=after,
                    limit=LEGS_PER_TRANSACTION,
                    before=before,
                )
            )
        except RenewFirst as due:
            renewals.renew_account(units, due.scope)
            continue
        except CreditTurns as due:
            earlier = _settle_before(units, due, carrier, goes_on)
            total += earlier.legs
            if earlier.is_busy or not goes_on():
                return Settled(total, None, earlier.is_busy)
            renewals.renew_account(units, due.scope, settled_until=due.at)
            continue
        total += settled.legs
        if settled.reached is None or not goes_on():
            return Settled(total, None, settled.is_busy)
        after = settled.reached


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


def _settle_before(
    units: UnitsOfWork, due: CreditTurns, carrier: PlanVersion | None, goes_on: Callable[[], bool]
) -> Settled:
    """All that draws the credit: of an agency, what its clients did as well."""
    with units.read() as uow:
        scopes = [due.scope, *account_store.sharing_clients(uow.connection, due.scope)]
    found = [_drain_account(units, each, carrier, goes_on, before=due.at) for each in scopes]
    return Settled(sum(one.legs for one in found), None, any(one.is_busy for one in found))


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
    batch = _Batch(uow, own, carrier, sold, paid_in_advance, agency)
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


class _Batch:
    """The legs of one transaction on their way to lines, sums and marks."""

    def __init__(
        self,
        uow: UnitOfWork,
        books: Books,
        carrier: PlanVersion | None,
        sold: Mapping[uuid.UUID, Plan],
        paid_in_advance: Minutes | None = None,
        agency: Books | None = None,
    ) -> None:
        self.uow = uow
        self.books = books
        self.carrier = carrier
        self.sold = sold
        self.minutes = paid_in_advance
        self.agency = agency
        self.settled: list[SettledLeg] = []
        self.sums: dict[DayKey, DaySums] = {}
        self.marked: list[Marked] = []
        self.talked: dict[str, DueLeg] = {}  # by call, the longest leg on which people talked
        self.unrated: list[DueLeg] = []

    def charges_ringing(self, leg: DueLeg) -> bool:
        return self._plan(leg).tariff.billable_legs.ring_time

    def settle(self, leg: DueLeg, bridged_seconds: int) -> None:
        usage = usage_of(leg, bridged_seconds)
        plan = self._plan(leg)
        rated = rate_leg(usage, plan.tariff)
        in_money = rated
        if self.minutes is not None and rated.billed_seconds:
            in_money = self._draw(self.minutes, leg, usage, rated, plan)
        charge = self._charge(leg, usage, in_money, plan)
        surcharge = self._surcharge(leg, usage, plan) if plan.tariff.surcharges else None
        charge += surcharge or 0
        cost = self._cost(leg, usage)
        if in_money.unrated:
            self.unrated.append(leg)
        self._mark(
            SettledLeg(
                leg.leg_sid,
                leg.ctid,
                max(0, leg.ring_seconds),
                rated.billed_seconds,
                rated.rate.per_minute_micros if rated.rate else None,
                rated.rate.label if rated.rate else None,
                charge,
                surcharge,
                cost,
            )
        )
        self._add_up(leg, rated.billed_seconds, charge, cost)

    def _plan(self, leg: DueLeg) -> Plan:
        return self.sold[leg.plan_version_id]

    def _mark(self, leg: SettledLeg) -> None:
        """By the hundred, and not waited for: the server marks these while the next are priced."""
        self.settled.append(leg)
        if len(self.settled) % LEGS_PER_MARK == 0:
            self._send_marks()

    def _send_marks(self) -> None:
        unsent = self.settled[sum(sent.legs for sent in self.marked) :]
        if unsent:
            tenant_id = self.books.scope.tenant_id
            self.marked.append(
                settlement.mark_settled(self.uow.connection, tenant_id, unsent, now=self.uow.now)
            )

    def _draw(
        self, paid: Minutes, leg: DueLeg, usage: LegUsage, rated: RatedLeg, plan: Plan
    ) -> RatedLeg:
        """Seconds before money: post what the buckets give, answer what is left to pay (S1-03)."""
        assert leg.answered_at is not None, "a leg with billed seconds was answered"
        drawn = paid.draw(
            rated.billed_seconds,
            usage,
            LegMoment(
                account_id=self.books.scope.account_id,
                number_e164=leg.number_e164,
                began_at=leg.started_at,
                answered_at=leg.answered_at,
                shares_with=paid.shares_with(leg.started_at),
            ),
        )
        if not drawn.draws:
            return rated
        self.books.postings += paid.post(
            drawn,
            usage,
            at=self.uow.now,
            call_sid=leg.call_sid,
            leg_sid=leg.leg_sid,
            plan_version_id=leg.plan_version_id,
            receipt_id=leg.end_receipt_id,
        )
        seconds = drawn.paid_seconds(plan.in_call.overrun_price)
        return rated._replace(
            billed_seconds=seconds,
            charge_micros=price_rest(rated, seconds, plan.tariff),
            unrated=rated.unrated and seconds > 0,
        )

    def _payer(self, leg: DueLeg) -> Books:
        """The agency for the calls of a client that shares its billing, else the account."""
        if self.agency is None or self.minutes is None:
            return self.books
        return self.agency if self.minutes.shares_with(leg.started_at) else self.books

    def _charge(self, leg: DueLeg, usage: LegUsage, rated: RatedLeg, plan: Plan) -> int:
        books = self._payer(leg)
        amount = price_overrun(plan, rated.charge_micros, books.balance_micros).charged_micros
        if amount:
            books.balance_micros -= amount
            books.postings.append(
                usage_posting(
                    usage,
                    rated,
                    amount=amount,
                    unit=books.currency,
                    at=self.uow.now,
                    account_id=books.scope.account_id,
                    balance_before=books.balance_micros + amount,
                    call_sid=leg.call_sid,
                    leg_sid=leg.leg_sid,
                    plan_version_id=leg.plan_version_id,
                    receipt_id=leg.end_receipt_id,
                )
            )
        return amount

    def _surcharge(self, leg: DueLeg, usage: LegUsage, plan: Plan) -> int | None:
        """Money also where minutes met the leg; None where its destination has none (S2-18)."""
        rated = rate_surcharge(usage, plan.tariff)
        if rated is None:
            return None
        books = self._payer(leg)
        amount = price_overrun(plan, rated.charge_micros, books.balance_micros).charged_micros
        if amount:
            books.post(
                lambda balance: surcharge_posting(
                    rated,
                    amount=amount,
                    unit=books.currency,
                    at=self.uow.now,
                    account_id=books.scope.account_id,
                    balance_before=balance,
                    call_sid=leg.call_sid,
                    leg_sid=leg.leg_sid,
                    plan_version_id=leg.plan_version_id,
                    receipt_id=leg.end_receipt_id,
                )
            )
        return amount

    def _cost(self, leg: DueLeg, usage: LegUsage) -> int:
        """What the carrier takes, by its own tariff; no customer's money moves."""
        if self.carrier is None:
            return 0
        cost = carrier_cost(usage, self.carrier.plan.tariff)
        if cost.charge_micros:
            self.books.postings.append(
                cost_posting(
                    cost,
                    unit=self.books.currency,
                    at=self.uow.now,
                    account_id=self.books.scope.account_id,
                    call_sid=leg.call_sid,
                    leg_sid=leg.leg_sid,
                    plan_version_id=self.carrier.id,
                    receipt_id=leg.end_receipt_id,
                )
            )
        return cost.charge_micros

    def _add_up(self, leg: DueLeg, billed: int, charge: int, cost: int) -> None:
        day = bucket_day(leg.started_at, self.books.locked.time_zone)
        key = (day, leg.did_id, leg.source)
        sums = self.sums.get(key)
        if sums is None:
            sums = self.sums[key] = DaySums()
        sums.billed_seconds += billed
        sums.charge_micros += charge
        sums.cost_micros += cost
        if leg.kind == "inbound":
            sums.calls += 1
            sums.talk_seconds += leg.talk_seconds
        else:
            sums.forwarded_seconds += leg.talk_seconds
            if leg.talk_seconds and leg.confirmed is not False:
                sums.answered += self._took(leg)

    def _took(self, leg: DueLeg) -> bool:
        """Keep the longest of a call's conversations; True for the first that counts."""
        rival = self.talked.get(leg.call_sid)
        if rival is None or (-leg.talk_seconds, leg.leg_sid) < (-rival.talk_seconds, rival.leg_sid):
            self.talked[leg.call_sid] = leg
        return rival is None and not leg.counted

    def write(self) -> None:
        """Everything of this batch, or nothing: one transaction."""
        if not self.settled:
            return
        connection, scope = self.uow.connection, self.books.scope
        self._send_marks()
        for sent in self.marked:
            sent.check()
        settlement.take_off_the_queue(connection, scope.tenant_id, self.settled)
        legs = self.talked.values()
        settlement.name_winners(
            connection,
            scope.tenant_id,
            [Winner(leg.call_sid, leg.leg_sid, leg.answered_at) for leg in legs if not leg.counted],
        )
        settlement.name_winners_again(
            connection, scope.tenant_id, [leg.call_sid for leg in legs if leg.counted]
        )
        settlement.roll_up(connection, scope, self.sums)
        for leg in self.unrated:
            self._report_unrated(leg)
        ledger.write(self.uow, self.books, *([self.agency] if self.agency else []))

    def _report_unrated(self, leg: DueLeg) -> None:
        """A leg without a price is charged nothing, and never silently."""
        log.error(
            "settle.unrated",
            account_id=str(self.books.scope.account_id),
            call_sid=leg.call_sid,
            leg_sid=leg.leg_sid,
            to=leg.to_address,
        )
        audit.note(
            self.uow,
            self.books.scope,
            "system",
            "leg.unrated",
            leg.leg_sid,
            call_sid=leg.call_sid,
            to=leg.to_address,
        )


def usage_of(leg: DueLeg, bridged_seconds: int) -> LegUsage:
    """The leg as the rules want it."""
    return LegUsage(
        kind=cast(LegKind, leg.kind),
        status=LegStatus(leg.status),
        talk_seconds=leg.talk_seconds,
        ring_seconds=max(0, leg.ring_seconds),
        bridged_seconds=bridged_seconds,
        number_country=leg.number_country,
        number_type=leg.number_type,
        target_kind=TARGET_KINDS.get(leg.target_kind),
        target_address=leg.to_address,
    )
