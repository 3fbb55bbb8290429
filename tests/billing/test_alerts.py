import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.alerts import Gauge, Threshold, alerts_due, thresholds_of, words
from billing.terms import Alerts

DOLLAR = 1_000_000
TEN, FIVE = Threshold(Gauge.MONEY, 10 * DOLLAR), Threshold(Gauge.MONEY, 5 * DOLLAR)
HOUR = Threshold(Gauge.MINUTES, 3_600)
WEEK = Threshold(Gauge.DAYS, 7)
ALL = frozenset({TEN, FIVE, HOUR, WEEK})


def test_c20_a_plan_names_thresholds_of_money_minutes_and_days() -> None:
    plan = Alerts(balance_micros=(10 * DOLLAR, 5 * DOLLAR), minutes=(60,), days_left=(7,))
    assert thresholds_of(plan) == ALL


@pytest.mark.parametrize(
    "balances, sent",
    [
        pytest.param([12, 11], [], id="C20 above: quiet"),
        pytest.param([12, 10], [TEN], id="C20 exactly at the threshold"),
        pytest.param([12, 9, 8, 7], [TEN], id="C20 once per crossing"),
        pytest.param([12, 9, 11, 9], [TEN, TEN], id="C20 re-armed when it rises again"),
        pytest.param([12, 9, 10, 9], [TEN], id="C20 rising to it is not above it"),
        pytest.param([12, 9, 4], [TEN, FIVE], id="C20 each threshold by itself"),
        pytest.param([12, 4], [FIVE], id="C20 through both at once: one message"),
        pytest.param([12, 4, 7, 4], [FIVE, FIVE], id="C20 the lower one alone is re-armed"),
    ],
)
def test_an_alert_is_sent_once_per_crossing(balances: list[int], sent: list[Threshold]) -> None:
    reached, found = frozenset[Threshold](), []
    for balance in balances:
        due = alerts_due(ALL, {Gauge.MONEY: balance * DOLLAR}, reached)
        found += due.send
        reached = due.reached
    assert found == sent


def test_c20_a_gauge_without_a_reading_changes_nothing() -> None:
    reached = frozenset({WEEK, TEN})
    due = alerts_due(ALL, {Gauge.MONEY: 3 * DOLLAR, Gauge.DAYS: None}, reached)
    assert due.send == (FIVE,)
    assert due.reached == {WEEK, TEN, FIVE}


def test_c20_each_gauge_sends_its_own_alert() -> None:
    readings = {Gauge.MONEY: 0, Gauge.MINUTES: 0, Gauge.DAYS: 0}
    assert set(alerts_due(ALL, readings, frozenset()).send) == {FIVE, HOUR, WEEK}


@pytest.mark.parametrize(
    "threshold, text",
    [
        pytest.param(TEN, "The balance has reached 10.00 USD.", id="C20 money"),
        pytest.param(HOUR, "60 minutes or fewer are left.", id="C20 minutes"),
        pytest.param(WEEK, "At the present rate the balance lasts 7 days or less.", id="C20 days"),
        pytest.param(
            Threshold(Gauge.DAYS, 1),
            "At the present rate the balance lasts 1 day or less.",
            id="C20 a day",
        ),
    ],
)
def test_an_alert_says_what_was_reached(threshold: Threshold, text: str) -> None:
    assert words(threshold, "USD") == text


@given(st.lists(st.integers(0, 15), max_size=60))
def test_alerts_of_one_threshold_are_as_many_as_its_crossings(balances: list[int]) -> None:
    only, reached, sent = frozenset({TEN}), frozenset[Threshold](), 0
    for balance in balances:
        due = alerts_due(only, {Gauge.MONEY: balance * DOLLAR}, reached)
        reached, sent = due.reached, sent + len(due.send)
    below = [balance <= 10 for balance in balances]
    crossings = sum(now and not before for before, now in zip([False, *below], below, strict=False))
    assert sent == crossings
