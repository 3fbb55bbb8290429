"""How an imagined call is answered."""

from __future__ import annotations

from pydantic import BaseModel, Field

from billing.money import format_rate
from gateway.api.fields import Currency, Money, money, money_or_none, rate_or_none
from gateway.services.preview import DearTarget, Preview, PreviewLeg


class TraceOut(BaseModel):
    path: str = Field(description="JSON pointer of the step.")
    words: str


class DocumentOut(BaseModel):
    after_seconds: int
    trace: list[TraceOut]
    twiml: str


class PreviewLegOut(BaseModel):
    kind: str
    target_type: str
    to: str
    status: str
    ring_seconds: int
    talk_seconds: int
    billed_seconds: int
    rate_per_minute: Money | None
    surcharge: Money | None = Field(description="Of the charge, for a dear destination.")
    charge: Money
    carrier_cost: Money | None


class PreviewOut(BaseModel):
    refusal: str | None = Field(
        description="Why a call would be turned away right now; the path is shown all the same."
    )
    outcome: str = Field(description="talked, voicemail, rejected or missed.")
    duration_seconds: int
    path: list[TraceOut]
    documents: list[DocumentOut]
    legs: list[PreviewLegOut]
    total: Money
    carrier_cost: Money | None
    cheapest: Money
    dearest: Money
    currency: Currency
    warnings: list[str] = Field(description="Phones of the plan that cost a surcharge.")


def preview_out(played: Preview) -> PreviewOut:
    return PreviewOut(
        refusal=played.refusal,
        outcome=played.outcome,
        duration_seconds=played.duration_seconds,
        path=[TraceOut(path=line.path, words=line.words) for line in played.path],
        documents=[
            DocumentOut(
                after_seconds=step.after_seconds,
                trace=[TraceOut(path=line.path, words=line.words) for line in step.trace],
                twiml=step.twiml,
            )
            for step in played.steps
        ],
        legs=[_leg_out(leg) for leg in played.legs],
        total=money(played.total_micros),
        carrier_cost=money_or_none(played.cost_micros),
        cheapest=money(played.cheapest_micros),
        dearest=money(played.dearest_micros),
        currency=played.currency,
        warnings=[dear_words(dear, played.currency) for dear in played.dear_targets],
    )


def dear_words(dear: DearTarget, currency: str) -> str:
    rate = format_rate(dear.surcharge.per_minute_micros)
    return (
        f"{dear.address} costs {rate} {currency} a minute on top of the call: "
        f"{dear.surcharge.label}."
    )


def _leg_out(leg: PreviewLeg) -> PreviewLegOut:
    rate = leg.rated.rate
    return PreviewLegOut(
        kind=leg.kind,
        target_type=leg.target_kind,
        to=leg.to,
        status=leg.status,
        ring_seconds=leg.ring_seconds,
        talk_seconds=leg.talk_seconds,
        billed_seconds=leg.rated.billed_seconds,
        rate_per_minute=None if rate is None else rate_or_none(rate.per_minute_micros),
        surcharge=money(leg.surcharge_micros) if leg.surcharge else None,
        charge=money(leg.charge_micros),
        carrier_cost=money_or_none(leg.cost_micros),
    )
