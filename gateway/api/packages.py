"""Packages of minutes and the minutes of the cycle."""

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
from gateway.services import packages, pools
from gateway.services.packages import Offer, PackageView


class PackageIn(Model):
    code: str = Field(description="Of an offer of the account's plan.", min_length=1, max_length=60)


class OfferOut(BaseModel):
    code: str
    minutes: int
    number_type: str
    region: str = Field(description="Which numbers draw it, in words.")
    price: Money = Field(description="A month.")
    price_per_minute: Money = Field(description="Rounded up to the millionth.")
    currency: Currency
    leg_scope: list[str] = Field(description="The legs that draw it: inbound, forwarded, transfer.")
    renews: bool


class OffersOut(BaseModel):
    items: list[OfferOut]


class PackageOut(BaseModel):
    """used_seconds + remaining_seconds + expired_seconds == size_seconds, from the ledger."""

    id: UUID
    code: str
    status: str = Field(description="active, stopped, waiting (for a top-up) or ended.")
    minutes: int
    number_type: str
    region: str
    price: Money
    currency: Currency
    purchased_at: dt.datetime
    purchased_by: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    renews_on: dt.date | None
    stopped_by: str | None
    size_seconds: int
    used_seconds: int
    remaining_seconds: int
    expired_seconds: int


class PackagesOut(Items[PackageOut]):
    """A page of packages."""


class MinutesOut(BaseModel):
    """Zero everywhere on a plan without minutes."""

    allocated_seconds: int
    used_seconds: int
    remaining_seconds: int
    overrun_seconds: int
    cycle_starts_on: dt.date | None
    cycle_ends_on: dt.date | None = Field(description="First day of the next cycle.")


@blueprint.get("/package-offers")
@for_account
@blueprint.output(OffersOut)
def list_package_offers(access: Access) -> object:
    """Packages that the account's plan sells"""
    with runtime.current().units.read() as uow:
        return {"items": [_offer_out(o) for o in packages.offers(uow, access.scope)]}


@blueprint.get("/packages")
@for_account
@blueprint.input(Listing, location="query", arg_name="query")
@blueprint.output(PackagesOut)
def list_packages(access: Access, query: Listing) -> object:
    """List the account's packages, newest first"""
    with runtime.current().units.read() as uow:
        found = packages.list_packages(uow, access.scope, query.after, query.limit)
    return page(found, package_out)


@blueprint.post("/packages")
@for_account
@spends
@blueprint.input(PackageIn, arg_name="body")
@blueprint.output(PackageOut, status_code=201)
def buy_package(access: Access, body: PackageIn) -> Response:
    """Buy a package

    The price is taken and the minutes are there at once; they are never refunded. Takes
    `Idempotency-Key`: the same key answers the first purchase.
    """

    def act(key: str) -> PackageOut:
        purchaser = packages.purchaser_of(access.principal, access.account.name)
        with runtime.current().units.begin() as uow:
            bought = packages.buy(uow, access.scope, body.code, purchaser, idempotency_key=key)
        return package_out(bought)

    return once(access, "package", body, act)


@blueprint.get("/packages/<uuid:package_id>")
@for_account
@blueprint.output(PackageOut)
def get_package(access: Access, package_id: UUID) -> PackageOut:
    """One package"""
    with runtime.current().units.read() as uow:
        return package_out(packages.get(uow, access.scope, package_id))


@blueprint.post("/packages/<uuid:package_id>/stop")
@for_account
@blueprint.output(PackageOut)
def stop_package(access: Access, package_id: UUID) -> PackageOut:
    """Stop the renewal

    The minutes last to the end of the month. Stopping twice is stopping once.
    """
    with runtime.current().units.begin() as uow:
        return package_out(packages.stop_renewal(uow, access.scope, package_id, access.actor))


@blueprint.post("/packages/<uuid:package_id>/renew")
@for_account
@blueprint.output(PackageOut)
def renew_package(access: Access, package_id: UUID) -> PackageOut:
    """Take a stop back, while the minutes last"""
    with runtime.current().units.begin() as uow:
        return package_out(packages.undo_stop(uow, access.scope, package_id, access.actor))


@blueprint.get("/minutes")
@for_account
@blueprint.output(MinutesOut)
def get_minutes(access: Access) -> MinutesOut:
    """Minutes of the billing cycle: allocated, used, remaining"""
    with runtime.current().units.read() as uow:
        seen = pools.figures(uow, access.account)
    if seen is None:
        return MinutesOut(
            allocated_seconds=0,
            used_seconds=0,
            remaining_seconds=0,
            overrun_seconds=0,
            cycle_starts_on=None,
            cycle_ends_on=None,
        )
    return MinutesOut(
        allocated_seconds=seen.allocated_seconds,
        used_seconds=seen.used_seconds,
        remaining_seconds=seen.remaining_seconds,
        overrun_seconds=seen.overrun_seconds,
        cycle_starts_on=seen.cycle_starts_on,
        cycle_ends_on=seen.cycle_ends_on,
    )


def _offer_out(offer: Offer) -> OfferOut:
    return OfferOut(
        code=offer.terms.code,
        minutes=offer.terms.minutes,
        number_type=offer.terms.number_type,
        region=packages.region_words(offer.terms.region_set),
        price=money(offer.terms.price_micros),
        price_per_minute=money(offer.per_minute_micros),
        currency=offer.currency,
        leg_scope=sorted(offer.terms.leg_scope),
        renews=offer.terms.renews,
    )


def package_out(view: PackageView) -> PackageOut:
    return PackageOut(
        id=view.id,
        code=view.offer.code,
        status=view.status,
        minutes=view.offer.minutes,
        number_type=view.offer.number_type,
        region=packages.region_words(view.offer.region_set),
        price=money(view.offer.price_micros),
        currency=view.currency,
        purchased_at=view.purchased_at,
        purchased_by=view.purchased_by,
        starts_at=view.starts_at,
        ends_at=view.ends_at,
        renews_on=view.renews_on,
        stopped_by=view.stopped_by,
        size_seconds=view.size_seconds,
        used_seconds=view.used_seconds,
        remaining_seconds=view.remaining_seconds,
        expired_seconds=view.expired_seconds,
    )
