from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.memberships import BillingChange, shares_billing_at
from billing.packages import Bucket, Draw, Drawn, LegMoment, draw, may_draw, price_rest
from billing.rating import rate_leg
from tests.billing.buckets import (
    ACME,
    BOLT,
    COBALT,
    CONTIGUOUS,
    HONOLULU,
    LONDON,
    MONTH,
    NOON,
    bucket,
    forwarded,
    inbound,
    moment,
)
from tests.billing.plans import tariff

SECOND = timedelta(seconds=1)
FIRST, SECOND_BUCKET, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)


def after(drawn: Drawn, buckets: list[Bucket]) -> list[Bucket]:
    taken = dict(drawn.draws)
    return [replace(b, remaining_seconds=b.remaining_seconds - taken.get(b.id, 0)) for b in buckets]


@pytest.mark.parametrize(
    "remaining, drawn",
    [
        pytest.param(600_000, Drawn((Draw(FIRST, 83),), 0), id="S1-02 all from the package"),
        pytest.param(83, Drawn((Draw(FIRST, 83),), 0), id="S1-02 the very last seconds"),
        pytest.param(20, Drawn((Draw(FIRST, 20),), 63), id="S1-03 20 s left, 83 s talked"),
        pytest.param(0, Drawn((), 83), id="S1-03 nothing left"),
        pytest.param(-5, Drawn((), 83), id="S1-03 less than nothing left"),
    ],
)
def test_a_leg_is_split_where_the_package_runs_out(remaining: int, drawn: Drawn) -> None:
    assert draw(83, inbound(), [bucket(remaining_seconds=remaining)], moment()) == drawn


@pytest.mark.parametrize(
    "paid_seconds, connect_fee, charge_micros",
    [
        pytest.param(63, "0", 52_500, id="S1-03 63 s at the plan's rate"),
        pytest.param(0, "0.01", 0, id="S1-03 met by minutes alone: no connect fee"),
        pytest.param(1, "0.01", 10_833, id="S1-03 the first paid second brings the connect fee"),
    ],
)
def test_the_rest_costs_the_normal_rate_of_the_plan(
    paid_seconds: int, connect_fee: str, charge_micros: int
) -> None:
    prices = tariff(connect_fee=connect_fee)
    rated = rate_leg(inbound(), prices)
    assert price_rest(rated, paid_seconds, prices) == charge_micros
    assert price_rest(rated._replace(rate=None), paid_seconds, prices) == 0


def test_s1_03_two_legs_that_race_for_the_last_minute_draw_it_once() -> None:
    left = [bucket(remaining_seconds=60)]
    first = draw(83, inbound(), left, moment())
    second = draw(83, inbound(), after(first, left), moment())
    assert (first.drawn_seconds, first.rest_seconds) == (60, 23)
    assert (second.drawn_seconds, second.rest_seconds) == (0, 83)


ELIGIBILITY = [
    pytest.param({}, inbound(), moment(), True, id="S1-04 a local leg, a local package"),
    pytest.param(
        {},
        inbound(number_type="toll-free"),
        moment(),
        False,
        id="S1-04 toll-free: never local",
    ),
    pytest.param(
        {"number_type": "toll-free"},
        inbound(number_type="toll-free"),
        moment(),
        True,
        id="S1-04 toll-free draws toll-free",
    ),
    pytest.param({}, forwarded(), moment(), False, id="C9 the forwarded leg is out of scope"),
    pytest.param(
        {"leg_scope": frozenset({"inbound", "forwarded"})},
        forwarded(),
        moment(),
        True,
        id="C9 the forwarded leg is in scope",
    ),
    pytest.param(
        {"number_type": "toll-free", "leg_scope": frozenset({"forwarded"})},
        forwarded(number_type="toll-free"),
        moment(),
        True,
        id="S1-04 the outbound leg of a toll-free call draws by our number's type",
    ),
    pytest.param(
        {"region_set": CONTIGUOUS}, inbound(), moment(), True, id="S1-17 a number in California"
    ),
    pytest.param(
        {"region_set": CONTIGUOUS},
        inbound(),
        moment(number_e164=HONOLULU),
        False,
        id="S1-17 a number in Hawaii",
    ),
    pytest.param(
        {"region_set": CONTIGUOUS, "leg_scope": frozenset({"forwarded"})},
        forwarded(to=LONDON),
        moment(),
        False,
        id="S1-17 forwarded to London",
    ),
    pytest.param(
        {"region_set": CONTIGUOUS, "leg_scope": frozenset({"forwarded"})},
        forwarded()._replace(target_kind="client", target_address="alice"),
        moment(),
        True,
        id="S1-17 a browser has no region: our number decides",
    ),
    pytest.param(
        {"starts_at": NOON + SECOND}, inbound(), moment(), False, id="S1-02 bought during the call"
    ),
    pytest.param(
        {"starts_at": NOON}, inbound(), moment(), True, id="S1-02 bought in the same instant"
    ),
    pytest.param({}, inbound(), moment(account_id=COBALT), False, id="S1-14 a stranger's package"),
    pytest.param(
        {"scope": "agency_shared"},
        inbound(),
        moment(account_id=BOLT, shares_with=ACME),
        True,
        id="S1-14 the agency's package, on shared billing",
    ),
    pytest.param(
        {"scope": "agency_shared"},
        inbound(),
        moment(account_id=BOLT),
        False,
        id="S1-14 the agency's package, on own billing",
    ),
    pytest.param(
        {},
        inbound(),
        moment(account_id=BOLT, shares_with=ACME),
        False,
        id="C15 a package for the agency's own account only",
    ),
]


