"""What forwarding to a dear destination costs on top, as a line of its own (S2-18)."""

from billing.metering import LegUsage
from billing.rates import Tariff
from billing.rating import RatedLeg, billed_seconds


def rate_surcharge(usage: LegUsage, tariff: Tariff) -> RatedLeg | None:
    """The surcharge of a leg that we placed; None where its destination has none.

    Due for the talk time by the plan's increments, also where forwarded legs are not charged.
    """
    if usage.kind == "inbound" or usage.target_kind != "number":
        return None
    rate = tariff.surcharge(usage.target_address)
    if rate is None:
        return None
    billed = billed_seconds(usage.talk_seconds, tariff)
    charge = tariff.rounding.apply(rate.per_minute_micros * billed, 60)
    return RatedLeg(usage.talk_seconds, billed, rate, 0, charge, False)
