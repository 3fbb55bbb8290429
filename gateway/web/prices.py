"""What a minute of conversation costs under a plan, before anybody calls: pure."""

from dataclasses import dataclass

from billing.metering import LegStatus, LegUsage
from billing.rates import Rate
from billing.rating import find_rate, rate_leg
from billing.surcharges import rate_surcharge
from billing.tariffs import Tariff
from gateway.services.numbers import Number
from routing.acts import Target
from routing.describe import phone_words
from routing.plans import Step, plan_targets

SECONDS = 60


@dataclass(frozen=True, slots=True)
class LegPrice:
    """`rate_micros` a minute; None where the tariff takes nothing for such a leg. `surcharge` is
    what a dear destination costs on top (S2-18)."""

    words: str
    rate_micros: int | None
    surcharge: Rate | None
    charge_micros: int  # for the first minute; connect fee, threshold and surcharge included


@dataclass(frozen=True, slots=True)
class MinutePrices:
    """A minute with whoever answers: from the cheapest phone of the plan to the dearest."""

    inbound: LegPrice
    phones: tuple[LegPrice, ...]

    @property
    def dear(self) -> tuple[LegPrice, ...]:
        return tuple(phone for phone in self.phones if phone.surcharge is not None)

    @property
    def lowest_micros(self) -> int:
        return self.inbound.charge_micros + min((p.charge_micros for p in self.phones), default=0)

    @property
    def highest_micros(self) -> int:
        return self.inbound.charge_micros + max((p.charge_micros for p in self.phones), default=0)


def of_a_minute(step: Step, number: Number, tariff: Tariff) -> MinutePrices:
    targets = {target.address: target for _path, target in plan_targets(step)}
    inbound = LegUsage(
        kind="inbound",
        status=LegStatus.COMPLETED,
        talk_seconds=SECONDS,
        bridged_seconds=SECONDS,
        number_country=number.country,
        number_type=number.number_type,
    )
    return MinutePrices(
        inbound=_price("", inbound, tariff),
        phones=tuple(
            _price(phone_words(target), _outbound(target), tariff) for target in targets.values()
        ),
    )


def _outbound(target: Target) -> LegUsage:
    return LegUsage(
        kind="forwarded",
        status=LegStatus.COMPLETED,
        talk_seconds=SECONDS,
        target_kind=target.type,
        target_address=target.address,
    )


def _price(words: str, usage: LegUsage, tariff: Tariff) -> LegPrice:
    rate = find_rate(usage, tariff) if tariff.billable_legs.includes(usage.kind) else None
    on_top = rate_surcharge(usage, tariff)
    return LegPrice(
        words,
        None if rate is None else rate.per_minute_micros,
        None if on_top is None else on_top.rate,
        rate_leg(usage, tariff).charge_micros + (on_top.charge_micros if on_top else 0),
    )
