"""A plan is one JSON document: how an account pays, what it pays, and what happens at zero."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from phonenumbers import country_code_for_region

from billing.plan_reader import FieldError, ObjectReader, PlanInvalid
from billing.plan_schema import PLAN_SCHEMA
from billing.rates import Increment, Rate, Tariff
from billing.regions import country_cure, is_country
from billing.tariff_reader import read_tariff
from billing.terms import NO_TERMS, Mode, Terms
from billing.terms_reader import CONCURRENT_RANGE, read_terms

__all__ = [
    "HARD_CEILING_SECONDS",
    "PLAN_SCHEMA",
    "FieldError",
    "InCall",
    "Increment",
    "Mode",
    "Plan",
    "PlanInvalid",
    "Rate",
    "Tariff",
    "Terms",
    "parse_plan",
]

SuspendWhen = Literal["lt_zero", "lte_zero"]
InCallPolicy = Literal["let_finish", "cut", "grace"]
OverrunPrice = Literal["plan", "zero"]

HARD_CEILING_SECONDS = 14_400
"""Twilio's default timeLimit of a Dial, four hours: twilio.com/docs/voice/twiml/dial."""
_CEILING_RANGE = range(60, 86_401)  # 86400 only with Twilio's account feature: same page
_SECONDS_RANGE = range(3_601)

_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class InCall:
    """What happens to live calls when the money runs out (C2)."""

    policy: InCallPolicy
    grace_seconds: int
    overrun_price: OverrunPrice
    hard_ceiling_seconds: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One published version of a plan; `credit_limit_micros` is 0 for prepaid (C8)."""

    name: str
    description: str
    currency: str
    mode: Mode
    tariff: Tariff
    suspend_when: SuspendWhen
    min_balance_to_start_micros: int
    credit_limit_micros: int
    in_call: InCall
    allowed_countries: tuple[str, ...]
    concurrent_calls: int | None
    terms: Terms = NO_TERMS


def parse_plan(document: Mapping[str, Any]) -> Plan:
    """The plan a document describes, defaults filled in; raises `PlanInvalid` with every error."""
    errors: list[FieldError] = []
    reader = ObjectReader(document, "", errors)
    name = reader.text("name", length_max=60)
    description = reader.text("description", length_max=500, default="")
    currency = _currency(reader)
    mode = cast(Mode, reader.choice("mode", get_args(Mode), default="prepaid"))
    tariff = read_tariff(reader.child("tariff", required=True))
    concurrent_calls = reader.optional_integer("concurrent_calls", within=CONCURRENT_RANGE)
    terms = read_terms(reader, mode)
    entitled = terms.entitlements.concurrent_calls
    if concurrent_calls is not None and entitled is not None:
        reader.complain("concurrent_calls", "stands in entitlements as well: keep one of the two")
    plan = Plan(
        name=name,
        description=description,
        currency=currency,
        mode=mode,
        tariff=tariff,
        suspend_when=cast(
            SuspendWhen, reader.choice("suspend_when", get_args(SuspendWhen), default="lt_zero")
        ),
        min_balance_to_start_micros=reader.amount("min_balance_to_start", default="0"),
        credit_limit_micros=reader.amount("credit_limit", default="0"),
        in_call=_in_call(reader.child("in_call")),
        allowed_countries=reader.strings("allowed_countries", default=("US",)),
        concurrent_calls=entitled if concurrent_calls is None else concurrent_calls,
        terms=terms,
    )
    reader.finish()
    if not errors:
        _check_together(plan, reader)
    if errors:
        raise PlanInvalid(tuple(errors))
    return plan


def _in_call(reader: ObjectReader) -> InCall:
    policy = reader.choice("policy", get_args(InCallPolicy), default="let_finish")
    grace_seconds = reader.integer("grace_seconds", within=_SECONDS_RANGE, default=0)
    if policy == "grace" and grace_seconds == 0:
        reader.complain("grace_seconds", 'write how long the grace lasts, or use policy "cut"')
    in_call = InCall(
        policy=cast(InCallPolicy, policy),
        grace_seconds=grace_seconds,
        overrun_price=cast(
            OverrunPrice, reader.choice("overrun_price", get_args(OverrunPrice), default="plan")
        ),
        hard_ceiling_seconds=reader.integer(
            "hard_ceiling_seconds", within=_CEILING_RANGE, default=HARD_CEILING_SECONDS
        ),
    )
    reader.finish()
    return in_call


def _currency(reader: ObjectReader) -> str:
    currency = reader.text("currency", length_max=3)
    if currency and _CURRENCY.fullmatch(currency) is None:
        reader.complain("currency", 'write the ISO 4217 code, such as "USD"')
    return currency


def _check_together(plan: Plan, reader: ObjectReader) -> None:
    """Complaints that need several fields; asked only once each field is right by itself."""
    if plan.mode == "prepaid" and plan.credit_limit_micros:
        reader.complain("credit_limit", 'a prepaid plan has none: write "0" or change the mode')
    pool_stops_calls = plan.terms.allowance is not None and plan.terms.minutes_are_all
    lt_zero = plan.suspend_when == "lt_zero"
    if plan.in_call.overrun_price == "zero" and lt_zero and not pool_stops_calls:
        # The balance would stop at exactly zero, never suspend, and every later call be free.
        reader.complain("suspend_when", 'write "lte_zero" where an overrun is priced zero')
    for index, country in enumerate(plan.allowed_countries):
        if not is_country(country):
            reader.complain_at("allowed_countries", index, country_cure(country))
        elif plan.tariff.billable_legs.forwarded and not _has_price(plan.tariff, country):
            reader.complain_at(
                "allowed_countries",
                index,
                f"{country} has no outbound rate: add a prefix of +"
                f"{country_code_for_region(country)}, or take the country off the list",
            )


def _has_price(tariff: Tariff, country: str) -> bool:
    """Some number of the country has a price; the look-up of a real number stays the judge."""
    code = str(country_code_for_region(country))
    return any(prefix.startswith(code) or code.startswith(prefix) for prefix in tariff.outbound)
