"""Money moves here and nowhere else: under the account's lock, behind the tenant's chain.

`books` locks, collects postings, writes them in one statement, and lets the balance decide
about service, all in the caller's transaction. So a number is suspended by the same commit that
took the last cent, and restored by the one that brought the next.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain

from sqlalchemy import Connection

from billing import lifecycle
from billing.bundles import may_top_up
from billing.credits import Payment, vat_posting
from billing.ledger import (
    ChainReport,
    Posting,
    adjustment_posting,
    topup_posting,
    verify_chain,
)
from billing.lifecycle import AccountStatus, Allowed, Refused
from billing.money import format_amount
from billing.postings import SECONDS, wallet
from gateway.metrics import BALANCE_CROSSINGS
from gateway.services import alerts, audit, credit_receipts, payment_deeds, plans
from gateway.services.errors import Invalid, NotForSale, NotFound
from gateway.store import (
    accounts,
    ledger,
    looks,
    outbox,
    plan_changes,
    renewals,
    suspension,
    topups,
)
from gateway.store.base import Scope, new_id
from gateway.store.ledger import LockedBooks
from gateway.uow import UnitOfWork

BY_HAND = "manual"
AMOUNT_MAX_MICROS = 1_000_000 * 1_000_000  # a million units at once is a typing error


@dataclass(slots=True)
class Books:
    """An account's open books: what it had, and what is being posted."""

    scope: Scope
    locked: LockedBooks
    balance_micros: int
    postings: list[Posting] = field(default_factory=list)  # may be a journal of several books
    hold_changed: bool = False
    payer: Books | None = None  # the agency's, while it pays for the account; see `payers.join`

    def hold(self, why: str | None) -> bool:
        """Keep service back whatever the balance ("renewal", "access"), or let it go; takes effect
        when the books are written. True where that is new."""
        if why == self.locked.held:
            return False
        self.locked = replace(self.locked, held=why)
        self.hold_changed = True
        return True

    @property
    def currency(self) -> str:
        return self.locked.currency

    @property
    def money(self) -> Books:
        """The books that fees are taken from: the account's own, or its agency's."""
        return self.payer or self

    def post(self, build: Callable[[int], Posting]) -> Posting:
        """Add the posting that `build` makes of the balance before it."""
        posting = build(self.balance_micros)
        if posting.balance_after is not None:
            self.balance_micros = posting.balance_after
        self.postings.append(posting)
        return posting


@contextmanager
def books(uow: UnitOfWork, scope: Scope) -> Iterator[Books]:
    """Lock, post, write. Raises `NotFound` for an account that is not there."""
    locked = ledger.lock_books(uow.connection, scope)
    if locked is None:
        raise NotFound("account", scope.account_id)
    opened = Books(scope, locked, locked.balance_micros)
    yield opened
    write(uow, opened, *([opened.payer] if opened.payer else []))


def write(uow: UnitOfWork, *opened: Books) -> None:
    """Append what was posted and let the new balances take effect.

    Several books are those of one tenant: what they wrote into one journal stands in the chain in
    that order, else one journal stands behind the other.
    """
    head = opened[0].locked
    journals = {id(each.postings): each.postings for each in opened}
    lines = list(chain.from_iterable(journals.values()))
    if lines:
        ledger.append(
            uow.connection,
            opened[0].scope.tenant_id,
            lines,
            after_seq=head.seq,
            after_hash=head.hash,
        )
    last_moves = {line.owned: seq for seq, line in enumerate(lines, head.seq + 1) if line.owned}
    for each in opened:
        if each.postings or each.hold_changed:
            settle_service(
                uow,
                each.scope,
                each.locked,
                balance_micros=each.balance_micros,
                last_seq=last_moves.get(wallet(each.scope.account_id), head.seq + len(lines)),
            )
    # A client's draws may be of its agency's minutes.
    if any(line.unit == SECONDS for line in lines):
        for watched in opened:
            if watched.locked.alerts_minutes:
                alerts.minutes_moved(uow, watched.scope)


