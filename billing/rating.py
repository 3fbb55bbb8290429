"""From billable seconds to money: the one place where a charge is rounded."""

from dataclasses import dataclass
from typing import NamedTuple

from billing.metering import LegUsage, billable_seconds
from billing.rates import Rate, Tariff
from billing.tariffs import HARD_CEILING_SECONDS


class RatedLeg(NamedTuple):
    """What one leg costs under one tariff.

    `rate` is None for a leg that the plan does not charge at all, and for one without a
    price; the second, when it has billed seconds, is `unrated`: charged nothing, and to be
    shown to staff.
    """

    billable_seconds: int
    billed_seconds: int
    rate: Rate | None
    connect_fee_micros: int
    charge_micros: int
    unrated: bool


@dataclass(frozen=True, slots=True)
class TalkRates:
    """Micros a minute of what is charged at the same time: `legs` has one entry for each charged
    leg, `surcharges` one for each dear destination, on which no connect fee stands (S2-18)."""

    legs: tuple[int, ...] = ()
    surcharges: tuple[int, ...] = ()

    def __add__(self, other: "TalkRates") -> "TalkRates":
        return TalkRates(self.legs + other.legs, self.surcharges + other.surcharges)

    @property
    def per_minute_micros(self) -> int:
        return sum(self.legs) + sum(self.surcharges)


def billed_seconds(seconds: int, tariff: Tariff) -> int:
    """Apply the threshold, then the increments: d<=init -> init, else whole steps on top.

    Exactly at the threshold is still free.
    """
    free = tariff.free_until_seconds
    if seconds <= free:
        return 0
    if free and tariff.threshold_mode == "excess_only":
        seconds -= free
    initial = tariff.increment.initial_seconds
    if seconds <= initial:
        return initial
    step = tariff.increment.step_seconds
    return initial - (initial - seconds) // step * step


def charge_micros(per_minute_micros: int, billed: int, tariff: Tariff) -> int:
    """One leg's charge, connect fee included, rounded once in the tariff's direction."""
    if billed == 0:
        return 0
    exact = per_minute_micros * billed + tariff.connect_fee_micros * 60
    return tariff.rounding.apply(exact, 60)


def surcharge_micros(per_minute_micros: int, billed: int, tariff: Tariff) -> int:
    """What a dear destination costs on top, rounded as the leg's charge is."""
    return tariff.rounding.apply(per_minute_micros * billed, 60)


def find_rate(usage: LegUsage, tariff: Tariff) -> Rate | None:
    """The price per minute of a leg: by our number when inbound, else by where it went."""
    if usage.kind == "inbound":
        return tariff.inbound.get((usage.number_country, usage.number_type))
    if usage.target_kind is None:
        return None
    return tariff.destination_rate(usage.target_kind, usage.target_address)


def rate_leg(usage: LegUsage, tariff: Tariff) -> RatedLeg:
    """What the plan charges for a leg; the same leg always costs the same."""
    if not tariff.billable_legs.includes(usage.kind):
        return RatedLeg(0, 0, None, 0, 0, False)
    rate = find_rate(usage, tariff)
    seconds = billable_seconds(usage, tariff)
    billed = billed_seconds(seconds, tariff)
    if billed == 0:
        return RatedLeg(seconds, 0, rate, 0, 0, False)
    if rate is None:
        return RatedLeg(seconds, billed, None, 0, 0, True)
    charge = charge_micros(rate.per_minute_micros, billed, tariff)
    return RatedLeg(seconds, billed, rate, tariff.connect_fee_micros, charge, False)


def carrier_cost(usage: LegUsage, carrier_tariff: Tariff) -> RatedLeg:
    """What the carrier bills us for the leg: its prices are a tariff like any other."""
    return rate_leg(usage, carrier_tariff)


def cost_of_talk(seconds: int, rates: TalkRates, tariff: Tariff) -> int:
    """Micros of legs that all talk for so long, each rounded as its own leg."""
    billed = billed_seconds(seconds, tariff)
    legs = sum(charge_micros(rate, billed, tariff) for rate in rates.legs)
    return legs + sum(surcharge_micros(rate, billed, tariff) for rate in rates.surcharges)


def first_block_cost(rates: TalkRates, tariff: Tariff) -> int:
    """Micros that the first charged second costs: connect fees and initial blocks."""
    return cost_of_talk(tariff.free_until_seconds + 1, rates, tariff)


def affordable_seconds(
    balance_micros: int,
    rates: TalkRates,
    tariff: Tariff,
    *,
    ceiling_seconds: int = HARD_CEILING_SECONDS,
) -> int:
    """The longest talk, up to the ceiling, whose charge the balance covers."""
    if balance_micros < 0:
        return 0
    covered, too_long = 0, ceiling_seconds + 1
    while too_long - covered > 1:
        middle = (covered + too_long) // 2
        if cost_of_talk(middle, rates, tariff) <= balance_micros:
            covered = middle
        else:
            too_long = middle
    return covered
