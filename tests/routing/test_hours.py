from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.hours import (
    Span,
    WeeklyHours,
    holiday_name,
    is_holiday_code,
    is_open,
    is_time_zone,
)

WEEKDAYS, EVERY_DAY = (0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5, 6)
NEW_YORK = ZoneInfo("America/New_York")


def office(*spans: Span, zone: str = "America/New_York", holidays: str = "") -> WeeklyHours:
    return WeeklyHours(zone, spans or (Span(WEEKDAYS, 9 * 60, 17 * 60),), holidays)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "at, opened",
    [
        pytest.param("2026-07-06T12:59:59", False, id="Monday 8:59:59 is too early"),
        pytest.param("2026-07-06T13:00:00", True, id="Monday 9:00 sharp is open"),
        pytest.param("2026-07-06T20:59:59", True, id="Monday 16:59:59 is open"),
        pytest.param("2026-07-06T21:00:00", False, id="Monday 17:00 sharp is closed"),
        pytest.param("2026-07-05T15:00:00", False, id="Sunday is closed"),
        pytest.param("2026-01-05T14:00:00", True, id="in winter 9:00 is an hour later in UTC"),
        pytest.param("2026-01-05T13:00:00", False, id="in winter 8:00 is closed"),
    ],
)
def test_an_office_is_open_nine_to_five(at, opened):
    assert is_open(office(), utc(at)) is opened


@pytest.mark.parametrize(
    "at, opened",
    [
        pytest.param("2026-07-04T02:00:00", True, id="Friday 22:00 the bar opens"),
        pytest.param("2026-07-04T05:59:00", True, id="Saturday 1:59 is still Friday's night"),
        pytest.param("2026-07-04T06:00:00", False, id="Saturday 2:00 it closes"),
        pytest.param("2026-07-05T02:00:00", False, id="Saturday night has no hours"),
        pytest.param("2026-07-03T05:00:00", False, id="Friday 1:00 belongs to Thursday's night"),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_began(at, opened):
    bar = office(Span((4,), 22 * 60, 2 * 60))
    assert is_open(bar, utc(at)) is opened


def test_a_sunday_night_runs_into_monday():
    assert is_open(office(Span((6,), 22 * 60, 2 * 60)), utc("2026-07-06T05:00:00"))


def test_until_24_00_is_until_midnight():
    late = office(Span((0,), 18 * 60, 1440))
    assert is_open(late, utc("2026-07-07T03:59:59"))
    assert not is_open(late, utc("2026-07-07T04:00:00"))


@pytest.mark.parametrize(
    "at, opened",
    [
        pytest.param("2026-03-08T06:30:00", False, id="1:30, before the gap"),
        pytest.param("2026-03-08T06:59:59", False, id="1:59:59, the last second before it"),
        pytest.param("2026-03-08T07:00:00", True, id="3:00, the first after it: 2:30 has passed"),
        pytest.param("2026-03-08T07:29:59", True, id="3:29:59"),
        pytest.param("2026-03-08T07:30:00", False, id="3:30 closes"),
    ],
)
def test_hours_that_open_in_the_missing_hour_of_spring(at, opened):
    assert is_open(office(Span((6,), 150, 210)), utc(at)) is opened


@pytest.mark.parametrize(
    "at, opened",
    [
        pytest.param("2026-11-01T04:59:59", False, id="0:59:59"),
        pytest.param("2026-11-01T05:00:00", True, id="1:00, the first time"),
        pytest.param("2026-11-01T05:59:59", True, id="1:59:59, the first time"),
        pytest.param("2026-11-01T06:00:00", True, id="1:00, the second time"),
        pytest.param("2026-11-01T06:59:59", True, id="1:59:59, the second time"),
        pytest.param("2026-11-01T07:00:00", False, id="2:00"),
    ],
)
def test_the_hour_that_comes_twice_in_autumn_is_open_twice(at, opened):
    assert is_open(office(Span((6,), 60, 120)), utc(at)) is opened


@pytest.mark.parametrize("day, hours_open", [("2026-03-08", 23), ("2026-11-01", 25)])
def test_an_all_day_line_is_open_for_every_hour_of_a_dst_day(day, hours_open):
    always = office(Span((6,), 0, 1440))
    start = datetime.fromisoformat(day).replace(tzinfo=NEW_YORK).astimezone(UTC) - timedelta(
        hours=3
    )
    opened = sum(is_open(always, start + timedelta(hours=h)) for h in range(36))
    assert opened == hours_open


@pytest.mark.parametrize(
    "code, at, opened",
    [
        pytest.param("US", "2026-12-25T15:00:00", False, id="Christmas is closed"),
        pytest.param("", "2026-12-25T15:00:00", True, id="without a calendar it is a Friday"),
        pytest.param("US", "2026-07-03T15:00:00", False, id="the 4th observed on Friday"),
        pytest.param("US-NY", "2026-02-12T15:00:00", False, id="Lincoln's day in New York"),
        pytest.param("US", "2026-02-12T15:00:00", True, id="and not in the whole country"),
        pytest.param("CA-ON", "2026-07-01T15:00:00", False, id="Canada Day in Ontario"),
    ],
)
def test_holidays_close_the_office(code, at, opened):
    assert is_open(office(holidays=code), utc(at)) is opened


def test_the_night_before_a_holiday_is_worked_to_its_end():
    bar = office(Span(EVERY_DAY, 22 * 60, 2 * 60), holidays="US")
    assert is_open(bar, utc("2026-12-25T06:00:00"))  # 1:00 on Christmas, Christmas Eve's night
    assert not is_open(bar, utc("2026-12-26T06:00:00"))  # Christmas night itself is closed


def test_a_holiday_has_a_name():
    assert holiday_name("US", date(2026, 12, 25)) == "Christmas Day"
    assert holiday_name("US", date(2026, 12, 24)) == ""


def test_a_calendar_dropped_by_a_later_version_closes_nothing():
    assert holiday_name("ZZ", date(2026, 12, 25)) == ""


@pytest.mark.parametrize(
    "code, known", [("US", True), ("US-NY", True), ("GB-ENG", True), ("US-ZZ", False), ("", False)]
)
def test_which_calendars_exist(code, known):
    assert is_holiday_code(code) is known


@pytest.mark.parametrize(
    "name, known",
    [("America/New_York", True), ("Mars/Olympus", False), ("../etc/passwd", False), ("", False)],
)
def test_which_time_zones_exist(name, known):
    assert is_time_zone(name) is known


# hypothesis wants naive bounds and adds the zone itself
instants = st.datetimes(
    datetime.fromisoformat("2020-01-01"),
    datetime.fromisoformat("2030-01-01"),
    timezones=st.just(UTC),
)


@settings(deadline=None)
@given(instants, st.sampled_from(["America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]))
def test_day_and_night_together_are_always_open_and_never_both(now, zone):
    day = office(Span(EVERY_DAY, 8 * 60, 20 * 60), zone=zone)
    night = office(Span(EVERY_DAY, 20 * 60, 8 * 60), zone=zone)
    assert is_open(day, now) != is_open(night, now)