def settle_service(
    uow: UnitOfWork, scope: Scope, locked: LockedBooks, *, balance_micros: int, last_seq: int
) -> None:
    """Suspend or restore as the balance says, and warn once when it crosses the threshold. An
    account that is held (a renewal waits, or its access ended) stays suspended whatever it has.

    `last_seq` names the crossing: the mail of one crossing is one outbox row, however often the
    transaction is tried again.
    """
    low = locked.low_balance_micros
    if low is not None and balance_micros < low <= locked.balance_micros:
        _announce(uow, scope, "low_balance", last_seq, balance_micros, locked.currency)
    if alerts.is_crossed(locked.alert_low_micros, locked.alert_high_micros, balance_micros):
        alerts.money_moved(uow, scope, balance_micros)
    if balance_micros > locked.balance_micros:
        looks.look_again(uow.connection, scope, uow.now)  # it may have paid what it owed
    if locked.status == AccountStatus.CLOSED:
        return
    least = locked.recharge_below_micros
    if least is not None and balance_micros < least <= locked.balance_micros:
        payment_deeds.look_at_recharge(uow, scope, after=str(last_seq))
    if balance_micros > locked.balance_micros:
        if locked.held is not None:
            renewals.wake(uow.connection, scope, now=uow.now)
        if locked.parent_id is None:
            for client in accounts.held_clients(uow.connection, scope):
                renewals.wake(uow.connection, client, now=uow.now)
    plan = plans.plan_version(uow.connection, locked.plan_version_id).plan
    if balance_micros > locked.balance_micros and plan.terms.exhaustion == "auto_upgrade":
        plan_changes.wake(uow.connection, scope, now=uow.now)
    status = lifecycle.service_status(balance_micros, plan)
    if locked.held is not None:
        status = AccountStatus.SUSPENDED
    if status == locked.status:
        return
    suspension.set_service(
        uow.connection, scope, active=status == AccountStatus.ACTIVE, now=uow.now
    )
    kind = "restored" if status == AccountStatus.ACTIVE else "suspended"
    _announce(uow, scope, kind, last_seq, balance_micros, locked.currency)
    audit.note(
        uow,
        scope,
        "system",
        f"account.{kind}",
        scope.account_id,
        balance=format_amount(balance_micros),
        after_posting=last_seq,
    )
    if kind == "suspended" and plan.in_call.policy == "cut":
        outbox.add(
            uow.connection,
            scope,
            queue="carrier",
            kind="end_calls",
            key=f"end_calls:{scope.account_id}:{last_seq}",
            payload={},
            now=uow.now,
        )


def _announce(
    uow: UnitOfWork, scope: Scope, kind: str, last_seq: int, balance_micros: int, currency: str
) -> None:
    BALANCE_CROSSINGS.labels(kind).inc()
    outbox.add(
        uow.connection,
        scope,
        queue="notify",
        kind=kind,
        key=f"{kind}:{scope.account_id}:{last_seq}",
        payload={"balance": format_amount(balance_micros), "currency": currency},
        now=uow.now,
    )


@dataclass(frozen=True, slots=True)
class TopUp:
    id: uuid.UUID
    amount_micros: int
    currency: str
    balance_after_micros: int
    repeated: bool  # the same key was posted before; nothing moved now


def top_up(
    uow: UnitOfWork,
    scope: Scope,
    *,
    amount_micros: int,
    method: str,
    reason: str,
    actor: str,
    idempotency_key: str,
    payment: Payment | None = None,
) -> TopUp:
    """Credit an account; the same key a second time answers the first credit. `method` "manual"
    is what staff posts by hand, if the plan takes that; a bank's transfer is never refused.
    `payment` says what tax came in beside the amount, which is its net part; of money that was paid
    outside, `credit_receipts.paid_by_hand` says it."""
    assert payment is None or payment.net_micros == amount_micros, "the wallet gets the net part"
    _check_amount(amount_micros, positive=True)
    if not reason.strip():
        raise Invalid.at("/reason", "Say why: the reason stands on the customer's statement.")
    with books(uow, scope) as opened:
        first = topups.find(uow.connection, scope, idempotency_key)
        if first is not None:
            return TopUp(
                first.id, first.amount_micros, opened.currency, opened.balance_micros, True
            )
        verdict = top_up_by_hand(uow, opened.locked.plan_version_id)
        if method == BY_HAND and isinstance(verdict, Refused):
            raise NotForSale(verdict.words)
        top_up_id = new_id()
        topups.insert(
            uow.connection,
            scope,
            top_up_id=top_up_id,
            amount_micros=amount_micros,
            method=method,
            reason=reason.strip(),
            actor=actor,
            idempotency_key=idempotency_key,
            now=uow.now,
        )
        posting = opened.post(
            lambda balance: topup_posting(
                top_up_id,
                amount=amount_micros,
                unit=opened.currency,
                at=uow.now,
                account_id=scope.account_id,
                balance_before=balance,
                description=f"Top-up ({method})",
                actor=actor,
                reason=reason.strip(),
            )
        )
        if payment is not None and payment.vat_micros:
            opened.post(
                lambda _balance: vat_posting(
                    top_up_id,
                    amount=payment.vat_micros,
                    unit=opened.currency,
                    at=uow.now,
                    account_id=scope.account_id,
                    note=payment.note,
                )
            )
        credit_receipts.announce(uow, scope, posting, payment)
    audit.note(
        uow,
        scope,
        actor,
        "account.topped_up",
        top_up_id,
        amount=format_amount(amount_micros),
        method=method,
        reason=reason.strip(),
    )
    return TopUp(top_up_id, amount_micros, opened.currency, opened.balance_micros, False)


