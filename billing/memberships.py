"""Sub-accounts on their own billing or on their agency's, effective-dated (C15)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.calendar import local_date, local_midnight

_ONE_DAY = timedelta(days=1)
AHEAD_MAX = timedelta(days=731)
SETTLES_WITHIN = timedelta(minutes=1)
"""Longer than a transaction lasts: what is written down or withdrawn so long before its instant is
known to every settlement of a call that began behind it."""


@dataclass(frozen=True, slots=True)
class BillingChange:
    """From an instant on, a sub-account shares its agency's billing or pays by itself."""

    from_at: datetime
    shared: bool


class NotPlannable(ValueError):
    """`field` is one of shared, first_on, last_on."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


def shares_billing_at(changes: Sequence[BillingChange], instant: datetime) -> bool:
    """The last change up to the instant counts; before the first an account pays by itself.

    Asked for the moment a leg began: a move during a call counts from the next one (S1-14).
    """
    last = None
    for change in changes:  # of each leg that is settled: a `max` with its key takes thrice as long
        if change.from_at <= instant and (last is None or change.from_at > last.from_at):
            last = change
    return last is not None and last.shared


def to_come(changes: Sequence[BillingChange], now: datetime) -> tuple[BillingChange, ...]:
    """The earliest first."""
    found = (change for change in changes if change.from_at > now)
    return tuple(sorted(found, key=lambda change: change.from_at))


def plan_stretch(
    shared: bool,
    *,
    shared_now: bool,
    first_on: date | None,
    last_on: date | None,
    zone: str,
    now: datetime,
) -> tuple[BillingChange, ...]:
    """The changes of a stretch in which an account shares, or pays by itself: from the first
    midnight of `first_on` (None: from now) to the last one of `last_on`, whose day belongs to it
    (None: without an end), by the clocks of `zone`. What goes on as it is needs no change at its
    beginning. Raises `NotPlannable`.
    """
    begins_at = now
    if first_on is not None:
        begins_at = _midnight(first_on, zone, now, "first_on")
    found = []
    if shared != shared_now:
        found.append(BillingChange(begins_at, shared))
    elif first_on is not None or last_on is None:
        raise NotPlannable("shared", "it is so already: choose the other, or a last day alone")
    if last_on is not None:
        if first_on is not None and last_on < first_on:
            raise NotPlannable("last_on", "choose a day that is not before the first one")
        found.append(BillingChange(_midnight(last_on + _ONE_DAY, zone, now, "last_on"), not shared))
    return tuple(found)


def _midnight(day: date, zone: str, now: datetime, field: str) -> datetime:
    at = local_midnight(day, zone)
    if at <= now + SETTLES_WITHIN:
        first = local_date(now + SETTLES_WITHIN, zone)
        first += _ONE_DAY if field == "first_on" else timedelta()
        raise NotPlannable(field, f"choose {first:%d %b %Y} or a later day")
    if at > now + AHEAD_MAX:
        raise NotPlannable(field, "choose a day within the next two years")
    return at
