"""What an account still has."""

from __future__ import annotations

from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import Currency, Money, money
from gateway.api.routes import blueprint
from gateway.services import overview


class BalanceOut(BaseModel):
    currency: Currency
    balance: Money
    status: str = Field(description="active, suspended or closed.")
    burn_per_day: Money = Field(description="Calls: the average of the last seven days.")
    renewals_per_day: Money = Field(
        description="A day's share of the rent, access and packages of the coming month."
    )
    days_left: int | None = Field(
        description="Whole days at both together; null while nothing is spent."
    )


@blueprint.get("/balance")
@for_account
@blueprint.output(BalanceOut)
def get_balance(access: Access) -> BalanceOut:
    """The balance

    Charges are deducted within seconds of a call's end.
    """
    with runtime.current().units.read() as uow:
        seen = overview.overview(uow, access.scope, days=overview.BURN_WINDOW_DAYS)
    return BalanceOut(
        currency=seen.currency,
        balance=money(seen.balance_micros),
        status=seen.status,
        burn_per_day=money(seen.burn_micros),
        renewals_per_day=money(seen.renewals_micros),
        days_left=seen.days_left,
    )
