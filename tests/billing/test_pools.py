from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.calendar import Period, billing_cycle, local_date
from billing.formulas import evaluate
from billing.lifecycle import Allowed, RefusalReason, Refused
from billing.packages import draw
from billing.pools import (
    Given,
    cycle_grant,
    may_start_on_pool,
    pool_bucket,
    pool_bucket_id,
    pool_figures,
    upgrade_grant,
)
from billing.rating import rate_leg
from billing.tariffs import Plan
from billing.terms import Pool
from tests.billing.buckets import ACME, BOLT, COBALT, forwarded, inbound, moment
from tests.billing.plans import plan

CYCLE = billing_cycle(17, datetime(2026, 3, 20, tzinfo=UTC), "America/New_York")
SUBSCRIPTION = UUID(int=5)
FULL = Pool(500, "account")


def pool_plan(**changes: Any) -> Plan:
    usual: dict[str, Any] = {
        "pool": {"minutes": 500},
        "exhaustion": "block_new",
        "suspend_when": "lte_zero",
        "in_call": {"overrun_price": "zero"},
        "topup": {"manual": False, "card": False},
        "tariff": {
            "free_until_seconds": 30,
            "billable_legs": {"forwarded": False, "ivr_time": False},
        },
    }
    return plan(**(usual | changes))


def pool(remaining_seconds: int, **changes: Any) -> Any:
    return pool_bucket(
        FULL,
        pool_plan(**changes),
        bucket_id=pool_bucket_id(SUBSCRIPTION, 0),
        owner_id=ACME,
        remaining_seconds=remaining_seconds,
        cycle=CYCLE,
    )


@pytest.mark.parametrize(
    "balance, used, remaining, overrun",
    [
        pytest.param(30_000, 0, 30_000, 0, id="S4-03 nothing used"),
        pytest.param(29_917, 83, 29_917, 0, id="S4-03 83 s used"),
        pytest.param(0, 30_000, 0, 0, id="S4-03 all used"),
        pytest.param(-63, 30_063, 0, 63, id="S4-08 63 s over: 0 remaining"),
    ],
)
def test_allocated_used_and_remaining_come_from_the_ledger(
    balance: int, used: int, remaining: int, overrun: int
) -> None:
    figures = pool_figures(30_000, [balance], CYCLE)
    assert (figures.used_seconds, figures.remaining_seconds) == (used, remaining)
    assert figures.overrun_seconds == overrun


def test_s4_02_the_figures_are_of_the_billing_cycle_and_say_its_dates() -> None:
    figures = pool_figures(30_000, [30_000], CYCLE)
    assert (figures.cycle_starts_on, figures.cycle_ends_on) == (
        date(2026, 3, 17),
        date(2026, 4, 17),
    )


@pytest.mark.parametrize(
    "day, share, before, seconds",
    [
        pytest.param(17, "full", Given(), 30_000, id="S4-05 on the first day"),
        pytest.param(16, "full", Given(100), 30_000, id="S4-05 on the last day: in full"),
        pytest.param(1, "full", Given(500, True), 0, id="S4-05 down and up again: nothing"),
        pytest.param(1, "full", Given(500), 0, id="S4-05 the cycle began with as many"),
        pytest.param(1, "full", Given(300, True), 12_000, id="S4-05 a second step up"),
        pytest.param(1, "full", Given(1_000, True), 0, id="S4-05 had more already"),
        pytest.param(16, "prorated", Given(), 967, id="C12 prorated: a day of 31"),
        pytest.param(17, "prorated", Given(), 30_000, id="C12 prorated: all 31 days"),
        pytest.param(17, "prorated", Given(100), 24_000, id="C12 prorated: what is more"),
        pytest.param(16, "prorated", Given(100), 774, id="C12 prorated: a day of what is more"),
        pytest.param(16, "prorated", Given(100, True), 774, id="C12 prorated, after a full one"),
        pytest.param(17, "prorated", Given(500), 0, id="C12 prorated: down and up again"),
    ],
)
def test_an_upgrade_grants_the_whole_complement_once_per_cycle(
    day: int, share: Any, before: Given, seconds: int
) -> None:
    on = date(2026, 3 if day == 17 else 4, day)
    grant = upgrade_grant(FULL, CYCLE, on, share=share, given=before)
    assert grant.seconds == seconds == evaluate(grant.formula)


