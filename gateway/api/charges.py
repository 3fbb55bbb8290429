"""For staff: charges without an end, the brakes on automatic ones, and refunds."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import Access, for_account, for_ops, require_ops, scope_of
from gateway.api.fields import Amount, Currency, Items, Line, Listing, Money, money, page
from gateway.api.once import once, spends
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.api.topups import PaymentOut, payment_out
from gateway.services import card_payments, charge_flags, charges, recharge, refunds
from gateway.services.principals import Principal
from gateway.store.charges import WatchedCharge
from gateway.store.refunds import Refund
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


class RefundIn(Model):
    amount: Amount = Field(description="Of what the balance got; its VAT goes back beside it.")
    reason: Line


class RefundOut(BaseModel):
    id: UUID
    charge_id: UUID
    amount: Money = Field(description="What the balance loses.")
    vat: Money
    total: Money = Field(description="What the card gets.")
    currency: Currency
    state: str = Field(
        description="pending: the provider has not said yet how it ended. ok: given back. failed: "
        "not given back, and in the balance again."
    )
    why: str = Field(description="What the provider said where it gave nothing back.")
    reason: str
    actor: str
    created_at: dt.datetime
    resolved_at: dt.datetime | None


class RefundsOut(BaseModel):
    items: list[RefundOut]
    refundable: Money = Field(description="The most that may still be given back.")
    words: str = Field(description="Why that is nothing, where the plan or the payment says so.")
    without_us: Money = Field(description="Went back at the provider, and is none of these.")


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


@blueprint.get("/ops/charges/<uuid:charge_id>/refunds")
@for_account
@blueprint.output(RefundsOut)
def list_refunds(access: Access, charge_id: UUID) -> RefundsOut:
    """What was given back of a card payment, and what may be (staff)"""
    require_ops()
    with runtime.current().units.read() as uow:
        found = refunds.seen(uow, access.scope, charge_id)
    return RefundsOut(
        items=[_refund_out(one) for one in found.refunds],
        refundable=money(found.most_micros),
        words=found.words,
        without_us=money(found.without_us_micros),
    )


@blueprint.post("/ops/charges/<uuid:charge_id>/refunds")
@for_account
@spends
@blueprint.input(RefundIn, arg_name="body")
@blueprint.output(RefundOut, status_code=201)
def create_refund(access: Access, charge_id: UUID, body: RefundIn) -> Response:
    """Give money of a card payment back to its card (staff)

    Where the plan's `refunds` allow it: at most what was paid, and at most the customer's own money
    that is left. The reason stands on the customer's statement. A refund that is `pending` is asked
    about until the provider has said how it ended.

    Takes `Idempotency-Key`: the same key answers the first refund.
    """
    require_ops()
    running = runtime.current()

    def act(key: str) -> RefundOut:
        given_back = refunds.refund(
            running.units,
            running.cards(),
            access.scope,
            charge_id,
            amount_micros=body.amount,
            reason=body.reason,
            actor=access.actor,
            idempotency_key=key,
        )
        return _refund_out(given_back)

    return once(access, f"refund:{charge_id}", body, act)


@blueprint.post("/ops/charges/<uuid:charge_id>/flag/clear")
@for_account
@blueprint.input(Lift, arg_name="body")
@blueprint.output({}, status_code=204)
def clear_flag(access: Access, charge_id: UUID, body: Lift) -> Response:
    """Say that a disputed or refunded payment was looked at (staff)

    The reason stands in the audit log. The same dispute, or no more money than went back by now,
    raises no flag again; automatic charges of the account go on when they are lifted.
    """
    require_ops()
    with runtime.current().units.begin() as uow:
        charge_flags.clear(uow, access.scope, charge_id, reason=body.reason, actor=access.actor)
    return Response(status=204)


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


def _refund_out(refund: Refund) -> RefundOut:
    return RefundOut(
        id=refund.id,
        charge_id=refund.charge_id,
        amount=money(refund.net_micros),
        vat=money(refund.vat_micros),
        total=money(refund.gross_micros),
        currency=refund.currency,
        state=refund.state,
        why=refund.why,
        reason=refund.reason,
        actor=refund.actor,
        created_at=refund.created_at,
        resolved_at=refund.resolved_at,
    )


def _watched_out(one: WatchedCharge) -> WatchedOut:
    return WatchedOut(
        **payment_out(one.charge).model_dump(),
        account_id=one.charge.account_id,
        account_name=one.account_name,
        provider_ref=one.charge.provider_ref,
        flag=one.charge.flag,
    )
