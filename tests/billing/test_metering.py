from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import permutations

import pytest

from billing.metering import (
    TERMINAL,
    LegStatus,
    LegUsage,
    billable_seconds,
    bucket_day,
    status_rank,
    talk_seconds,
)
from tests.billing.plans import tariff


@pytest.mark.parametrize(
    "status, duration, talked",
    [
        pytest.param("completed", 83, 83, id="S2-07 talk time is answer to hang-up"),
        pytest.param("completed", 0, 0, id="S5-02 answered and hung up at once is 0 s"),
        pytest.param("no-answer", 45, 0, id="S4-14 unanswered is 0 s, however long it rang"),
        pytest.param("busy", 5, 0, id="S2-07 busy is 0 s"),
        pytest.param("canceled", 12, 0, id="S2-07 the loser of a group is 0 s"),
        pytest.param("failed", 3, 0, id="S2-07 failed is 0 s"),
        pytest.param("in-progress", 60, 0, id="S2-07 a leg that has not ended is not charged yet"),
        pytest.param("completed", Decimal("82.01"), 83, id="S5-02 a fraction is rounded up once"),
        pytest.param("completed", Decimal("83.00"), 83, id="S5-02 no fraction, no rounding"),
        pytest.param("completed", -1, 0, id="a duration below zero is none"),
    ],
)
def test_only_answered_legs_were_talked_on(
    status: str, duration: int | Decimal, talked: int
) -> None:
    assert talk_seconds(LegStatus(status), duration) == talked


def test_news_about_a_leg_ends_up_the_same_in_any_order() -> None:
    story = [LegStatus(word) for word in ("initiated", "ringing", "in-progress", "completed")]
    assert {max(order, key=status_rank) for order in permutations(story)} == {LegStatus.COMPLETED}
    assert status_rank(LegStatus.QUEUED) < status_rank(LegStatus.INITIATED)
    assert {status_rank(status) for status in TERMINAL} == {4}
    assert all(status_rank(status) < 4 for status in set(LegStatus) - TERMINAL)


@pytest.mark.parametrize(
    "started_at, zone, day",
    [
        pytest.param(
            datetime(2026, 3, 1, 4, 59, tzinfo=UTC),
            "America/New_York",
            date(2026, 2, 28),
            id="S2-06 one minute before midnight in New York is still yesterday",
        ),
        pytest.param(
            datetime(2026, 3, 1, 5, 0, tzinfo=UTC),
            "America/New_York",
            date(2026, 3, 1),
            id="S2-06 midnight in New York begins the day",
        ),
        pytest.param(
            datetime(2026, 3, 8, 6, 59, tzinfo=UTC),
            "America/New_York",
            date(2026, 3, 8),
            id="S2-06 the night the clocks go forward",
        ),
        pytest.param(
            datetime(2026, 11, 2, 4, 30, tzinfo=UTC),
            "America/New_York",
            date(2026, 11, 1),
            id="S2-06 the day of 25 hours keeps its last hour",
        ),
        pytest.param(
            datetime(2026, 1, 1, 0, 0, tzinfo=UTC),
            "Asia/Kolkata",
            date(2026, 1, 1),
            id="S2-06 half past five in India",
        ),
        pytest.param(
            datetime(2026, 1, 1, 10, 30, tzinfo=UTC),
            "Pacific/Kiritimati",
            date(2026, 1, 2),
            id="S2-06 the first zone to see a day",
        ),
    ],
)
def test_a_call_belongs_to_the_local_day_it_started(
    started_at: datetime, zone: str, day: date
) -> None:
    assert bucket_day(started_at, zone) == day


def inbound(status: str = "completed", **seconds: int) -> LegUsage:
    return LegUsage(kind="inbound", status=LegStatus(status), **({"talk_seconds": 90} | seconds))


def forwarded(status: str = "completed", **seconds: int) -> LegUsage:
    return LegUsage(kind="forwarded", status=LegStatus(status), **({"talk_seconds": 83} | seconds))


@pytest.mark.parametrize(
    "leg, legs, seconds",
    [
        pytest.param(inbound(), {}, 90, id="C9 inbound from answer to hang-up"),
        pytest.param(
            inbound(bridged_seconds=83), {"ivr_time": False}, 83, id="C9 the menu's 7 s are free"
        ),
        pytest.param(
            inbound(), {"ivr_time": False}, 0, id="S4-14 nobody answered the menu's call: 0 s"
        ),
        pytest.param(
            inbound(bridged_seconds=95),
            {"ivr_time": False},
            90,
            id="C9 never more than the leg itself",
        ),
        pytest.param(inbound(ring_seconds=12), {}, 90, id="S2-07 ringing is not talking"),
        pytest.param(
            forwarded(ring_seconds=12), {"ring_time": True}, 95, id="C9 ringing of an answered leg"
        ),
        pytest.param(
            forwarded("no-answer", talk_seconds=0, ring_seconds=30),
            {"ring_time": True},
            0,
            id="S4-14 ringing that nobody answered stays free",
        ),
        pytest.param(
            forwarded(talk_seconds=0, ring_seconds=30),
            {"ring_time": True},
            0,
            id="C9 ringing before a talk of 0 s stays free",
        ),
        pytest.param(
            inbound(ring_seconds=12),
            {"ring_time": True, "ivr_time": False},
            0,
            id="C9 ringing before a menu that is free stays free",
        ),
        pytest.param(forwarded(), {"forwarded": False}, 0, id="S2-03 only inbound talk is charged"),
        pytest.param(inbound(), {"inbound": False}, 0, id="C9 only the forwarded leg is charged"),
        pytest.param(
            LegUsage(kind="transfer", status=LegStatus.COMPLETED, talk_seconds=40),
            {"transfer": False},
            0,
            id="C9 transfers included",
        ),
        pytest.param(
            forwarded("canceled"), {}, 0, id="S2-07 a duration on a loser's leg counts for nothing"
        ),
    ],
)
def test_the_plan_says_which_time_it_charges(
    leg: LegUsage, legs: dict[str, bool], seconds: int
) -> None:
    assert billable_seconds(leg, tariff(billable_legs=legs)) == seconds