@pytest.mark.parametrize("changes, usage, at, allowed", ELIGIBILITY)
def test_who_and_what_may_draw_a_bucket(
    changes: dict[str, Any], usage: Any, at: LegMoment, allowed: bool
) -> None:
    assert may_draw(bucket(**changes), usage, at) is allowed
    assert draw(83, usage, [bucket(**changes)], at).rest_seconds == (0 if allowed else 83)


def test_s1_04_both_kinds_owned_at_once_stay_apart() -> None:
    both = [bucket(1), bucket(2, number_type="toll-free")]
    assert draw(83, inbound(), both, moment()).draws == ((FIRST, 83),)
    toll_free = inbound(number_type="toll-free")
    assert draw(83, toll_free, both, moment()).draws == ((SECOND_BUCKET, 83),)


@pytest.mark.parametrize(
    "first, second",
    [
        pytest.param({"priority": 1}, {"expires_at": NOON + SECOND * 300}, id="priority first"),
        pytest.param({"expires_at": NOON + SECOND * 300}, {}, id="then what expires sooner"),
        pytest.param({"starts_at": NOON - MONTH}, {}, id="then what started sooner"),
        pytest.param({}, {"owner_id": BOLT, "scope": "agency_shared", "priority": 1}, id="own"),
    ],
)
def test_buckets_are_drawn_in_the_documented_order(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    buckets = [bucket(3, **second), bucket(1, 50, **first)]
    at = moment(shares_with=BOLT)
    assert draw(83, inbound(), buckets, at).draws == ((FIRST, 50), (THIRD, 33))
    assert draw(83, inbound(), buckets[::-1], at).draws == ((FIRST, 50), (THIRD, 33))


@pytest.mark.parametrize(
    "ends_after, billed, talk, drawn",
    [
        pytest.param(30, 83, 83, 30, id="S1-11 30 s before the expiry, 53 s after"),
        pytest.param(0, 83, 83, 0, id="S1-11 the first leg after the expiry"),
        pytest.param(-100, 83, 83, 0, id="S1-11 long after the expiry"),
        pytest.param(83, 83, 83, 83, id="S1-11 hung up in the second of the expiry"),
        pytest.param(5, 60, 10, 5, id="S1-11 a started minute: only what was talked in time"),
        pytest.param(10, 60, 10, 60, id="S1-11 a started minute that ended in time"),
        pytest.param(40, 53, 83, 10, id="C1 after 30 free seconds 10 are left of 40"),
    ],
)
def test_a_leg_across_the_expiry_is_split_by_time(
    ends_after: int, billed: int, talk: int, drawn: int
) -> None:
    ending = bucket(expires_at=NOON + SECOND * ends_after)
    result = draw(billed, inbound(talk), [ending], moment())
    assert (result.drawn_seconds, result.rest_seconds) == (drawn, billed - drawn)


def test_s1_11_a_begun_second_belongs_to_the_time_before() -> None:
    ending = bucket(expires_at=NOON + SECOND * 30 + timedelta(microseconds=1))
    assert draw(83, inbound(), [ending], moment()).drawn_seconds == 31


def test_s4_06_a_call_across_the_reset_draws_each_cycle_for_its_own_seconds() -> None:
    reset = NOON + SECOND * 30
    old = bucket(1, kind="pool", expires_at=reset)
    new = bucket(2, kind="pool", starts_at=reset, continues=True)
    assert draw(83, inbound(), [old, new], moment()).draws == ((FIRST, 30), (SECOND_BUCKET, 53))


def test_s4_06_the_new_cycle_does_not_pay_for_what_the_old_one_lacked() -> None:
    reset = NOON + SECOND * 30
    old = bucket(1, 10, kind="pool", expires_at=reset)
    new = bucket(2, kind="pool", starts_at=reset, continues=True)
    result = draw(83, inbound(), [old, new], moment())
    assert result == Drawn(((FIRST, 10), (SECOND_BUCKET, 53)), 20)  # type: ignore[arg-type]


def test_s4_08_a_pool_that_may_be_overdrawn_takes_the_whole_call_and_says_by_how_much() -> None:
    result = draw(83, inbound(), [bucket(1, 20, kind="pool", overdrawn=True)], moment())
    assert result == Drawn((Draw(FIRST, 83),), 0, overrun_seconds=63)
    assert (result.paid_seconds("zero"), result.paid_seconds("plan")) == (0, 63)
    again = draw(83, inbound(), [bucket(1, -63, kind="pool", overdrawn=True)], moment())
    assert (again.drawn_seconds, again.overrun_seconds) == (83, 83)


def test_s1_14_a_move_between_billings_counts_from_the_next_call() -> None:
    changes = [BillingChange(NOON, True), BillingChange(NOON + SECOND * 60, False)]
    instants = [NOON - SECOND, NOON, NOON + SECOND * 59, NOON + SECOND * 60]
    assert [shares_billing_at(changes, at) for at in instants] == [False, True, True, False]
    assert shares_billing_at([], NOON) is False


WINDOWS = st.tuples(st.integers(-200, 200), st.integers(1, 300)).map(
    lambda window: (NOON + SECOND * window[0], NOON + SECOND * (window[0] + window[1]))
)


@st.composite
def some_buckets(drawing: st.DrawFn) -> list[Bucket]:
    buckets = []
    for number in range(drawing(st.integers(0, 4))):
        starts_at, expires_at = drawing(WINDOWS)
        buckets.append(
            bucket(
                number + 1,
                drawing(st.integers(-10, 120)),
                starts_at=starts_at,
                expires_at=expires_at,
                priority=drawing(st.integers(0, 1)),
                continues=drawing(st.booleans()),
                overdrawn=drawing(st.integers(0, 4)) == 0,
            )
        )
    return buckets


@given(some_buckets(), st.integers(0, 200), st.sampled_from([1, 6, 60]))
def test_every_billed_second_is_met_once_and_no_bucket_gives_what_it_has_not(
    buckets: list[Bucket], talk: int, step: int
) -> None:
    billed = -(-talk // step) * step
    result = draw(billed, inbound(talk), buckets, moment())
    assert result.drawn_seconds + result.rest_seconds == billed
    by_id = {b.id: b for b in buckets}
    assert len({one.bucket_id for one in result.draws}) == len(result.draws)
    for one in result.draws:
        source = by_id[one.bucket_id]
        assert one.seconds > 0
        assert source.overdrawn or one.seconds <= source.remaining_seconds
        assert source.continues or source.starts_at <= NOON
    assert result == draw(billed, inbound(talk), buckets[::-1], moment())


@given(some_buckets(), st.integers(0, 200))
def test_seconds_are_met_as_a_second_by_second_count_would_meet_them(
    buckets: list[Bucket], talk: int
) -> None:
    """The slow and obvious way: give each bucket, in order, every open second of its time."""
    left = {b.id: max(0, b.remaining_seconds) for b in buckets}
    open_seconds = list(range(talk))
    order = sorted(buckets, key=lambda b: (b.priority, b.expires_at, b.starts_at, b.id))
    for b in order:
        if b.starts_at > NOON and not b.continues:
            continue
        for second in list(open_seconds):
            if left[b.id] and b.starts_at <= NOON + SECOND * second < b.expires_at:
                left[b.id] -= 1
                open_seconds.remove(second)
    ordinary = [replace(b, overdrawn=False) for b in buckets]
    result = draw(talk, inbound(talk), ordinary, moment())
    assert result.rest_seconds == len(open_seconds)
    taken = dict(result.draws)
    for b in buckets:
        assert taken.get(b.id, 0) == max(0, b.remaining_seconds) - left[b.id]
