"""The overview: what the balance is, how long it lasts, what came in. Never reads raw calls."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from gateway.services import renewals
from gateway.services.errors import NotFound
from gateway.store import overview as store
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

BURN_WINDOW_DAYS = 7
DAYS_MAX = 366
MONTH_DAYS = 31  # what renews within it is spread over its days


@dataclass(frozen=True, slots=True)
class DayUsage:
    """One local day of the account; a call belongs to the day it started (S2-06)."""

    day: dt.date
    calls: int = 0
    answered: int = 0
    talk_seconds: int = 0
    billed_seconds: int = 0
    charge_micros: int = 0

    @property
    def missed(self) -> int:
        return self.calls - self.answered


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the period: of one source, or of one number (then with its id)."""

    name: str
    calls: int
    answered: int
    talk_seconds: int
    charge_micros: int
    number_id: uuid.UUID | None = None
    number: str | None = None

    @property
    def missed(self) -> int:
        return self.calls - self.answered


@dataclass(frozen=True, slots=True)
class Overview:
    """`days` has every day of the period, oldest first, quiet ones too; the last is `today`.

    `burn_micros` is what a day of calls cost on average, over the last seven days or since the
    first call if that is less; `renewals_micros` is a day's share of rent, access and packages.
    `days_left` is at both together: None while nothing is spent, 0 when nothing is left.
    """

    currency: str
    time_zone: str
    status: str
    balance_micros: int
    burn_micros: int
    renewals_micros: int
    days_left: int | None
    today: DayUsage
    days: tuple[DayUsage, ...]
    by_source: tuple[Share, ...]
    by_number: tuple[Share, ...]

    @property
    def calls(self) -> int:
        return sum(day.calls for day in self.days)

    @property
    def answered(self) -> int:
        return sum(day.answered for day in self.days)

    @property
    def missed(self) -> int:
        return self.calls - self.answered

    @property
    def charge_micros(self) -> int:
        return sum(day.charge_micros for day in self.days)


def overview(uow: UnitOfWork, scope: Scope, days: int = 30) -> Overview:
    account = store.account_and_wallet(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    days = max(BURN_WINDOW_DAYS, min(days, DAYS_MAX))
    today = uow.now.astimezone(ZoneInfo(account.time_zone)).date()
    first_day = today - dt.timedelta(days=days - 1)
    sums = store.sums(uow.connection, scope, first_day, today)
    by_day = {row.day: _day(row) for row in sums if row.day is not None}
    period = tuple(
        by_day.get(day) or DayUsage(day)
        for day in (first_day + dt.timedelta(days=n) for n in range(days))
    )
    burn = burn_micros(period[-BURN_WINDOW_DAYS:])
    coming = renewals.upcoming(uow, scope, uow.now + dt.timedelta(days=MONTH_DAYS))
    renewing = sum(charge.amount_micros for charge in coming) // MONTH_DAYS
    return Overview(
        currency=account.currency,
        time_zone=account.time_zone,
        status=account.status,
        balance_micros=account.balance_micros,
        burn_micros=burn,
        renewals_micros=renewing,
        days_left=days_left(account.balance_micros, burn + renewing),
        today=period[-1],
        days=period,
        by_source=_shares(_share(row) for row in sums if row.source is not None),
        by_number=_by_number(uow, scope, [row for row in sums if row.did_id is not None]),
    )


def burn_micros(window: Sequence[DayUsage]) -> int:
    """What a day cost on average, rounded down, counted from the first day with a call."""
    active = next((n for n, day in enumerate(window) if day.calls), None)
    if active is None:
        return 0
    used = window[active:]
    return sum(day.charge_micros for day in used) // len(used)


def days_left(balance_micros: int, burn: int) -> int | None:
    """Whole days until the balance is used up at this burn."""
    if balance_micros <= 0:
        return 0
    return balance_micros // burn if burn > 0 else None


def _day(row: Any) -> DayUsage:
    return DayUsage(
        day=row.day,
        calls=int(row.calls),
        answered=int(row.answered),
        talk_seconds=int(row.talk_seconds),
        billed_seconds=int(row.billed_seconds),
        charge_micros=int(row.charge_micros),
    )


def _share(row: Any, name: str | None = None, number: Any = None) -> Share:
    return Share(
        name=row.source if name is None else name,
        calls=int(row.calls),
        answered=int(row.answered),
        talk_seconds=int(row.talk_seconds),
        charge_micros=int(row.charge_micros),
        number_id=row.did_id,
        number=None if number is None else number.e164,
    )


def _by_number(uow: UnitOfWork, scope: Scope, rows: Sequence[Any]) -> tuple[Share, ...]:
    known = store.numbers(uow.connection, scope, [row.did_id for row in rows])
    return _shares(
        _share(row, number.label or number.e164, number)
        for row in rows
        if (number := known.get(row.did_id)) is not None
    )


def _shares(shares: Any) -> tuple[Share, ...]:
    return tuple(sorted(shares, key=lambda share: (-share.calls, share.name)))
