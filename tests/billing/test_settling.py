from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.settling import (
    Bill,
    CarryOver,
    Locale,
    NothingDue,
    bill_for,
    due_on,
    floor_micros,
    overdue_on,
    settle_key,
    settlement_of,
    settlements_due,
)
from billing.terms import Mode, Settlement

NEW_YORK = Locale("America/New_York", "US")
BAVARIA = Locale("Europe/Berlin", "DE", "BY")
DAYS: tuple[Settlement, ...] = ("daily", "business_day", "cycle")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "mode, used_at, place, day, hours",
    [
        pytest.param(
            "daily", utc("2026-11-21T12:00"), NEW_YORK, date(2026, 11, 21), 24, id="S2-06 a day"
        ),
        pytest.param(
            "daily", utc("2026-11-21T04:59"), NEW_YORK, date(2026, 11, 20), 24, id="S2-06 local day"
        ),
        pytest.param(
            "daily", utc("2026-11-01T12:00"), NEW_YORK, date(2026, 11, 1), 25, id="S3-09 25 hours"
        ),
        pytest.param(
            "daily", utc("2026-03-08T12:00"), NEW_YORK, date(2026, 3, 8), 23, id="S3-09 23 hours"
        ),
        pytest.param(
            "business_day",
            utc("2026-11-20T12:00"),
            NEW_YORK,
            date(2026, 11, 20),
            24,
            id="S3-09 a Friday is its own",
        ),
        pytest.param(
            "business_day",
            utc("2026-11-21T12:00"),
            NEW_YORK,
            date(2026, 11, 23),
            72,
            id="S3-09 a Saturday lands on Monday",
        ),
        pytest.param(
            "business_day",
            utc("2026-11-26T12:00"),
            NEW_YORK,
            date(2026, 11, 27),
            48,
            id="S3-09 Thanksgiving lands on Friday",
        ),
        pytest.param(
            "business_day",
            utc("2026-01-06T12:00"),
            BAVARIA,
            date(2026, 1, 7),
            48,
            id="S3-09 a holiday of a subdivision",
        ),
        pytest.param(
            "business_day",
            utc("2026-10-31T16:00"),
            NEW_YORK,
            date(2026, 11, 2),
            73,
            id="S3-09 a weekend with a night of 25 hours",
        ),
        pytest.param(
            "cycle",
            utc("2026-11-20T12:00"),
            NEW_YORK,
            date(2026, 12, 16),
            30 * 24,
            id="S4-07 a cycle from 17 to 16",
        ),
    ],
)
def test_usage_lands_on_the_day_that_bills_it(
    mode: Settlement, used_at: datetime, place: Locale, day: date, hours: int
) -> None:
    found = settlement_of(mode, used_at, place, anchor_day=17)
    assert found is not None and found.day == day
    assert found.starts_at <= used_at < found.ends_at
    assert found.ends_at - found.starts_at == timedelta(hours=hours)


def test_c7_a_balance_that_pays_at_once_has_no_day_of_settlement() -> None:
    assert settlement_of("balance_now", utc("2026-11-20T12:00"), NEW_YORK) is None
    due = settlements_due("balance_now", utc("2026-11-20T12:00"), utc("2027-11-20T12:00"), NEW_YORK)
    assert list(due) == []


@given(
    st.sampled_from(DAYS),
    st.sampled_from([NEW_YORK, BAVARIA, Locale("Asia/Kathmandu", "NP"), Locale("UTC", "US")]),
    st.integers(0, 35_000).map(lambda hours: utc("2024-01-01T00:17") + timedelta(hours=hours)),
    st.lists(st.integers(1, 200), min_size=1, max_size=12),
)
def test_looks_that_meet_miss_no_settlement_and_share_none(
    mode: Settlement, place: Locale, start: datetime, hours: list[int]
) -> None:
    looks = [start]
    for gap in hours:
        looks.append(looks[-1] + timedelta(hours=gap))
    found = [
        due
        for after, until in pairwise(looks)
        for due in settlements_due(mode, after, until, place, anchor_day=31)
    ]
    assert found == list(settlements_due(mode, start, looks[-1], place, anchor_day=31))
    assert all(before.ends_at == later.starts_at for before, later in pairwise(found))
    assert len({due.day for due in found}) == len(found)


