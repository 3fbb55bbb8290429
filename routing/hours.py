"""Opening hours: the only rule about local time on the way of a call.

Hours are what the clock on the wall shows. Nothing is added in local time: the instant is turned
into wall time once and compared, so that the hour which does not exist in spring is never asked
for, and the hour that comes twice in autumn is open twice.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MINUTES_PER_DAY: Final = 1440


@dataclass(frozen=True, slots=True)
class Span:
    """Open from `opens` until just before `closes`, minutes after midnight, on each of the days.

    `closes` at or before `opens` means after midnight: the night belongs to the day on which it
    began, and so does its holiday.
    """

    days: tuple[int, ...]  # 0 is Monday
    opens: int  # 0..1439
    closes: int  # 1..1440

    @property
    def past_midnight(self) -> bool:
        return self.closes <= self.opens


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """A week of spans in one IANA time zone; `holidays` closes, as in "US" or "US-NY"."""

    time_zone: str
    spans: tuple[Span, ...]
    holidays: str = ""


def is_open(hours: WeeklyHours, now_utc: datetime) -> bool:
    local = local_time(hours, now_utc)
    minute = local.hour * 60 + local.minute
    today, yesterday = local.date(), local.date() - timedelta(days=1)
    for span in hours.spans:
        if span.past_midnight:
            tonight = minute >= span.opens and _works(hours, span, today)
            last_night = minute < span.closes and _works(hours, span, yesterday)
            if tonight or last_night:
                return True
        elif span.opens <= minute < span.closes and _works(hours, span, today):
            return True
    return False


def local_time(hours: WeeklyHours, now_utc: datetime) -> datetime:
    assert now_utc.tzinfo is not None, "a naive instant has no local time"
    return now_utc.astimezone(ZoneInfo(hours.time_zone))


def holiday_name(code: str, day: date) -> str:
    """The name of the holiday; empty on an ordinary day."""
    return _holidays_of(code, day.year).get(day, "") if code else ""


def is_time_zone(name: str) -> bool:
    return name in zone_names()


def is_holiday_code(code: str) -> bool:
    """Whether the calendar is known: a country, or a country and one of its parts ("US-NY")."""
    # Imported when first asked: 0.2 s that a process without business hours need not pay.
    import holidays

    country, _, part = code.partition("-")
    supported = holidays.list_supported_countries()
    return country in supported and (not part or part in supported[country])


def _works(hours: WeeklyHours, span: Span, day: date) -> bool:
    return day.weekday() in span.days and not holiday_name(hours.holidays, day)


@lru_cache(maxsize=1024)
def _holidays_of(code: str, year: int) -> dict[date, str]:
    """A year's public holidays with the days on which they are observed; empty if unknown."""
    import holidays

    country, _, part = code.partition("-")
    try:
        found = holidays.country_holidays(country, subdiv=part or None, years=year)
    except NotImplementedError:  # a calendar that a later version of the library dropped
        return {}
    return dict(found.items())


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """IANA's names that say where; reading them from disk takes 20 ms, so once per process."""
    return frozenset(available_timezones()) - {"localtime", "Factory"}
