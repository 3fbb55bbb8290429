"""Tracking numbers: searched, bought, labelled, given back."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import Currency, Items, Listing, Money, OptionalLine, money, rate_or_none
from gateway.api.once import once, spends
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import numbers, plans
from gateway.services.numbers import AvailableNumber, Number


class Search(Model):
    country: str = Field("US", pattern="^[A-Z]{2}$", description="ISO 3166 code.")
    type: Literal["local", "toll-free", "mobile", "national"] = "local"
    area_code: str = Field(
        "", max_length=3, examples=["415"], json_schema_extra={"pattern": "^([2-9][0-9]{2})?$"}
    )
    contains: str = Field("", max_length=16, description="Digits, letters, or * for any digit.")
    limit: int = Field(20, ge=1, le=numbers.SEARCH_LIMIT_MAX)


class NumberListing(Listing):
    search: str = Field(
        "", max_length=80, description="Words of the label or the source, or digits of the number."
    )


class AvailableOut(BaseModel):
    phone_number: str
    locality: str
    region: str
    country: str
    type: str
    rental_per_month: Money
    inbound_per_minute: Money
    currency: Currency


class AvailablesOut(BaseModel):
    items: list[AvailableOut]
    next: None = None


class NumberIn(Model):
    phone_number: str = Field(max_length=20, examples=["+14155550101"])
    label: OptionalLine = ""
    source: OptionalLine = Field("", description="The advertising source it stands for.")


class NumberChanges(Model):
    """What is left out stays as it is."""

    label: OptionalLine = ""
    source: OptionalLine = ""
    texts_to: OptionalLine = Field(
        "",
        description="Who gets a copy of each text that comes in: an e-mail address, or a phone "
        "(each copy is charged as a text); empty for nobody.",
    )


class NumberOut(BaseModel):
    id: UUID
    phone_number: str
    label: str
    source: str
    status: str = Field(description="active, suspended, releasing or released.")
    country: str
    type: str
    texts_to: str = Field(description="Who gets a copy of each text that comes in.")
    rental_per_month: Money
    currency: Currency
    forwarding_version_id: UUID | None = Field(description="Null: nothing is published yet.")
    bought_at: dt.datetime
    release_requested_at: dt.datetime | None
    released_at: dt.datetime | None


class NumbersOut(Items[NumberOut]):
    """A page of numbers."""


@blueprint.get("/numbers/available")
@for_account
@blueprint.input(Search, location="query", arg_name="query")
@blueprint.output(AvailablesOut)
def search_numbers(access: Access, query: Search) -> AvailablesOut:
    """Search numbers that can be bought, with their prices"""
    running = runtime.current()
    with running.units.read() as uow:
        plan = plans.plan_version(uow.connection, access.account.plan_version_id).plan
    found = numbers.search_available(
        running.telephony,
        plan,
        country=query.country,
        number_type=query.type,
        area_code=query.area_code,
        contains=query.contains,
        limit=query.limit,
    )
    return AvailablesOut(items=[_available_out(number, access.currency) for number in found])


@blueprint.post("/numbers")
@for_account
@spends
@blueprint.input(NumberIn, arg_name="body")
@blueprint.output(NumberOut, status_code=201)
def buy_number(access: Access, body: NumberIn) -> Response:
    """Buy a number

    The first month's rent is deducted at once; without enough balance the answer is 402. Takes
    `Idempotency-Key`: the same key never buys twice, also when the first answer was lost.
    """

    def act(key: str) -> NumberOut:
        running = runtime.current()
        bought = numbers.order_number(
            running.units,
            running.telephony,
            running.links,
            access.scope,
            e164=body.phone_number,
            label=body.label,
            source=body.source,
            actor=access.actor,
            idempotency_key=key,
        )
        return number_out(bought, access.currency)

    return once(access, "number", body, act)


@blueprint.get("/numbers")
@for_account
@blueprint.input(NumberListing, location="query", arg_name="query")
@blueprint.output(NumbersOut)
def list_numbers(access: Access, query: NumberListing) -> object:
    """List the account's numbers, newest first"""
    with runtime.current().units.read() as uow:
        page = numbers.list_numbers(
            uow, access.scope, search=query.search, after=query.after, limit=query.limit
        )
    return {
        "items": [number_out(number, access.currency) for number in page.items],
        "next": page.next,
    }


@blueprint.get("/numbers/<uuid:number_id>")
@for_account
@blueprint.output(NumberOut)
def get_number(access: Access, number_id: UUID) -> NumberOut:
    """One number"""
    with runtime.current().units.read() as uow:
        return number_out(numbers.get_number(uow, access.scope, number_id), access.currency)


@blueprint.patch("/numbers/<uuid:number_id>")
@for_account
@blueprint.input(NumberChanges, arg_name="body")
@blueprint.output(NumberOut)
def update_number(access: Access, number_id: UUID, body: NumberChanges) -> NumberOut:
    """Change the label, the source or the receiver of texts of a number

    Calls that came before keep the source they came by.
    """
    changes: dict[str, Any] = {
        name: getattr(body, name) for name in body.model_fields_set - {"texts_to"}
    }
    with runtime.current().units.begin() as uow:
        if "texts_to" in body.model_fields_set:
            numbers.set_texts_to(uow, access.scope, number_id, body.texts_to, access.actor)
        changed = numbers.update_number(uow, access.scope, number_id, **changes, actor=access.actor)
    return number_out(changed, access.currency)


@blueprint.delete("/numbers/<uuid:number_id>")
@for_account
@blueprint.output(NumberOut, status_code=202)
def release_number(access: Access, number_id: UUID) -> NumberOut:
    """Ask for the release of a number

    It stops taking calls and enters its release; it does not vanish. Asking again changes nothing.
    """
    with runtime.current().units.begin() as uow:
        released = numbers.request_release(uow, access.scope, number_id, access.actor)
    return number_out(released, access.currency)


def number_out(number: Number, currency: str) -> NumberOut:
    return NumberOut(
        id=number.id,
        phone_number=number.e164,
        label=number.label,
        source=number.source,
        status=number.status,
        country=number.country,
        type=number.number_type,
        texts_to=number.texts_to,
        rental_per_month=money(number.rental_micros),
        currency=currency,
        forwarding_version_id=number.forwarding_version_id,
        bought_at=number.bought_at,
        release_requested_at=number.release_requested_at,
        released_at=number.released_at,
    )


def _available_out(number: AvailableNumber, currency: str) -> AvailableOut:
    return AvailableOut(
        phone_number=number.e164,
        locality=number.locality,
        region=number.region,
        country=number.country,
        type=number.number_type,
        rental_per_month=money(number.rental_micros),
        inbound_per_minute=rate_or_none(number.inbound_per_minute_micros) or "0.00",
        currency=currency,
    )
