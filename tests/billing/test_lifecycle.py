from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.lifecycle import (
    TIME_LIMIT_SECONDS_MIN,
    AccountStatus,
    Allowed,
    Overrun,
    RefusalReason,
    Refused,
    dial_time_limit,
    may_start_call,
    must_end_live_calls,
    price_overrun,
    service_status,
)
from billing.rating import TalkRates, cost_of_talk, first_block_cost
from billing.tariffs import HARD_CEILING_SECONDS, Plan
from tests.billing.plans import catalogue_plan, plan

ACTIVE, SUSPENDED, CLOSED = AccountStatus.ACTIVE, AccountStatus.SUSPENDED, AccountStatus.CLOSED
BOTH_LEGS = TalkRates((50_000, 50_000))
CUT = catalogue_plan("payg_cut")
GRACE = catalogue_plan("payg_grace")
LET_FINISH = catalogue_plan("payg")
ANSWERED_MINUTES = catalogue_plan("answered_minutes")


@pytest.mark.parametrize(
    "suspend_when, balance_micros, status",
    [
        pytest.param("lt_zero", 1, ACTIVE, id="S2-12 one micro is money"),
        pytest.param("lt_zero", 0, ACTIVE, id="S2-12 exactly 0.00 is not below"),
        pytest.param("lt_zero", -1, SUSPENDED, id="S2-12 -0.000001 is below"),
        pytest.param("lte_zero", 1, ACTIVE, id="C3 at zero: one micro is money"),
        pytest.param("lte_zero", 0, SUSPENDED, id="C3 at zero: 0.00 suspends"),
        pytest.param("lte_zero", -1, SUSPENDED, id="C3 at zero: so does less"),
    ],
)
def test_service_follows_the_balance(
    suspend_when: str, balance_micros: int, status: AccountStatus
) -> None:
    assert service_status(balance_micros, plan(suspend_when=suspend_when)) == status


def test_s2_12_a_suspension_is_lifted_by_the_balance_alone() -> None:
    balances = [5, -1, 0]
    assert [service_status(b, LET_FINISH) for b in balances] == [ACTIVE, SUSPENDED, ACTIVE]


@pytest.mark.parametrize(
    "balance_micros, status",
    [
        pytest.param(-10_000_000, ACTIVE, id="C8 credit used to the limit"),
        pytest.param(-10_000_001, SUSPENDED, id="C8 beyond the limit"),
    ],
)
def test_c8_only_the_floor_differs_under_credit(balance_micros: int, status: AccountStatus) -> None:
    postpaid = plan(mode="postpaid", credit_limit="10.00")
    assert service_status(balance_micros, postpaid) == status


@pytest.mark.parametrize(
    "changes, balance_micros, more, reason",
    [
        pytest.param({}, 0, {}, None, id="S2-12 a call may start at exactly 0.00"),
        pytest.param({}, -1, {}, RefusalReason.BALANCE_EXHAUSTED, id="S2-08 below zero: refused"),
        pytest.param(
            {"suspend_when": "lte_zero"},
            0,
            {},
            RefusalReason.BALANCE_EXHAUSTED,
            id="S4-09 nothing left: refused",
        ),
        pytest.param(
            {"min_balance_to_start": "0.50"},
            499_999,
            {},
            RefusalReason.BALANCE_BELOW_MINIMUM,
            id="C3 a micro short of the minimum",
        ),
        pytest.param(
            {"min_balance_to_start": "0.50"}, 500_000, {}, None, id="C3 exactly the minimum"
        ),
        pytest.param(
            {"in_call": {"policy": "cut"}},
            99_999,
            {"first_block_micros": 100_000},
            RefusalReason.FIRST_BLOCK_NOT_COVERED,
            id="C3 a call that is cut must afford its first block",
        ),
        pytest.param(
            {"in_call": {"policy": "cut"}},
            100_000,
            {"first_block_micros": 100_000},
            None,
            id="C3 the first block exactly",
        ),
        pytest.param(
            {"in_call": {"policy": "cut"}}, 0, {}, None, id="a free call needs no balance"
        ),
        pytest.param(
            {},
            0,
            {"first_block_micros": 100_000},
            None,
            id="C2 a call that may finish may overrun",
        ),
        pytest.param(
            {"concurrent_calls": 2},
            10_000_000,
            {"live_calls": 2},
            RefusalReason.TOO_MANY_CALLS,
            id="a third call where two are allowed",
        ),
        pytest.param({"concurrent_calls": 2}, 10_000_000, {"live_calls": 1}, None, id="a second"),
        pytest.param(
            {},
            50_000,
            {"live_calls": 1, "accrued_micros": 50_001},
            RefusalReason.BALANCE_EXHAUSTED,
            id="S4-09 a second call while the first overruns",
        ),
    ],
)
def test_a_call_starts_only_on_money_that_is_there(
    changes: dict[str, Any],
    balance_micros: int,
    more: dict[str, int],
    reason: RefusalReason | None,
) -> None:
    answer = may_start_call(balance_micros, ACTIVE, plan(**changes), **more)
    assert (answer.reason if isinstance(answer, Refused) else None) == reason


@pytest.mark.parametrize(
    "status, reason",
    [
        pytest.param(SUSPENDED, RefusalReason.ACCOUNT_SUSPENDED, id="S2-12 suspended"),
        pytest.param(CLOSED, RefusalReason.ACCOUNT_CLOSED, id="closed"),
    ],
)
def test_an_account_out_of_service_starts_no_call_whatever_its_balance(
    status: AccountStatus, reason: RefusalReason
) -> None:
    answer = may_start_call(10_000_000, status, LET_FINISH)
    assert isinstance(answer, Refused) and answer.reason == reason