def test_s2_06_a_day_is_due_at_the_midnight_that_ends_it() -> None:
    midnight = utc("2026-11-21T05:00")
    before = midnight - timedelta(seconds=1)
    due = list(settlements_due("daily", before, midnight, NEW_YORK))
    assert [found.day for found in due] == [date(2026, 11, 20)]
    assert list(settlements_due("daily", before - timedelta(hours=1), before, NEW_YORK)) == []


def test_s3_09_one_key_per_account_and_day() -> None:
    acme = UUID(int=1)
    assert settle_key(acme, date(2026, 11, 20)) == f"settle:{acme}:2026-11-20"


@pytest.mark.parametrize(
    "used, carried, minimum, last, expected",
    [
        pytest.param(0, 0, 500, False, NothingDue(), id="S3-09 a day without usage: no charge"),
        pytest.param(700, 0, 500, False, Bill(700), id="S3-09 what was used"),
        pytest.param(500, 0, 500, False, Bill(500), id="S3-09 exactly the minimum"),
        pytest.param(499, 0, 500, False, CarryOver(499), id="S3-09 too little: carried over"),
        pytest.param(100, 499, 500, False, Bill(599), id="S3-09 with what was carried over"),
        pytest.param(0, 499, 500, False, CarryOver(499), id="S3-09 carried over once more"),
        pytest.param(0, 499, 500, True, Bill(499), id="S3-09 the last bill takes the rest"),
        pytest.param(-100, 0, 500, True, CarryOver(-100), id="C10 a correction is no charge"),
        pytest.param(1, 0, 0, False, Bill(1), id="S3-09 no minimum: every micro"),
    ],
)
def test_a_day_is_charged_for_what_was_used(
    used: int, carried: int, minimum: int, last: bool, expected: Bill | CarryOver | NothingDue
) -> None:
    assert bill_for(used, carried_micros=carried, minimum_micros=minimum, last=last) == expected


@given(st.lists(st.integers(-500, 3_000), min_size=1, max_size=60), st.integers(0, 2_000))
def test_days_charged_and_carried_sum_to_what_was_used(used: list[int], minimum: int) -> None:
    charged = carried = 0
    for amount in used:
        decided = bill_for(amount, carried_micros=carried, minimum_micros=minimum)
        carried = decided.amount_micros if isinstance(decided, CarryOver) else 0
        if isinstance(decided, Bill):
            assert decided.amount_micros >= max(1, minimum)
            charged += decided.amount_micros
    assert charged + carried == sum(used)


@pytest.mark.parametrize(
    "mode, floor",
    [
        pytest.param("prepaid", 0, id="C8 prepaid ends at zero"),
        pytest.param("postpaid", -100, id="C8 postpaid has credit"),
        pytest.param("card_daily", -100, id="C8 a card in arrears has credit"),
    ],
)
def test_the_floor_of_a_balance_follows_from_the_mode(mode: Mode, floor: int) -> None:
    assert floor_micros(mode, 100) == floor


@pytest.mark.parametrize(
    "issued, days, due",
    [
        pytest.param(date(2026, 11, 2), 14, date(2026, 11, 16), id="S5-18 14 days: a Monday"),
        pytest.param(date(2026, 11, 7), 14, date(2026, 11, 23), id="S5-18 a Saturday: Monday"),
        pytest.param(
            date(2026, 11, 12), 14, date(2026, 11, 27), id="S5-18 a holiday: the day after"
        ),
    ],
)
def test_an_invoice_falls_due_on_a_business_day(issued: date, days: int, due: date) -> None:
    assert due_on(issued, days, NEW_YORK) == due
    assert overdue_on(due) == due + timedelta(days=1)
