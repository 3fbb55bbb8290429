"""Periods, midnights and business days. RINGLEDGER_ALL_ZONES=1 takes every anchor day through 48
months of every zone there is; otherwise awkward zones stand for the rest."""

import os
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import available_timezones

import pytest

from billing.calendar import (
    billing_cycle,
    business_day_of,
    business_day_window,
    is_business_day,
    local_midnight,
    nth_period,
    period,
    period_containing,
    periods_starting,
)

FIRST_MONTH = date(2026, 1, 1)
MONTHS = 48
MICROSECOND = timedelta(microseconds=1)
ANCHORS = [date(2026, 1, day) for day in range(1, 32)]
AWKWARD_ZONES = [
    "UTC",
    "America/New_York",
    "America/Havana",  # clocks change at midnight
    "America/Santiago",  # and here, in the other hemisphere
    "Asia/Beirut",
    "Africa/Cairo",
    "Africa/Casablanca",  # suspended in Ramadan
    "Australia/Lord_Howe",  # by half an hour
    "America/Nuuk",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Asia/Kathmandu",
]
ALL_ZONES = bool(os.environ.get("RINGLEDGER_ALL_ZONES"))
ZONES = sorted(available_timezones()) if ALL_ZONES else AWKWARD_ZONES


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


@pytest.mark.parametrize(
    "anchor, months, starts",
    [
        pytest.param(
            date(2026, 1, 31),
            1,
            [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)],
            id="S2-04 31 Jan, 28 Feb, 31 Mar, 30 Apr",
        ),
        pytest.param(
            date(2028, 1, 31), 1, [date(2028, 1, 31), date(2028, 2, 29)], id="S1-07 a leap February"
        ),
        pytest.param(
            date(2026, 1, 29),
            1,
            [date(2026, 1, 29), date(2026, 2, 28), date(2026, 3, 29)],
            id="S1-07 the 29th comes back after a short February",
        ),
        pytest.param(
            date(2028, 2, 29),
            12,
            [
                date(2028, 2, 29),
                date(2029, 2, 28),
                date(2030, 2, 28),
                date(2031, 2, 28),
                date(2032, 2, 29),
            ],
            id="S3-02 a year from 29 Feb",
        ),
        pytest.param(
            date(2026, 11, 30),
            1,
            [date(2026, 11, 30), date(2026, 12, 30), date(2027, 1, 30), date(2027, 2, 28)],
            id="S2-04 over the turn of the year",
        ),
    ],
)
def test_an_anchor_day_is_kept_over_short_months(
    anchor: date, months: int, starts: list[date]
) -> None:
    assert [nth_period(anchor, n, months) for n in range(len(starts))] == starts


@pytest.mark.parametrize("anchor", ANCHORS, ids=lambda day: f"S2-04 day {day.day}")
def test_no_anchor_day_drifts_in_48_months(anchor: date) -> None:
    for n in range(MONTHS):
        day, following = nth_period(anchor, n), nth_period(anchor, n + 1)
        assert (day.year * 12 + day.month) == anchor.year * 12 + anchor.month + n
        assert day.day == anchor.day or (day + timedelta(days=1)).day == 1
        assert 28 <= (following - day).days <= 31


def test_no_zone_has_a_gap_or_an_overlap_between_days_in_48_months() -> None:
    """Every anchor's boundaries are among these midnights, in every zone there is."""
    days = [FIRST_MONTH + timedelta(days=n) for n in range(31 * MONTHS)]
    for zone in sorted(available_timezones()):
        starts = [local_midnight(day, zone) for day in days]
        assert all(a < b for a, b in pairwise(starts)), zone


@pytest.mark.parametrize("zone", ZONES)
def test_every_instant_lies_in_exactly_one_period_of_every_anchor(zone: str) -> None:
    for anchor in ANCHORS:
        for n in range(0, MONTHS, 1 if ALL_ZONES or anchor.day in (1, 29, 31) else 7):
            found = period(anchor, n, zone)
            assert period_containing(anchor, found.starts_at, zone) == found
            assert period_containing(anchor, found.starts_at - MICROSECOND, zone).n == n - 1
            assert found.ends_at == period(anchor, n + 1, zone).starts_at


