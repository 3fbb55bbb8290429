from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.charges import ChargeState
from billing.recharge import (
    BREAKER_CHARGES_MIN,
    CHARGES_PER_DAY_MAX,
    WORTH_AN_ALERT,
    Breaker,
    Charge,
    Hold,
    HoldReason,
    PastCharge,
    RechargeSettings,
    decide_recharge,
    settings_problems,
)
from billing.terms import Recharge

DOLLAR = 1_000_000
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ALLOWED = Recharge(allowed=True)
OK, FAILED = ChargeState.OK, ChargeState.FAILED


def chosen(
    minimum: int = 10 * DOLLAR,
    maximum: int = 50 * DOLLAR,
    *,
    on: bool = True,
    terms: Recharge = ALLOWED,
    daily: int | None = None,
    monthly: int | None = None,
) -> RechargeSettings:
    return RechargeSettings(on, minimum, maximum, terms, daily, monthly)


def past(hours_ago: float, state: ChargeState = OK, amount: int = 40 * DOLLAR) -> PastCharge:
    return PastCharge(amount, NOON - timedelta(hours=hours_ago), state)


def decide(
    settings: RechargeSettings | None = None,
    balance: int = 9 * DOLLAR,
    charges: tuple[PastCharge, ...] = (),
    *,
    card: str | None = "visa",
    free_in_hours: float | None = None,
    stopped: bool = False,
    zone: str = "UTC",
) -> Charge | Hold:
    return decide_recharge(
        settings or chosen(),
        balance_micros=balance,
        charges=charges,
        card_id=card,
        card_free_at=None if free_in_hours is None else NOON + timedelta(hours=free_in_hours),
        system_stopped=stopped,
        zone=zone,
        now=NOON,
    )


@pytest.mark.parametrize(
    "settings, paths",
    [
        pytest.param(chosen(0, DOLLAR), [], id="S2-10 a minimum of 0 is allowed"),
        pytest.param(chosen(0, 499_999), ["/maximum"], id="S2-10 less than a card takes"),
        pytest.param(chosen(-1, 5), ["/minimum"], id="S2-10 below 0"),
        pytest.param(chosen(5, 5), ["/maximum"], id="S2-10 equal is refused"),
        pytest.param(chosen(5, 4), ["/maximum"], id="S2-10 minimum above maximum"),
        pytest.param(chosen(terms=Recharge()), ["/on"], id="C6 a plan without recharge"),
        pytest.param(chosen(on=False, terms=Recharge()), [], id="C6 off is always allowed"),
        pytest.param(chosen(daily=39 * DOLLAR), ["/daily_cap"], id="C6 a cap below one recharge"),
        pytest.param(
            chosen(terms=Recharge(allowed=True, monthly_cap_micros=39 * DOLLAR)),
            ["/monthly_cap"],
            id="C6 more than the plan allows in a month",
        ),
    ],
)
def test_the_settings_of_a_recharge_are_checked(
    settings: RechargeSettings, paths: list[str]
) -> None:
    problems = settings_problems(settings)
    assert [problem.path for problem in problems] == paths
    assert all(problem.message for problem in problems)


@pytest.mark.parametrize(
    "balance, amount",
    [
        pytest.param(10 * DOLLAR, None, id="S2-11 exactly the minimum is not below it"),
        pytest.param(10 * DOLLAR - 1, 40 * DOLLAR + 1, id="S2-11 a micro below"),
        pytest.param(0, 50 * DOLLAR, id="S2-11 from zero up to the maximum"),
        pytest.param(-5 * DOLLAR, 55 * DOLLAR, id="S2-11 an overdraft is filled too"),
        pytest.param(60 * DOLLAR, None, id="S2-11 above the maximum"),
    ],
)
def test_the_card_is_charged_up_to_the_maximum_strictly_below_the_minimum(
    balance: int, amount: int | None
) -> None:
    decided = decide(balance=balance)
    assert decided == Charge(amount, "visa") if amount else isinstance(decided, Hold)


