"""Money that comes in."""

from __future__ import annotations

import datetime as dt
from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from billing.charges import ChargeState
from billing.refunds import refund_key
from gateway import runtime
from gateway.api.access import Access, for_account, require_ops
from gateway.api.fields import (
    PDF_FILE,
    Amount,
    Currency,
    Items,
    Listing,
    Money,
    OptionalLine,
    money,
    money_or_none,
    page,
)
from gateway.api.once import once, spends
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import (
    accounts,
    card_payments,
    credit_notes,
    credit_receipts,
    ledger,
    receipt_files,
    refunds,
    statement_files,
)
from gateway.services.payment_methods import CardRefused
from gateway.store.charges import Charge
from gateway.store.refunds import Refund


class TopUpIn(Model):
    amount: Amount = Field(description="What the balance gets; tax comes on top.")
    method: Literal["card", "manual"]
    reason: OptionalLine = Field(
        "", description="Stands on the statement; needed where the method is manual."
    )
    payment_method: UUID | None = Field(None, description="Null: the default card.")


class TopUpOut(BaseModel):
    id: UUID
    amount: Money
    currency: Currency
    method: str
    reason: str
    balance_after: Money
    state: str = Field(
        description="ok: credited. unknown: on its way, look at `GET /payments/{id}`. "
        "requires_action: the customer confirms at `action_url`.",
    )
    vat: Money | None = Field(description="Taken on top of the amount.")
    total: Money | None = Field(description="What the customer pays.")
    action_url: str | None


class PaymentOut(BaseModel):
    """A charge of a card, by hand or not."""

    id: UUID
    purpose: str = Field(description="topup, recharge or daily.")
    state: str = Field(description="pending, unknown, requires_action, ok or failed.")
    amount: Money = Field(description="What the balance gets.")
    vat: Money
    vat_note: str
    total: Money = Field(description="What the card pays.")
    currency: Currency
    credited: Money | None = Field(description="What the balance got; null until then.")
    payment_method: UUID
    decline_code: str | None
    action_url: str | None
    created_at: dt.datetime
    resolved_at: dt.datetime | None


class GivenBackOut(BaseModel):
    """Money of a payment on its way back to its card."""

    id: UUID
    amount: Money = Field(description="What the balance loses.")
    vat: Money
    total: Money = Field(description="What the card gets.")
    currency: Currency
    state: str = Field(
        description="pending: on its way. ok: given back. failed: not given back, and in the "
        "balance again."
    )
    reason: str
    has_credit_note: bool = Field(
        description="A PDF is at `/refunds/{id}/credit-note.pdf`; void where the refund failed "
        "after all."
    )
    created_at: dt.datetime
    resolved_at: dt.datetime | None


class GivenBacksOut(BaseModel):
    items: list[GivenBackOut]


class PaymentsOut(Items[PaymentOut]):
    """A page of payments."""


@blueprint.post("/top-ups")
@for_account
@spends
@blueprint.input(TopUpIn, arg_name="body")
@blueprint.output(TopUpOut, status_code=201)
def create_top_up(access: Access, body: TopUpIn) -> Response:
    """Top up the balance

    `card` charges one of the account's cards now; 402 where it is declined. `manual` is for staff
    (an ops token and the header `Ringledger-Account`), with a reason, for what was paid outside:
    its tax is posted beside it as a card's is. A suspended account is back in service at once when
    its balance allows.

    Takes `Idempotency-Key`: the same key answers the first top-up. It is optional, and without it
    every request is a new top-up.
    """
    if body.method == "card":
        return once(access, "top-up", body, lambda key: _by_card(access, body, key))
    require_ops()
    return once(access, "top-up", body, lambda key: _by_hand(access, body, key))


def _by_hand(access: Access, body: TopUpIn, key: str) -> TopUpOut:
    running = runtime.current()
    with running.units.begin() as uow:
        country = running.settings.seller_country
        paid = credit_receipts.paid_by_hand(uow, access.scope, body.amount, country)
        made = ledger.top_up(
            uow,
            access.scope,
            amount_micros=body.amount,
            payment=paid,
            method=body.method,
            reason=body.reason,
            actor=access.actor,
            idempotency_key=key,
        )
    return TopUpOut(
        id=made.id,
        amount=money(made.amount_micros),
        currency=made.currency,
        method=body.method,
        reason=body.reason,
        balance_after=money(made.balance_after_micros),
        state="ok",
        vat=money(paid.vat_micros),
        total=money(paid.gross_micros),
        action_url=None,
    )