@pytest.mark.parametrize(
    "day, zone, starts_at",
    [
        pytest.param(date(2026, 3, 8), "America/New_York", utc(2026, 3, 8, 5), id="before the gap"),
        pytest.param(date(2026, 3, 9), "America/New_York", utc(2026, 3, 9, 4), id="after it"),
        pytest.param(
            date(2026, 9, 6), "America/Santiago", utc(2026, 9, 6, 4), id="00:00 is skipped: the gap"
        ),
        pytest.param(
            date(2026, 11, 1), "America/Havana", utc(2026, 11, 1, 4), id="00:00 twice: the first"
        ),
        pytest.param(date(2026, 1, 1), "Asia/Kathmandu", utc(2025, 12, 31, 18, 15), id="+5:45"),
    ],
)
def test_a_local_day_begins_at_one_instant(day: date, zone: str, starts_at: datetime) -> None:
    assert local_midnight(day, zone) == starts_at


def test_s4_02_a_cycle_from_the_17th_runs_to_the_16th_in_the_accounts_zone() -> None:
    cycle = billing_cycle(17, utc(2026, 3, 17, 3, 59), "America/New_York")
    assert (cycle.starts_on, cycle.ends_on) == (date(2026, 2, 17), date(2026, 3, 17))
    following = billing_cycle(17, utc(2026, 3, 17, 4), "America/New_York")
    assert (following.starts_on, following.ends_on) == (date(2026, 3, 17), date(2026, 4, 17))
    assert (cycle.starts_at, cycle.ends_at) == (utc(2026, 2, 17, 5), utc(2026, 3, 17, 4))


def test_s4_06_a_cycle_has_the_same_number_from_its_first_instant_to_its_last() -> None:
    """Also over the turn of the year: its bucket and its keys are made from the number."""
    instants = [utc(2026, 12, 17, 12), utc(2026, 12, 31, 23), utc(2027, 1, 1, 12), utc(2027, 1, 16)]
    assert len({billing_cycle(17, instant, "America/New_York").n for instant in instants}) == 1


def test_c14_a_cycle_anchored_on_the_31st_ends_with_every_month() -> None:
    starts = [billing_cycle(31, utc(2027, m, 15), "UTC").starts_on for m in (1, 2, 3, 4, 5)]
    assert starts == [
        date(2026, 12, 31),
        date(2027, 1, 31),
        date(2027, 2, 28),
        date(2027, 3, 31),
        date(2027, 4, 30),
    ]


@pytest.mark.parametrize("cuts", [1, 2, 7, 100])
def test_s1_13_however_often_the_clock_looks_each_period_starts_once(cuts: int) -> None:
    anchor, zone = date(2026, 1, 31), "America/New_York"
    begin, end = utc(2026, 1, 31, 20), utc(2028, 1, 31, 20)
    step = (end - begin) / cuts
    looks = [begin + step * n for n in range(cuts)] + [end]
    seen = [
        found.n
        for after, until in pairwise(looks)
        for found in periods_starting(anchor, after, until, zone)
    ]
    assert seen == list(range(1, 25))


@pytest.mark.parametrize(
    "instant, day",
    [
        pytest.param(utc(2026, 3, 6, 23), date(2026, 3, 6), id="S3-09 Friday on Friday"),
        pytest.param(utc(2026, 3, 7, 18), date(2026, 3, 9), id="S3-09 Saturday lands on Monday"),
        pytest.param(utc(2026, 3, 9, 3), date(2026, 3, 9), id="S3-09 Sunday night: Monday"),
        pytest.param(
            utc(2026, 7, 3, 18), date(2026, 7, 6), id="S3-09 4 July is observed on Friday the 3rd"
        ),
        pytest.param(
            utc(2026, 12, 25, 18),
            date(2026, 12, 28),
            id="S3-09 Christmas: the Monday after",
        ),
    ],
)
def test_usage_belongs_to_a_business_day(instant: datetime, day: date) -> None:
    assert business_day_of(instant, "America/New_York", "US") == day


def test_s3_09_a_business_day_takes_all_since_the_one_before_also_when_clocks_change() -> None:
    begins, ends = business_day_window(date(2026, 3, 9), "America/New_York", "US")
    assert ends - begins == timedelta(hours=24 + 23 + 24)
    begins, ends = business_day_window(date(2026, 11, 2), "America/New_York", "US")
    assert ends - begins == timedelta(hours=24 + 25 + 24)


def test_s3_09_business_days_divide_a_year_without_gap_or_overlap() -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    windows = [
        business_day_window(day, "Europe/Berlin", "DE", "BY")
        for day in days
        if is_business_day(day, "DE", "BY")
    ]
    assert len(windows) == 252, "261 weekdays less 9 holidays"
    assert all(a[1] == b[0] for a, b in pairwise(windows))