@pytest.mark.parametrize(
    "decided, reason, until_hours",
    [
        pytest.param(decide(chosen(on=False)), HoldReason.OFF, None, id="S2-17 off: by hand"),
        pytest.param(
            decide(charges=(past(1, ChargeState.UNKNOWN),)),
            HoldReason.IN_FLIGHT,
            None,
            id="S2-11 one in flight",
        ),
        pytest.param(
            decide(charges=(past(1, ChargeState.REQUIRES_ACTION),)),
            HoldReason.IN_FLIGHT,
            None,
            id="C6 waiting for the bank is in flight",
        ),
        pytest.param(decide(card=None), HoldReason.NO_CARD, None, id="C6 no card"),
        pytest.param(
            decide(free_in_hours=5), HoldReason.RETRY_LATER, 5, id="S2-13 the retry schedule"
        ),
        pytest.param(
            decide(
                chosen(terms=Recharge(allowed=True, cooldown_seconds=7_200)), charges=(past(1.5),)
            ),
            HoldReason.COOLING_DOWN,
            0.5,
            id="C6 cool-down",
        ),
        pytest.param(
            decide(chosen(daily=80 * DOLLAR), charges=(past(10),)),
            HoldReason.DAILY_CAP,
            None,
            id="C6 41.00 more would pass the cap of the day",
        ),
        pytest.param(
            decide(chosen(monthly=120 * DOLLAR), charges=(past(300), past(30))),
            HoldReason.MONTHLY_CAP,
            None,
            id="C6 cap of the month",
        ),
        pytest.param(
            decide(charges=(past(20), past(10), past(1))),
            HoldReason.TOO_MANY_CHARGES,
            4,
            id="E3 three charges in 24 hours",
        ),
        pytest.param(decide(stopped=True), HoldReason.SYSTEM_STOPPED, None, id="E3 breaker"),
    ],
)
def test_a_recharge_is_held_back_for_a_reason(
    decided: Charge | Hold, reason: HoldReason, until_hours: float | None
) -> None:
    assert isinstance(decided, Hold) and decided.words
    until = None if until_hours is None else NOON + timedelta(hours=until_hours)
    assert (decided.reason, decided.until) == (reason, until)


@pytest.mark.parametrize(
    "decided",
    [
        pytest.param(
            decide(charges=(past(1, FAILED),) * 9), id="C6 failed charges count for nothing"
        ),
        pytest.param(
            decide(chosen(daily=80 * DOLLAR), charges=(past(13),)),
            id="C6 a cap starts anew each day",
        ),
        pytest.param(
            decide(chosen(daily=80 * DOLLAR), charges=(past(10),), zone="America/New_York"),
            id="C6 the day of a cap is the account's own",
        ),
        pytest.param(
            decide(chosen(monthly=81 * DOLLAR), charges=(past(24 * 20), past(30))),
            id="C6 exactly the cap of the month",
        ),
        pytest.param(decide(free_in_hours=0), id="S2-13 the rest is over"),
    ],
)
def test_a_recharge_goes_ahead_where_nothing_stands_against_it(decided: Charge | Hold) -> None:
    assert decided == Charge(41 * DOLLAR, "visa")


def test_c6_the_tighter_of_two_caps_binds() -> None:
    terms = Recharge(allowed=True, daily_cap_micros=70, monthly_cap_micros=900)
    both = chosen(terms=terms, daily=80, monthly=800)
    assert (both.daily_cap, both.monthly_cap) == (70, 800)
    assert chosen().daily_cap is None


