"""When usage is asked for: at once, by day, by business day or by cycle (C7).

Metering and postings are always immediate. A settlement only decides which stretch of time
is put on a card or an invoice together, and when that is due.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from billing.calendar import (
    billing_cycle,
    business_day_of,
    business_day_window,
    local_date,
    local_midnight,
    next_business_day,
)
from billing.terms import Mode, Settlement

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Locale:
    """Where an account lives: its zone, and the holidays that are not business days."""

    zone: str
    country: str
    subdivision: str = ""


@dataclass(frozen=True, slots=True)
class SettlementDay:
    """A day on which usage is billed, and the stretch that it takes: from, up to but without."""

    day: date
    starts_at: datetime
    ends_at: datetime


def settlement_of(
    mode: Settlement, instant: datetime, place: Locale, *, anchor_day: int = 1
) -> SettlementDay | None:
    """The bill that takes what was used at an instant; None where the balance took it at once.

    Weekends and holidays land on the next business day (S3-09); a cycle is billed on its
    last day. Days are 23 or 25 hours long when the clocks change.
    """
    if mode == "balance_now":
        return None
    if mode == "business_day":
        day = business_day_of(instant, place.zone, place.country, place.subdivision)
        window = business_day_window(day, place.zone, place.country, place.subdivision)
        return SettlementDay(day, *window)
    if mode == "daily":
        day = local_date(instant, place.zone)
        midnights = (local_midnight(each, place.zone) for each in (day, day + _ONE_DAY))
        return SettlementDay(day, *midnights)
    cycle = billing_cycle(anchor_day, instant, place.zone)
    return SettlementDay(cycle.ends_on - _ONE_DAY, cycle.starts_at, cycle.ends_at)


def settlements_due(
    mode: Settlement, after: datetime, until: datetime, place: Locale, *, anchor_day: int = 1
) -> Iterator[SettlementDay]:
    """Stretches that ended later than `after` and not later than `until`, oldest first.

    Two looks that meet share none and miss none, also after downtime and with two clocks.
    """
    found = settlement_of(mode, after, place, anchor_day=anchor_day)
    while found is not None and found.ends_at <= until:
        yield found
        found = settlement_of(mode, found.ends_at, place, anchor_day=anchor_day)


def settle_key(account_id: UUID, day: date) -> str:
    """One per account and day: a second run finds the first (S3-09)."""
    return f"settle:{account_id}:{day.isoformat()}"


@dataclass(frozen=True, slots=True)
class Bill:
    """Charge that much for the day; nothing is carried over."""

    amount_micros: int


@dataclass(frozen=True, slots=True)
class CarryOver:
    """Too little to be worth a charge: it goes onto the next day's bill."""

    amount_micros: int


@dataclass(frozen=True, slots=True)
class NothingDue:
    """No usage, no charge."""


def bill_for(
    used_micros: int, *, carried_micros: int, minimum_micros: int, last: bool = False
) -> Bill | CarryOver | NothingDue:
    """What a day costs with what was carried over; a customer never pays more than was used.

    A total below the minimum waits for more; `last` ends the waiting (a closed account, the
    end of a cycle). A negative total, after corrections, waits too.
    """
    total = used_micros + carried_micros
    if total == 0:
        return NothingDue()
    if total < 0 or (total < minimum_micros and not last):
        return CarryOver(total)
    return Bill(total)


def floor_micros(mode: Mode, credit_limit_micros: int) -> int:
    """The balance that may not be fallen below: zero for prepaid, else the credit (C8)."""
    return 0 if mode == "prepaid" else -credit_limit_micros


def due_on(issued_on: date, days: int, place: Locale) -> date:
    """The last day for a payment: a business day, never earlier than the days that were given."""
    return next_business_day(issued_on + timedelta(days=days), place.country, place.subdivision)


def overdue_on(due: date) -> date:
    """The first day of arrears."""
    return due + _ONE_DAY
