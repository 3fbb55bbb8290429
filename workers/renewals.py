"""The renewals queue: what the calendar makes due, in the database alone."""

from __future__ import annotations

import datetime as dt

from gateway.services import renewals
from gateway.store import renewals as due
from gateway.uow import UnitOfWork
from workers.context import Work, work


def run() -> None:
    drain(work())


def drain(tools: Work) -> int:
    return renewals.drain(tools.runtime.units)


def oldest_due_at(uow: UnitOfWork) -> dt.datetime | None:
    return due.oldest_due_at(uow.connection, now=uow.now)
