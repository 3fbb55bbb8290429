"""The price list that customers see, made from the plan that bills them (S5-06)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from billing.explain import increment_words, money_words
from billing.rates import LegKind, Rate
from billing.regions import region_words
from billing.tariffs import Plan
from billing.terms import Term

Section = Literal[
    "access", "numbers", "inbound", "outbound", "surcharges", "messages", "packages", "bundles"
]
_TERMS: tuple[Term, ...] = ("month", "year")


@dataclass(frozen=True, slots=True)
class RateRow:
    """A line of the page: `price_micros` per `unit`, exactly as it is charged.

    `prefixes` are those that the price is for; the longest that fits a number wins.
    """

    section: Section
    label: str
    price_micros: int
    unit: str
    note: str = ""
    prefixes: tuple[str, ...] = ()


def rate_page(plan: Plan) -> tuple[RateRow, ...]:
    """Every price of the plan; what has no row has no price, and is refused."""
    return (
        *_access(plan),
        *_numbers(plan),
        *_calls(plan),
        *_messages(plan),
        *_minutes(plan),
    )


def _access(plan: Plan) -> Iterator[RateRow]:
    fees = [(term, plan.terms.access_fee.for_term(term)) for term in _TERMS]
    for term, fee in fees:
        if fee:
            yield RateRow("access", f"Access by the {term}", fee, term, _includes(plan))
    if plan.terms.included.credit_micros and not any(fee for _, fee in fees):
        yield RateRow("access", "Access", 0, "month", _includes(plan))


def _includes(plan: Plan) -> str:
    pool, credit = plan.terms.allowance, plan.terms.included.credit_micros
    given = [f"{pool.minutes} minutes"] if pool else []
    if credit:
        given.append(f"{money_words(credit, plan.currency)} for calls and texts")
    return f"{' and '.join(given)} in each cycle" if given else ""


def _numbers(plan: Plan) -> Iterator[RateRow]:
    trial = plan.tariff.rental_trial
    which = "first number" if trial.scope == "first_number" else "every number"
    note = f"{which} free for {trial.days} days" if trial.days else ""
    for (country, number_type), micros in plan.tariff.rental.items():
        yield RateRow("numbers", f"{country} {number_type}", micros, "month", note)


def _calls(plan: Plan) -> Iterator[RateRow]:
    tariff = plan.tariff
    note = increment_words(tariff.increment)
    if tariff.free_until_seconds:
        note += f", free up to {tariff.free_until_seconds} s"
    if tariff.billable_legs.inbound:
        in_pool = _only_minutes(plan, "inbound")
        how = f"{note}, of the minutes of the cycle" if in_pool else note
        for rate in tariff.inbound.values():
            price = 0 if in_pool else rate.per_minute_micros
            yield RateRow("inbound", rate.label, price, "minute", how)
    if not tariff.billable_legs.forwarded:
        yield RateRow("outbound", "Forwarded calls", 0, "minute", "included")
    if tariff.billable_legs.forwarded or tariff.billable_legs.transfer:
        for label, micros, prefixes in _grouped(_priced(tariff.outbound)):
            yield RateRow("outbound", label, micros, "minute", note, prefixes)
        for other in (tariff.sip_rate, tariff.client_rate):
            if other is not None:
                yield RateRow("outbound", other.label, other.per_minute_micros, "minute", note)
    for label, micros, prefixes in _grouped(_priced(tariff.surcharges)):
        yield RateRow("surcharges", label, micros, "minute", "on top of the call", prefixes)
    if tariff.connect_fee_micros:
        yield RateRow("outbound", "Connection", tariff.connect_fee_micros, "charged leg")


def _only_minutes(plan: Plan, leg: LegKind) -> bool:
    """Whether minutes are all that such a leg ever costs: calls are refused when they are used
    up, and what overruns them is free."""
    pool, terms = plan.terms.allowance, plan.terms
    return (
        pool is not None
        and leg in pool.leg_scope
        and terms.minutes_are_all
        and plan.in_call.overrun_price == "zero"
    )


def _messages(plan: Plan) -> Iterator[RateRow]:
    prices = plan.tariff.sms
    if prices is None:
        return
    yield RateRow("messages", "Inbound", prices.inbound_flat_micros, "message")
    priced = {prefix: (rate.label, rate.price_micros) for prefix, rate in prices.outbound.items()}
    for label, micros, prefixes in _grouped(priced):
        yield RateRow("messages", label, micros, prices.unit, "", prefixes)


def _minutes(plan: Plan) -> Iterator[RateRow]:
    for offer in plan.terms.packages:
        note = f"{offer.minutes:,} {offer.number_type} minutes, {region_words(offer.region_set)}"
        unit = "month" if offer.renews else "package"
        yield RateRow("packages", offer.code, offer.price_micros, unit, note)
    for bundle in plan.terms.topup.bundles:
        yield RateRow("bundles", f"{bundle.minutes} minutes", bundle.price_micros, "bundle")


def _priced(rates: Mapping[str, Rate]) -> dict[str, tuple[str, int]]:
    return {prefix: (rate.label, rate.per_minute_micros) for prefix, rate in rates.items()}


def _grouped(
    priced: Mapping[str, tuple[str, int]],
) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Prefixes of one label and one price stand on one row."""
    groups: dict[tuple[str, int], list[str]] = {}
    for prefix, line in priced.items():
        groups.setdefault(line, []).append(prefix)
    for (label, micros), prefixes in groups.items():
        yield label, micros, tuple(sorted(prefixes))
