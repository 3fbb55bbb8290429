"""Access by the month or the year: begun, renewed, cancelled, taken up again."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import cast

from billing.calendar import local_date
from billing.fees import access_posting
from billing.renewals import RenewalOutcome, renewal_outcome, renewal_shortfall
from billing.subscriptions import Subscription, access_fees_due, access_key, cancel
from billing.terms import CancelEffect, Term
from gateway.services import audit, included_credit, ledger, plans
from gateway.services.errors import Conflict, NotFound
from gateway.services.ledger import Books
from gateway.services.plans import PlanVersion
from gateway.services.renewal_notices import RETRY_AFTER, announce, tell_unpaid
from gateway.store import accounts as account_store
from gateway.store import plan_changes as plan_change_store
from gateway.store import subscriptions as store
from gateway.store.base import Scope, new_id
from gateway.store.subscriptions import StoredSubscription
from gateway.uow import UnitOfWork

WAITS, ENDED = "renewal", "access"
"""Why service is held back: a fee waits for money; access has ended."""


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """What a customer sees beside the plan (S3-04)."""

    id: uuid.UUID
    term: str
    fee_micros: int
    started_at: dt.datetime
    renews_on: dt.date | None  # None after a cancellation
    access_ends_at: dt.datetime | None  # the first instant without it
    canceled_by: str | None
    waits: bool
    ended_at: dt.datetime | None


def begin(
    uow: UnitOfWork,
    opened: Books,
    term: Term = "month",
    *,
    starts_at: dt.datetime | None = None,
) -> None:
    """Open the subscription of a plan that has an access fee; its first term is due at once.
    `starts_at` is where an earlier subscription ended, else it starts now."""
    version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
    fee = version.plan.terms.access_fee.for_term(term)
    if not fee or store.open_of(uow.connection, opened.scope) is not None:
        return
    zone, at = opened.locked.time_zone, starts_at or uow.now
    store.add(
        uow.connection,
        StoredSubscription(
            tenant_id=opened.scope.tenant_id,
            id=new_id(),
            account_id=opened.scope.account_id,
            plan_version_id=version.id,
            term=term,
            fee_micros=fee,
            time_zone=zone,
            anchor_on=local_date(at, zone),
            n=-1,
            ends_at=at,
            due_at=at,
            renews=True,
            canceled_at=None,
            canceled_by=None,
            cancel_effect=None,
            ended_at=None,
            created_at=at,
        ),
    )


def subscription_of(stored: StoredSubscription) -> Subscription:
    """As the rules know it."""
    return Subscription(
        id=stored.id,
        account_id=stored.account_id,
        term=cast(Term, stored.term),
        zone=stored.time_zone,
        anchor=stored.anchor_on,
        started_at=stored.created_at,
        cancelled_at=stored.canceled_at,
        cancel_effect=cast(CancelEffect, stored.cancel_effect or "period_end"),
    )


def renew(uow: UnitOfWork, opened: Books) -> str | None:
    """Post the terms that are due, end what was cancelled; why service is held back, or None."""
    stored = store.open_of(uow.connection, opened.scope)
    version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
    if stored is None:
        had_access = store.last_of(uow.connection, opened.scope) is not None
        return ENDED if had_access and version.plan.terms.access_fee.month_micros else None
    subscription = subscription_of(stored)
    values: dict[str, object] = {}
    held = None
    for term in access_fees_due(subscription, posted=stored.n, now=uow.now):
        if stored.waits and stored.n >= 0 and term.ends_at <= uow.now:
            # Service was held back all that time: a term without access is not charged.
            values = {"n": term.n, "ends_at": term.ends_at, "due_at": term.ends_at}
            continue
        outcome = _outcome(uow, opened.money, stored.fee_micros)
        if outcome == RenewalOutcome.DROP and stored.n >= 0:
            values |= {"ended_at": uow.now}
            held = ENDED
        elif outcome != RenewalOutcome.POST:
            values |= {"due_at": uow.now + RETRY_AFTER}
            held = WAITS
        if held is not None:
            key = access_key(stored.id, term.n)
            tell_unpaid(uow, opened.money, key, "the access fee", held == WAITS)
            break
        _post(uow, opened, subscription, term.n, stored.fee_micros, version)
        values = {"n": term.n, "ends_at": term.ends_at, "due_at": term.ends_at}
        announce(uow, opened.money.scope, access_key(stored.id, term.n + 1), term.ends_at)
    values |= _ending(uow, subscription, values)
    if values.get("ended_at"):
        held = ENDED
    if values:
        store.change(uow.connection, opened.scope, stored.id, values)
    return held


def _outcome(uow: UnitOfWork, money: Books, fee_micros: int) -> RenewalOutcome:
    plan = plans.plan_version(uow.connection, money.locked.plan_version_id).plan
    own = included_credit.own_micros(uow, money)
    short = renewal_shortfall(fee_micros, own, plan.credit_limit_micros)
    return renewal_outcome(short, plan.terms.renewal_without_balance)


def _post(
    uow: UnitOfWork,
    opened: Books,
    subscription: Subscription,
    n: int,
    fee_micros: int,
    version: PlanVersion,
) -> None:
    if fee_micros == 0:
        return
    term, money = subscription.period(n), opened.money
    money.post(
        lambda balance: access_posting(
            subscription,
            n,
            amount=fee_micros,
            unit=money.currency,
            at=uow.now,
            account_id=money.scope.account_id,
            balance_before=balance,
            description=f"Access to {version.plan.name}, from {term.starts_on:%d %b %Y}",
            plan_version_id=version.id,
        )
    )


def _ending(
    uow: UnitOfWork, subscription: Subscription, values: dict[str, object]
) -> dict[str, object]:
    """A cancelled subscription is looked at next when its access ends, and is then over."""
    ends_at = subscription.access_ends_at
    if ends_at is None or values.get("ended_at"):
        return {}
    return {"ended_at": ends_at, "due_at": ends_at} if ends_at <= uow.now else {"due_at": ends_at}


def view(uow: UnitOfWork, scope: Scope) -> SubscriptionView | None:
    """None for an account that never had one: its plan has no access fee."""
    stored = store.open_of(uow.connection, scope) or store.last_of(uow.connection, scope)
    if stored is None:
        return None
    subscription = subscription_of(stored)
    return SubscriptionView(
        id=stored.id,
        term=stored.term,
        fee_micros=stored.fee_micros,
        started_at=stored.created_at,
        renews_on=None if stored.ended_at else subscription.next_renewal_on(uow.now),
        access_ends_at=stored.ended_at or subscription.access_ends_at,
        canceled_by=stored.canceled_by,
        waits=stored.waits,
        ended_at=stored.ended_at,
    )


def cancel_renewal(uow: UnitOfWork, scope: Scope, actor: str) -> SubscriptionView:
    """No renewal follows and nothing is refunded; when access ends is the plan's rule."""
    with ledger.books(uow, scope) as opened:
        stored = _open(uow, scope)
        version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
        if stored.canceled_at is None:
            cancelled = cancel(subscription_of(stored), uow.now, version.plan.terms.cancellation)
            store.change(
                uow.connection,
                scope,
                stored.id,
                {
                    "canceled_at": uow.now,
                    "canceled_by": actor,
                    "cancel_effect": cancelled.cancel_effect,
                    "due_at": cancelled.access_ends_at,
                },
            )
            audit.note(uow, scope, actor, "subscription.canceled", stored.id)
    found = view(uow, scope)
    assert found is not None
    return found


