"""Reads the terms of a plan document and checks those that depend on each other."""

import re
from typing import cast, get_args

from billing.plan_reader import ObjectReader
from billing.rates import LEG_KINDS, NUMBER_TYPES, LegKind
from billing.regions import RegionList, RegionSet, country_cure, is_country
from billing.tariff_reader import PREFIX, PREFIX_CURE
from billing.terms import (
    AccessFee,
    AlertChannel,
    Alerts,
    Bundle,
    CancelEffect,
    ChangeChannel,
    Entitlements,
    Exhaustion,
    Included,
    Mode,
    Notice,
    PackageOffer,
    Pool,
    Recharge,
    Refunds,
    ReleasePolicy,
    Rollover,
    RolloverMode,
    Scope,
    Settlement,
    Share,
    StatementPeriod,
    Statements,
    Suspension,
    Terms,
    TopUps,
    UnpaidRenewal,
    Upgrade,
)

_MINUTES_RANGE = range(10_000_001)
_SIZES_RANGE = range(1, 10_000_001)
_COUNT_RANGE = range(1, 100_001)
CONCURRENT_RANGE = range(1, 10_001)
_DAYS_RANGE = range(366)
_VALID_RANGE = range(1, 366)
_ANCHOR_RANGE = range(1, 32)
_COOLDOWN_RANGE = range(86_401)
_PRIORITY_RANGE = range(1_001)
_SIZE_MINUTES_MIN, _SIZE_MINUTES_MAX = 10_000, 500_000  # S1-12, unless the plan says otherwise
_NOTICES_BEFORE_RELEASE_MIN = 2
_AREA_CODE = re.compile(r"[2-9][0-9]{2}")
_SETTLEMENTS: dict[Mode, Settlement] = {
    "prepaid": "balance_now",
    "postpaid": "cycle",
    "card_daily": "business_day",
}
"""What a plan that does not say it settles by."""


def read_terms(reader: ObjectReader, mode: Mode) -> Terms:
    region_sets = _region_sets(reader)
    terms = Terms(
        access_fee=_access_fee(reader.child("access_fee")),
        included=_included(reader.child("included")),
        entitlements=_entitlements(reader.child("entitlements")),
        region_sets=tuple(region_sets.values()),
        packages=_packages(reader, region_sets),
        pool=_pool(reader),
        exhaustion=cast(Exhaustion, _word(reader, "exhaustion", Exhaustion, "charge_plan_rate")),
        rollover=_rollover(reader.child("rollover")),
        recharge=_recharge(reader.child("recharge")),
        topup=_topup(reader.child("topup")),
        settlement=cast(Settlement, _word(reader, "settlement", Settlement, _SETTLEMENTS[mode])),
        settlement_minimum_micros=reader.amount("settlement_minimum", default="0"),
        renewal_without_balance=cast(
            UnpaidRenewal, _word(reader, "renewal_without_balance", UnpaidRenewal, "post_anyway")
        ),
        upgrade=_upgrade(reader.child("upgrade")),
        cancellation=_cancellation(reader.child("cancellation")),
        refunds=cast(Refunds, _word(reader, "refunds", Refunds, "none")),
        suspension=_suspension(reader.child("suspension")),
        release_policy=_release_policy(reader.child("release_policy")),
        statement=_statement(reader.child("statement")),
        alerts=_alerts(reader.child("alerts")),
        support_contact=reader.text("support_contact", length_max=120, default=""),
        better_than=reader.text("better_than", length_max=60, default=""),
    )
    _check_together(terms, reader)
    return terms


def _word(reader: ObjectReader, name: str, options: object, default: str) -> str:
    return reader.choice(name, get_args(options), default=default)


def _access_fee(reader: ObjectReader) -> AccessFee:
    fee = AccessFee(reader.amount("month", default="0"), reader.optional_amount("year"))
    reader.finish()
    return fee


def _included(reader: ObjectReader) -> Included:
    included = Included(
        minutes=reader.integer("minutes", within=_MINUTES_RANGE, default=0),
        credit_micros=reader.amount("credit", default="0"),
        scope=cast(Scope, _word(reader, "scope", Scope, "account")),
    )
    if included.minutes and included.credit_micros:
        reader.complain("credit", "stands beside minutes: include one of the two")
    reader.finish()
    return included


def _entitlements(reader: ObjectReader) -> Entitlements:
    entitlements = Entitlements(
        seats=reader.optional_integer("seats", within=_COUNT_RANGE),
        concurrent_calls=reader.optional_integer("concurrent_calls", within=CONCURRENT_RANGE),
        numbers=reader.optional_integer("numbers", within=_COUNT_RANGE),
    )
    reader.finish()
    return entitlements


