"""The notify queue: mail from the outbox."""

from __future__ import annotations

import datetime as dt

from gateway.services import (
    billing_notices,
    deeds,
    notices,
    payment_notices,
    renewal_mail,
    renewals,
)
from gateway.store import outbox
from gateway.uow import UnitOfWork
from workers.context import Work, work


def run() -> None:
    drain(work())


def drain(tools: Work) -> int:
    runtime, settings = tools.runtime, tools.runtime.settings
    handlers = notices.handlers(runtime.units, tools.mailer, settings.public_url)
    handlers |= payment_notices.handlers(
        runtime.units, tools.mailer, settings.public_url, settings.seller_country
    )
    handlers |= renewals.handlers(runtime.units)
    handlers |= renewal_mail.handlers(runtime.units, tools.mailer, settings.public_url)
    handlers |= billing_notices.handlers(
        runtime.units, tools.mailer, tools.hooks, settings.public_url
    )
    return deeds.work(runtime.units, "notify", handlers)


def oldest_due_at(uow: UnitOfWork) -> dt.datetime | None:
    return outbox.oldest_due_at(uow.connection, "notify", now=uow.now)
