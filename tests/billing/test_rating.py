from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.metering import LegStatus, LegUsage
from billing.money import format_amount, parse_amount
from billing.rates import Tariff
from billing.rating import (
    TalkRates,
    affordable_seconds,
    billed_seconds,
    carrier_cost,
    cost_of_talk,
    first_block_cost,
    rate_leg,
)
from tests.billing.plans import catalogue_plan, plan, tariff

TALKED = (0, 1, 30, 31, 45, 60, 61, 83)
VECTORS = {
    "S5-02 1/1": (tariff(1, 1), (0, 1, 30, 31, 45, 60, 61, 83)),
    "C1 60/60": (tariff(60, 60), (0, 60, 60, 60, 60, 60, 120, 120)),
    "C1 60/1": (tariff(60, 1), (0, 60, 60, 60, 60, 60, 61, 83)),
    "C1 30/6": (tariff(30, 6), (0, 30, 30, 36, 48, 60, 66, 84)),
    "C1 6/6": (tariff(6, 6), (0, 6, 30, 36, 48, 60, 66, 84)),
    "S4-13 1/1 free to 30 s, all or nothing": (
        tariff(1, 1, free_until_seconds=30),
        (0, 0, 0, 31, 45, 60, 61, 83),
    ),
    "C1 1/1 free to 30 s, excess only": (
        tariff(1, 1, free_until_seconds=30, threshold_mode="excess_only"),
        (0, 0, 0, 1, 15, 30, 31, 53),
    ),
}


@pytest.mark.parametrize(
    "scheme, talked, billed",
    [
        pytest.param(scheme, talked, billed, id=f"{name}: {talked} s is {billed} s")
        for name, (scheme, row) in VECTORS.items()
        for talked, billed in zip(TALKED, row, strict=True)
    ],
)
def test_talk_is_billed_in_the_increments_of_the_plan(
    scheme: Tariff, talked: int, billed: int
) -> None:
    assert billed_seconds(talked, scheme) == billed


def test_c1_an_initial_block_that_is_no_multiple_of_the_step_is_kept_whole() -> None:
    assert billed_seconds(45, tariff(30, 7)) == 51  # rounding the total would give 49


def inbound(seconds: int, **more: int) -> LegUsage:
    return LegUsage(
        kind="inbound",
        status=LegStatus.COMPLETED,
        talk_seconds=seconds,
        number_country="US",
        number_type="local",
        **more,
    )


def forwarded(seconds: int, address: str = "+14155550101", status: str = "completed") -> LegUsage:
    return LegUsage(
        kind="forwarded",
        status=LegStatus(status),
        talk_seconds=seconds,
        number_country="US",
        number_type="local",
        target_kind="number",
        target_address=address,
    )


def test_s5_02_83_s_at_5_cents_a_minute_leaves_49_930834_of_50() -> None:
    rated = rate_leg(inbound(83), tariff(1, 1))
    assert rated.billed_seconds == 83
    assert rated.charge_micros == 69_166, "0.069166…, rounded down to the micro, once per leg"
    assert format_amount(parse_amount("50.00") - rated.charge_micros) == "49.930834"


@pytest.mark.parametrize(
    "rounding, charge",
    [
        pytest.param({"mode": "down"}, 69_166, id="C1 down to the micro"),
        pytest.param({"mode": "up"}, 69_167, id="C1 up to the micro"),
        pytest.param({"mode": "half_even"}, 69_167, id="C1 to the nearest micro"),
        pytest.param({"mode": "up", "scale": 2}, 70_000, id="C1 up to the cent"),
        pytest.param({"mode": "down", "scale": 4}, 69_100, id="C1 down to a hundredth of a cent"),
    ],
)
def test_a_leg_is_rounded_once_in_the_direction_of_the_tariff(
    rounding: dict[str, object], charge: int
) -> None:
    assert rate_leg(inbound(83), tariff(rounding=rounding)).charge_micros == charge


@pytest.mark.parametrize(
    "seconds, charge",
    [
        pytest.param(0, 0, id="C1 no connect fee without an answer"),
        pytest.param(60, 60_000, id="C1 one minute and the fee"),
    ],
)
def test_the_connect_fee_is_charged_once_per_answered_leg(seconds: int, charge: int) -> None:
    assert rate_leg(inbound(seconds), tariff(connect_fee="0.01")).charge_micros == charge


