"""The settle queue: one coalesced drain of everything that is due."""

from __future__ import annotations

import datetime as dt

from gateway.services import message_settlement, settlement
from gateway.store import message_settlement as due_texts
from gateway.store import settlement as due
from gateway.uow import UnitOfWork
from workers.context import Work, work


def run() -> None:
    drain(work())


def drain(tools: Work) -> int:
    units = tools.runtime.units
    return settlement.drain(units).legs + message_settlement.drain(units).texts


def oldest_due_at(uow: UnitOfWork) -> dt.datetime | None:
    waiting = (due.oldest_due_at(uow.connection), due_texts.oldest_due_at(uow.connection))
    return min((at for at in waiting if at is not None), default=None)
