from collections.abc import Callable
from copy import deepcopy
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.catalogue import CARRIER_COST, load_catalogue
from billing.tariffs import HARD_CEILING_SECONDS, PLAN_SCHEMA, PlanInvalid, parse_plan
from tests.billing.plans import SMALLEST, catalogue_plan, document, plan, tariff

SCHEMA = jsonschema.Draft202012Validator(PLAN_SCHEMA)


@pytest.mark.parametrize("name", sorted(load_catalogue()))
def test_every_plan_of_the_catalogue_is_valid_in_the_schema_and_to_the_parser(name: str) -> None:
    shipped = load_catalogue()[name]
    SCHEMA.validate(shipped)
    assert parse_plan(shipped).name == shipped["name"]


def test_the_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(PLAN_SCHEMA)


def test_what_a_document_leaves_out_has_the_documented_default() -> None:
    smallest = plan()
    assert smallest.mode == "prepaid"
    assert smallest.suspend_when == "lt_zero"
    assert smallest.min_balance_to_start_micros == 0
    assert smallest.in_call.policy == "let_finish"
    assert smallest.in_call.hard_ceiling_seconds == HARD_CEILING_SECONDS == 4 * 60 * 60
    assert smallest.concurrent_calls is None
    assert smallest.tariff.rounding.mode == "down"
    assert smallest.tariff.billable_legs.forwarded is True
    assert smallest.tariff.billable_legs.ring_time is False


