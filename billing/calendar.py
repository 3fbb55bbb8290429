"""Periods with an anchor day, local midnights as instants, and business days.

A period starts at the local midnight of its first day and ends where the next one starts, so
that periods have neither gaps nor overlaps, whatever the clocks do in between.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from holidays import HolidayBase

_SATURDAY = 5
_FIRST_CYCLE_YEAR = 2000
_ONE_DAY = timedelta(days=1)


def nth_period(anchor: date, n: int, months: int = 1) -> date:
    """First day of the nth period after the anchor's own; a short month clamps, once.

    31 Jan, 28 Feb, 31 Mar: each is counted from the anchor, so the day is never lost.
    """
    index = anchor.year * 12 + anchor.month - 1 + n * months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(anchor.day, monthrange(year, month)[1]))


def local_date(instant: datetime, zone: str) -> date:
    assert instant.tzinfo is not None, "an instant needs a zone"
    return instant.astimezone(ZoneInfo(zone)).date()


def local_midnight(day: date, zone: str) -> datetime:
    """The instant at which a local day begins, in UTC.

    Where the clocks jump over midnight, the day begins at the jump (the offset before it
    still counts: PEP 495, fold 0); where midnight comes twice, at the first.
    """
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """The nth period of an anchor: from `starts_at` up to, not including, `ends_at`.

    `ends_on` is the first day that no longer belongs to it.
    """

    n: int
    starts_on: date
    ends_on: date
    starts_at: datetime
    ends_at: datetime

    @property
    def days(self) -> int:
        return (self.ends_on - self.starts_on).days

    def days_left(self, on: date) -> int:
        """Calendar days that are still to come, `on` included."""
        return min(self.days, max(0, (self.ends_on - on).days))

    def contains(self, instant: datetime) -> bool:
        return self.starts_at <= instant < self.ends_at


def period(anchor: date, n: int, zone: str, months: int = 1) -> Period:
    starts_on, ends_on = nth_period(anchor, n, months), nth_period(anchor, n + 1, months)
    return Period(
        n, starts_on, ends_on, local_midnight(starts_on, zone), local_midnight(ends_on, zone)
    )


def period_containing(anchor: date, instant: datetime, zone: str, months: int = 1) -> Period:
    """The period an instant falls in; periods before the anchor have negative numbers."""
    day = local_date(instant, zone)
    n = ((day.year - anchor.year) * 12 + day.month - anchor.month) // months
    while instant < local_midnight(nth_period(anchor, n, months), zone):
        n -= 1
    while instant >= local_midnight(nth_period(anchor, n + 1, months), zone):
        n += 1
    return period(anchor, n, zone, months)


def periods_starting(
    anchor: date, after: datetime, until: datetime, zone: str, months: int = 1
) -> Iterator[Period]:
    """Periods that start later than `after` and not later than `until`.

    Two stretches of time that meet share no period and miss none.
    """
    first = period_containing(anchor, after, zone, months).n + 1
    for n in count(first):
        found = period(anchor, n, zone, months)
        if found.starts_at > until:
            return
        yield found


def cycle_anchor(anchor_day: int) -> date:
    """The anchor of all billing cycles with that day; 31 stands for every month's last day.

    A January, which has all 31 days, and always the same one: a cycle keeps its number for
    ever, and its bucket and keys with it.
    """
    return date(_FIRST_CYCLE_YEAR, 1, anchor_day)


def billing_cycle(anchor_day: int, instant: datetime, zone: str) -> Period:
    """The cycle an instant falls in: from the anchor day to the day before the next (S4-02)."""
    return period_containing(cycle_anchor(anchor_day), instant, zone)


@lru_cache(maxsize=256)
def _holidays(country: str, subdivision: str) -> "HolidayBase":
    # Imported when first asked: 0.2 s and some memory that a web process need not pay.
    from holidays import country_holidays

    return country_holidays(country, subdiv=subdivision or None)


def is_business_day(day: date, country: str, subdivision: str = "") -> bool:
    """Monday to Friday and no public holiday of the country or its subdivision."""
    return day.weekday() < _SATURDAY and day not in _holidays(country, subdivision)


def next_business_day(day: date, country: str, subdivision: str = "") -> date:
    """The day itself where it is one, else the first that follows."""
    while not is_business_day(day, country, subdivision):
        day += _ONE_DAY
    return day


def business_day_of(instant: datetime, zone: str, country: str, subdivision: str = "") -> date:
    """The business day whose bill takes what was used at an instant (S3-09).

    What is used on a weekend or a holiday lands on the next business day.
    """
    return next_business_day(local_date(instant, zone), country, subdivision)


def business_day_window(
    day: date, zone: str, country: str, subdivision: str = ""
) -> tuple[datetime, datetime]:
    """The stretch of time billed on a business day: it starts after the one before.

    23 or 25 hours long when the clocks change, three days long on a Monday.
    """
    assert is_business_day(day, country, subdivision), f"{day} is no business day"
    first = day
    while not is_business_day(first - _ONE_DAY, country, subdivision):
        first -= _ONE_DAY
    return local_midnight(first, zone), local_midnight(day + _ONE_DAY, zone)
