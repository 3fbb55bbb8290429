"""Everything that renews by itself, account by account, under the account's lock.

Each period has its number in the key of its posting, and what is due is read again under the
lock: so two clocks, a second run and a day of downtime all leave each period charged once.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from billing.calendar import local_date, nth_period
from billing.minutes import carry_posting, expire_posting, package_key
from billing.money import format_amount
from billing.purchases import carried_over, may_expire, package_renewals_due
from billing.renewals import RenewalOutcome, renewal_outcome, renewal_shortfall
from billing.terms import Term
from gateway.services import (
    included_credit,
    ledger,
    memberships,
    packages,
    payers,
    plan_changes,
    plans,
    pools,
    rentals,
    subscriptions,
    upgrades,
)
from gateway.services.arrears import ARREARS
from gateway.services.card_first import AWAITS_CARD
from gateway.services.deeds import Handler
from gateway.services.errors import NotFound
from gateway.services.ledger import Books
from gateway.services.minutes import bucket_of
from gateway.services.plans import PlanVersion
from gateway.services.renewal_notices import (
    LOOK,
    RETRY_AFTER,
    announce,
    tell_unpaid,
)
from gateway.store import accounts as account_store
from gateway.store import buckets, outbox
from gateway.store import packages as package_store
from gateway.store import renewals as store
from gateway.store import rentals as rental_store
from gateway.store import subscriptions as subscription_store
from gateway.store.accounts import Account
from gateway.store.base import Scope, new_id
from gateway.store.buckets import StoredBucket
from gateway.store.outbox import DueDeed
from gateway.store.packages import StoredPackage
from gateway.uow import UnitOfWork, UnitsOfWork
from routing.numbering import pretty

log = structlog.get_logger(__name__)

ACCOUNTS_PER_LOOK = 200
LOOK_AGAIN = dt.timedelta(seconds=60)
"""How long a bucket that is over waits for its last legs, until it is looked at again."""


def drain(units: UnitsOfWork) -> int:
    """Renew until nothing is due; how many accounts were. One that fails is logged and stays due:
    the others do not wait for it."""
    done: set[Scope] = set()
    while True:
        with units.read() as uow:
            limit = ACCOUNTS_PER_LOOK + len(done)
            due = store.due_accounts(uow.connection, now=uow.now, limit=limit)
        fresh = [scope for scope in due if scope not in done]
        if not fresh:
            return len(done)
        for scope in fresh:
            done.add(scope)
            try:
                renew_account(units, scope)
            except Exception:
                log.exception("renew.failed", account_id=str(scope.account_id))


def renew_account(
    units: UnitsOfWork, scope: Scope, *, settled_until: dt.datetime | None = None
) -> None:
    units.retrying(lambda uow: renew(uow, scope, settled_until=settled_until))


def renew(uow: UnitOfWork, scope: Scope, *, settled_until: dt.datetime | None = None) -> None:
    """One account's due periods: changes of plan first, because they set the prices of the rest,
    and minutes before rent, because a bucket that is missing would cost more. `settled_until`: legs
    that ended earlier are settled, as far as they can be; see `included_credit.turn`."""
    with ledger.books(uow, scope) as opened:
        memberships.apply_due(uow, opened)
        payers.join(uow, opened)
        plan_changes.apply_due(uow, opened)
        upgrades.apply_due(uow, opened)
        _renew_all(uow, opened, settled_until=settled_until)
    with ledger.books(uow, scope) as opened:  # what was issued above stands in the ledger now
        _close_buckets(uow, opened)


def change_plan(uow: UnitOfWork, scope: Scope, version: PlanVersion, actor: str) -> None:
    """At once, by staff; what it costs and gives is that of a change that was scheduled."""
    with ledger.books(uow, scope) as opened:
        payers.join(uow, opened)
        plan_changes.move(uow, opened, version, new_id(), actor)
        _renew_all(uow, opened)


def begin(uow: UnitOfWork, scope: Scope, term: Term) -> None:
    """A new account: its first access fee and its first minutes, as its plan has them."""
    with ledger.books(uow, scope) as opened:
        payers.join(uow, opened)
        subscriptions.begin(uow, opened, term)
        pools.begin(uow, opened)
        held = subscriptions.renew(uow, opened)
        included_credit.turn(uow, opened, has_access=held != subscriptions.ENDED)
        _hold(uow, opened, held)


def _renew_all(uow: UnitOfWork, opened: Books, *, settled_until: dt.datetime | None = None) -> None:
    held = subscriptions.renew(uow, opened)
    pools.reset(uow, opened)
    included_credit.turn(
        uow, opened, has_access=held != subscriptions.ENDED, settled_until=settled_until
    )
    for stored in package_store.running(uow.connection, opened.scope):
        _renew_package(uow, opened, stored)
    rent_waits = rentals.renew(uow, opened)
    _hold(uow, opened, held or (subscriptions.WAITS if rent_waits else None))


def _hold(uow: UnitOfWork, opened: Books, why: str | None) -> None:
    """A hold for arrears or for a card is not ours to lift: `dunning` and `card_first` do."""
    if opened.locked.held not in (ARREARS, AWAITS_CARD) and opened.hold(why):
        account_store.change(uow.connection, opened.scope, {"held": why})


def _renew_package(uow: UnitOfWork, opened: Books, stored: StoredPackage) -> None:
    package = packages.package_of(uow, stored)
    plan = plans.plan_version(uow.connection, opened.locked.plan_version_id).plan
    price, n = package.offer.price_micros, stored.n
    waited = stored.due_at > stored.ends_at
    values: dict[str, Any] = {}
    for month in package_renewals_due(package, posted=n, now=uow.now):
        if waited and month.ends_at <= uow.now:
            n = month.n  # it waited all that month: minutes that are over are not sold
            values = {"n": n, "starts_at": month.starts_at, "ends_at": month.ends_at}
            values["due_at"] = month.ends_at
            continue
        own = included_credit.own_micros(uow, opened)
        short = renewal_shortfall(price, own, plan.credit_limit_micros)
        outcome = renewal_outcome(short, plan.terms.renewal_without_balance)
        if outcome != RenewalOutcome.POST:
            waits = outcome == RenewalOutcome.WAIT
            values |= {"due_at": uow.now + RETRY_AFTER} if waits else {"expired_at": uow.now}
            words = f"the package of {packages.offer_words(package.offer)}"
            tell_unpaid(uow, opened, package_key(stored.id, month.n), words, waits)
            break
        packages.fill(uow, opened, package, month.n, stored.plan_version_id)
        n = month.n
        values = {
            "n": n,
            "starts_at": month.starts_at,
            "ends_at": month.ends_at,
            "due_at": month.ends_at,
        }
        announce(uow, opened.scope, package_key(stored.id, n + 1), month.ends_at)
    ends_at = values.get("ends_at", stored.ends_at)
    if ends_at <= uow.now and "expired_at" not in values and not package.renews_into(n + 1):
        values["expired_at"] = ends_at
    if values:
        package_store.change(uow.connection, opened.scope, stored.id, values)


def _close_buckets(uow: UnitOfWork, opened: Books) -> None:
    """What is over and can be drawn no more: the rest rolls over as far as the plan lets it, and
    expires (S1-16). Until then it is looked at every minute."""
    scope = opened.scope
    arrived: Counter[uuid.UUID] = Counter()  # what this look carried into each
    for stored in buckets.open_of(uow.connection, scope.tenant_id, [scope.account_id]):
        if stored.ends_at > uow.now:
            continue
        bucket = bucket_of(uow, stored)
        bucket = replace(bucket, remaining_seconds=bucket.remaining_seconds + arrived[stored.id])
        oldest = buckets.oldest_open_call_at(uow.connection, scope, before=stored.ends_at)
        if not may_expire(bucket, uow.now, oldest):
            look_at = uow.now + LOOK_AGAIN
            buckets.change(uow.connection, scope.tenant_id, stored.id, look_at=look_at)
            continue
        rollover = plans.plan_version(uow.connection, stored.plan_version_id).plan.terms.rollover
        successor = None if rollover.mode == "none" else _successor(uow, scope, stored)
        if successor is None:
            carried, expired = 0, max(0, bucket.remaining_seconds)
        else:
            before = arrived[successor.id]
            if stored.kind == "pool":
                before += buckets.carried_of_cycle(uow.connection, scope, stored.n)
            carried, expired = carried_over(rollover, bucket.remaining_seconds, before)
        if successor is not None and carried:
            into = bucket_of(uow, successor)
            opened.postings.append(carry_posting(bucket, into, seconds=carried, at=uow.now))
            arrived[successor.id] += carried
        if expired:
            left = replace(bucket, remaining_seconds=bucket.remaining_seconds - carried)
            opened.postings.append(expire_posting(left, seconds=expired, at=uow.now))
        buckets.change(uow.connection, scope.tenant_id, stored.id, closed_at=uow.now)


def _successor(uow: UnitOfWork, scope: Scope, stored: StoredBucket) -> StoredBucket | None:
    """The next period's; of several grants of it the newest, which is good to its end."""
    found = [
        later
        for later in buckets.open_of(uow.connection, scope.tenant_id, [scope.account_id])
        if later.kind == stored.kind
        and later.package_id == stored.package_id
        and later.n == stored.n + 1
    ]
    return max(found, key=lambda later: later.upgrade, default=None)


