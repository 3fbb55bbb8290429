"""Before something renews: a look at whether the balance covers it, and a mail where it does not.

The looks are rows of the outbox, due some days ahead; each re-reads the state when it comes.
"""

from __future__ import annotations

import datetime as dt

from billing.money import format_amount
from gateway.services.ledger import Books
from gateway.store import outbox
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

LOOK = "renewal_look"
DAYS_AHEAD = (3, 1)
RETRY_AFTER = dt.timedelta(hours=6)
"""How long a renewal waits for money until it is tried by itself; a credit wakes it at once."""


def announce(uow: UnitOfWork, scope: Scope, key: str, at: dt.datetime) -> None:
    """Look ahead of what is charged at an instant; `key` is the posting's, so each is looked at
    once for each number of days."""
    for days in DAYS_AHEAD:
        due_at = at - dt.timedelta(days=days)
        if due_at > uow.now:
            outbox.add(
                uow.connection,
                scope,
                queue="notify",
                kind=LOOK,
                key=f"{LOOK}:{key}:{days}",
                payload={"at": at.isoformat()},
                now=uow.now,
                due_at=due_at,
            )


def tell_unpaid(uow: UnitOfWork, opened: Books, key: str, words: str, waits: bool) -> None:
    """One mail for each renewal that did not happen; `waits`: it is tried again."""
    outbox.add(
        uow.connection,
        opened.scope,
        queue="notify",
        kind="renewal_waits" if waits else "renewal_dropped",
        key=f"unpaid:{key}",
        payload={
            "what": words,
            "balance": format_amount(opened.balance_micros),
            "currency": opened.currency,
        },
        now=uow.now,
    )