def test_c1_s4_13_a_call_inside_the_free_seconds_pays_no_connect_fee() -> None:
    free = tariff(connect_fee="0.01", free_until_seconds=30)
    assert rate_leg(inbound(30), free).charge_micros == 0
    assert rate_leg(inbound(31), free).charge_micros == 35_833


def call(*legs: LegUsage, under: str = "payg") -> list[int]:
    scheme = catalogue_plan(under).tariff
    return [rate_leg(leg, scheme).charge_micros for leg in legs]


def test_s5_09_s5_10_s5_11_a_forwarded_call_is_two_charges_each_on_its_own_clock() -> None:
    assert call(inbound(90), forwarded(83)) == [75_000, 69_166]


def test_s5_11_ringing_three_phones_is_two_charges_and_two_zero_lines() -> None:
    losers = [forwarded(0, status="canceled"), forwarded(0, status="no-answer")]
    assert call(inbound(90), forwarded(83), *losers) == [75_000, 69_166, 0, 0]


def test_s5_11_a_call_that_only_heard_the_menu_is_one_charge() -> None:
    assert call(inbound(40)) == [33_333]


def test_s5_11_c9_a_transfer_is_a_third_leg() -> None:
    transfer = LegUsage(
        kind="transfer",
        status=LegStatus.COMPLETED,
        talk_seconds=60,
        target_kind="number",
        target_address="+14155550102",
    )
    assert call(inbound(150), forwarded(83), transfer) == [125_000, 69_166, 50_000]


def test_s1_01_without_a_package_each_leg_pays_the_plan_rate_by_the_started_minute() -> None:
    assert call(inbound(61), forwarded(59), under="started_minute") == [100_000, 50_000]


def test_s2_03_c9_only_inbound_talk_is_charged_where_the_plan_says_so() -> None:
    scheme = catalogue_plan("prepaid_minute").tariff
    rated = rate_leg(forwarded(83), scheme)
    assert (rated.charge_micros, rated.rate, rated.unrated) == (0, None, False)
    assert call(inbound(90), forwarded(83), under="prepaid_minute") == [100_000, 0]


@pytest.mark.parametrize(
    "leg, counted",
    [
        pytest.param(
            inbound(35, bridged_seconds=30), 0, id="S4-13 30 s with somebody: not counted"
        ),
        pytest.param(inbound(40, bridged_seconds=31), 31, id="S4-13 31 s: the whole call counts"),
        pytest.param(inbound(95), 0, id="S4-14 nobody picked up: not counted, however long"),
        pytest.param(
            inbound(50, bridged_seconds=45), 45, id="S4-14 a cell's voicemail counts once"
        ),
    ],
)
def test_c1_command_center_counts_answered_calls_over_30_s(leg: LegUsage, counted: int) -> None:
    scheme = catalogue_plan("command_center").tariff
    assert rate_leg(leg, scheme).billed_seconds == counted
    assert rate_leg(forwarded(leg.bridged_seconds), scheme).billed_seconds == 0, "never twice"


def test_a_leg_without_a_price_is_flagged_and_never_silently_free() -> None:
    rated = rate_leg(forwarded(83, "+882161234567"), catalogue_plan("payg").tariff)
    assert rated.unrated is True
    assert (rated.charge_micros, rated.billed_seconds, rated.rate) == (0, 83, None)


def test_an_unanswered_leg_without_a_price_needs_nobodys_attention() -> None:
    leg = forwarded(0, "+882161234567", status="busy")
    assert rate_leg(leg, catalogue_plan("payg").tariff).unrated is False


def test_a_price_of_zero_is_a_price() -> None:
    free = tariff(inbound=[{"country": "US", "number_type": "local", "per_minute": "0"}])
    rated = rate_leg(inbound(83), free)
    assert (rated.charge_micros, rated.billed_seconds, rated.unrated) == (0, 83, False)


def test_s5_11_the_carrier_charges_whole_started_minutes_per_leg_while_we_charge_seconds() -> None:
    cost = catalogue_plan("carrier_cost").tariff
    assert carrier_cost(inbound(83), cost).charge_micros == 17_000
    assert carrier_cost(forwarded(80), cost).charge_micros == 28_000
    assert carrier_cost(forwarded(0, status="no-answer"), cost).charge_micros == 0