def month_from_now(uow: UnitOfWork, account: Account) -> dt.date:
    """When a month that begins now is over."""
    return nth_period(local_date(uow.now, account.time_zone), 1)


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A charge that comes by itself."""

    at: dt.datetime
    words: str
    amount_micros: int


def upcoming(uow: UnitOfWork, scope: Scope, until: dt.datetime) -> tuple[Upcoming, ...]:
    """What an account's balance is asked for up to an instant, the next first; one period of each.
    Fees and rent of a client that shares its agency's billing are the agency's."""
    account = account_store.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    found = [*_packages_coming(uow, scope)]
    if account.billing == "own":
        found += fees_coming(uow, scope)
    for client in account_store.sharing_clients(uow.connection, scope):
        found += fees_coming(uow, client)
    return tuple(sorted((u for u in found if u.at <= until), key=lambda u: (u.at, u.words)))


def missing(uow: UnitOfWork, scope: Scope, coming: Sequence[Upcoming]) -> int:
    """Micros by which the balance falls short of what renews; what happens then is the plan's
    rule (`renewal_without_balance`)."""
    account = account_store.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    plan = plans.plan_version(uow.connection, account.plan_version_id).plan
    total = sum(charge.amount_micros for charge in coming)
    left = included_credit.left_micros(uow, scope, account.credit_turns_at)
    return renewal_shortfall(total, account.balance_micros - left, plan.credit_limit_micros)


def _packages_coming(uow: UnitOfWork, scope: Scope) -> Iterator[Upcoming]:
    for stored in package_store.running(uow.connection, scope):
        package = packages.package_of(uow, stored)
        if package.renews_into(stored.n + 1):
            words = f"Package of {packages.offer_words(package.offer)}"
            yield Upcoming(stored.due_at, words, package.offer.price_micros)


def fees_coming(uow: UnitOfWork, scope: Scope) -> Iterator[Upcoming]:
    """The next access fee and the next rent of each number, whoever pays them."""
    access = subscription_store.open_of(uow.connection, scope)
    if access is not None and access.canceled_at is None and access.fee_micros:
        yield Upcoming(access.due_at, "Access fee", access.fee_micros)
    for rented in rental_store.kept(uow.connection, scope):
        if rented.rental_micros:
            words = f"Rent of {pretty(rented.e164)}"
            yield Upcoming(rented.rent_due_at, words, rented.rental_micros)


def handlers(units: UnitsOfWork) -> dict[str, Handler]:
    """Deeds of the notify queue that look ahead; the mails that they lead to are others."""
    return {LOOK: lambda deed: _look(units, deed)}


def _look(units: UnitsOfWork, deed: DueDeed) -> None:
    """Mail what is missing for what renews by then; nothing where the balance covers it."""
    scope = Scope(deed.tenant_id, deed.account_id)
    at = dt.datetime.fromisoformat(deed.payload["at"])
    with units.begin() as uow:
        account = account_store.find(uow.connection, scope)
        if account is None or account.status == "closed":
            return
        coming = upcoming(uow, scope, at)
        if not coming:
            return
        plan = plans.plan_version(uow.connection, account.plan_version_id).plan
        total = sum(charge.amount_micros for charge in coming)
        short = missing(uow, scope, coming)
        if short == 0:
            return
        days = max(1, round((at - uow.now) / dt.timedelta(days=1)))
        outbox.add(
            uow.connection,
            scope,
            queue="notify",
            kind="renewal_short",
            key=f"renewal_short:{scope.account_id}:{at:%Y%m%d}:{days}",
            payload={
                "lines": [f"{format_amount(c.amount_micros)}  {c.words}" for c in coming],
                "total": format_amount(total),
                "missing": format_amount(short),
                "balance": format_amount(account.balance_micros),
                "currency": account.currency,
                "on": at.isoformat(),
                "policy": plan.terms.renewal_without_balance,
            },
            now=uow.now,
        )