def _region_sets(parent: ObjectReader) -> dict[str, RegionSet]:
    sets: dict[str, RegionSet] = {}
    for reader in parent.objects("region_sets"):
        name = reader.text("name", length_max=60)
        if name in sets:
            reader.complain("name", f"{name} is described twice: keep one")
        include = _region_list(reader.child("include", required=True))
        if include == RegionList():
            reader.complain("include", "covers nothing: list countries, area_codes or prefixes")
        sets[name] = RegionSet(name, include, _region_list(reader.child("exclude")))
        reader.finish()
    return sets


def _region_list(reader: ObjectReader) -> RegionList:
    countries, area_codes = reader.strings("countries"), reader.strings("area_codes")
    prefixes = reader.strings("prefixes")
    for index, country in enumerate(countries):
        if not is_country(country):
            reader.complain_at("countries", index, country_cure(country))
    for index, code in enumerate(area_codes):
        if _AREA_CODE.fullmatch(code) is None:
            reader.complain_at("area_codes", index, 'write the three digits, such as "808"')
    for index, prefix in enumerate(prefixes):
        if PREFIX.fullmatch(prefix) is None:
            reader.complain_at("prefixes", index, PREFIX_CURE)
    reader.finish()
    return RegionList(frozenset(countries), frozenset(area_codes), prefixes)


def _packages(parent: ObjectReader, sets: dict[str, RegionSet]) -> tuple[PackageOffer, ...]:
    sizes = _package_sizes(parent.child("package_limits"))
    offers: dict[str, PackageOffer] = {}
    for reader in parent.objects("packages"):
        offer = _package(reader, sets, sizes)
        if offer.code in offers:
            reader.complain("code", f"{offer.code} is offered twice: keep one")
        offers[offer.code] = offer
        reader.finish()
    return tuple(offers.values())


def _package_sizes(reader: ObjectReader) -> range:
    least = reader.integer("minutes_min", within=_SIZES_RANGE, default=_SIZE_MINUTES_MIN)
    most = reader.integer("minutes_max", within=_SIZES_RANGE, default=_SIZE_MINUTES_MAX)
    if least > most:
        reader.complain("minutes_max", f"is below minutes_min: write {least} or more")
    reader.finish()
    return range(least, max(least, most) + 1)


def _package(reader: ObjectReader, sets: dict[str, RegionSet], sizes: range) -> PackageOffer:
    region = reader.text("region_set", length_max=60, default="")
    if region and region not in sets:
        known = ", ".join(sets) or "none yet"
        reader.complain("region_set", f"{region!a} is not described: region_sets has {known}")
    return PackageOffer(
        code=reader.text("code", length_max=60),
        number_type=reader.choice("number_type", NUMBER_TYPES),
        region_set=sets.get(region),
        minutes=reader.integer("minutes", within=sizes),
        price_micros=reader.amount("price"),
        leg_scope=_leg_scope(reader, ("inbound",)),
        renews=reader.flag("renew", default=True),
        priority=reader.integer("priority", within=_PRIORITY_RANGE, default=100),
    )


def _leg_scope(reader: ObjectReader, default: tuple[LegKind, ...]) -> frozenset[LegKind]:
    chosen = reader.choices("leg_scope", LEG_KINDS, default=default)
    if not chosen and not reader.complained_of("leg_scope"):
        reader.complain("leg_scope", f"is empty: list some of {', '.join(LEG_KINDS)}")
    return frozenset(cast(tuple[LegKind, ...], chosen))


def _pool(parent: ObjectReader) -> Pool | None:
    if not parent.has("pool"):
        parent.allow("pool")
        return None
    reader = parent.child("pool")
    pool = Pool(
        minutes=reader.integer("minutes", within=_SIZES_RANGE),
        scope=cast(Scope, _word(reader, "scope", Scope, "account")),
        leg_scope=_leg_scope(reader, LEG_KINDS),
    )
    reader.finish()
    return pool


def _rollover(reader: ObjectReader) -> Rollover:
    mode = cast(RolloverMode, _word(reader, "mode", RolloverMode, "none"))
    cap = reader.integer("cap_minutes", within=_MINUTES_RANGE, default=0)
    if mode == "capped" and cap == 0:
        reader.complain("cap_minutes", 'write how many are kept, or use mode "none"')
    reader.finish()
    return Rollover(mode, cap)


def _recharge(reader: ObjectReader) -> Recharge:
    recharge = Recharge(
        allowed=reader.flag("allowed", default=False),
        minimum_micros=reader.amount("min", default="0"),
        maximum_micros=reader.amount("max", default="0"),
        monthly_cap_micros=reader.optional_amount("monthly_cap"),
        daily_cap_micros=reader.optional_amount("daily_cap"),
        cooldown_seconds=reader.integer("cooldown_seconds", within=_COOLDOWN_RANGE, default=0),
    )
    if recharge.allowed and recharge.minimum_micros >= recharge.maximum_micros:
        reader.complain("max", "must be above min: the card is charged up to it")
    reader.finish()
    return recharge