def _without(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(plan_document: dict[str, Any]) -> None:
        for step in path[:-1]:
            plan_document = plan_document[step]
        del plan_document[path[-1]]

    return change


def _with(value: Any, *path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(plan_document: Any) -> None:
        for step in path[:-1]:
            plan_document = plan_document[step]
        plan_document[path[-1]] = value

    return change


BAD_SHAPES = [
    pytest.param(_without("name"), "/name", "missing", id="no name"),
    pytest.param(_with("  ", "name"), "/name", "empty", id="a blank name"),
    pytest.param(_without("currency"), "/currency", "missing", id="no currency"),
    pytest.param(_with("usd", "currency"), "/currency", "ISO 4217", id="a small currency"),
    pytest.param(_without("tariff"), "/tariff", "missing", id="no tariff"),
    pytest.param(_with([], "tariff"), "/tariff", "an object", id="a tariff that is a list"),
    pytest.param(_with(None, "in_call"), "/in_call", "not null", id="a null where rules stand"),
    pytest.param(_with("free", "mode"), "/mode", "prepaid, postpaid", id="an unknown mode"),
    pytest.param(_with(1, "surprise"), "/surprise", "not known", id="an unknown field"),
    pytest.param(
        _with(0, "tariff", "increment", "step_seconds"),
        "/tariff/increment/step_seconds",
        "from 1 to 3600",
        id="C1 an increment of nothing",
    ),
    pytest.param(
        _with(True, "tariff", "increment", "initial_seconds"),
        "/tariff/increment/initial_seconds",
        "whole number",
        id="C1 an increment that is true",
    ),
    pytest.param(
        _with("half", "tariff", "threshold_mode"),
        "/tariff/threshold_mode",
        "all_or_nothing, excess_only",
        id="C1 an unknown threshold",
    ),
    pytest.param(
        _with({"mode": "nearest"}, "tariff", "rounding"),
        "/tariff/rounding/mode",
        "down, up, half_even",
        id="C1 an unknown rounding",
    ),
    pytest.param(
        _with(0.05, "tariff", "inbound", 0, "per_minute"),
        "/tariff/inbound/0/per_minute",
        'such as "0.05"',
        id="a price that is a float",
    ),
    pytest.param(
        _with(None, "tariff", "inbound", 0, "per_minute"),
        "/tariff/inbound/0/per_minute",
        "not null",
        id="a null price is not a free minute",
    ),
    pytest.param(
        _with("-0.05", "tariff", "outbound", 0, "per_minute"),
        "/tariff/outbound/0/per_minute",
        "negative",
        id="a price that pays the caller",
    ),
    pytest.param(
        _with("0.0000001", "tariff", "outbound", 0, "per_minute"),
        "/tariff/outbound/0/per_minute",
        "6 decimals",
        id="a price finer than the ledger",
    ),
    pytest.param(
        _with("+1", "tariff", "outbound", 0, "prefixes", 0),
        "/tariff/outbound/0/prefixes/0",
        'no "+"',
        id="a prefix with a plus",
    ),
    pytest.param(
        _with([], "tariff", "outbound", 0, "prefixes"),
        "/tariff/outbound/0/prefixes",
        "at least one",
        id="a price for no prefix",
    ),
    pytest.param(
        _with("landline", "tariff", "inbound", 0, "number_type"),
        "/tariff/inbound/0/number_type",
        "toll-free",
        id="an unknown kind of number",
    ),
    pytest.param(
        _with("yes", "tariff", "billable_legs"),
        "/tariff/billable_legs",
        "an object",
        id="C9 legs that are a word",
    ),
    pytest.param(
        _with({"ring_time": 1}, "tariff", "billable_legs"),
        "/tariff/billable_legs/ring_time",
        "true or false",
        id="C9 a leg that is a number",
    ),
    pytest.param(
        _with("eq_zero", "suspend_when"), "/suspend_when", "lt_zero", id="C3 an unknown moment"
    ),
    pytest.param(
        _with({"policy": "hang"}, "in_call"), "/in_call/policy", "cut", id="C2 an unknown policy"
    ),
    pytest.param(
        _with({"hard_ceiling_seconds": 90_000}, "in_call"),
        "/in_call/hard_ceiling_seconds",
        "86400",
        id="C2 a ceiling beyond the carrier's",
    ),
    pytest.param(_with("US", "allowed_countries"), "/allowed_countries", "a list", id="one word"),
    pytest.param(
        _with(["usa"], "allowed_countries"), "/allowed_countries/0", "ISO 3166", id="three letters"
    ),
]


@pytest.mark.parametrize("change, path, words", BAD_SHAPES)
def test_a_wrong_field_is_named_with_its_cure(
    change: Callable[[dict[str, Any]], None], path: str, words: str
) -> None:
    wrong = deepcopy(SMALLEST)
    change(wrong)
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(wrong)
    assert [(error.path, words in error.message) for error in refused.value.errors] == [
        (path, True)
    ]
    assert not SCHEMA.is_valid(wrong), "the schema agrees"


@pytest.mark.parametrize(
    "change, path, words",
    [
        pytest.param(
            document(tariff={"outbound": [*SMALLEST["tariff"]["outbound"]] * 2}),
            "/tariff/outbound/1/prefixes/0",
            "priced twice",
            id="a prefix with two prices",
        ),
        pytest.param(
            document(tariff={"inbound": [*SMALLEST["tariff"]["inbound"]] * 2}),
            "/tariff/inbound/1/number_type",
            "priced twice",
            id="a number with two prices",
        ),
        pytest.param(
            document(in_call={"policy": "grace"}),
            "/in_call/grace_seconds",
            "how long",
            id="C2 a grace without a length",
        ),
        pytest.param(
            document(credit_limit="10.00"),
            "/credit_limit",
            "prepaid plan has none",
            id="C8 a prepaid plan with credit",
        ),
        pytest.param(
            document(in_call={"overrun_price": "zero"}),
            "/suspend_when",
            "lte_zero",
            id="C2 C3 free overruns without an end",
        ),
        pytest.param(
            document(allowed_countries=["US", "GB"]),
            "/allowed_countries/1",
            r"add a prefix of +44",
            id="an allowed country without a price",
        ),
        pytest.param(
            document(allowed_countries=["US", "UK"]),
            "/allowed_countries/1",
            "such as US or GB",
            id="a country that does not exist",
        ),
    ],
)
def test_fields_that_contradict_each_other_are_named(
    change: dict[str, Any], path: str, words: str
) -> None:
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(change)
    assert [error.path for error in refused.value.errors] == [path]
    assert words in refused.value.errors[0].message


@pytest.mark.parametrize("name", ["a\x00b", "a\nb", "a\ud800b", "a\u202eb"])
def test_a_name_is_one_line_that_can_be_stored_and_shown(name: str) -> None:
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(document(name=name))
    assert [error.path for error in refused.value.errors] == ["/name"]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 90_000)
    | st.sampled_from(["", "0.05", "-1", "US", "1", "lt_zero", "grace", "toll-free", "x" * 600])
    | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)
)
PLACES = [
    *((name,) for name in PLAN_SCHEMA["properties"]),
    *(("tariff", name) for name in PLAN_SCHEMA["properties"]["tariff"]["properties"]),
    ("tariff", "inbound", 0),
    ("tariff", "inbound", 0, "country"),
    ("tariff", "outbound", 0),
    ("tariff", "outbound", 0, "prefixes"),
    ("tariff", "increment", "initial_seconds"),
]


