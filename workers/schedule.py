"""The clock: one process that looks at what is due, rings the workers, and steps in for them.

Twice a second it asks PostgreSQL, by index, whether a queue has due work, and rings RQ if so.
Work that stays due for ten seconds (Redis gone, hung or flushed; no worker alive) is done here,
on a thread of its own, so that it never waits longer than fifteen. A lease in the database makes
the clock one: a second process stands by and takes over when the first is gone.
"""

from __future__ import annotations

import datetime as dt
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.queues import Doorbells, RedisUnavailable, connect
from gateway.services import message_sweeping, sweeping, watchdog
from gateway.store import clock
from gateway.uow import UnitOfWork
from workers import carrier, chores, notify, renewals, settle
from workers.context import Work

log = structlog.get_logger(__name__)

TICK_SECONDS = 0.5
WATCHDOG_SECONDS = 2.0
LEASE = "clock"
LEASE_SECONDS = 10
STEP_IN_AFTER = dt.timedelta(seconds=10)
RING_AGAIN_SECONDS = 5.0  # after Redis did not answer


@dataclass(frozen=True, slots=True)
class Bell:
    """A queue as the clock sees it: how long its oldest work has been due, and how to do it."""

    queue: str
    oldest_due_at: Callable[[UnitOfWork], dt.datetime | None]
    drain: Callable[[Work], int]


BELLS = (
    Bell("settle", settle.oldest_due_at, settle.drain),
    Bell("carrier", carrier.oldest_due_at, carrier.drain),
    Bell("notify", notify.oldest_due_at, notify.drain),
    Bell("renewals", renewals.oldest_due_at, renewals.drain),
)
CHORES = (
    Bell("publications", chores.publications_due_at, chores.publish),
    Bell("reconciliation", chores.comparison_due_at, chores.compare),
)
"""Nobody is rung for these: the clock does them, and one clock at a time."""
VAT_IDS = Bell("vat-ids", chores.vat_ids_due_at, chores.look_up_vat_ids)
"""One more of them, where a register is asked."""


class Clock:
    def __init__(self, tools: Work, *, holder: str | None = None) -> None:
        self.tools = tools
        self.units = tools.runtime.units
        self.holder = holder or f"{socket.gethostname()}:{os.getpid()}"
        self.stopping = threading.Event()
        self._chores = CHORES if tools.vat_register is None else (*CHORES, VAT_IDS)
        self._doorbells = Doorbells(connect(tools.runtime.settings.redis_url))
        self._silent_until = 0.0
        self._watched_at = 0.0
        self._stepping_in: dict[str, threading.Thread] = {}
        self._patient_until = time.monotonic() + STEP_IN_AFTER.total_seconds()
        self._recheck = True  # callbacks may have been lost while nothing of ours was running

    def run(self) -> None:
        """Until `stopping` is set. A database that is away is waited for, not died of."""
        while not self.stopping.wait(TICK_SECONDS):
            try:
                self.tick()
            except SQLAlchemyError as error:
                log.error("clock.database", error=str(error)[:300])
                self._recheck = True
        for thread in self._stepping_in.values():
            thread.join(timeout=20)
        self._leave()

    def tick(self) -> bool:
        """One look at everything; False while another clock holds the lease."""
        with self.units.begin() as uow:
            if not clock.hold(uow.connection, LEASE, self.holder, seconds=LEASE_SECONDS):
                return False
        if self._recheck:
            calls = sweeping.recheck_open_calls(self.units)
            texts = message_sweeping.recheck_open_texts(self.units)
            log.info("clock.recheck", calls=calls, texts=texts)
            self._recheck = False
        for bell in BELLS:
            with self.units.read() as uow:
                oldest, now = bell.oldest_due_at(uow), uow.now
            if oldest is not None:
                self._attend(bell, waited=now - oldest)
        for chore in self._chores:
            with self.units.read() as uow:
                due = chore.oldest_due_at(uow) is not None
            if due:
                self._begin(chore)
        self._watch()
        return True

    def _attend(self, bell: Bell, *, waited: dt.timedelta) -> None:
        if time.monotonic() >= self._silent_until:
            try:
                self._doorbells.ring(bell.queue)
            except RedisUnavailable as error:
                log.error("clock.redis", error=str(error)[:200])
                self._silent_until = time.monotonic() + RING_AGAIN_SECONDS
        if waited >= STEP_IN_AFTER and time.monotonic() >= self._patient_until:
            self._step_in(bell)

    def _step_in(self, bell: Bell) -> None:
        """Nobody came: do it here."""
        if self._begin(bell):
            log.warning("clock.steps_in", queue=bell.queue)

    def _begin(self, bell: Bell) -> bool:
        """On a thread of its own, one for each at a time; False while it still runs."""
        thread = self._stepping_in.get(bell.queue)
        if thread is not None and thread.is_alive():
            return False
        thread = threading.Thread(
            target=self._drain, args=(bell,), name=f"step-in-{bell.queue}", daemon=True
        )
        self._stepping_in[bell.queue] = thread
        thread.start()
        return True

    def _drain(self, bell: Bell) -> None:
        try:
            bell.drain(self.tools)
        except Exception:
            # On this thread nobody else would report it; the work stays due and is tried again.
            log.exception("clock.step_in_failed", queue=bell.queue)

    def _watch(self) -> None:
        if time.monotonic() - self._watched_at < WATCHDOG_SECONDS:
            return
        self._watched_at = time.monotonic()
        with self.units.begin() as uow:
            watchdog.order_ends(uow)

    def _leave(self) -> None:
        try:
            with self.units.begin() as uow:
                clock.release(uow.connection, LEASE, self.holder)
        except SQLAlchemyError:
            log.warning("clock.lease_left", holder=self.holder)  # it expires by itself