def _topup(reader: ObjectReader) -> TopUps:
    topup = TopUps(
        manual=reader.flag("manual", default=True),
        card=reader.flag("card", default=True),
        bundles=_bundles(reader),
    )
    reader.finish()
    return topup


def _bundles(parent: ObjectReader) -> tuple[Bundle, ...]:
    """Each size once: a customer chooses by it."""
    bundles: dict[int, Bundle] = {}
    for reader in parent.objects("bundles"):
        bundle = Bundle(
            minutes=reader.integer("minutes", within=_SIZES_RANGE),
            price_micros=reader.amount("price"),
            valid_days=reader.optional_integer("valid_days", within=_VALID_RANGE),
        )
        if bundle.minutes in bundles:
            reader.complain("minutes", f"{bundle.minutes} are sold twice: keep one")
        bundles[bundle.minutes] = bundle
        reader.finish()
    return tuple(bundles.values())


def _upgrade(reader: ObjectReader) -> Upgrade:
    upgrade = Upgrade(
        allowance=cast(Share, _word(reader, "allowance", Share, "full")),
        fee=cast(Share, _word(reader, "fee", Share, "full")),
        channel=cast(ChangeChannel, _word(reader, "channel", ChangeChannel, "ops_request")),
        next_plan=reader.text("next_plan", length_max=60, default=""),
    )
    reader.finish()
    return upgrade


def _cancellation(reader: ObjectReader) -> CancelEffect:
    effective = cast(CancelEffect, _word(reader, "effective", CancelEffect, "period_end"))
    reader.finish()
    return effective


def _suspension(reader: ObjectReader) -> Suspension:
    suspension = Suspension(
        notices=tuple(map(_notice, reader.objects("notices"))),
        suspend_day=reader.integer("suspend_day", within=_DAYS_RANGE, default=0),
        due_for_release_day=reader.optional_integer("due_for_release_day", within=_DAYS_RANGE),
    )
    due = suspension.due_for_release_day
    if due is not None:
        if due <= suspension.suspend_day:
            reader.complain("due_for_release_day", "must come after suspend_day")
        elif sum(notice.day < due for notice in suspension.notices) < _NOTICES_BEFORE_RELEASE_MIN:
            reader.complain("notices", f"list at least two before day {due}, or name no such day")
    reader.finish()
    return suspension


def _notice(reader: ObjectReader) -> Notice:
    day = reader.integer("day", within=_DAYS_RANGE)
    channels = reader.choices("channels", get_args(AlertChannel), default=("email",))
    reader.finish()
    return Notice(day, channels)


def _release_policy(reader: ObjectReader) -> ReleasePolicy:
    policy = ReleasePolicy(
        ops_approval=reader.flag("ops_approval", default=True),
        hold_days=reader.integer("hold_days", within=_DAYS_RANGE, default=10),
        numbers_per_run_max=reader.integer("numbers_per_run_max", within=_COUNT_RANGE, default=10),
    )
    reader.finish()
    return policy


def _statement(reader: ObjectReader) -> Statements:
    statements = Statements(
        period=cast(StatementPeriod, _word(reader, "period", StatementPeriod, "calendar")),
        anchor_day=reader.integer("anchor_day", within=_ANCHOR_RANGE, default=1),
        due_days=reader.integer("due_days", within=_DAYS_RANGE, default=Statements().due_days),
    )
    reader.finish()
    return statements


def _alerts(reader: ObjectReader) -> Alerts:
    usual = Alerts()
    alerts = Alerts(
        channels=reader.choices("channels", get_args(AlertChannel), default=usual.channels),
        balance_micros=reader.amounts("balance", default=("10.00",)),
        minutes=reader.integers("minutes", within=_MINUTES_RANGE),
        days_left=reader.integers("days_left", within=_DAYS_RANGE),
    )
    reader.finish()
    return alerts


def _check_together(terms: Terms, reader: ObjectReader) -> None:
    if terms.pool and terms.included.minutes:
        reader.complain("pool", "stands beside included minutes: keep one of the two")
    if terms.exhaustion == "block_new" and terms.allowance is None and not terms.packages:
        reader.complain("exhaustion", "nothing can be exhausted: add a pool, or packages")
    if terms.exhaustion == "auto_upgrade":
        _check_upgrade(terms, reader)


def _check_upgrade(terms: Terms, reader: ObjectReader) -> None:
    if not terms.upgrade.next_plan:
        reader.complain(
            "exhaustion",
            "needs upgrade/next_plan, the plan to upgrade to: name it, or write "
            "charge_plan_rate or block_new where no plan is larger",
        )
    elif terms.allowance is None:
        reader.complain("exhaustion", "nothing can be exhausted: add a pool or included minutes")
