import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.shares import client_shares, share_out


@pytest.mark.parametrize(
    "total, weights, shares",
    [
        pytest.param(100, {"a": 1, "b": 1}, [50, 50], id="M13 halves"),
        pytest.param(
            100, {"a": 1, "b": 1, "c": 1}, [34, 33, 33], id="M13 the first bears the rest"
        ),
        pytest.param(10, {"a": 1, "b": 2, "c": 4}, [1, 3, 6], id="M13 the largest remainder"),
        pytest.param(100, {"a": 0, "b": 5}, [0, 100], id="M13 who used nothing pays nothing"),
        pytest.param(101, {"a": 0, "b": 0}, [51, 50], id="M13 nobody used anything: alike"),
        pytest.param(-100, {"a": 1, "b": 1, "c": 1}, [-34, -33, -33], id="M13 a credit"),
        pytest.param(0, {"a": 3}, [0], id="M13 nothing to share"),
    ],
)
def test_a_total_is_shared_by_the_largest_remainder(
    total: int, weights: dict[str, int], shares: list[int]
) -> None:
    assert list(share_out(total, weights).values()) == shares


@given(
    st.integers(-(10**15), 10**15),
    st.dictionaries(st.integers(0, 999), st.integers(0, 10**9), min_size=1, max_size=60),
)
def test_shares_sum_to_the_total_and_none_is_off_by_a_micro(
    total: int, weights: dict[int, int]
) -> None:
    shares, whole = share_out(total, weights), sum(weights.values())
    assert sum(shares.values()) == total
    for key, weight in weights.items():
        if whole:
            assert abs(shares[key] * whole - total * weight) < whole


def test_m13_client_statements_sum_to_the_agencys_bill_in_100_random_months() -> None:
    chance = random.Random(13)
    for _ in range(100):
        clients = range(chance.randint(1, 40))
        own = {client: chance.randint(0, 10**9) for client in clients if chance.random() < 0.7}
        used = {client: chance.randint(0, 10**6) for client in clients if chance.random() < 0.7}
        shared = chance.randint(0, 10**11)
        if not own and not used:
            used = {0: 0}
        shares = client_shares(shared, own, used)
        assert sum(share.total_micros for share in shares.values()) == shared + sum(own.values())
        assert {
            client: share.used_seconds for client, share in shares.items() if client in used
        } == used
