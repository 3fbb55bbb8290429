"""The price list of the plan in force: what is shown is what is billed."""

from __future__ import annotations

from pydantic import BaseModel, Field

from billing.rate_page import rate_page
from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import Currency, Money, money
from gateway.api.routes import blueprint
from gateway.services import plans


class RateOut(BaseModel):
    section: str = Field(
        description="access, numbers, inbound, outbound, surcharges, messages, packages, bundles."
    )
    label: str
    price: Money
    unit: str = Field(description="What the price is for: minute, month, segment …")
    note: str
    prefixes: list[str] = Field(description="Of the numbers it is for; the longest that fits wins.")


class RatesOut(BaseModel):
    plan: str
    version: int
    currency: Currency
    items: list[RateOut]
    next: None = None


@blueprint.get("/rates")
@for_account
@blueprint.output(RatesOut)
def list_rates(access: Access) -> RatesOut:
    """Every price of the plan in force

    What has no row has no price, and is refused.
    """
    with runtime.current().units.read() as uow:
        version = plans.plan_version(uow.connection, access.account.plan_version_id)
    return RatesOut(
        plan=version.plan_code,
        version=version.version,
        currency=version.plan.currency,
        items=[
            RateOut(
                section=row.section,
                label=row.label,
                price=money(row.price_micros),
                unit=row.unit,
                note=row.note,
                prefixes=list(row.prefixes),
            )
            for row in rate_page(version.plan)
        ],
    )
