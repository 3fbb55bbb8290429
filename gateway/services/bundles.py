"""Bundles of single minutes: offered by the plan, bought once per key, looked at (S4-11)."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from billing.bundles import (
    bundle_bucket,
    bundle_ends_at,
    bundle_id,
    bundle_price_posting,
    may_buy_bundle,
)
from billing.lifecycle import Refused
from billing.minutes import issue_posting
from billing.money import format_amount
from billing.purchases import Purchaser
from billing.terms import Bundle
from gateway.services import audit, ledger, plans, pools, sales
from gateway.services.accounts import get_account
from gateway.services.errors import Conflict, NotForSale, NotFound
from gateway.services.ledger import Books
from gateway.services.pages import LIMIT_DEFAULT, Page, clamp, cut, decode_cursor, encode_cursor
from gateway.services.plans import PlanVersion
from gateway.store import accounts as account_store
from gateway.store import buckets
from gateway.store.base import Scope
from gateway.store.buckets import StoredBucket
from gateway.uow import UnitOfWork


@dataclass(frozen=True, slots=True)
class BundleOffer:
    """What the account's plan sells now; `ends_at` is how long it lasts if it is bought now."""

    terms: Bundle
    currency: str
    ends_at: dt.datetime

    @property
    def per_minute_micros(self) -> int:
        """Rounded up: never shown cheaper than it is."""
        return -(-self.terms.price_micros // self.terms.minutes)


@dataclass(frozen=True, slots=True)
class BundleView:
    """A bundle that was bought. used + remaining + expired is its size, all of it from the
    ledger."""

    id: uuid.UUID
    minutes: int
    price_micros: int
    currency: str
    purchased_at: dt.datetime
    purchased_by: str
    ends_at: dt.datetime
    is_over: bool
    size_seconds: int
    used_seconds: int
    remaining_seconds: int
    expired_seconds: int


def offers(uow: UnitOfWork, scope: Scope) -> tuple[BundleOffer, ...]:
    """The smallest first; empty where the plan sells no single minutes."""
    account = get_account(uow, scope)
    version = plans.plan_version(uow.connection, account.plan_version_id)
    sold = sorted(version.plan.terms.topup.bundles, key=lambda bundle: bundle.minutes)
    return tuple(
        BundleOffer(
            bundle, version.plan.currency, _ends_at(uow, scope, bundle, version, account.time_zone)
        )
        for bundle in sold
    )


def get_offer(uow: UnitOfWork, scope: Scope, minutes: int) -> BundleOffer:
    """Raises `NotForSale` with what there is instead."""
    for offer in offers(uow, scope):
        if offer.terms.minutes == minutes:
            return offer
    version = plans.plan_version(uow.connection, get_account(uow, scope).plan_version_id)
    refused = may_buy_bundle(version.plan.terms, minutes)
    assert isinstance(refused, Refused), "what is not offered is not sold"
    raise NotForSale(refused.words)


def buy(
    uow: UnitOfWork, scope: Scope, minutes: int, purchaser: Purchaser, *, idempotency_key: str
) -> BundleView:
    """Pay for a bundle and have its seconds, in one transaction; the same key buys once."""
    sales.check_key(idempotency_key)
    id = bundle_id(scope.account_id, idempotency_key)
    with ledger.books(uow, scope) as opened:
        for first in buckets.find_all(uow.connection, scope.tenant_id, (id,)):
            if first.offer_code != str(minutes):
                raise Conflict("That idempotency key was used for another bundle: send a new key.")
            return get(uow, scope, id)
        bundle, version = _sell(uow, opened, minutes)
        _fill(uow, opened, id, bundle, version, purchaser)
        account_store.change(uow.connection, scope, {"draws_minutes": True})
    audit.note(
        uow,
        scope,
        purchaser.words,
        "bundle.bought",
        id,
        minutes=minutes,
        price=format_amount(bundle.price_micros),
    )
    return get(uow, scope, id)


def _sell(uow: UnitOfWork, opened: Books, minutes: int) -> tuple[Bundle, PlanVersion]:
    """The bundle, if the plan sells it and the balance covers it."""
    version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
    plan = version.plan
    bundle = may_buy_bundle(plan.terms, minutes)
    if isinstance(bundle, Refused):
        raise NotForSale(bundle.words)
    sales.check_affordable(uow, opened, plan, "The bundle", bundle.price_micros)
    return bundle, version


def _fill(
    uow: UnitOfWork,
    opened: Books,
    id: uuid.UUID,
    bundle: Bundle,
    version: PlanVersion,
    purchaser: Purchaser,
) -> None:
    """Take the price and issue the seconds."""
    ends_at = _ends_at(uow, opened.scope, bundle, version, opened.locked.time_zone)
    bucket = bundle_bucket(
        version.plan.terms,
        bucket_id=id,
        owner_id=opened.scope.account_id,
        remaining_seconds=0,
        starts_at=uow.now,
        ends_at=ends_at,
    )
    words = f"Bundle of {bundle.minutes:,} minutes"
    price = bundle_price_posting(
        bundle,
        bucket,
        unit=opened.currency,
        at=uow.now,
        balance_before=opened.balance_micros,
        plan_version_id=version.id,
        actor=purchaser.words,
        description=words,
    )
    if price is not None:
        opened.post(lambda _: price)
    opened.postings.append(
        issue_posting(
            bucket,
            seconds=bundle.size_seconds,
            at=uow.now,
            plan_version_id=version.id,
            description=words,
            actor=purchaser.words,
        )
    )
    buckets.add(
        uow.connection,
        opened.scope,
        bucket_id=id,
        kind="bundle",
        offer_code=str(bundle.minutes),
        plan_version_id=version.id,
        n=0,
        starts_at=uow.now,
        ends_at=ends_at,
    )


def _ends_at(
    uow: UnitOfWork, scope: Scope, bundle: Bundle, version: PlanVersion, zone: str
) -> dt.datetime:
    return bundle_ends_at(bundle, pools.running(uow, scope, zone, version), zone, uow.now)


def get(uow: UnitOfWork, scope: Scope, id: uuid.UUID) -> BundleView:
    found = buckets.find_all(uow.connection, scope.tenant_id, (id,))
    mine = [one for one in found if one.kind == "bundle" and one.account_id == scope.account_id]
    if not mine:
        raise NotFound("bundle", id)
    return _views(uow, scope, mine)[0]


def list_bundles(
    uow: UnitOfWork, scope: Scope, after: str | None = None, limit: int = LIMIT_DEFAULT
) -> Page[BundleView]:
    """Newest first, ended ones too."""
    limit = clamp(limit)
    before = decode_cursor(after, _position) if after else None
    found = buckets.bundles_of(uow.connection, scope, before=before, limit=limit + 1)
    return cut(
        _views(uow, scope, found), limit, lambda view: encode_cursor(view.purchased_at, view.id)
    )


def _position(parts: list[str]) -> tuple[dt.datetime, uuid.UUID]:
    at, id = parts
    return dt.datetime.fromisoformat(at), uuid.UUID(id)


def _views(uow: UnitOfWork, scope: Scope, found: Sequence[StoredBucket]) -> tuple[BundleView, ...]:
    ids = [stored.id for stored in found]
    moved = buckets.moved(uow.connection, scope.tenant_id, ids)
    buyers = buckets.buyers(uow.connection, scope.tenant_id, ids)
    return tuple(_view(uow, one, *moved[one.id], buyers.get(one.id, "")) for one in found)


def _view(uow: UnitOfWork, stored: StoredBucket, filled: int, gone: int, buyer: str) -> BundleView:
    plan = plans.plan_version(uow.connection, stored.plan_version_id).plan
    bundle = plan.terms.find_bundle(int(stored.offer_code or 0))
    assert bundle is not None, "a version that sold a bundle never changes"
    return BundleView(
        id=stored.id,
        minutes=bundle.minutes,
        price_micros=bundle.price_micros,
        currency=plan.currency,
        purchased_at=stored.starts_at,
        purchased_by=buyer,
        ends_at=stored.ends_at,
        is_over=stored.ends_at <= uow.now,
        size_seconds=filled,
        used_seconds=filled - gone - stored.remaining_seconds,
        remaining_seconds=stored.remaining_seconds,
        expired_seconds=gone,
    )
