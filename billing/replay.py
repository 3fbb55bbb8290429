"""What a leg costs under a plan, with minutes and money as they stood: settlement's sums again.

Settlement takes these steps one by one as it writes its lines; a replay writes nothing. That both
come to the same micros is proven by replaying what was settled under the plan it was settled by.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from billing.lifecycle import price_overrun
from billing.metering import LegUsage
from billing.packages import Bucket, Draw, Drawn, LegMoment, draw, price_rest
from billing.rating import RatedLeg, rate_leg
from billing.surcharges import rate_surcharge
from billing.tariffs import Plan


@dataclass(frozen=True, slots=True)
class Billed:
    """A leg as a plan bills it: `rated` before minutes and overrun, `charge_micros` after them.

    `paid` is the part that money is due for, as the line of the ledger shows it; a surcharge is
    a line of its own, and `charge_micros` is both together.
    """

    rated: RatedLeg
    paid: RatedLeg
    draws: tuple[Draw, ...]
    usage_micros: int
    surcharge: RatedLeg | None = None
    surcharge_micros: int = 0

    @property
    def charge_micros(self) -> int:
        return self.usage_micros + self.surcharge_micros

    @property
    def drawn_seconds(self) -> int:
        return sum(draw.seconds for draw in self.draws)


def bill_leg(
    usage: LegUsage,
    plan: Plan,
    *,
    balance_micros: int,
    buckets: Sequence[Bucket] = (),
    moment: LegMoment | None = None,
) -> Billed:
    """Rate, draw, price the rest, add the surcharge, and let go of what lies past zero.

    `moment` is needed where there are buckets to draw.
    """
    rated = rate_leg(usage, plan.tariff)
    drawn = Drawn((), rated.billed_seconds)
    if buckets and moment is not None and rated.billed_seconds:
        drawn = draw(rated.billed_seconds, usage, buckets, moment)
    return _billed(usage, rated, drawn, plan, balance_micros)


def bill_again(usage: LegUsage, plan: Plan, *, balance_micros: int, met_seconds: int) -> Billed:
    """The same where minutes met a part of the leg, and stay drawn: only the rest is priced
    anew. `met_seconds` are those that no money was due for."""
    rated = rate_leg(usage, plan.tariff)
    rest = max(0, rated.billed_seconds - met_seconds)
    return _billed(usage, rated, Drawn((), rest), plan, balance_micros)


def _billed(
    usage: LegUsage, rated: RatedLeg, drawn: Drawn, plan: Plan, balance_micros: int
) -> Billed:
    paid = rated
    seconds = drawn.paid_seconds(plan.in_call.overrun_price)
    if seconds != rated.billed_seconds:
        paid = rated._replace(
            billed_seconds=seconds,
            charge_micros=price_rest(rated, seconds, plan.tariff),
            unrated=rated.unrated and seconds > 0,
        )
    charged = price_overrun(plan, paid.charge_micros, balance_micros).charged_micros
    surcharge = rate_surcharge(usage, plan.tariff)
    if surcharge is None:
        return Billed(rated, paid, drawn.draws, charged)
    left_micros = balance_micros - charged
    on_top = price_overrun(plan, surcharge.charge_micros, left_micros).charged_micros
    return Billed(rated, paid, drawn.draws, charged, surcharge, on_top)
