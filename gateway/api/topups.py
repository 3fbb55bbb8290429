"""Money that comes in."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import Access, for_account, require_ops
from gateway.api.fields import Amount, Currency, Money, OptionalLine, money
from gateway.api.once import once, spends
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import ledger
from gateway.services.errors import Invalid


class TopUpIn(Model):
    amount: Amount
    method: Literal["card", "manual"]
    reason: OptionalLine = Field(
        "", description="Stands on the statement; needed where the method is manual."
    )


class TopUpOut(BaseModel):
    id: UUID
    amount: Money
    currency: Currency
    method: str
    reason: str
    balance_after: Money


@blueprint.post("/top-ups")
@for_account
@spends
@blueprint.input(TopUpIn, arg_name="body")
@blueprint.output(TopUpOut, status_code=201)
def create_top_up(access: Access, body: TopUpIn) -> Response:
    """Top up the balance

    `manual` is for staff (an ops token and the header `Ringledger-Account`), with a reason; card
    payments are not offered by this installation. A suspended account is back in service at once
    when its balance allows.

    Takes `Idempotency-Key`: the same key answers the first top-up. It is optional, and without it
    every request is a new top-up.
    """
    if body.method == "card":
        raise Invalid.at(
            "/method", 'card payments are not offered here: ask the operator for a "manual" top-up'
        )
    require_ops()

    def act(key: str) -> TopUpOut:
        with runtime.current().units.begin() as uow:
            made = ledger.top_up(
                uow,
                access.scope,
                amount_micros=body.amount,
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
        )

    return once(access, "top-up", body, act)
