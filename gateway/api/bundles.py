"""Bundles of single minutes, where the plan sells any."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import Currency, Items, Listing, Money, money, page
from gateway.api.once import once, spends
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import bundles, packages
from gateway.services.bundles import BundleOffer, BundleView


class BundleIn(Model):
    minutes: int = Field(description="Of an offer of the account's plan.", ge=1, le=10_000_000)


class BundleOfferOut(BaseModel):
    minutes: int
    price: Money
    price_per_minute: Money = Field(description="Rounded up to the millionth.")
    currency: Currency
    ends_at: dt.datetime = Field(description="How long the minutes last if they are bought now.")


class BundleOffersOut(BaseModel):
    items: list[BundleOfferOut]


class BundleOut(BaseModel):
    """used_seconds + remaining_seconds + expired_seconds == size_seconds, from the ledger."""

    id: UUID
    status: str = Field(description="active or ended.")
    minutes: int
    price: Money
    currency: Currency
    purchased_at: dt.datetime
    purchased_by: str
    ends_at: dt.datetime
    size_seconds: int
    used_seconds: int
    remaining_seconds: int
    expired_seconds: int


class BundlesOut(Items[BundleOut]):
    """A page of bundles."""


@blueprint.get("/bundle-offers")
@for_account
@blueprint.output(BundleOffersOut)
def list_bundle_offers(access: Access) -> object:
    """Bundles of minutes that the account's plan sells"""
    with runtime.current().units.read() as uow:
        return {"items": [_offer_out(o) for o in bundles.offers(uow, access.scope)]}


@blueprint.get("/bundles")
@for_account
@blueprint.input(Listing, location="query", arg_name="query")
@blueprint.output(BundlesOut)
def list_bundles(access: Access, query: Listing) -> object:
    """List the account's bundles, newest first"""
    with runtime.current().units.read() as uow:
        return page(bundles.list_bundles(uow, access.scope, query.after, query.limit), bundle_out)


@blueprint.post("/bundles")
@for_account
@spends
@blueprint.input(BundleIn, arg_name="body")
@blueprint.output(BundleOut, status_code=201)
def buy_bundle(access: Access, body: BundleIn) -> Response:
    """Buy a bundle of minutes

    The price is taken and the minutes are there at once, drawn behind the pool and all packages;
    they are never refunded. 403 (`not_for_sale`) where the plan sells none of that size. Takes
    `Idempotency-Key`: the same key answers the first purchase.
    """

    def act(key: str) -> BundleOut:
        purchaser = packages.purchaser_of(access.principal, access.account.name)
        with runtime.current().units.begin() as uow:
            bought = bundles.buy(uow, access.scope, body.minutes, purchaser, idempotency_key=key)
        return bundle_out(bought)

    return once(access, "bundle", body, act)


@blueprint.get("/bundles/<uuid:bundle_id>")
@for_account
@blueprint.output(BundleOut)
def get_bundle(access: Access, bundle_id: UUID) -> BundleOut:
    """One bundle"""
    with runtime.current().units.read() as uow:
        return bundle_out(bundles.get(uow, access.scope, bundle_id))


def _offer_out(offer: BundleOffer) -> BundleOfferOut:
    return BundleOfferOut(
        minutes=offer.terms.minutes,
        price=money(offer.terms.price_micros),
        price_per_minute=money(offer.per_minute_micros),
        currency=offer.currency,
        ends_at=offer.ends_at,
    )


def bundle_out(view: BundleView) -> BundleOut:
    return BundleOut(
        id=view.id,
        status="ended" if view.is_over else "active",
        minutes=view.minutes,
        price=money(view.price_micros),
        currency=view.currency,
        purchased_at=view.purchased_at,
        purchased_by=view.purchased_by,
        ends_at=view.ends_at,
        size_seconds=view.size_seconds,
        used_seconds=view.used_seconds,
        remaining_seconds=view.remaining_seconds,
        expired_seconds=view.expired_seconds,
    )
