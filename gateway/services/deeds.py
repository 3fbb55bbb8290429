"""Due deeds of the outbox: claimed, done, postponed or given up; each may run twice.

The row is the queue of record. A deed that asks the carrier re-reads the state first and is safe
to repeat; one that fails for good, or too often, is dead: ops sees it and may revive it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import structlog

from gateway.providers.telephony import ProviderError
from gateway.store import outbox
from gateway.store.outbox import DueDeed
from gateway.uow import UnitsOfWork

log = structlog.get_logger(__name__)

LEASE = dt.timedelta(seconds=60)
ATTEMPTS_MAX = 6
CLAIMED_AT_ONCE = 20

Handler = Callable[[DueDeed], None]


def work(units: UnitsOfWork, queue: str, handlers: Mapping[str, Handler]) -> int:
    """Do what is due in a queue until nothing is; how many deeds were tried."""
    tried = 0
    while True:
        with units.begin() as uow:
            claimed = outbox.claim(
                uow.connection, queue, now=uow.now, lease=LEASE, limit=CLAIMED_AT_ONCE
            )
        for deed in claimed:
            with structlog.contextvars.bound_contextvars(account_id=str(deed.account_id)):
                _do(units, deed, handlers.get(deed.kind))
        tried += len(claimed)
        if len(claimed) < CLAIMED_AT_ONCE:
            return tried


def _do(units: UnitsOfWork, deed: DueDeed, handler: Handler | None) -> None:
    error, permanent = "nobody here knows this kind of deed", True
    if handler is not None:
        try:
            handler(deed)
        except ProviderError as refusal:
            error, permanent = refusal.words, refusal.permanent
        except Exception as surprise:
            # A poison row must not stop the queue: it is postponed, then given up and shown.
            log.exception("deed.failed", kind=deed.kind, key=deed.key)
            error, permanent = f"{type(surprise).__name__}: {surprise}", False
        else:
            with units.begin() as uow:
                outbox.finish(uow.connection, deed.id, now=uow.now)
            return
    with units.begin() as uow:
        if permanent or deed.attempts >= ATTEMPTS_MAX:
            log.error("deed.dead", kind=deed.kind, key=deed.key, error=error)
            outbox.give_up(uow.connection, deed.id, error=error, now=uow.now)
        else:
            outbox.postpone(
                uow.connection, deed.id, error=error, due_at=uow.now + _pause(deed.attempts)
            )


def _pause(attempts: int) -> dt.timedelta:
    """5 s, 10 s, 20 s … at most 10 minutes."""
    return dt.timedelta(seconds=min(600, 5 * 2 ** (attempts - 1)))
