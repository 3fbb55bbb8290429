"""Who pays for an agency's clients: now, and what is planned."""

from __future__ import annotations

import datetime as dt
from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import Currency, Money, money
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import accounts, clients, memberships, payer_form, payer_preview
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

BillingName = Literal["own", "agency_shared"]


class PlannedBillingIn(Model):
    billing: BillingName
    first_on: dt.date | None = Field(
        None,
        description="The first day, by the clocks of the client's zone: from its midnight on. Left"
        " out: as it is already, or (staff only) from now on.",
    )
    last_on: dt.date | None = Field(
        None, description="The last day that belongs to it; left out: without an end."
    )


class BillingChangeOut(BaseModel):
    from_at: dt.datetime
    billing: BillingName


class ClientBillingOut(BaseModel):
    """Calls and texts are paid by whoever pays at the moment when they begin."""

    billing: BillingName
    time_zone: str
    upcoming: list[BillingChangeOut]


class ComingFeeOut(BaseModel):
    at: dt.datetime
    description: str
    amount: Money
    paid_by: Literal["client", "agency"]


class PayerPreviewOut(BaseModel):
    billing: BillingName = Field(description="Now.")
    changes: list[BillingChangeOut]
    fees: list[ComingFeeOut] = Field(description="The next of each kind.")
    usage: Money = Field(description="What its calls and texts cost in the last 30 days.")
    currency: Currency
    own_seconds: int = Field(description="Its own minutes: they are drawn first, whoever pays.")
    agency_seconds: int = Field(description="The agency's minutes that are for clients.")
    own_credit: Money = Field(description="Included credit; under the agency none follows it.")
    agency_credit: Money = Field(description="Included credit that is for clients too.")


@blueprint.get("/clients/<uuid:client_id>/billing")
@for_account
@blueprint.output(ClientBillingOut)
def get_client_billing(access: Access, client_id: UUID) -> ClientBillingOut:
    """Who pays for a client, and what is planned"""
    with runtime.current().units.read() as uow:
        return _out(uow, clients.scope_of_client(uow, access.scope, client_id))


@blueprint.post("/clients/<uuid:client_id>/billing/preview")
@for_account
@blueprint.input(PlannedBillingIn, arg_name="body")
@blueprint.output(PayerPreviewOut)
def preview_client_billing(
    access: Access, client_id: UUID, body: PlannedBillingIn
) -> PayerPreviewOut:
    """What another payer would change; nothing is written"""
    with runtime.current().units.read() as uow:
        client = clients.scope_of_client(uow, access.scope, client_id)
        seen = payer_preview.preview(
            uow, client, body.billing, first_on=body.first_on, last_on=body.last_on
        )
    return PayerPreviewOut(
        billing="agency_shared" if seen.shares_now else "own",
        changes=[
            BillingChangeOut(
                from_at=change.from_at, billing="agency_shared" if change.shared else "own"
            )
            for change in seen.changes
        ],
        fees=[
            ComingFeeOut(
                at=fee.at,
                description=fee.words,
                amount=money(fee.amount_micros),
                paid_by="agency" if fee.by_agency else "client",
            )
            for fee in seen.fees
        ],
        usage=money(seen.usage_micros),
        currency=seen.account.currency,
        own_seconds=seen.own_seconds,
        agency_seconds=seen.agency_seconds,
        own_credit=money(seen.own_credit_micros),
        agency_credit=money(seen.agency_credit_micros),
    )


@blueprint.post("/clients/<uuid:client_id>/billing")
@for_account
@blueprint.input(PlannedBillingIn, arg_name="body")
@blueprint.output(ClientBillingOut, status_code=201)
def plan_client_billing(access: Access, client_id: UUID, body: PlannedBillingIn) -> object:
    """Plan who pays for a client

    One stretch of days is planned at a time (409 while there is one), from the first midnight of
    `first_on` to the last one of `last_on` in the client's zone. Calls in progress keep their
    payer.
    """
    with runtime.current().units.begin() as uow:
        client = clients.scope_of_client(uow, access.scope, client_id)
        if not access.principal.is_ops:
            payer_form.check_first_day(uow, client, body.billing, body.first_on)
        memberships.schedule(
            uow,
            client,
            body.billing,
            first_on=body.first_on,
            last_on=body.last_on,
            actor=access.actor,
        )
        return _out(uow, client)


@blueprint.delete("/clients/<uuid:client_id>/billing")
@for_account
@blueprint.output({}, status_code=204)
def cancel_client_billing(access: Access, client_id: UUID) -> Response:
    """Cancel what is planned

    What has begun goes on, without its end. 409 where nothing is planned, and within a minute of
    the instant.
    """
    with runtime.current().units.begin() as uow:
        client = clients.scope_of_client(uow, access.scope, client_id)
        memberships.cancel(uow, client, access.actor)
    return Response(status=204)


def _out(uow: UnitOfWork, client: Scope) -> ClientBillingOut:
    account = accounts.get_account(uow, client)
    return ClientBillingOut(
        billing="agency_shared" if account.billing == "agency_shared" else "own",
        time_zone=account.time_zone,
        upcoming=[
            BillingChangeOut(from_at=change.from_at, billing=change.billing)
            for change in memberships.upcoming(uow, client)
        ],
    )