DAYS = st.integers(1, 31)
ZONES = st.sampled_from(
    ["America/New_York", "Europe/Berlin", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe"]
)
"""Havana's and Beirut's clocks jump at midnight; Lord Howe's by half an hour."""


def follow(day: int, zone: str, since: datetime, until: datetime) -> list[tuple[Period, date]]:
    """Cycles of a day of the month, each from where the one before ended."""
    found, starts_at = [], since
    while starts_at < until:
        cycle = billing_cycle(day, starts_at, zone)
        found.append((cycle, local_date(starts_at, zone)))
        starts_at = cycle.ends_at
    return found


@settings(max_examples=12, deadline=None)  # 961 pairs in each
@given(ZONES, st.integers(0, 60))
def test_s4_02_s4_06_a_new_day_of_the_cycle_costs_nobody_a_minute_whatever_the_two_days(
    zone: str, month: int
) -> None:
    """Every pair of days: one cycle is short, and has its share by calendar days; all others are
    whole, and they follow each other without a gap. 29 February 2028 lies in it."""
    began = datetime(2026 + month // 12, month % 12 + 1, 28, 12, tzinfo=UTC)
    for old, new in product(range(1, 32), repeat=2):
        ends_at = billing_cycle(old, began, zone).ends_at
        cycles = follow(new, zone, ends_at, ends_at + timedelta(days=70))
        grants = [cycle_grant(FULL, cycle, on) for cycle, on in cycles]
        first, on = cycles[0]
        share = first.days_left(on)
        assert 0 < share <= first.days
        assert grants[0].seconds == FULL.size_seconds * share // first.days > 0
        assert all(grant.seconds == FULL.size_seconds for grant in grants[1:])
        assert all(evaluate(grant.formula) == grant.seconds for grant in grants[:2])
        assert share == first.days or first.starts_at < ends_at, "short only on the way over"


@given(ZONES, st.lists(DAYS, min_size=2, max_size=6), st.integers(0, 800))
def test_s4_06_each_day_is_paid_for_once_however_often_the_day_of_the_cycle_moves(
    zone: str, days: list[int], later: int
) -> None:
    """The shares of all cycles are those of the days that passed, none missing, none twice."""
    starts_at = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=later)
    first = local_date(starts_at := billing_cycle(days[0], starts_at, zone).ends_at, zone)
    covered = 0
    for day in days:
        for _ in range(2):
            on = local_date(starts_at, zone)
            cycle = billing_cycle(day, starts_at, zone)
            covered += cycle.days_left(on)
            starts_at = cycle.ends_at
    assert covered == (local_date(starts_at, zone) - first).days


def test_s4_06_each_cycle_and_each_upgrade_in_it_has_a_bucket_of_its_own() -> None:
    ids = {pool_bucket_id(SUBSCRIPTION, n, grant) for n in range(3) for grant in range(3)}
    assert len(ids) == 9
    assert pool_bucket_id(SUBSCRIPTION, 1) == pool_bucket_id(SUBSCRIPTION, 1)


def test_s4_10_all_staff_and_devices_draw_one_pool() -> None:
    remaining = 30_000
    for usage in (inbound(83), inbound(83, "toll-free"), inbound(83, "mobile")):
        result = draw(83, usage, [pool(remaining)], moment(CYCLE.starts_at))
        remaining -= result.drawn_seconds
    assert remaining == 30_000 - 3 * 83


def test_c15_a_pool_shared_by_the_agency_is_drawn_by_clients_on_shared_billing() -> None:
    shared = pool_bucket(
        Pool(500, "agency_shared"),
        pool_plan(),
        bucket_id=UUID(int=1),
        owner_id=ACME,
        remaining_seconds=100,
        cycle=CYCLE,
    )
    for account, agency, drawn in [(BOLT, ACME, 83), (COBALT, None, 0)]:
        at = moment(CYCLE.starts_at, account_id=account, shares_with=agency)
        assert draw(83, inbound(), [shared], at).drawn_seconds == drawn


@pytest.mark.parametrize(
    "seconds, counted",
    [
        pytest.param(30, 0, id="S4-13 30 s do not count"),
        pytest.param(31, 31, id="S4-13 31 s count whole"),
    ],
)
def test_only_calls_longer_than_30_s_take_minutes(seconds: int, counted: int) -> None:
    usage = inbound(seconds)._replace(bridged_seconds=seconds)
    billed = rate_leg(usage, pool_plan().tariff).billed_seconds
    assert draw(billed, usage, [pool(30_000)], moment(CYCLE.starts_at)).drawn_seconds == counted
    assert rate_leg(forwarded(seconds), pool_plan().tariff).billed_seconds == 0


def test_s4_08_s4_09_a_call_that_overruns_is_counted_and_the_next_one_refused() -> None:
    overrun = draw(83, inbound(), [pool(20)], moment(CYCLE.starts_at))
    assert (overrun.drawn_seconds, overrun.overrun_seconds, overrun.rest_seconds) == (83, 63, 0)
    assert overrun.paid_seconds(pool_plan().in_call.overrun_price) == 0
    refused = may_start_on_pool(pool_plan().terms, 20 - 83)
    assert isinstance(refused, Refused) and refused.reason == RefusalReason.MINUTES_EXHAUSTED
    assert "upgrade" in refused.words


@pytest.mark.parametrize(
    "remaining, live, allowed",
    [
        pytest.param(1, 0, True, id="S4-09 a second left"),
        pytest.param(0, 0, False, id="S4-09 nothing left"),
        pytest.param(60, 60, False, id="S4-09 a running call has used the last minute"),
        pytest.param(60, 59, True, id="S4-09 a running call has left a second"),
    ],
)
def test_no_new_call_starts_on_an_empty_pool(remaining: int, live: int, allowed: bool) -> None:
    answer = may_start_on_pool(pool_plan().terms, remaining, live)
    assert isinstance(answer, Allowed) is allowed


def test_c5_where_the_plan_charges_its_rate_an_empty_pool_stops_nobody() -> None:
    charging = pool_plan(exhaustion="charge_plan_rate")
    assert may_start_on_pool(charging.terms, -100) == Allowed()
    result = draw(83, inbound(), [pool(20, exhaustion="charge_plan_rate")], moment(CYCLE.starts_at))
    assert (result.drawn_seconds, result.rest_seconds, result.overrun_seconds) == (20, 63, 0)


def test_s4_04_included_minutes_are_a_pool_by_another_name() -> None:
    included = plan(included={"minutes": 100, "scope": "agency_shared"}).terms.allowance
    assert included == Pool(100, "agency_shared")
    assert pool_plan().terms.allowance == FULL
    assert timedelta(seconds=FULL.size_seconds) == timedelta(hours=8, minutes=20)