@given(st.sampled_from(PLACES), VALUES)
def test_whatever_stands_in_a_field_is_read_or_refused_and_the_schema_is_never_stricter(
    place: tuple[str | int, ...], value: Any
) -> None:
    changed = deepcopy(SMALLEST)
    _with(value, *place)(changed)
    try:
        parse_plan(changed)
    except PlanInvalid as refused:
        assert all(error.message for error in refused.errors)
    else:
        SCHEMA.validate(changed)


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(PlanInvalid) as refused:
        parse_plan({"mode": "free", "tariff": {"connect_fee": "x", "a/b": 1}})
    assert [error.path for error in refused.value.errors] == [
        "/name",
        "/currency",
        "/mode",
        "/tariff/increment",
        "/tariff/connect_fee",
        "/tariff/a~1b",
    ]


@pytest.mark.parametrize("nonsense", [None, [], "plan", 1, {1: 2}])
def test_a_document_that_is_no_object_is_refused_not_crashed_on(nonsense: Any) -> None:
    with pytest.raises(PlanInvalid):
        parse_plan(nonsense)


@pytest.mark.parametrize(
    "address, key, per_minute_micros",
    [
        pytest.param("+14155550101", "1", 50_000, id="US & Canada"),
        pytest.param("+19075550101", "1907", 180_000, id="Alaska is dearer"),
        pytest.param("+18085550101", "1808", 50_000, id="Hawaii has its own line"),
        pytest.param("+18005550101", "1800", 50_000, id="toll-free has its own line"),
        pytest.param("+18765550101", "1876", 450_000, id="Jamaica is not the US, though it is +1"),
        pytest.param("+442079460000", "44", 50_000, id="London"),
        pytest.param("+447700900000", "447", 90_000, id="a British mobile is dearer"),
    ],
)
def test_the_longest_prefix_sets_the_outbound_rate(
    address: str, key: str, per_minute_micros: int
) -> None:
    payg = catalogue_plan("payg").tariff
    for _first_time_and_from_memory in range(2):
        rate = payg.outbound_rate(address)
        assert rate is not None
        assert (rate.key, rate.per_minute_micros) == (key, per_minute_micros)


@pytest.mark.parametrize("address", ["+882161234567", "+99", "14155550101", "", "+"])
def test_a_destination_without_a_price_has_no_rate(address: str) -> None:
    payg = catalogue_plan("payg").tariff
    assert payg.outbound_rate(address) is None
    assert payg.can_forward_to("number", address) is False


def test_every_kind_of_target_has_its_own_rate() -> None:
    smallest = tariff()
    keys = [
        rate.key
        for rate in (
            smallest.destination_rate("number", "+14155550101"),
            smallest.destination_rate("sip", "sip:desk@example.com"),
            smallest.destination_rate("client", "alice"),
        )
        if rate
    ]
    assert keys == ["1", "sip", "client"]


def test_c9_a_plan_that_does_not_charge_forwarded_legs_needs_no_price_for_them() -> None:
    inbound_only = tariff(billable_legs={"forwarded": False}, outbound=[])
    assert inbound_only.can_forward_to("number", "+442079460000") is True


def test_s2_03_rental_and_talk_time_are_separate_items_of_the_tariff() -> None:
    prepaid = catalogue_plan("prepaid_minute").tariff
    rate = prepaid.inbound_rate("US", "local")
    assert rate is not None and rate.per_minute_micros == 50_000
    assert prepaid.rental_per_month_micros("US", "local") == 2_000_000
    assert prepaid.rental_per_month_micros("FR", "local") is None


def test_the_carriers_prices_are_a_document_of_the_same_form() -> None:
    cost = catalogue_plan(CARRIER_COST).tariff
    assert (cost.increment.initial_seconds, cost.increment.step_seconds) == (60, 60)
    assert cost.rounding.mode == "up"
    rate = cost.inbound_rate("US", "local")
    assert rate is not None and rate.per_minute_micros == 8_500
    assert [cost.outbound_rate(n).per_minute_micros for n in ("+14155550101", "+19075550101")] == [  # type: ignore[union-attr]
        14_000,
        90_000,
    ]


def test_no_shipped_plan_sells_a_minute_below_its_cost() -> None:
    cost = catalogue_plan(CARRIER_COST).tariff
    for name in load_catalogue():
        retail = catalogue_plan(name).tariff
        for prefix, rate in retail.outbound.items():
            paid = cost.outbound_rate(f"+{prefix}")
            assert paid is not None and rate.per_minute_micros >= paid.per_minute_micros, prefix
