"""Warnings before the money ends: thresholds of money, minutes and days left (C20, S2-08)."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum

from billing.money import format_amount
from billing.terms import SECONDS_PER_MINUTE, Alerts


class Gauge(StrEnum):
    """What is watched: money in micros, minutes in seconds, days left in whole days."""

    MONEY = "money"
    MINUTES = "minutes"
    DAYS = "days"


@dataclass(frozen=True, slots=True, order=True)
class Threshold:
    """Reached when the gauge reads `value` or less."""

    gauge: Gauge
    value: int


@dataclass(frozen=True, slots=True)
class AlertsDue:
    """What to send now, lowest first, and the thresholds that stay quiet until they are left."""

    send: tuple[Threshold, ...]
    reached: frozenset[Threshold]


def thresholds_of(alerts: Alerts) -> frozenset[Threshold]:
    return frozenset(
        {
            *(Threshold(Gauge.MONEY, micros) for micros in alerts.balance_micros),
            *(Threshold(Gauge.MINUTES, count * SECONDS_PER_MINUTE) for count in alerts.minutes),
            *(Threshold(Gauge.DAYS, days) for days in alerts.days_left),
        }
    )


def alerts_due(
    thresholds: Set[Threshold], readings: Mapping[Gauge, int | None], reached: Set[Threshold]
) -> AlertsDue:
    """Once per crossing: a threshold is re-armed when its gauge rises above it again.

    `reached` is what the last look left. A fall through several thresholds of one gauge at
    once sends the lowest alone. A gauge without a reading changes nothing.
    """
    now_reached: set[Threshold] = set()
    crossed: dict[Gauge, Threshold] = {}
    for threshold in sorted(thresholds, reverse=True):
        reading = readings.get(threshold.gauge)
        if reading is None:
            if threshold in reached:
                now_reached.add(threshold)
        elif reading <= threshold.value:
            now_reached.add(threshold)
            if threshold not in reached:
                crossed[threshold.gauge] = threshold
    return AlertsDue(tuple(sorted(crossed.values())), frozenset(now_reached))


def words(threshold: Threshold, currency: str) -> str:
    """What the alert says, for a person."""
    match threshold.gauge:
        case Gauge.MONEY:
            return f"The balance has reached {format_amount(threshold.value)} {currency}."
        case Gauge.MINUTES:
            return f"{threshold.value // SECONDS_PER_MINUTE} minutes or fewer are left."
        case Gauge.DAYS:
            days = "1 day" if threshold.value == 1 else f"{threshold.value} days"
            return f"At the present rate the balance lasts {days} or less."
