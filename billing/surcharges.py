"""What forwarding to a dear destination costs on top, as a line of its own (S2-18)."""

from billing.metering import LegUsage
from billing.rates import Rate, Tariff
from billing.rating import RatedLeg, billed_seconds, surcharge_micros


def find_surcharge(usage: LegUsage, tariff: Tariff) -> Rate | None:
    """By where the leg went: only telephone numbers are dear."""
    if not tariff.surcharges or usage.kind == "inbound" or usage.target_kind != "number":
        return None
    return tariff.surcharge(usage.target_address)


def rate_surcharge(usage: LegUsage, tariff: Tariff) -> RatedLeg | None:
    """The surcharge of a leg that we placed; None where its destination has none.

    Due for the talk time by the plan's increments, also where forwarded legs are not charged.
    """
    rate = find_surcharge(usage, tariff)
    if rate is None:
        return None
    billed = billed_seconds(usage.talk_seconds, tariff)
    charge = surcharge_micros(rate.per_minute_micros, billed, tariff)
    return RatedLeg(usage.talk_seconds, billed, rate, 0, charge, False)
