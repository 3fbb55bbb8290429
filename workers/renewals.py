"""The renewals queue: what the calendar makes due, in the database alone."""

from __future__ import annotations

import datetime as dt

from gateway.services import looks, renewals
from gateway.store import looks as due_looks
from gateway.store import renewals as due
from gateway.uow import UnitOfWork
from workers.context import Work, work


def run() -> None:
    drain(work())


def drain(tools: Work) -> int:
    """What renews comes first: a statement shows what was charged up to its end."""
    units, home = tools.runtime.units, tools.runtime.settings.seller_country
    return renewals.drain(units) + looks.drain(units, home)


def oldest_due_at(uow: UnitOfWork) -> dt.datetime | None:
    waiting = (
        due.oldest_due_at(uow.connection, now=uow.now),
        due_looks.oldest_due_at(uow.connection, now=uow.now),
    )
    return min((at for at in waiting if at is not None), default=None)
