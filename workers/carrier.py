"""The carrier queue: the sweeps' questions, lost purchases, and deeds at the carrier."""

from __future__ import annotations

import datetime as dt

from gateway.services import (
    carrier_deeds,
    deeds,
    message_deeds,
    message_sweeping,
    purchases,
    sweeping,
)
from gateway.store import message_sweep, outbox, sweep
from gateway.uow import UnitOfWork
from workers.context import Work, work


def run() -> None:
    drain(work())


def drain(tools: Work) -> int:
    units, telephony = tools.runtime.units, tools.runtime.telephony
    handlers = (
        carrier_deeds.handlers(units, telephony)
        | message_deeds.handlers(units, telephony, tools.runtime.links)
        | message_sweeping.handlers(units, telephony)
        | sweeping.handlers(units, telephony)
    )
    done = deeds.work(units, "carrier", handlers)
    done += purchases.resolve_orders(units, telephony)
    done += message_sweeping.sweep_texts(units, telephony)
    return done + sweeping.sweep_calls(units, telephony)


def oldest_due_at(uow: UnitOfWork) -> dt.datetime | None:
    waiting = (
        outbox.oldest_due_at(uow.connection, "carrier", now=uow.now),
        sweep.oldest_check_at(uow.connection, now=uow.now),
        message_sweep.oldest_check_at(uow.connection, now=uow.now),
    )
    return min((at for at in waiting if at is not None), default=None)
