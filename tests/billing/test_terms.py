from copy import deepcopy
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.tariffs import PLAN_SCHEMA, Plan, PlanInvalid, parse_plan
from billing.terms import NO_TERMS, Pool, Rollover
from billing.terms_schema import TERMS_PROPERTIES
from tests.billing.plans import document, plan

SCHEMA = jsonschema.Draft202012Validator(PLAN_SCHEMA)

CONTIGUOUS: dict[str, Any] = {
    "name": "us_ca_contiguous",
    "include": {"countries": ["US", "CA"]},
    "exclude": {"area_codes": ["808", "907"]},
}
PACKAGE: dict[str, Any] = {
    "code": "local_10k",
    "number_type": "local",
    "region_set": "us_ca_contiguous",
    "minutes": 10_000,
    "price": "350.00",
}
EVERYTHING: dict[str, Any] = {
    "access_fee": {"month": "39.00", "year": "390.00"},
    "entitlements": {"seats": 5, "concurrent_calls": 10, "numbers": 20},
    "region_sets": [CONTIGUOUS],
    "package_limits": {"minutes_min": 10_000, "minutes_max": 500_000},
    "packages": [{**PACKAGE, "leg_scope": ["inbound", "forwarded"], "renew": True, "priority": 1}],
    "pool": {"minutes": 500, "scope": "agency_shared", "leg_scope": ["inbound"]},
    "exhaustion": "block_new",
    "rollover": {"mode": "capped", "cap_minutes": 60},
    "recharge": {
        "allowed": True,
        "min": "10.00",
        "max": "50.00",
        "monthly_cap": "500.00",
        "daily_cap": "100.00",
        "cooldown_seconds": 60,
    },
    "topup": {"manual": False, "card": True, "bundles": [{"minutes": 100, "price": "5.00"}]},
    "settlement": "cycle",
    "settlement_minimum": "0.50",
    "renewal_without_balance": "suspend",
    "upgrade": {
        "allowance": "full",
        "fee": "prorated",
        "channel": "self",
        "next_plan": "large_teams",
    },
    "cancellation": {"effective": "period_end"},
    "refunds": "card_payments",
    "suspension": {
        "notices": [{"day": 1, "channels": ["email", "in_app"]}, {"day": 10}],
        "suspend_day": 5,
        "due_for_release_day": 25,
    },
    "release_policy": {"ops_approval": True, "hold_days": 10, "numbers_per_run_max": 5},
    "statement": {"period": "cycle", "anchor_day": 17, "due_days": 20},
    "alerts": {
        "channels": ["email", "sms"],
        "balance": ["10.00", "5.00"],
        "minutes": [100],
        "days_left": [3],
    },
    "support_contact": "(800) 555-0199",
    "better_than": "small_teams",
}
SMS: dict[str, Any] = {
    "inbound_flat": "0.01",
    "outbound": [{"label": "US & Canada", "prefixes": ["1"], "price": "0.015"}],
    "unit": "segment",
    "charge_failed": False,
}


