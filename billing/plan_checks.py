"""What to ask a plan before it is published: warnings, not errors.

A plan with warnings is valid and may be meant so; whoever publishes it has seen them.
"""

from collections.abc import Iterator

from phonenumbers import PhoneNumberType, country_code_for_region, example_number_for_type

from billing.metering import LegStatus, LegUsage
from billing.money import format_amount, format_rate
from billing.plan_reader import FieldError
from billing.rates import Tariff
from billing.rating import rate_leg
from billing.tariffs import Plan

SAMPLE_SECONDS = (5, 30, 60)
"""Lengths of the forwarded calls whose charge is held against their cost."""
_EXAMPLE_TYPES = {
    "a landline": PhoneNumberType.FIXED_LINE,
    "a mobile": PhoneNumberType.MOBILE,
}


def plan_warnings(plan: Plan, carrier_plan: Plan) -> tuple[FieldError, ...]:
    """Everything worth a second look, by the field that causes it."""
    carrier = carrier_plan.tariff
    return (
        *_dear_packages(plan),
        *_dear_credit(plan),
        *_prefix_gaps(plan),
        *_cheap_prefixes(plan, carrier),
        *(_allowance_loss(plan, carrier) if plan.terms.allowance else _call_losses(plan, carrier)),
        *_message_losses(plan.tariff, carrier),
        *_rental_losses(plan.tariff, carrier),
    )


def tier_warnings(better: Plan, lesser: Plan) -> tuple[FieldError, ...]:
    """Items of a better tier that are not cheaper per unit than under the lesser one (S3-05)."""
    mine, theirs = _unit_prices(better.tariff), _unit_prices(lesser.tariff)
    return tuple(
        FieldError(
            path,
            f"{what} costs {format_rate(mine[path, what])} here and "
            f"{format_rate(theirs[path, what])} under {lesser.name}: not cheaper",
        )
        for path, what in sorted(mine.keys() & theirs.keys())
        if mine[path, what] >= theirs[path, what] > 0
    )


def _unit_prices(tariff: Tariff) -> dict[tuple[str, str], int]:
    return (
        {("/tariff/inbound", r.key): r.per_minute_micros for r in tariff.inbound.values()}
        | {("/tariff/outbound", f"+{r.key}"): r.per_minute_micros for r in tariff.outbound.values()}
        | {("/tariff/rental", "/".join(key)): micros for key, micros in tariff.rental.items()}
    )


def _dear_packages(plan: Plan) -> Iterator[FieldError]:
    """A minute of a package must cost less than one bought by itself (S1-02)."""
    for index, offer in enumerate(plan.terms.packages):
        rates = [
            rate.per_minute_micros
            for (_, number_type), rate in plan.tariff.inbound.items()
            if number_type == offer.number_type
        ]
        if rates and offer.price_micros >= min(rates) * offer.minutes:
            yield FieldError(
                f"/packages/{index}/price",
                f"{offer.minutes} minutes for {format_amount(offer.price_micros)} are not cheaper "
                f"than {format_rate(min(rates))} a minute under the plan",
            )


def _dear_credit(plan: Plan) -> Iterator[FieldError]:
    """The access fee pays for the credit that it includes."""
    credit, fee = plan.terms.included.credit_micros, plan.terms.access_fee.month_micros
    if credit > fee:
        yield FieldError(
            "/included/credit",
            f"{format_amount(credit)} are included in each cycle, and the access fee is "
            f"{format_amount(fee)} a month",
        )


def _prefix_gaps(plan: Plan) -> Iterator[FieldError]:
    """A country that is allowed, but of whose numbers some have no price."""
    if not plan.tariff.billable_legs.forwarded:
        return
    for index, country in enumerate(plan.allowed_countries):
        for words, number_type in _EXAMPLE_TYPES.items():
            example = example_number_for_type(country, number_type)
            if example is None:
                continue
            e164 = f"+{example.country_code}{example.national_number}"
            if plan.tariff.outbound_rate(e164) is None:
                yield FieldError(
                    f"/allowed_countries/{index}",
                    f"{words} in {country}, such as {e164}, has no rate: calls to it are refused; "
                    f"add a prefix of +{country_code_for_region(country)}",
                )


