"""Automatic recharge: the settings of an account."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import Amount, Currency, Money, money, money_or_none
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import recharge
from gateway.services.recharge import RechargeView


class RechargeIn(Model):
    on: bool
    minimum: Amount = Field(description="Charged strictly below it.")
    maximum: Amount = Field(description="Filled up to it; tax comes on top.")
    daily_cap: Amount | None = Field(None, description="Null: only the plan's.")
    monthly_cap: Amount | None = Field(None, description="Null: only the plan's.")
    cooldown_seconds: int = Field(
        0, ge=0, le=30 * 86_400, description="Between two charges; the plan's if that is longer."
    )


class RechargeOut(BaseModel):
    on: bool
    allowed: bool = Field(description="Whether the plan has automatic recharge.")
    minimum: Money
    maximum: Money
    daily_cap: Money | None = Field(description="The tighter of the account's and the plan's.")
    monthly_cap: Money | None
    cooldown_seconds: int
    currency: Currency
    held: str | None = Field(
        description="Why the last look charged nothing although the balance was low: no_card, "
        "daily_cap, monthly_cap, too_many_charges, system_stopped, disputed."
    )
    paused_at: dt.datetime | None = Field(description="Staff looks into it since then.")


@blueprint.get("/recharge")
@for_account
@blueprint.output(RechargeOut)
def get_recharge(access: Access) -> RechargeOut:
    """The recharge settings"""
    with runtime.current().units.read() as uow:
        return _out(recharge.get(uow, access.scope))


@blueprint.put("/recharge")
@for_account
@blueprint.input(RechargeIn, arg_name="body")
@blueprint.output(RechargeOut)
def set_recharge(access: Access, body: RechargeIn) -> RechargeOut:
    """Choose when the card is charged by itself, and up to what

    As soon as the balance is below `minimum`, the card is charged with what is missing to
    `maximum` at that moment. A balance that is below it already is filled at once.
    """
    with runtime.current().units.begin() as uow:
        return _out(
            recharge.choose(
                uow,
                access.scope,
                on=body.on,
                minimum_micros=body.minimum,
                maximum_micros=body.maximum,
                daily_cap_micros=body.daily_cap,
                monthly_cap_micros=body.monthly_cap,
                cooldown_seconds=body.cooldown_seconds,
                actor=access.actor,
            )
        )


def _out(view: RechargeView) -> RechargeOut:
    chosen = view.settings
    return RechargeOut(
        on=chosen.on,
        allowed=chosen.terms.allowed,
        minimum=money(chosen.minimum_micros),
        maximum=money(chosen.maximum_micros),
        daily_cap=money_or_none(chosen.daily_cap),
        monthly_cap=money_or_none(chosen.monthly_cap),
        cooldown_seconds=int(chosen.cooldown.total_seconds()),
        currency=view.currency,
        held=view.hold_reason,
        paused_at=view.paused_at,
    )
