"""Who earns money and who loses it: what customers paid against what the carrier takes."""

from __future__ import annotations

import datetime as dt

from gateway.store import margins as store
from gateway.store.base import Scope
from gateway.store.margins import AccountMargin, LosingLeg
from gateway.uow import UnitOfWork

__all__ = ["AccountMargin", "LosingLeg", "by_account", "losing_legs"]

DAYS = 30
ACCOUNTS_MAX = 200
LEGS_MAX = 100
SCAN_MAX = 20_000


def by_account(
    uow: UnitOfWork, *, days: int = DAYS, limit: int = ACCOUNTS_MAX
) -> tuple[AccountMargin, ...]:
    """Of the last days, the account that loses most first."""
    since = uow.now.astimezone(dt.UTC).date() - dt.timedelta(days=days)
    return tuple(store.by_account(uow.connection, since=since, limit=limit))


def losing_legs(uow: UnitOfWork, scope: Scope, *, days: int = DAYS) -> tuple[LosingLeg, ...]:
    """The worst of an account's latest legs: which calls cost more than they bring."""
    return tuple(
        store.losing_legs(
            uow.connection,
            scope,
            since=uow.now - dt.timedelta(days=days),
            scan=SCAN_MAX,
            limit=LEGS_MAX,
        )
    )
