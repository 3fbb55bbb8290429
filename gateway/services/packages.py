"""Packages of minutes: offered by the plan, bought once per key, renewed, stopped, looked at."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from billing import regions
from billing.calendar import local_date
from billing.minutes import issue_posting, package_price_posting
from billing.money import format_amount
from billing.purchases import Package, Purchaser, PurchaseRefused
from billing.purchases import undo_stop as billing_undo_stop
from billing.regions import RegionSet
from billing.terms import PackageOffer
from gateway.services import audit, ledger, plans, sales
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.services.ledger import Books
from gateway.services.pages import (
    LIMIT_DEFAULT,
    Page,
    clamp,
    cut,
    decode_cursor,
    encode_cursor,
    uuid_of,
)
from gateway.services.principals import Principal
from gateway.services.renewal_notices import announce
from gateway.store import accounts as account_store
from gateway.store import buckets, packages
from gateway.store.base import Scope, new_id
from gateway.store.buckets import StoredBucket
from gateway.store.packages import StoredPackage
from gateway.uow import UnitOfWork
from routing import geography


@dataclass(frozen=True, slots=True)
class Offer:
    """A package that the account's plan sells now."""

    terms: PackageOffer
    currency: str
    plan_version_id: uuid.UUID

    @property
    def per_minute_micros(self) -> int:
        """Rounded up: never shown cheaper than it is."""
        return -(-self.terms.price_micros // self.terms.minutes)


@dataclass(frozen=True, slots=True)
class PackageView:
    """A package in its current month. used + remaining + expired is what the month was filled
    with, all of it from the ledger (S1-08)."""

    id: uuid.UUID
    offer: PackageOffer
    currency: str
    purchased_at: dt.datetime
    purchased_by: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    renews_on: dt.date | None  # in the zone of the purchase; None: the minutes end instead
    ends_on: dt.date
    stopped_at: dt.datetime | None
    stopped_by: str | None
    expired_at: dt.datetime | None
    waits: bool  # a renewal that the balance does not cover yet
    size_seconds: int
    used_seconds: int
    remaining_seconds: int
    expired_seconds: int

    @property
    def status(self) -> str:
        if self.expired_at is not None:
            return "ended"
        if self.waits:
            return "waiting"
        return "stopped" if self.stopped_at is not None else "active"


def offers(uow: UnitOfWork, scope: Scope) -> tuple[Offer, ...]:
    """What the plan of the account sells, the smallest first; empty where it sells none."""
    account = account_store.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    version = plans.plan_version(uow.connection, account.plan_version_id)
    sold = sorted(version.plan.terms.packages, key=lambda o: (o.number_type, o.minutes, o.code))
    return tuple(Offer(terms, version.plan.currency, version.id) for terms in sold)


def purchaser_of(principal: Principal, account_name: str) -> Purchaser:
    """Who buys, as they are called now and by the log-in that stays; staff buys in the account's
    name (S1-09)."""
    actor_id = str(principal.id or "")
    if principal.is_ops:
        return Purchaser(actor_id, account_name, acted_as_by=principal.name)
    person = f"{principal.person}, {principal.name}" if principal.person else principal.name
    return Purchaser(actor_id, person)


def buy(
    uow: UnitOfWork, scope: Scope, code: str, purchaser: Purchaser, *, idempotency_key: str
) -> PackageView:
    """Pay for a month and have its seconds, in one transaction; the same key buys once."""
    sales.check_key(idempotency_key)
    package_id = new_id()
    with ledger.books(uow, scope) as opened:
        first = packages.find_by_key(uow.connection, scope, idempotency_key)
        if first is not None:
            if first.code != code:
                raise Conflict("That idempotency key was used for another package: send a new key.")
            return get(uow, scope, first.id)
        package, plan_version_id = _sell(uow, opened, package_id, code, purchaser)
        month = package.period(0)
        packages.add(
            uow.connection,
            StoredPackage(
                tenant_id=scope.tenant_id,
                id=package_id,
                account_id=scope.account_id,
                code=code,
                plan_version_id=plan_version_id,
                purchased_at=uow.now,
                purchased_by=purchaser.words,
                time_zone=package.zone,
                anchor_on=package.anchor,
                n=0,
                starts_at=month.starts_at,
                ends_at=month.ends_at,
                due_at=month.ends_at,
                renews=package.offer.renews,
                stopped_at=None,
                stopped_by=None,
                expired_at=None,
                idempotency_key=idempotency_key,
            ),
        )
        fill(uow, opened, package, 0, plan_version_id)
        account_store.change(uow.connection, scope, {"draws_minutes": True})
        announce(uow, scope, f"package:{package_id}:1", month.ends_at)
    audit.note(
        uow,
        scope,
        purchaser.words,
        "package.bought",
        package_id,
        code=code,
        price=format_amount(package.offer.price_micros),
        minutes=package.offer.minutes,
    )
    return get(uow, scope, package_id)


def _sell(
    uow: UnitOfWork, opened: Books, package_id: uuid.UUID, code: str, purchaser: Purchaser
) -> tuple[Package, uuid.UUID]:
    """The package, if the plan sells it and the balance covers it."""
    version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
    plan = version.plan
    offer = plan.terms.find_package(code)
    if offer is None:
        sold = ", ".join(o.code for o in plan.terms.packages) or "no packages"
        raise Invalid.at("/code", f"your plan sells {sold}")
    sales.check_affordable(uow, opened, plan, "The package", offer.price_micros)
    zone = opened.locked.time_zone
    return (
        Package(
            id=package_id,
            owner_id=opened.scope.account_id,
            offer=offer,
            zone=zone,
            anchor=local_date(uow.now, zone),
            purchased_at=uow.now,
            purchaser=purchaser,
        ),
        version.id,
    )


def fill(
    uow: UnitOfWork, opened: Books, package: Package, n: int, plan_version_id: uuid.UUID
) -> None:
    """Take a month's price and issue its seconds."""
    month, words = package.period(n), offer_words(package.offer)
    price = package_price_posting(
        package,
        n,
        unit=opened.currency,
        at=uow.now,
        balance_before=opened.balance_micros,
        plan_version_id=plan_version_id,
        description=f"{words}, from {month.starts_on:%d %b %Y}",
    )
    if price is not None:
        opened.post(lambda _: price)
    opened.postings.append(
        issue_posting(
            package.bucket(n, 0),
            seconds=package.offer.size_seconds,
            at=uow.now,
            plan_version_id=plan_version_id,
            description=words,
        )
    )
    buckets.add(
        uow.connection,
        opened.scope,
        bucket_id=package.bucket_id(n),
        kind="package",
        package_id=package.id,
        offer_code=package.offer.code,
        plan_version_id=plan_version_id,
        n=n,
        starts_at=month.starts_at,
        ends_at=month.ends_at,
    )


def offer_words(offer: PackageOffer) -> str:
    return f"{offer.minutes:,} {offer.number_type} minutes"


def region_words(region: RegionSet | None) -> str:
    """Which numbers draw it: "CA and US, without 808 (Hawaii) and 907 (Alaska)"."""
    return regions.region_words(region, _area_words)


def _area_words(code: str) -> str:
    """What the code covers, where the numbering plan has it as one state."""
    area = geography.area_codes().get(code)
    state = geography.state_names().get(area.state) if area else None
    return f"{code} ({state})" if state else code


def package_of(uow: UnitOfWork, stored: StoredPackage) -> Package:
    """As the rules know it."""
    version = plans.plan_version(uow.connection, stored.plan_version_id)
    offer = version.plan.terms.find_package(stored.code)
    assert offer is not None, "a version that sold a package never changes"
    return Package(
        id=stored.id,
        owner_id=stored.account_id,
        offer=offer,
        zone=stored.time_zone,
        anchor=stored.anchor_on,
        purchased_at=stored.purchased_at,
        purchaser=Purchaser("", stored.purchased_by),
        stopped_at=stored.stopped_at,
    )


def stop_renewal(uow: UnitOfWork, scope: Scope, package_id: uuid.UUID, actor: str) -> PackageView:
    """The minutes stay to the end of the month, then regular billing; a second stop is the first.

    Under the lock that renewals hold: in the second of the renewal one of the two comes first.
    """
    with ledger.books(uow, scope):
        stored = _running(uow, scope, package_id)
        if stored.stopped_at is None:
            packages.change(
                uow.connection, scope, package_id, {"stopped_at": uow.now, "stopped_by": actor}
            )
            audit.note(uow, scope, actor, "package.stopped", package_id)
    return get(uow, scope, package_id)


def undo_stop(uow: UnitOfWork, scope: Scope, package_id: uuid.UUID, actor: str) -> PackageView:
    """Renew after all, up to the moment at which the minutes end."""
    with ledger.books(uow, scope):
        stored = _running(uow, scope, package_id)
        undone = billing_undo_stop(package_of(uow, stored), uow.now)
        if isinstance(undone, PurchaseRefused):
            raise Conflict(undone.words)
        if stored.stopped_at is not None:
            packages.change(
                uow.connection, scope, package_id, {"stopped_at": None, "stopped_by": None}
            )
            audit.note(uow, scope, actor, "package.renews_again", package_id)
    return get(uow, scope, package_id)


def _running(uow: UnitOfWork, scope: Scope, package_id: uuid.UUID) -> StoredPackage:
    stored = packages.find(uow.connection, scope, package_id)
    if stored is None:
        raise NotFound("package", package_id)
    if stored.expired_at is not None:
        raise Conflict("The package has ended: buy a new one.")
    return stored


def get(uow: UnitOfWork, scope: Scope, package_id: uuid.UUID) -> PackageView:
    stored = packages.find(uow.connection, scope, package_id)
    if stored is None:
        raise NotFound("package", package_id)
    return _views(uow, scope, (stored,))[0]


def list_packages(
    uow: UnitOfWork, scope: Scope, after: str | None = None, limit: int = LIMIT_DEFAULT
) -> Page[PackageView]:
    """Newest first, ended ones too."""
    limit = clamp(limit)
    before = decode_cursor(after, uuid_of) if after else None
    found = packages.of_account(uow.connection, scope, before=before, limit=limit + 1)
    return cut(_views(uow, scope, found), limit, lambda view: encode_cursor(view.id))


def _views(
    uow: UnitOfWork, scope: Scope, found: Iterable[StoredPackage]
) -> tuple[PackageView, ...]:
    stored = tuple(found)
    months = {
        bucket.package_id: bucket  # in order of n: the last one stays
        for bucket in buckets.of_packages(uow.connection, scope, [p.id for p in stored])
    }
    moved = buckets.moved(uow.connection, scope.tenant_id, [b.id for b in months.values()])
    return tuple(
        _view(uow, package, months[package.id], *moved[months[package.id].id]) for package in stored
    )


def _view(
    uow: UnitOfWork, stored: StoredPackage, month: StoredBucket, filled: int, gone: int
) -> PackageView:
    package = package_of(uow, stored)
    ended = stored.expired_at is not None
    return PackageView(
        id=stored.id,
        offer=package.offer,
        currency=plans.plan_version(uow.connection, stored.plan_version_id).plan.currency,
        purchased_at=stored.purchased_at,
        purchased_by=stored.purchased_by,
        starts_at=stored.starts_at,
        ends_at=stored.ends_at,
        renews_on=None
        if ended or not package.renews_into(stored.n + 1)
        else local_date(stored.ends_at, stored.time_zone),
        ends_on=local_date(stored.ends_at, stored.time_zone),
        stopped_at=stored.stopped_at,
        stopped_by=stored.stopped_by,
        expired_at=stored.expired_at,
        waits=not ended and stored.due_at > stored.ends_at,
        size_seconds=filled,
        used_seconds=filled - gone - month.remaining_seconds,
        remaining_seconds=month.remaining_seconds,
        expired_seconds=gone,
    )
