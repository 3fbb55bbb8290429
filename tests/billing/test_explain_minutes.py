from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.explain import explain_entry
from billing.explain_minutes import explain_drawn, explain_surcharge
from billing.minutes import expire_posting
from billing.packages import draw, price_rest
from billing.rating import rate_leg
from billing.surcharges import rate_surcharge
from tests.billing.buckets import NOON, bucket, forwarded, inbound, moment
from tests.billing.plans import plan

NAMES = {UUID(int=1): "package local_10k", UUID(int=2): "pool of March"}


def lines(talk: int, left: list[int], **changes: Any) -> Any:
    sold = plan(**changes)
    usage = inbound(talk)
    rated = rate_leg(usage, sold.tariff)
    buckets = [bucket(n + 1, seconds) for n, seconds in enumerate(left)]
    drawn = draw(rated.billed_seconds, usage, buckets, moment())
    return explain_drawn(usage, rated, drawn, sold, bucket_names=NAMES, plan_version=2)


def test_s1_03_a_split_leg_is_explained_on_two_lines() -> None:
    minutes, money = lines(83, [20])
    assert minutes.words == "20 s of 83 s from package local_10k, inbound leg, plan Smallest v2"
    assert money.words == "63 s of 83 s × $0.0500/min, inbound leg, plan Smallest v2"
    assert (minutes.amount_micros, minutes.recompute()) == (20, 20)
    assert (money.amount_micros, money.recompute()) == (52_500, 52_500)


def test_s1_02_a_leg_met_by_minutes_alone_has_no_line_of_money() -> None:
    assert [line.recompute() for line in lines(83, [50, 100])] == [50, 33]


def test_s1_03_the_connect_fee_of_a_split_leg_is_said() -> None:
    money = lines(83, [20], tariff={"connect_fee": "0.01"})[-1]
    assert "$0.01 to connect" in money.words
    assert money.recompute() == 62_500


@pytest.mark.parametrize("increment", [(1, 1), (60, 60), (30, 6)])
@pytest.mark.parametrize("free", [0, 30])
@given(st.integers(1, 400), st.lists(st.integers(0, 90), max_size=2), st.booleans())
def test_every_line_of_a_leg_can_be_recomputed_and_they_add_up_to_it(
    increment: tuple[int, int], free: int, talk: int, left: list[int], excess: bool
) -> None:
    tariff = {
        "increment": {"initial_seconds": increment[0], "step_seconds": increment[1]},
        "free_until_seconds": free,
        "threshold_mode": "excess_only" if excess else "all_or_nothing",
    }
    sold, usage = plan(tariff=tariff), inbound(talk)
    rated = rate_leg(usage, sold.tariff)
    buckets = [bucket(n + 1, seconds) for n, seconds in enumerate(left)]
    drawn = draw(rated.billed_seconds, usage, buckets, moment())
    explained = lines(talk, left, tariff=tariff)
    assert [line.recompute() for line in explained] == [line.amount_micros for line in explained]
    seconds = [line.amount_micros for line in explained[: len(drawn.draws)]]
    assert sum(seconds) + drawn.rest_seconds == rated.billed_seconds
    money = [line.amount_micros for line in explained[len(drawn.draws) :]]
    assert sum(money) == price_rest(rated, drawn.rest_seconds, sold.tariff)


def test_s2_18_a_surcharge_says_what_it_is_for() -> None:
    sold = plan(
        tariff={"surcharges": [{"label": "Premium", "prefixes": ["1900"], "per_minute": "1.00"}]}
    )
    rated = rate_surcharge(forwarded(83, "+19005550101"), sold.tariff)
    assert rated is not None
    explained = explain_surcharge(rated, sold, plan_version=1)
    assert explained.words == (
        "83 s × $1.0000/min, surcharge Premium on top of the call, plan Smallest v1"
    )
    assert explained.recompute() == rated.charge_micros


def test_s1_16_expired_minutes_are_explained_in_seconds_not_in_money() -> None:
    explained = explain_entry(expire_posting(bucket(1, 125), seconds=125, at=NOON), currency="USD")
    assert explained.words == "Unused minutes expired: 125 s (2 min 5 s)"
    assert explained.recompute() == 125