def _cheap_prefixes(plan: Plan, carrier: Tariff) -> Iterator[FieldError]:
    """Destinations that the carrier prices apart, and that a shorter prefix sells below cost."""
    if not plan.tariff.billable_legs.forwarded:
        return
    for prefix, cost in carrier.outbound.items():
        sold = plan.tariff.outbound_rate(f"+{prefix}")
        if sold is not None and sold.per_minute_micros < cost.per_minute_micros:
            yield FieldError(
                "/tariff/outbound",
                f"+{prefix} ({cost.label}) is sold at {format_rate(sold.per_minute_micros)} by "
                f"prefix {sold.key} and costs {format_rate(cost.per_minute_micros)}: add it",
            )


def _call_losses(plan: Plan, carrier: Tariff) -> Iterator[FieldError]:
    """Forwarded calls that cost more than they bring, one warning for each length."""
    home = _home_rate(carrier, plan)
    for seconds in SAMPLE_SECONDS:
        losses = []
        for (country, number_type), rate in plan.tariff.inbound.items():
            legs = _forwarded_call(country, number_type, home, seconds)
            charge = sum(rate_leg(leg, plan.tariff).charge_micros for leg in legs)
            cost = sum(rate_leg(leg, carrier).charge_micros for leg in legs)
            if charge < cost:
                losses.append((cost - charge, charge, cost, rate.label))
        if losses:
            _, charge, cost, label = max(losses)
            yield FieldError(
                "/tariff/free_until_seconds"
                if seconds <= plan.tariff.free_until_seconds
                else "/tariff/increment",
                f"a forwarded call of {seconds} s brings {format_amount(charge)} and costs "
                f"{format_amount(cost)} ({label}): the carrier charges started minutes",
            )


def _allowance_loss(plan: Plan, carrier: Tariff) -> Iterator[FieldError]:
    """What a pool costs when it is used up in calls of a minute, held against its fee."""
    pool = plan.terms.allowance
    assert pool is not None, "asked only where there is a pool"
    home = _home_rate(carrier, plan)
    costs = [
        sum(rate_leg(leg, carrier).charge_micros for leg in _forwarded_call(*key, home, 60))
        for key in plan.tariff.inbound
    ]
    fee = plan.terms.access_fee.month_micros
    if costs and max(costs) * pool.minutes > fee:
        yield FieldError(
            "/pool/minutes",
            f"{pool.minutes} minutes cost up to {format_amount(max(costs) * pool.minutes)}, and "
            f"the access fee is {format_amount(fee)}",
        )


def _home_rate(carrier: Tariff, plan: Plan) -> str:
    """Where sample calls go: the prefix of the plan's first country that the carrier prices."""
    codes = [str(country_code_for_region(country)) for country in plan.allowed_countries]
    return next((code for code in codes if code in carrier.outbound), "")


def _forwarded_call(
    country: str, number_type: str, to_prefix: str, seconds: int
) -> tuple[LegUsage, ...]:
    inbound = LegUsage(
        kind="inbound",
        status=LegStatus.COMPLETED,
        talk_seconds=seconds,
        bridged_seconds=seconds,
        number_country=country,
        number_type=number_type,
    )
    forwarded = LegUsage(
        kind="forwarded",
        status=LegStatus.COMPLETED,
        talk_seconds=seconds,
        number_country=country,
        number_type=number_type,
        target_kind="number",
        target_address=f"+{to_prefix}",
    )
    return inbound, forwarded


def _message_losses(tariff: Tariff, carrier: Tariff) -> Iterator[FieldError]:
    if tariff.sms is None or carrier.sms is None:
        return
    if tariff.sms.inbound_flat_micros < carrier.sms.inbound_flat_micros:
        yield FieldError(
            "/tariff/sms/inbound_flat",
            f"an inbound message brings {format_amount(tariff.sms.inbound_flat_micros)} and costs "
            f"{format_amount(carrier.sms.inbound_flat_micros)} a segment",
        )
    for prefix, cost in carrier.sms.outbound.items():
        sold = tariff.sms.outbound_rate(f"+{prefix}")
        if sold is not None and sold.price_micros < cost.price_micros:
            yield FieldError(
                "/tariff/sms/outbound",
                f"a message to +{prefix} ({cost.label}) is sold at "
                f"{format_amount(sold.price_micros)} and costs {format_amount(cost.price_micros)}",
            )


def _rental_losses(tariff: Tariff, carrier: Tariff) -> Iterator[FieldError]:
    for index, ((country, number_type), rent) in enumerate(tariff.rental.items()):
        cost = carrier.rental.get((country, number_type), 0)
        if rent < cost:
            yield FieldError(
                f"/tariff/rental/{index}/per_month",
                f"a {country} {number_type} number brings {format_amount(rent)} a month and costs "
                f"{format_amount(cost)}",
            )
