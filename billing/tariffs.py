"""A plan is one JSON document: how an account pays, what it pays, and what happens at zero."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from phonenumbers import country_code_for_region

from billing.money import RoundingMode
from billing.plan_reader import FieldError, ObjectReader, PlanInvalid
from billing.plan_schema import PLAN_SCHEMA
from billing.rates import (
    NUMBER_TYPES,
    SCALES,
    BillableLegs,
    Increment,
    NumberKey,
    Rate,
    Rounding,
    Tariff,
    ThresholdMode,
    quantum_micros,
)

__all__ = [
    "HARD_CEILING_SECONDS",
    "PLAN_SCHEMA",
    "FieldError",
    "InCall",
    "Increment",
    "Plan",
    "PlanInvalid",
    "Rate",
    "Tariff",
    "parse_plan",
]

Mode = Literal["prepaid", "postpaid", "card_daily"]
SuspendWhen = Literal["lt_zero", "lte_zero"]
InCallPolicy = Literal["let_finish", "cut", "grace"]
OverrunPrice = Literal["plan", "zero"]

HARD_CEILING_SECONDS = 14_400
"""Twilio's default timeLimit of a Dial, four hours: twilio.com/docs/voice/twiml/dial."""
_CEILING_RANGE = range(60, 86_401)  # 86400 only with Twilio's account feature: same page
_INCREMENT_RANGE = range(1, 3_601)
_SECONDS_RANGE = range(3_601)
_CONCURRENT_RANGE = range(1, 10_001)

