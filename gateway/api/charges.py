"""For staff: charges without an end, and the brakes on automatic ones."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import for_ops, scope_of
from gateway.api.fields import Items, Line, Listing, page
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.api.topups import PaymentOut, payment_out
from gateway.services import card_payments, charges, recharge
from gateway.services.principals import Principal
from gateway.store.charges import WatchedCharge
from gateway.uow import UnitOfWork


class ChargeListing(Listing):
    only_open: bool = Field(True, description="Those without an end, disputed or refunded ones.")


class WatchedOut(PaymentOut):
    account_id: UUID
    account_name: str
    provider_ref: str | None
    flag: str | None = Field(description="disputed or refunded, at the provider.")


class WatchedsOut(Items[WatchedOut]):
    """A page of charges."""


class BrakeIn(Model):
    stopped: bool
    reason: Line


class PausedOut(BaseModel):
    account_id: UUID
    account_name: str
    reason: str | None
    paused_at: dt.datetime


class BrakeOut(BaseModel):
    stopped_at: dt.datetime | None
    words: str
    lifted_at: dt.datetime | None
    lifted_by: str | None
    paused: list[PausedOut]


class Lift(Model):
    reason: Line


@blueprint.get("/ops/charges")
@for_ops
@blueprint.input(ChargeListing, location="query", arg_name="query")
@blueprint.output(WatchedsOut)
def list_charges(staff: Principal, query: ChargeListing) -> object:
    """List charges of all accounts, newest first (staff)"""
    with runtime.current().units.read() as uow:
        found = card_payments.watched(
            uow, only_open=query.only_open, after=query.after, limit=query.limit
        )
    return page(found, _watched_out)


@blueprint.post("/ops/accounts/<uuid:account_id>/charges/<uuid:charge_id>/ask")
@for_ops
@blueprint.output(PaymentOut)
def ask_charge(staff: Principal, account_id: UUID, charge_id: UUID) -> PaymentOut:
    """Ask the provider now what became of a charge (staff)"""
    running = runtime.current()
    charge = charges.get(running.units, scope_of(staff, account_id), charge_id)
    return payment_out(charges.look(running.units, running.cards(), charge))


@blueprint.get("/ops/charge-brake")
@for_ops
@blueprint.output(BrakeOut)
def get_brake(staff: Principal) -> BrakeOut:
    """Whether automatic charges are stopped, for all or for some (staff)"""
    with runtime.current().units.read() as uow:
        return _brake_out(uow)


@blueprint.put("/ops/charge-brake")
@for_ops
@blueprint.input(BrakeIn, arg_name="body")
@blueprint.output(BrakeOut)
def set_brake(staff: Principal, body: BrakeIn) -> BrakeOut:
    """Stop all automatic charges, or let them go on (staff)"""
    act = recharge.stop_all if body.stopped else recharge.lift_all
    with runtime.current().units.begin() as uow:
        act(uow, staff.name, body.reason)
        return _brake_out(uow)


@blueprint.post("/ops/accounts/<uuid:account_id>/recharge/lift")
@for_ops
@blueprint.input(Lift, arg_name="body")
@blueprint.output({}, status_code=204)
def lift_recharge(staff: Principal, account_id: UUID, body: Lift) -> Response:
    """Let an account's recharge go on after a look at its charges (staff)"""
    scope = scope_of(staff, account_id)
    with runtime.current().units.begin() as uow:
        recharge.lift(uow, scope, staff.name, body.reason)
    return Response(status=204)


def _brake_out(uow: UnitOfWork) -> BrakeOut:
    brake = recharge.brake(uow)
    return BrakeOut(
        stopped_at=brake.stopped_at,
        words=brake.words,
        lifted_at=brake.lifted_at,
        lifted_by=brake.lifted_by,
        paused=[
            PausedOut(
                account_id=one.scope.account_id,
                account_name=one.name,
                reason=one.hold_reason,
                paused_at=one.paused_at,
            )
            for one in recharge.paused(uow)
        ],
    )


def _watched_out(one: WatchedCharge) -> WatchedOut:
    return WatchedOut(
        **payment_out(one.charge).model_dump(),
        account_id=one.charge.account_id,
        account_name=one.account_name,
        provider_ref=one.charge.provider_ref,
        flag=one.charge.flag,
    )