def test_a_refusal_says_in_words_what_is_missing() -> None:
    answer = may_start_call(120_000, ACTIVE, plan(min_balance_to_start="0.50"))
    assert answer == Refused(
        RefusalReason.BALANCE_BELOW_MINIMUM,
        "A call needs 0.50 USD to start, and 0.12 USD is left.",
    )


@pytest.mark.parametrize(
    "terms, balance_micros, seconds",
    [
        pytest.param(LET_FINISH, 0, HARD_CEILING_SECONDS, id="S4-08 C2 a call may finish"),
        pytest.param(CUT, 100_000, 60, id="C2 cut: 0.10 is one minute of two legs"),
        pytest.param(CUT, 99_999, 59, id="C2 cut: a micro less is a second less"),
        pytest.param(CUT, 10**12, HARD_CEILING_SECONDS, id="C2 cut: never above the ceiling"),
        pytest.param(CUT, 0, TIME_LIMIT_SECONDS_MIN, id="C2 cut: never without a limit"),
        pytest.param(GRACE, 100_000, 120, id="C2 grace: 60 s on top"),
        pytest.param(GRACE, 0, 60, id="C2 grace: the grace alone"),
        pytest.param(GRACE, 10**12, HARD_CEILING_SECONDS, id="C2 grace: never above the ceiling"),
    ],
)
def test_the_carrier_is_told_when_to_end_the_call(
    terms: Plan, balance_micros: int, seconds: int
) -> None:
    assert dial_time_limit(terms, balance_micros, BOTH_LEGS) == seconds


def test_s4_08_no_call_lasts_longer_than_the_fraud_ceiling() -> None:
    assert dial_time_limit(ANSWERED_MINUTES, 10**12, BOTH_LEGS) == 14_400


def test_c2_calls_that_drain_one_balance_together_each_get_less() -> None:
    alone = dial_time_limit(CUT, 1_000_000, BOTH_LEGS)
    together = dial_time_limit(CUT, 1_000_000, BOTH_LEGS, live_rates=BOTH_LEGS)
    late = dial_time_limit(CUT, 1_000_000, BOTH_LEGS, accrued_micros=500_000)
    assert (alone, together, late) == (600, 300, 300)


@given(
    st.integers(0, 10**9),
    st.lists(st.integers(1, 10**6), min_size=1, max_size=4),
    st.lists(st.integers(1, 10**6), max_size=2),
)
def test_c2_a_cut_call_that_was_let_in_costs_no_more_than_the_balance(
    balance_micros: int, legs: list[int], surcharges: list[int]
) -> None:
    rates = TalkRates(tuple(legs), tuple(surcharges))
    block = first_block_cost(rates, CUT.tariff)
    answer = may_start_call(balance_micros, ACTIVE, CUT, first_block_micros=block)
    if isinstance(answer, Allowed) and balance_micros > 0:
        seconds = dial_time_limit(CUT, balance_micros, rates)
        assert cost_of_talk(seconds, rates, CUT.tariff) <= balance_micros


@pytest.mark.parametrize(
    "terms, balance_micros, accrued_micros, seconds_below_zero, ended",
    [
        pytest.param(LET_FINISH, 0, 10**9, 10**6, False, id="S4-08 never cut"),
        pytest.param(ANSWERED_MINUTES, 0, 10**9, 10**6, False, id="S4-08 as long as you like"),
        pytest.param(CUT, 100_000, 99_999, 0, False, id="C2 cut: a micro is left"),
        pytest.param(CUT, 100_000, 100_000, 0, True, id="C2 cut at zero"),
        pytest.param(GRACE, 100_000, 100_001, 59, False, id="C2 grace still runs"),
        pytest.param(GRACE, 100_000, 100_001, 60, True, id="C2 grace is over"),
        pytest.param(GRACE, 100_000, 100_000, 60, False, id="C2 grace: 0.00 is not below"),
        pytest.param(GRACE, 200_000, 100_001, 60, False, id="C2 a top-up came in time"),
    ],
)
def test_live_calls_end_when_the_plan_says_so(
    terms: Plan,
    balance_micros: int,
    accrued_micros: int,
    seconds_below_zero: int,
    ended: bool,
) -> None:
    assert must_end_live_calls(terms, balance_micros, accrued_micros, seconds_below_zero) is ended


@pytest.mark.parametrize(
    "price, charge_micros, balance_micros, overrun",
    [
        pytest.param("plan", 100, 40, Overrun(100, 0), id="C2 overrun at plan rate: below zero"),
        pytest.param(
            "zero", 100, 40, Overrun(40, 60), id="S4-08 overrun at zero: only what is left"
        ),
        pytest.param("zero", 100, -5, Overrun(0, 100), id="S4-08 nothing left, nothing taken"),
        pytest.param("zero", 100, 100, Overrun(100, 0), id="S4-08 enough is no overrun"),
    ],
)
def test_an_overrun_is_recorded_at_the_price_of_the_plan(
    price: str, charge_micros: int, balance_micros: int, overrun: Overrun
) -> None:
    terms = plan(suspend_when="lte_zero", in_call={"overrun_price": price})
    assert price_overrun(terms, charge_micros, balance_micros) == overrun
