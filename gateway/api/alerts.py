"""Warnings before money, minutes or days run out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from billing.alerts import Gauge, Threshold
from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import Amount, Currency, Money, money
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import alerts
from gateway.services.alerts import AlertSettings

SECONDS_PER_MINUTE = 60
Channel = Literal["email", "sms", "webhook", "in_app", "call"]
Whole = Annotated[int, Field(ge=0, le=1_000_000)]


class AlertsIn(Model):
    balance: list[Amount] = Field(
        default_factory=list, description="Warn when the balance is down to one of these."
    )
    minutes: list[Whole] = Field(
        default_factory=list, description="When so many minutes of packages or pool are left."
    )
    days_left: list[Whole] = Field(
        default_factory=list,
        description="When the balance lasts so many days at the burn of the last seven.",
    )
    channels: list[Channel] = Field(default_factory=list)
    webhook_url: str = Field("", max_length=500, description="https only; for `webhook`.")
    phone: str = Field("", max_length=30, description="For `sms` and `call`; E.164, or as at home.")


class AlertsOut(BaseModel):
    currency: Currency
    balance: list[Money]
    minutes: list[int]
    days_left: list[int]
    channels: list[Channel]
    webhook_url: str
    webhook_secret: str = Field(
        description="Signs what is posted: Ringledger-Signature is sha256= and the HMAC-SHA256 of"
        " the body in hex."
    )
    phone: str = Field(description="E.164; empty where nobody is texted or called.")


@blueprint.get("/alerts")
@for_account
@blueprint.output(AlertsOut)
def get_alerts(access: Access) -> AlertsOut:
    """The account's warnings"""
    with runtime.current().units.read() as uow:
        return _out(alerts.get_settings(uow, access.scope), access.currency)


@blueprint.put("/alerts")
@for_account
@blueprint.input(AlertsIn, arg_name="body")
@blueprint.output(AlertsOut)
def put_alerts(access: Access, body: AlertsIn) -> AlertsOut:
    """Set the account's warnings

    All at once. Each is sent once when it is reached, and again only after it was left.
    """
    thresholds = [
        *(Threshold(Gauge.MONEY, micros) for micros in body.balance),
        *(Threshold(Gauge.MINUTES, count * SECONDS_PER_MINUTE) for count in body.minutes),
        *(Threshold(Gauge.DAYS, days) for days in body.days_left),
    ]
    with runtime.current().units.begin() as uow:
        changed = alerts.change_settings(
            uow,
            access.scope,
            thresholds=thresholds,
            channels=body.channels,
            hook_url=body.webhook_url,
            phone=body.phone,
            by_phone=bool(runtime.current().settings.alert_number),
            actor=access.actor,
        )
    return _out(changed, access.currency)


def _out(found: AlertSettings, currency: str) -> AlertsOut:
    def values(gauge: Gauge) -> list[int]:
        return [watch.threshold for watch in found.watches if watch.measure == gauge]

    return AlertsOut(
        currency=currency,
        balance=[money(micros) for micros in values(Gauge.MONEY)],
        minutes=[seconds // SECONDS_PER_MINUTE for seconds in values(Gauge.MINUTES)],
        days_left=values(Gauge.DAYS),
        channels=list(found.channels),  # type: ignore[arg-type]
        webhook_url=found.hook_url,
        webhook_secret=found.hook_secret,
        phone=found.phone,
    )
