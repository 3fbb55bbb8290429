"""Money that live calls have used and nobody has posted yet, and how fast they use it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from billing.metering import LegStatus, LegUsage
from billing.rates import LegKind, TargetKind
from billing.rating import find_rate, rate_leg
from billing.tariffs import Plan
from gateway.store.call_events import LiveLeg


@dataclass(frozen=True, slots=True)
class Exposure:
    accrued_micros: int
    rates_per_minute: tuple[int, ...]  # one entry per charged leg that runs
    billed_seconds: int = 0  # of the legs that run, as if they ended now


NONE = Exposure(0, ())


def of_live_legs(legs: Iterable[LiveLeg], plan: Plan, *, now: dt.datetime) -> Exposure:
    """Each talking target stands for two legs: itself and the caller's, answered together
    (answerOnBridge). Rated as if they ended now."""
    accrued, billed, rates = 0, 0, []
    for leg in legs:
        seconds = max(0, int((now - leg.answered_at).total_seconds()))
        for usage in (
            inbound(leg.number_country, leg.number_type, seconds),
            outbound(leg.target_kind, leg.to_address, seconds),
        ):
            rated = rate_leg(usage, plan.tariff)
            accrued += rated.charge_micros
            billed += rated.billed_seconds
            rates.append(per_minute(usage, plan))
    return Exposure(accrued, tuple(rate for rate in rates if rate), billed)


def per_minute(usage: LegUsage, plan: Plan) -> int:
    """Micros a minute that the plan takes for such a leg; 0 for one that it does not charge."""
    if not plan.tariff.billable_legs.includes(usage.kind):
        return 0
    rate = find_rate(usage, plan.tariff)
    return rate.per_minute_micros if rate else 0


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
