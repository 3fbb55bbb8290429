"""Money that live calls have used and nobody has posted yet, and how fast they use it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from billing.metering import LegStatus, LegUsage
from billing.rates import LegKind, Rate, TargetKind, Tariff
from billing.rating import TalkRates, find_rate, rate_leg
from billing.surcharges import find_surcharge, rate_surcharge
from billing.tariffs import Plan
from gateway.store.call_events import LiveLeg
from routing.acts import Target


@dataclass(frozen=True, slots=True)
class Exposure:
    accrued_micros: int
    rates: TalkRates
    billed_seconds: int = 0  # of the legs that run, as if they ended now


NONE = Exposure(0, TalkRates())


def of_live_legs(legs: Iterable[LiveLeg], plan: Plan, *, now: dt.datetime) -> Exposure:
    """Each talking target stands for two legs: itself and the caller's, answered together
    (answerOnBridge). Rated as if they ended now."""
    accrued, billed, rates = 0, 0, TalkRates()
    for leg in legs:
        seconds = max(0, int((now - leg.answered_at).total_seconds()))
        for usage in (
            inbound(leg.number_country, leg.number_type, seconds),
            outbound(leg.target_kind, leg.to_address, seconds),
        ):
            rated, surcharge = rate_leg(usage, plan.tariff), rate_surcharge(usage, plan.tariff)
            accrued += rated.charge_micros + (surcharge.charge_micros if surcharge else 0)
            billed += rated.billed_seconds
            rates += _talk_rates(usage, plan.tariff)
    return Exposure(accrued, rates, billed)


def of_call(
    number_country: str, number_type: str, targets: Iterable[Target], tariff: Tariff
) -> TalkRates:
    """What a minute of a call costs: the caller's leg, and the dearest that its plan may dial."""
    caller = _talk_rates(inbound(number_country, number_type, 0), tariff)
    dearest = max(
        (_talk_rates(outbound(target.type, target.address, 0), tariff) for target in targets),
        key=lambda rates: rates.per_minute_micros,
        default=TalkRates(),
    )
    return caller + dearest


def _talk_rates(usage: LegUsage, tariff: Tariff) -> TalkRates:
    """Nothing for a leg that the plan does not charge; its surcharge is due all the same."""
    rate = find_rate(usage, tariff) if tariff.billable_legs.includes(usage.kind) else None
    surcharge = find_surcharge(usage, tariff)
    return TalkRates(_charged(rate), _charged(surcharge))


def _charged(rate: Rate | None) -> tuple[int, ...]:
    return (rate.per_minute_micros,) if rate is not None and rate.per_minute_micros else ()


def inbound(country: str, number_type: str, seconds: int) -> LegUsage:
    return LegUsage(
        kind="inbound",
        status=LegStatus.COMPLETED,
        talk_seconds=seconds,
        bridged_seconds=seconds,
        number_country=country,
        number_type=number_type,
    )


def outbound(target_kind: str, address: str, seconds: int, kind: LegKind = "forwarded") -> LegUsage:
    kinds: dict[str, TargetKind] = {"number": "number", "sip": "sip", "client": "client"}
    return LegUsage(
        kind=kind,
        status=LegStatus.COMPLETED,
        talk_seconds=seconds,
        target_kind=kinds.get(target_kind),
        target_address=address,
    )