def would_end_at(uow: UnitOfWork, scope: Scope) -> dt.datetime | None:
    """When access ends if it is cancelled now; None where nothing can be cancelled."""
    stored = store.open_of(uow.connection, scope)
    account = account_store.find(uow.connection, scope)
    if stored is None or account is None:
        return None
    plan = plans.plan_version(uow.connection, account.plan_version_id).plan
    return cancel(subscription_of(stored), uow.now, plan.terms.cancellation).access_ends_at


def resume(uow: UnitOfWork, scope: Scope, actor: str) -> SubscriptionView:
    """Take a cancellation back while access lasts."""
    with ledger.books(uow, scope):
        stored = _open(uow, scope)
        if stored.canceled_at is not None:
            store.change(
                uow.connection,
                scope,
                stored.id,
                {
                    "canceled_at": None,
                    "canceled_by": None,
                    "cancel_effect": None,
                    "due_at": stored.ends_at,
                },
            )
            plan_change_store.wake(uow.connection, scope, now=uow.now)
            audit.note(uow, scope, actor, "subscription.resumed", stored.id)
    found = view(uow, scope)
    assert found is not None
    return found


def _open(uow: UnitOfWork, scope: Scope) -> StoredSubscription:
    stored = store.open_of(uow.connection, scope)
    if stored is None:
        if store.last_of(uow.connection, scope) is None:
            raise NotFound("subscription", scope.account_id)
        raise Conflict("The access has ended: ask our team for a new start.")
    return stored
