"""The notify queue: mail from the outbox."""

from __future__ import annotations

import datetime as dt

from gateway.services import (
    billing_notices,
    contact_mail,
    deeds,
    notices,
    payment_notices,
    renewal_mail,
    renewals,
    statement_mail,
)
from gateway.services.deeds import Handler
from gateway.store import outbox
from gateway.uow import UnitOfWork
from workers.context import Work, work


def run() -> None:
    drain(work())


def drain(tools: Work) -> int:
    return deeds.work(tools.runtime.units, "notify", handlers(tools))


def handlers(tools: Work) -> dict[str, Handler]:
    """Every kind of deed that this queue knows."""
    runtime, settings = tools.runtime, tools.runtime.settings
    return (
        notices.handlers(runtime.units, tools.mailer, settings.public_url)
        | payment_notices.handlers(runtime.units, tools.mailer, settings)
        | renewals.handlers(runtime.units)
        | renewal_mail.handlers(runtime.units, tools.mailer, settings.public_url)
        | contact_mail.handlers(runtime.units, tools.mailer, settings)
        | statement_mail.handlers(runtime.units, tools.mailer, settings)
        | billing_notices.handlers(runtime.units, tools.mailer, tools.hooks, settings.public_url)
    )


def oldest_due_at(uow: UnitOfWork) -> dt.datetime | None:
    return outbox.oldest_due_at(uow.connection, "notify", now=uow.now)