def top_up_by_hand(uow: UnitOfWork, plan_version_id: uuid.UUID) -> Allowed | Refused:
    """Where the plan takes none, money that staff gives is a correction (C6)."""
    terms = plans.plan_version(uow.connection, plan_version_id).plan.terms
    return may_top_up(terms, by_card=False)


def adjust(
    uow: UnitOfWork,
    scope: Scope,
    *,
    amount_micros: int,
    reason: str,
    actor: str,
    idempotency_key: str,
) -> Posting:
    """Correct a balance by hand; a negative amount takes. The same key posts once."""
    _check_amount(amount_micros, positive=False)
    if not reason.strip():
        raise Invalid.at("/reason", "Say why: an adjustment without a reason explains nothing.")
    adjustment_id = uuid.uuid5(scope.account_id, idempotency_key)
    with books(uow, scope) as opened:
        first = ledger.find_posting(uow.connection, scope.tenant_id, f"adjust:{adjustment_id}")
        if first is not None:
            return first
        posting = opened.post(
            lambda balance: adjustment_posting(
                adjustment_id,
                amount=amount_micros,
                unit=opened.currency,
                at=uow.now,
                account_id=scope.account_id,
                balance_before=balance,
                actor=actor,
                reason=reason.strip(),
            )
        )
        if amount_micros > 0:
            credit_receipts.announce(uow, scope, posting, None)
    audit.note(
        uow,
        scope,
        actor,
        "account.adjusted",
        adjustment_id,
        amount=format_amount(amount_micros),
        reason=reason.strip(),
    )
    return posting


def post(uow: UnitOfWork, scope: Scope, build: Callable[[int, str], Posting]) -> Posting:
    """One posting built from the balance before it and the account's currency; a key that was
    posted already is answered, not posted again."""
    with books(uow, scope) as opened:
        draft = build(opened.balance_micros, opened.currency)
        first = ledger.find_posting(uow.connection, scope.tenant_id, draft.key)
        return first or opened.post(lambda _: draft)


@dataclass(frozen=True, slots=True)
class TenantProof:
    tenant_id: uuid.UUID
    report: ChainReport


def verify(connection: Connection, tenant_id: uuid.UUID | None = None) -> Iterator[TenantProof]:
    """Walk each tenant's whole chain; `connection` should be REPEATABLE READ, so that lines
    written meanwhile are not half seen."""
    chosen: Sequence[uuid.UUID] = (
        [tenant_id] if tenant_id is not None else ledger.tenants(connection)
    )
    for tenant in chosen:
        yield TenantProof(
            tenant,
            verify_chain(
                ledger.chain_rows(connection, tenant),
                cached_balances=ledger.cached_balances(connection, tenant),
                head=ledger.head(connection, tenant),
            ),
        )


def _check_amount(amount_micros: int, *, positive: bool) -> None:
    if amount_micros == 0 or (positive and amount_micros < 0):
        wanted = "more than zero" if positive else "other than zero"
        raise Invalid.at("/amount", f"Write an amount {wanted}, such as 25.00.")
    if abs(amount_micros) > AMOUNT_MAX_MICROS:
        raise Invalid.at("/amount", f"At most {format_amount(AMOUNT_MAX_MICROS)} at once.")