def refused(changed: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(PlanInvalid) as refusal:
        parse_plan(changed)
    return [(error.path, error.message) for error in refusal.value.errors]


def test_a_plan_of_calls_alone_has_no_terms() -> None:
    assert plan().terms == NO_TERMS
    assert plan().terms.allowance is None


def test_every_part_of_the_terms_is_read_and_known_to_the_schema() -> None:
    full = document(**EVERYTHING, tariff={"sms": SMS, "rental_trial": {"days": 7}})
    SCHEMA.validate(full)
    terms = parse_plan(full).terms
    assert set(TERMS_PROPERTIES) - set(EVERYTHING) == {"included"}
    assert (terms.access_fee.for_term("month"), terms.access_fee.for_term("year")) == (
        39_000_000,
        390_000_000,
    )
    offer = terms.find_package("local_10k")
    assert offer is not None and offer.region_set is not None
    assert (offer.size_seconds, offer.price_micros) == (600_000, 350_000_000)
    assert not offer.region_set.covers("+18085550101")
    assert offer.leg_scope == {"inbound", "forwarded"}
    assert terms.pool == Pool(500, "agency_shared", frozenset({"inbound"}))
    assert terms.recharge.maximum_micros == 50_000_000
    assert [notice.day for notice in terms.suspension.notices] == [1, 10]
    assert (terms.statement.anchor_day, terms.statement.due_days) == (17, 20)
    assert terms.alerts.balance_micros == (10_000_000, 5_000_000)
    assert terms.support_contact == "(800) 555-0199"
    assert terms.refunds == "card_payments"


def test_s4_12_entitlements_hold_the_calls_at_once_as_well() -> None:
    assert plan(entitlements={"concurrent_calls": 3}).concurrent_calls == 3
    twice = document(entitlements={"concurrent_calls": 3}, concurrent_calls=3)
    assert [path for path, _ in refused(twice)] == ["/concurrent_calls"]


def test_s2_01_s1_18_nothing_but_the_tariff_is_needed_to_sell_numbers_and_calls() -> None:
    terms = plan().terms
    assert terms.packages == ()
    assert terms.entitlements.numbers is None


@pytest.mark.parametrize(
    "mode, settlement",
    [
        pytest.param("prepaid", "balance_now", id="C7 prepaid: from the balance, at once"),
        pytest.param("card_daily", "business_day", id="S3-09 card: each business day"),
        pytest.param("postpaid", "cycle", id="C7 postpaid: each cycle"),
    ],
)
def test_a_plan_that_does_not_say_so_settles_as_its_mode_does(mode: str, settlement: str) -> None:
    assert plan(mode=mode).terms.settlement == settlement


@pytest.mark.parametrize(
    "minutes, ok",
    [
        pytest.param(9_999, False, id="S1-12 9,999 is too small"),
        pytest.param(10_000, True, id="S1-12 10,000"),
        pytest.param(500_000, True, id="S1-12 500,000"),
        pytest.param(500_001, False, id="S1-12 500,001 is too large"),
    ],
)
def test_package_sizes_keep_to_the_limits_of_the_plan(minutes: int, ok: bool) -> None:
    offered = document(
        region_sets=[CONTIGUOUS], packages=[{**PACKAGE, "minutes": minutes, "price": "1.00"}]
    )
    if ok:
        assert parse_plan(offered).terms.packages[0].minutes == minutes
    else:
        assert [path for path, _ in refused(offered)] == ["/packages/0/minutes"]
        assert "from 10000 to 500000" in refused(offered)[0][1]


def test_s1_12_the_limits_are_data_of_the_plan() -> None:
    small = document(
        region_sets=[CONTIGUOUS],
        package_limits={"minutes_min": 100, "minutes_max": 200},
        packages=[{**PACKAGE, "minutes": 100}],
    )
    assert parse_plan(small).terms.packages[0].size_seconds == 6_000


@pytest.mark.parametrize(
    "changes, path, words",
    [
        pytest.param(
            {"packages": [PACKAGE]},
            "/packages/0/region_set",
            "region_sets has none yet",
            id="C18 a region nobody described",
        ),
        pytest.param(
            {"region_sets": [CONTIGUOUS], "packages": [PACKAGE, PACKAGE]},
            "/packages/1/code",
            "offered twice",
            id="S1-06 two packages of one code",
        ),
        pytest.param(
            {"packages": [{**PACKAGE, "region_set": "", "leg_scope": []}]},
            "/packages/0/leg_scope",
            "is empty",
            id="S1-04 a package that no leg draws",
        ),
        pytest.param(
            {"packages": [{**PACKAGE, "region_set": "", "leg_scope": ["outbound"]}]},
            "/packages/0/leg_scope/0",
            "inbound, forwarded, transfer",
            id="S1-04 an unknown leg",
        ),
        pytest.param(
            {"region_sets": [{**CONTIGUOUS, "include": {"area_codes": ["99"]}}]},
            "/region_sets/0/include/area_codes/0",
            'such as "808"',
            id="C18 a short area code",
        ),
        pytest.param(
            {"region_sets": [{"name": "nowhere", "include": {}}]},
            "/region_sets/0/include",
            "covers nothing",
            id="C18 an empty region",
        ),
        pytest.param(
            {"region_sets": [CONTIGUOUS, CONTIGUOUS]},
            "/region_sets/1/name",
            "described twice",
            id="C18 a region with two meanings",
        ),
        pytest.param(
            {"package_limits": {"minutes_min": 5, "minutes_max": 4}},
            "/package_limits/minutes_max",
            "below minutes_min",
            id="S1-12 limits the wrong way round",
        ),
        pytest.param(
            {"included": {"minutes": 100, "credit": "5.00"}},
            "/included/credit",
            "one of the two",
            id="minutes and credit at once",
        ),
        pytest.param(
            {"included": {"minutes": 100}, "pool": {"minutes": 100}},
            "/pool",
            "keep one",
            id="S4-04 two allowances",
        ),
        pytest.param(
            {"exhaustion": "block_new"},
            "/exhaustion",
            "add a pool",
            id="C5 nothing to exhaust",
        ),
        pytest.param(
            {"exhaustion": "auto_upgrade"},
            "/exhaustion",
            "next_plan",
            id="C5 an upgrade to nowhere",
        ),
        pytest.param(
            {"exhaustion": "auto_upgrade", "upgrade": {"next_plan": "large"}},
            "/exhaustion",
            "add a pool or included minutes",
            id="C5 an upgrade without minutes to use up",
        ),
        pytest.param(
            {"rollover": {"mode": "capped"}},
            "/rollover/cap_minutes",
            "how many",
            id="C4 a cap of nothing",
        ),
        pytest.param(
            {"recharge": {"allowed": True, "min": "50.00", "max": "50.00"}},
            "/recharge/max",
            "above min",
            id="S2-10 minimum and maximum alike",
        ),
        pytest.param(
            {"suspension": {"due_for_release_day": 25, "notices": [{"day": 1}, {"day": 25}]}},
            "/suspension/notices",
            "at least two before day 25",
            id="C16 release after one notice",
        ),
        pytest.param(
            {"suspension": {"suspend_day": 5, "due_for_release_day": 5}},
            "/suspension/due_for_release_day",
            "after suspend_day",
            id="C16 release with the suspension",
        ),
        pytest.param(
            {"alerts": {"balance": ["ten"]}}, "/alerts/balance/0", "amount", id="C20 ten in words"
        ),
        pytest.param(
            {"alerts": {"days_left": [-1]}}, "/alerts/days_left/0", "whole number", id="C20 -1 day"
        ),
        pytest.param(
            {"alerts": {"channels": ["email", "email"]}},
            "/alerts/channels/1",
            "twice",
            id="C20 one channel twice",
        ),
        pytest.param(
            {"tariff": {"sms": {"outbound": []}}},
            "/tariff/sms/inbound_flat",
            "missing",
            id="S5-04 messages without the inbound price",
        ),
        pytest.param(
            {"tariff": {"rental_trial": {"days": 0}}},
            "/tariff/rental_trial/days",
            "from 1 to 365",
            id="S5-13 a trial of nothing",
        ),
    ],
)
def test_terms_that_cannot_hold_are_named_with_their_cure(
    changes: dict[str, Any], path: str, words: str
) -> None:
    errors = refused(document(**changes))
    assert [found for found, _ in errors] == [path]
    assert words in errors[0][1]


def test_c4_what_is_left_of_a_period_is_carried_as_the_plan_says() -> None:
    rules = [Rollover(), Rollover("capped", 1), Rollover("unlimited")]
    assert [rule.carried_seconds(90) for rule in rules] == [0, 60, 90]
    assert [rule.carried_seconds(30) for rule in rules] == [0, 30, 30]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(value, dict | list):
        return [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(p for key, item in inner for p in _places(item, (*path, key)))]


FULL = document(**EVERYTHING, tariff={"sms": SMS, "rental_trial": {"days": 7}})
PLACES = [place for place in _places(FULL) if place and place[0] in {*EVERYTHING, "tariff"}]
NONSENSE = st.sampled_from(
    [None, True, -1, 0, 1, 10**9, "", " ", "1", "x" * 200, [], ["US"], [{}], {}, {"name": 1}]
)


@given(st.sampled_from(PLACES), NONSENSE)
def test_whatever_stands_in_the_terms_is_read_or_refused_and_the_schema_is_never_stricter(
    place: tuple[Any, ...], value: Any
) -> None:
    changed: Any = deepcopy(FULL)
    target = changed
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    try:
        parsed = parse_plan(changed)
    except PlanInvalid as refusal:
        assert all(error.path and error.message for error in refusal.errors)
    else:
        assert isinstance(parsed, Plan)
        SCHEMA.validate(changed)
