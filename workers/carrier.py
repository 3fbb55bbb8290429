"""The carrier queue: deeds and questions at the carrier and at the card network."""

from __future__ import annotations

import datetime as dt

from gateway.services import (
    card_settling,
    carrier_deeds,
    charges,
    deeds,
    message_deeds,
    message_sweeping,
    payment_methods,
    phone_notices,
    purchases,
    recharge,
    refunding,
    sweeping,
)
from gateway.store import charges as due_charges
from gateway.store import message_sweep, outbox, sweep
from gateway.store import payment_methods as due_visits
from gateway.store import refunds as due_refunds
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
        | recharge.handlers(units, tools.runtime.till)
        | card_settling.handlers(units, tools.runtime.till)
        | phone_notices.handlers(units, telephony, tools.runtime.settings.alert_number)
    )
    done = deeds.work(units, "carrier", handlers) + _sweep_cards(tools)
    done += purchases.resolve_orders(units, telephony)
    done += message_sweeping.sweep_texts(units, telephony)
    return done + sweeping.sweep_calls(units, telephony)


def _sweep_cards(tools: Work) -> int:
    till, units = tools.runtime.till, tools.runtime.units
    if till is None:
        return 0
    with units.read() as uow:
        if _cards_due_at(uow) is None:
            return 0  # and the provider's SDK need not be loaded
    done = charges.sweep(units, till) + refunding.sweep(units, till)
    return done + payment_methods.sweep(units, till)


def _cards_due_at(uow: UnitOfWork) -> dt.datetime | None:
    waiting = (
        queue.oldest_due_at(uow.connection, now=uow.now)
        for queue in (
            due_charges.queue,
            due_charges.refunds,
            due_refunds.queue,
            due_visits.visits,
        )
    )
    return min((at for at in waiting if at is not None), default=None)


def oldest_due_at(uow: UnitOfWork) -> dt.datetime | None:
    waiting = (
        outbox.oldest_due_at(uow.connection, "carrier", now=uow.now),
        sweep.oldest_check_at(uow.connection, now=uow.now),
        message_sweep.oldest_check_at(uow.connection, now=uow.now),
        _cards_due_at(uow),
    )
    return min((at for at in waiting if at is not None), default=None)
