"""The settle queue: one coalesced drain of everything that is due."""

from __future__ import annotations

import datetime as dt

from gateway.services import settlement
from gateway.store import settlement as due
from gateway.uow import UnitOfWork
from workers.context import Work, work


def run() -> None:
    drain(work())


def drain(tools: Work) -> int:
    return settlement.drain(tools.runtime.units).legs


def oldest_due_at(uow: UnitOfWork) -> dt.datetime | None:
    return due.oldest_due_at(uow.connection)
