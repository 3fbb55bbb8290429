"""The message drain: every due text of an account in one transaction under its lock.

In the style of `settlement`, and beside it: a text is rated by the plan that was in force when it
came or went, once, by the carrier's own count of segments.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import structlog

from billing.lifecycle import price_overrun
from billing.memberships import BillingChange, shares_billing_at
from billing.message_postings import message_cost_posting, message_posting
from billing.messages import (
    MessagePrices,
    MessageRefused,
    MessageStatus,
    MessageUsage,
    RatedMessage,
    rate_message,
)
from billing.metering import bucket_day
from gateway.services import audit, ledger, payers, plans
from gateway.services.ledger import Books
from gateway.services.plans import PlanVersion
from gateway.store import ledger as ledger_store
from gateway.store import memberships, settlement
from gateway.store import message_settlement as store
from gateway.store.base import Scope
from gateway.store.message_settlement import DueMessage, SettledMessage
from gateway.store.settlement import DayKey, DaySums
from gateway.uow import UnitOfWork, UnitsOfWork

log = structlog.get_logger(__name__)

TEXTS_PER_TRANSACTION: Final = 1_000
ACCOUNTS_PER_LOOK: Final = 200
BUDGET_SECONDS: Final = 15.0  # beside the legs' drain, and below the queue's job timeout with it


@dataclass(frozen=True, slots=True)
class Drained:
    texts: int
    failed: int  # accounts whose transaction was rolled back; they stay due


def drain(
    units: UnitsOfWork,
    *,
    budget_seconds: float = BUDGET_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Drained:
    """Settle until nothing is due, or the budget is used up (the next ring goes on)."""
    deadline = clock() + budget_seconds
    with units.read() as uow:
        carrier = plans.carrier_tariff(uow.connection)
    texts = failed = 0
    for scope in _due_accounts(units):
        try:
            texts += _drain_account(units, scope, carrier, lambda: clock() < deadline)
        except Exception:
            # One account's surprise must not stop everybody's settlement; it stays due, and the
            # next run tries it again.
            log.exception("settle.texts_failed", account_id=str(scope.account_id))
            failed += 1
        if clock() >= deadline:
            break
    return Drained(texts, failed)


def _due_accounts(units: UnitsOfWork) -> Iterator[Scope]:
    after = settlement.FIRST
    while True:
        with units.read() as uow:
            found = store.due_accounts(uow.connection, after, limit=ACCOUNTS_PER_LOOK)
        yield from found
        if len(found) < ACCOUNTS_PER_LOOK:
            return
        after = found[-1]


def _drain_account(
    units: UnitsOfWork, scope: Scope, carrier: PlanVersion | None, goes_on: Callable[[], bool]
) -> int:
    total = 0
    while True:
        settled = units.retrying(lambda uow: settle_account(uow, scope, carrier))
        total += settled
        if settled < TEXTS_PER_TRANSACTION or not goes_on():
            return total


def settle_account(
    uow: UnitOfWork,
    scope: Scope,
    carrier: PlanVersion | None,
    *,
    limit: int = TEXTS_PER_TRANSACTION,
) -> int:
    """Settle one account's due texts, in the order in which they became due; how many. 0 when
    another worker holds the account."""
    free = ledger_store.lock_free_books(uow.connection, scope.tenant_id, [scope.account_id])
    locked = free.get(scope.account_id)
    if locked is None:
        return 0
    due = store.due_messages(uow.connection, scope, limit=limit)
    if not due:
        return 0
    changes = memberships.changes_of(uow.connection, scope) if locked.parent_id else ()
    batch = _Batch(uow, Books(scope, locked, locked.balance_micros), carrier, changes)
    if locked.parent_id is not None and any(map(batch.is_shared, due)):
        batch.agency = payers.take(uow, Scope(scope.tenant_id, locked.parent_id))
        if batch.agency is None:
            return 0
    for message in due:
        batch.settle(message)
    store.mark_settled(uow.connection, scope.tenant_id, batch.settled, now=uow.now)
    settlement.roll_up(uow.connection, scope.tenant_id, batch.sums)
    ledger.write(uow, batch.books, *([batch.agency] if batch.agency else []))
    return len(due)


@dataclass(slots=True)
class _Batch:
    """The texts of one transaction on their way to lines, sums and marks."""

    uow: UnitOfWork
    books: Books
    carrier: PlanVersion | None
    changes: tuple[BillingChange, ...] = ()
    agency: Books | None = None
    settled: list[SettledMessage] = field(default_factory=list)
    sums: dict[DayKey, DaySums] = field(default_factory=dict)

    def settle(self, message: DueMessage) -> None:
        usage = usage_of(message)
        version = plans.plan_version(self.uow.connection, message.plan_version_id)
        rated = rated_by(usage, version.plan.tariff.sms)
        if rated is None:
            self._report_unrated(message)
            charge, rate = 0, None
        else:
            charge, rate = self._charge(message, usage, rated, version), rated.price_micros
        cost = self._cost(message, usage)
        self.settled.append(SettledMessage(message.id, rate, charge, cost))
        day = bucket_day(message.created_at, self.books.locked.time_zone)
        key = (self.books.scope.account_id, day, message.did_id, message.source)
        sums = self.sums.setdefault(key, DaySums())
        sums.charge_micros += charge
        sums.cost_micros += cost

    def is_shared(self, message: DueMessage) -> bool:
        """Whether the agency pays: the moment of the text counts, as that of a call (S1-14)."""
        return shares_billing_at(self.changes, message.created_at)

    def _charge(
        self, message: DueMessage, usage: MessageUsage, rated: RatedMessage, version: PlanVersion
    ) -> int:
        books = self.agency if self.agency and self.is_shared(message) else self.books
        overrun = price_overrun(version.plan, rated.charge_micros, books.balance_micros)
        amount = overrun.charged_micros
        if amount:
            books.post(
                lambda balance: message_posting(
                    usage,
                    rated,
                    amount=amount,
                    unit=books.currency,
                    at=self.uow.now,
                    account_id=books.scope.account_id,
                    balance_before=balance,
                    message_sid=message.carrier_sid,
                    plan_version_id=message.plan_version_id,
                    receipt_id=message.receipt_id,
                )
            )
        return amount

    def _cost(self, message: DueMessage, usage: MessageUsage) -> int:
        """What the carrier takes, by its own tariff; no customer's money moves."""
        if self.carrier is None:
            return 0
        cost = rated_by(usage, self.carrier.plan.tariff.sms)
        if cost is None or not cost.charge_micros:
            return 0
        self.books.postings.append(
            message_cost_posting(
                cost,
                unit=self.books.currency,
                at=self.uow.now,
                account_id=self.books.scope.account_id,
                message_sid=message.carrier_sid,
                plan_version_id=self.carrier.id,
                receipt_id=message.receipt_id,
            )
        )
        return cost.charge_micros

    def _report_unrated(self, message: DueMessage) -> None:
        """A text that came in under a plan that sells none is charged nothing, and never
        silently; none goes out without a price."""
        log.error(
            "settle.text_unrated",
            account_id=str(self.books.scope.account_id),
            message_id=str(message.id),
            peer=message.peer,
        )
        audit.note(
            self.uow,
            self.books.scope,
            "system",
            "message.unrated",
            message.id,
            direction=message.direction,
            peer=message.peer,
        )


def usage_of(message: DueMessage) -> MessageUsage:
    """The text as the rules want it."""
    return MessageUsage(
        direction="inbound" if message.direction == "inbound" else "outbound",
        status=MessageStatus(message.status),
        segments=message.segments,
        to=message.peer if message.direction == "outbound" else "",
    )


def rated_by(usage: MessageUsage, prices: MessagePrices | None) -> RatedMessage | None:
    """None where the plan has no price for it."""
    rated = rate_message(usage, prices) if prices is not None else None
    return None if isinstance(rated, MessageRefused) else rated