def _by_card(access: Access, body: TopUpIn, key: str) -> TopUpOut:
    running = runtime.current()
    charge = card_payments.pay(
        running.units,
        running.cards(),
        access.scope,
        amount_micros=body.amount,
        method_id=body.payment_method,
        actor=access.actor,
        idempotency_key=key,
    )
    if charge.state == ChargeState.FAILED:
        raise CardRefused(charge.decline_code or "card_declined")
    with running.units.read() as uow:
        balance = accounts.get_account(uow, access.scope).balance_micros
    return TopUpOut(
        id=charge.id,
        amount=money(charge.net_micros),
        currency=charge.currency,
        method=body.method,
        reason=body.reason,
        balance_after=money(balance),
        state=charge.state,
        vat=money(charge.vat_micros),
        total=money(charge.gross_micros),
        action_url=charge.action_url,
    )


@blueprint.get("/payments")
@for_account
@blueprint.input(Listing, location="query", arg_name="query")
@blueprint.output(PaymentsOut)
def list_payments(access: Access, query: Listing) -> object:
    """List the charges of the account's cards, newest first"""
    with runtime.current().units.read() as uow:
        return page(card_payments.newest(uow, access.scope, query.after, query.limit), payment_out)


@blueprint.get("/payments/<uuid:payment_id>")
@for_account
@blueprint.output(PaymentOut)
def get_payment(access: Access, payment_id: UUID) -> PaymentOut:
    """One charge of a card, as it stands"""
    with runtime.current().units.read() as uow:
        return payment_out(card_payments.find(uow, access.scope, payment_id))


@blueprint.get("/payments/<uuid:payment_id>/refunds")
@for_account
@blueprint.output(GivenBacksOut)
def list_payment_refunds(access: Access, payment_id: UUID) -> GivenBacksOut:
    """What was given back of a charge of a card, oldest first"""
    with runtime.current().units.read() as uow:
        payment = card_payments.find(uow, access.scope, payment_id)
        found = refunds.of_charges(uow, access.scope, [payment])[payment.id]
        noted = credit_notes.known(uow, access.scope, found)
    return GivenBacksOut(items=[_given_back_out(one, one.id in noted) for one in found])


@blueprint.get("/refunds/<uuid:refund_id>/credit-note.pdf")
@for_account
@blueprint.doc(responses=PDF_FILE)
def get_credit_note_pdf(access: Access, refund_id: UUID) -> Response:
    """The credit note of a refund as PDF

    The same file whenever it is asked for; 404 until the money was given back.
    """
    running = runtime.current()
    key = refund_key(refund_id)
    content = receipt_files.pdf(running.units, access.scope, key, running.settings)
    return Response(content, mimetype=statement_files.PDF)


def _given_back_out(refund: Refund, has_credit_note: bool) -> GivenBackOut:
    return GivenBackOut(
        id=refund.id,
        amount=money(refund.net_micros),
        vat=money(refund.vat_micros),
        total=money(refund.gross_micros),
        currency=refund.currency,
        state=refund.state,
        reason=refund.reason,
        has_credit_note=has_credit_note,
        created_at=refund.created_at,
        resolved_at=refund.resolved_at,
    )


def payment_out(charge: Charge) -> PaymentOut:
    return PaymentOut(
        id=charge.id,
        purpose=charge.purpose,
        state=charge.state,
        amount=money(charge.net_micros),
        vat=money(charge.vat_micros),
        vat_note=charge.vat_note,
        total=money(charge.gross_micros),
        currency=charge.currency,
        credited=money_or_none(charge.credited_micros),
        payment_method=charge.payment_method_id,
        decline_code=charge.decline_code,
        action_url=charge.action_url,
        created_at=charge.created_at,
        resolved_at=charge.resolved_at,
    )