SCHEMES = st.builds(
    tariff,
    st.integers(1, 120),
    st.integers(1, 120),
    free_until_seconds=st.integers(0, 90),
    threshold_mode=st.sampled_from(["all_or_nothing", "excess_only"]),
    rounding=st.fixed_dictionaries(
        {"mode": st.sampled_from(["down", "up", "half_even"]), "scale": st.integers(2, 6)}
    ),
    connect_fee=st.sampled_from(["0", "0.01", "0.000007"]),
)
SECONDS = st.integers(0, 20_000)


@given(SCHEMES, SECONDS, SECONDS)
def test_a_longer_leg_never_costs_less(scheme: Tariff, one: int, other: int) -> None:
    shorter, longer = sorted((one, other))
    assert billed_seconds(shorter, scheme) <= billed_seconds(longer, scheme)
    charges = [rate_leg(inbound(seconds), scheme).charge_micros for seconds in (shorter, longer)]
    assert charges[0] <= charges[1]


@given(SCHEMES, SECONDS)
def test_nothing_is_billed_short_and_nothing_beyond_one_block(scheme: Tariff, talked: int) -> None:
    billed = billed_seconds(talked, scheme)
    step = max(scheme.increment.initial_seconds, scheme.increment.step_seconds)
    free = scheme.free_until_seconds
    if talked <= free:
        assert billed == 0
    else:
        counted = talked - free if scheme.threshold_mode == "excess_only" else talked
        assert counted <= billed < counted + step


@given(st.integers(0, 10**7), st.lists(st.integers(0, 5_000), min_size=1, max_size=8))
def test_per_second_billing_is_the_same_in_one_piece_or_in_many(
    per_minute_micros: int, pieces: list[int]
) -> None:
    price = format_amount(per_minute_micros)
    scheme = tariff(inbound=[{"country": "US", "number_type": "local", "per_minute": price}])
    whole = rate_leg(inbound(sum(pieces)), scheme).charge_micros
    parts = sum(rate_leg(inbound(piece), scheme).charge_micros for piece in pieces)
    assert 0 <= whole - parts < len(pieces), "each piece rounds down by less than a micro"


@given(
    SCHEMES,
    st.integers(-1_000, 400_000),
    st.lists(st.integers(0, 200_000), max_size=4),
    st.lists(st.integers(0, 200_000), max_size=2),
)
def test_what_a_balance_affords_is_exactly_what_the_legs_would_cost(
    scheme: Tariff, balance_micros: int, rates: list[int], surcharges: list[int]
) -> None:
    ceiling_seconds = 300
    legs = TalkRates(tuple(rates), tuple(surcharges))
    seconds = affordable_seconds(balance_micros, legs, scheme, ceiling_seconds=ceiling_seconds)
    covered = [
        talk
        for talk in range(ceiling_seconds + 1)
        if cost_of_talk(talk, legs, scheme) <= balance_micros
    ]
    assert seconds == max(covered, default=0)


@given(SCHEMES, st.integers(0, 10**6))
def test_a_leg_cut_at_its_affordable_seconds_never_overdraws(
    scheme: Tariff, balance_micros: int
) -> None:
    seconds = affordable_seconds(balance_micros, TalkRates((50_000, 50_000)), scheme)
    legs = inbound(seconds), forwarded(seconds)
    assert sum(rate_leg(leg, scheme).charge_micros for leg in legs) <= balance_micros


@pytest.mark.parametrize(
    "name, cost_micros",
    [
        pytest.param("payg", 2 * 833, id="C3 one second of both legs"),
        pytest.param("started_minute", 2 * 50_000, id="C3 one minute of both legs"),
        pytest.param("command_center", 2 * 25_833, id="C3 the 31st second makes 31 count"),
    ],
)
def test_the_first_block_is_what_a_call_must_be_able_to_pay(name: str, cost_micros: int) -> None:
    both_legs = TalkRates((50_000, 50_000))
    assert first_block_cost(both_legs, plan().tariff) == 2 * 833
    assert first_block_cost(both_legs, catalogue_plan(name).tariff) == cost_micros


def test_the_same_leg_costs_the_same_every_time() -> None:
    scheme = catalogue_plan("payg").tariff
    legs = [
        forwarded(s, a) for s, a in product(range(0, 200, 7), ("+14155550101", "+447700900000"))
    ]
    first = [rate_leg(leg, scheme) for leg in legs]
    assert [rate_leg(leg, scheme) for leg in reversed(legs)] == first[::-1]
