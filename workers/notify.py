"""The notify queue: mail from the outbox."""

from __future__ import annotations

import datetime as dt

from gateway.services import deeds, notices
from gateway.store import outbox
from gateway.uow import UnitOfWork
from workers.context import Work, work


def run() -> None:
    drain(work())


def drain(tools: Work) -> int:
    runtime = tools.runtime
    handlers = notices.handlers(runtime.units, tools.mailer, runtime.settings.public_url)
    return deeds.work(runtime.units, "notify", handlers)


def oldest_due_at(uow: UnitOfWork) -> dt.datetime | None:
    return outbox.oldest_due_at(uow.connection, "notify", now=uow.now)