_COUNTRY = re.compile(r"[A-Z]{2}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_PREFIX = re.compile(r"[1-9][0-9]{0,14}")


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


def parse_plan(document: Mapping[str, Any]) -> Plan:
    """The plan a document describes, defaults filled in; raises `PlanInvalid` with every error."""
    errors: list[FieldError] = []
    reader = ObjectReader(document, "", errors)
    plan = Plan(
        name=reader.text("name", length_max=60),
        description=reader.text("description", length_max=500, default=""),
        currency=_currency(reader),
        mode=cast(Mode, reader.choice("mode", get_args(Mode), default="prepaid")),
        tariff=_tariff(reader.child("tariff", required=True)),
        suspend_when=cast(
            SuspendWhen, reader.choice("suspend_when", get_args(SuspendWhen), default="lt_zero")
        ),
        min_balance_to_start_micros=reader.amount("min_balance_to_start", default="0"),
        credit_limit_micros=reader.amount("credit_limit", default="0"),
        in_call=_in_call(reader.child("in_call")),
        allowed_countries=reader.strings("allowed_countries", default=("US",)),
        concurrent_calls=_concurrent_calls(reader),
    )
    reader.finish()
    if not errors:
        _check_together(plan, reader)
    if errors:
        raise PlanInvalid(tuple(errors))
    return plan


def _tariff(reader: ObjectReader) -> Tariff:
    tariff = Tariff(
        increment=_increment(reader.child("increment", required=True)),
        free_until_seconds=reader.integer("free_until_seconds", within=_SECONDS_RANGE, default=0),
        threshold_mode=cast(
            ThresholdMode,
            reader.choice("threshold_mode", get_args(ThresholdMode), default="all_or_nothing"),
        ),
        rounding=_rounding(reader.child("rounding")),
        connect_fee_micros=reader.amount("connect_fee", default="0"),
        inbound=_inbound(reader),
        outbound=_outbound(reader),
        sip_rate=_optional_rate(reader, "sip"),
        client_rate=_optional_rate(reader, "client"),
        billable_legs=_billable_legs(reader.child("billable_legs")),
        rental=_rental(reader),
    )
    reader.finish()
    return tariff


def _increment(reader: ObjectReader) -> Increment:
    increment = Increment(
        initial_seconds=reader.integer("initial_seconds", within=_INCREMENT_RANGE),
        step_seconds=reader.integer("step_seconds", within=_INCREMENT_RANGE),
    )
    reader.finish()
    return increment


def _rounding(reader: ObjectReader) -> Rounding:
    mode = reader.choice("mode", get_args(RoundingMode), default="down")
    scale = reader.integer("scale", within=SCALES, default=6)
    reader.choice("once_per", ("leg",), default="leg")
    reader.finish()
    return Rounding(cast(RoundingMode, mode), quantum_micros(scale))


def _billable_legs(reader: ObjectReader) -> BillableLegs:
    legs = BillableLegs(
        inbound=reader.flag("inbound", default=True),
        forwarded=reader.flag("forwarded", default=True),
        transfer=reader.flag("transfer", default=True),
        ring_time=reader.flag("ring_time", default=False),
        ivr_time=reader.flag("ivr_time", default=True),
    )
    reader.finish()
    return legs


def _inbound(tariff: ObjectReader) -> dict[NumberKey, Rate]:
    rates: dict[NumberKey, Rate] = {}
    for reader in tariff.objects("inbound"):
        key = _number_key(reader, rates)
        words = f"{key[0]} {key[1]}"
        rates[key] = Rate(
            per_minute_micros=reader.amount("per_minute"),
            label=reader.text("label", length_max=80, default="") or words,
            key="/".join(key),
        )
        reader.finish()
    return rates


def _outbound(tariff: ObjectReader) -> dict[str, Rate]:
    rates: dict[str, Rate] = {}
    for reader in tariff.objects("outbound"):
        label = reader.text("label", length_max=80)
        per_minute_micros = reader.amount("per_minute")
        prefixes = reader.strings("prefixes")
        if not prefixes:
            reader.complain("prefixes", 'is empty: list at least one, such as "44"')
        for index, prefix in enumerate(prefixes):
            if _PREFIX.fullmatch(prefix) is None:
                reader.complain_at("prefixes", index, 'write 1 to 15 digits, no "+" and no 0 first')
            elif prefix in rates:
                reader.complain_at("prefixes", index, f"{prefix} is priced twice: keep one")
            else:
                rates[prefix] = Rate(per_minute_micros, label, prefix)
        reader.finish()
    return rates


def _rental(tariff: ObjectReader) -> dict[NumberKey, int]:
    rental: dict[NumberKey, int] = {}
    for reader in tariff.objects("rental"):
        key = _number_key(reader, rental)
        rental[key] = reader.amount("per_month")
        reader.finish()
    return rental


def _number_key(reader: ObjectReader, taken: Mapping[NumberKey, object]) -> NumberKey:
    country = reader.text("country", length_max=2)
    if country and not _is_country(country):
        reader.complain("country", _country_cure(country))
    key = (country, reader.choice("number_type", NUMBER_TYPES))
    if key in taken:
        reader.complain("number_type", f"{' '.join(key)} is priced twice: keep one")
    return key


def _optional_rate(tariff: ObjectReader, kind: str) -> Rate | None:
    name = f"{kind}_per_minute"
    if not tariff.has(name):
        tariff.allow(name)
        return None
    return Rate(tariff.amount(name), {"sip": "SIP endpoint", "client": "Browser"}[kind], kind)


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


def _concurrent_calls(reader: ObjectReader) -> int | None:
    if not reader.has("concurrent_calls"):
        reader.allow("concurrent_calls")
        return None
    return reader.integer("concurrent_calls", within=_CONCURRENT_RANGE)


def _check_together(plan: Plan, reader: ObjectReader) -> None:
    """Complaints that need several fields; asked only once each field is right by itself."""
    if plan.mode == "prepaid" and plan.credit_limit_micros:
        reader.complain("credit_limit", 'a prepaid plan has none: write "0" or change the mode')
    if plan.in_call.overrun_price == "zero" and plan.suspend_when == "lt_zero":
        # The balance would stop at exactly zero, never suspend, and every later call be free.
        reader.complain("suspend_when", 'write "lte_zero" where an overrun is priced zero')
    for index, country in enumerate(plan.allowed_countries):
        if not _is_country(country):
            reader.complain_at("allowed_countries", index, _country_cure(country))
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


def _is_country(code: str) -> bool:
    return _COUNTRY.fullmatch(code) is not None and country_code_for_region(code) != 0


def _country_cure(code: str) -> str:
    return f"{code!a} is no country: write the ISO 3166 code, such as US or GB"
