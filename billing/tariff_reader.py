"""Reads the tariff of a plan document: increments, prices, rental, surcharges, messages."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar, cast, get_args

from billing.messages import MessagePrices, MessageRate, MessageUnit
from billing.money import RoundingMode
from billing.plan_reader import ObjectReader
from billing.rates import (
    NO_TRIAL,
    NUMBER_TYPES,
    SCALES,
    BillableLegs,
    Increment,
    NumberKey,
    Rate,
    RentalTrial,
    Rounding,
    Tariff,
    ThresholdMode,
    TrialScope,
    quantum_micros,
)
from billing.regions import country_cure, is_country

_INCREMENT_RANGE = range(1, 3_601)
_SECONDS_RANGE = range(3_601)
_TRIAL_DAYS_RANGE = range(1, 366)
PREFIX = re.compile(r"[1-9][0-9]{0,14}")
PREFIX_CURE = 'write 1 to 15 digits, no "+" and no 0 first'
Entry = TypeVar("Entry")


def read_tariff(reader: ObjectReader) -> Tariff:
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
        outbound=read_rates(reader, "outbound"),
        sip_rate=_optional_rate(reader, "sip"),
        client_rate=_optional_rate(reader, "client"),
        billable_legs=_billable_legs(reader.child("billable_legs")),
        rental=_rental(reader),
        rental_trial=_rental_trial(reader),
        surcharges=read_rates(reader, "surcharges"),
        sms=_sms(reader),
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


def read_rates(tariff: ObjectReader, name: str) -> dict[str, Rate]:
    return _prefixed(tariff, name, "per_minute", Rate)


def _prefixed(
    parent: ObjectReader, name: str, price: str, make: Callable[[int, str, str], Entry]
) -> dict[str, Entry]:
    """Price lists by prefix: each prefix once, with its price and the label of its line."""
    entries: dict[str, Entry] = {}
    for reader in parent.objects(name):
        label = reader.text("label", length_max=80)
        price_micros = reader.amount(price)
        prefixes = reader.strings("prefixes")
        if not prefixes:
            reader.complain("prefixes", 'is empty: list at least one, such as "44"')
        for index, prefix in enumerate(prefixes):
            if PREFIX.fullmatch(prefix) is None:
                reader.complain_at("prefixes", index, PREFIX_CURE)
            elif prefix in entries:
                reader.complain_at("prefixes", index, f"{prefix} is priced twice: keep one")
            else:
                entries[prefix] = make(price_micros, label, prefix)
        reader.finish()
    return entries


def _sms(tariff: ObjectReader) -> MessagePrices | None:
    if not tariff.has("sms"):
        tariff.allow("sms")
        return None
    reader = tariff.child("sms")
    charge_failed = reader.flag("charge_failed", default=False)
    prices = MessagePrices(
        inbound_flat_micros=reader.amount("inbound_flat"),
        outbound=_prefixed(reader, "outbound", "price", MessageRate),
        unit=cast(MessageUnit, reader.choice("unit", get_args(MessageUnit), default="segment")),
        charge_failed=charge_failed,
        charge_undelivered=reader.flag("charge_undelivered", default=charge_failed),
        inbound_unit=cast(
            MessageUnit, reader.choice("inbound_unit", get_args(MessageUnit), default="message")
        ),
    )
    reader.finish()
    return prices


def _rental_trial(tariff: ObjectReader) -> RentalTrial:
    if not tariff.has("rental_trial"):
        tariff.allow("rental_trial")
        return NO_TRIAL
    reader = tariff.child("rental_trial")
    days = reader.integer("days", within=_TRIAL_DAYS_RANGE)
    scope = reader.choice("scope", get_args(TrialScope), default="first_number")
    reader.finish()
    return RentalTrial(days, cast(TrialScope, scope))


def _rental(tariff: ObjectReader) -> dict[NumberKey, int]:
    rental: dict[NumberKey, int] = {}
    for reader in tariff.objects("rental"):
        key = _number_key(reader, rental)
        rental[key] = reader.amount("per_month")
        reader.finish()
    return rental


def _number_key(reader: ObjectReader, taken: Mapping[NumberKey, object]) -> NumberKey:
    country = reader.text("country", length_max=2)
    if country and not is_country(country):
        reader.complain("country", country_cure(country))
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