@given(
    st.lists(st.integers(1, 120), min_size=1, max_size=60),
    st.integers(0, 2 * DOLLAR),
    st.integers(50, 200),
    st.integers(50, 400),
)
def test_a_runaway_never_passes_the_caps(
    gaps_minutes: list[int], credited: int, daily: int, monthly: int
) -> None:
    """E3, M11: the balance never reflects what was charged, and somebody drains it for hours."""
    settings = chosen(daily=daily * DOLLAR, monthly=monthly * DOLLAR)
    charges: list[PastCharge] = []
    now, alerts = NOON, set[HoldReason]()
    for gap in gaps_minutes:
        now += timedelta(minutes=gap)
        decided = decide_recharge(
            settings,
            balance_micros=credited,
            charges=charges,
            card_id="visa",
            card_free_at=None,
            system_stopped=False,
            zone="America/New_York",
            now=now,
        )
        if isinstance(decided, Charge):
            assert decided.amount_micros == 50 * DOLLAR - credited
            charges.append(PastCharge(decided.amount_micros, now, OK))
        elif decided.reason in WORTH_AN_ALERT:
            alerts.add(decided.reason)
    for charge in charges:
        within = [c for c in charges if charge.at <= c.at < charge.at + timedelta(hours=24)]
        assert len(within) <= CHARGES_PER_DAY_MAX
    assert sum(charge.amount_micros for charge in charges) <= monthly * DOLLAR
    assert len(charges) == len(gaps_minutes) or alerts


@pytest.mark.parametrize(
    "last_minute, baseline, minutes, trips",
    [
        pytest.param(50, 600, 60, False, id="E3 five times the usual is not above it"),
        pytest.param(51, 600, 60, True, id="E3 above five times the usual"),
        pytest.param(BREAKER_CHARGES_MIN - 1, 0, 60, False, id="E3 a quiet system never trips"),
        pytest.param(BREAKER_CHARGES_MIN, 0, 60, True, id="E3 ten at once where none is usual"),
    ],
)
def test_the_breaker_of_the_system_trips_above_five_times_the_usual(
    last_minute: int, baseline: int, minutes: int, trips: bool
) -> None:
    watched = Breaker().watch(
        charges_last_minute=last_minute,
        charges_baseline=baseline,
        baseline_minutes=minutes,
        now=NOON,
    )
    assert watched == Breaker(NOON if trips else None)


def test_e3_a_tripped_breaker_stays_tripped_until_a_person_closes_it() -> None:
    tripped = Breaker(NOON)
    for charges in (0, 1_000):
        later = tripped.watch(
            charges_last_minute=charges,
            charges_baseline=1,
            baseline_minutes=60,
            now=NOON + timedelta(days=1),
        )
        assert later == tripped


def test_the_amount_is_whole_coins_and_never_above_the_maximum() -> None:
    decided = decide_recharge(
        chosen(),
        balance_micros=9_930_834,
        charges=(),
        card_id="visa",
        card_free_at=None,
        system_stopped=False,
        zone="UTC",
        now=NOON,
        quantum_micros=10_000,
    )
    assert decided == Charge(40_060_000, "visa")


def test_c6_the_longer_cool_down_counts() -> None:
    own = RechargeSettings(True, 10 * DOLLAR, 50 * DOLLAR, ALLOWED, cooldown_seconds=7_200)
    held = decide(own, charges=(past(1.5),))
    assert isinstance(held, Hold) and held.reason == HoldReason.COOLING_DOWN
    assert decide(own, charges=(past(2.5),)) == Charge(41 * DOLLAR, "visa")
    wrong = RechargeSettings(True, 0, DOLLAR, ALLOWED, cooldown_seconds=-1)
    assert [problem.path for problem in settings_problems(wrong)] == ["/cooldown_seconds"]


def test_e3_charges_from_before_staff_lifted_the_brake_do_not_trip_it_again() -> None:
    three = (past(9), past(6), past(3))
    held = decide(charges=three)
    assert isinstance(held, Hold) and held.reason == HoldReason.TOO_MANY_CHARGES

    def lifted(hours_ago: float) -> Charge | Hold:
        return decide_recharge(
            chosen(),
            balance_micros=9 * DOLLAR,
            charges=three,
            card_id="visa",
            card_free_at=None,
            system_stopped=False,
            zone="UTC",
            now=NOON,
            brake_lifted_at=NOON - timedelta(hours=hours_ago),
        )

    assert lifted(1) == Charge(41 * DOLLAR, "visa")
    assert lifted(10) == held
