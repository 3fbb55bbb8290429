"""What time it is for the carrier, and what happens next: real for the demo, virtual for tests."""

import heapq
import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

log = logging.getLogger(__name__)

Action = Callable[[], None]
POSTS_AT_ONCE_MAX = 32
EVENTS_PER_RUN_MAX = 2_000_000


class Clock(Protocol):
    def now(self) -> datetime: ...


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class VirtualClock:
    """Stands still until somebody moves it."""

    def __init__(self, start: datetime = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance_to(self, when: datetime) -> None:
        self._now = max(self._now, when)


class Scheduler:
    """Events in the order of their time. Everything that changes the carrier happens under `lock`;
    HTTP happens outside it, so that a gateway that answers a webhook may call REST meanwhile."""

    def __init__(self, clock: Clock, lock: "threading.RLock | None" = None) -> None:
        self.clock = clock
        self.lock = lock or threading.RLock()
        self._events: list[tuple[datetime, int, Action]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self.clock.now()

    def at(self, when: datetime, action: Action) -> None:
        with self.lock:
            heapq.heappush(self._events, (when, next(self._order), action))
            self._woken()

    def after(self, seconds: float, action: Action) -> None:
        self.at(self.now() + timedelta(seconds=max(0.0, seconds)), action)

    def background(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Run `work` without the lock, then `done` with its result, under the lock."""
        raise NotImplementedError

    def _woken(self) -> None:
        """A new event may be earlier than the one that is waited for."""

    def _pop_due(self, until: datetime) -> Action | None:
        if self._events and self._events[0][0] <= until:
            return heapq.heappop(self._events)[2]
        return None


class VirtualScheduler(Scheduler):
    """Jumps from event to event: an hour's call takes milliseconds. Posts go out one at a time, in
    order, and take no virtual time."""

    def __init__(self, clock: VirtualClock, lock: "threading.RLock | None" = None) -> None:
        super().__init__(clock, lock)
        self._virtual = clock
        self._work: deque[tuple[Callable[[], Any], Callable[[Any], None]]] = deque()

    def background(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self._work.append((work, done))

    def run_until(self, when: datetime) -> None:
        self._run(when)
        self._virtual.advance_to(when)

    def run_until_idle(self) -> None:
        """Until nothing at all is planned any more."""
        self._run(datetime.max.replace(tzinfo=UTC))

    def _run(self, until: datetime) -> None:
        for _ in range(EVENTS_PER_RUN_MAX):
            self._post_waiting()
            with self.lock:
                if not self._events or self._events[0][0] > until:
                    return
                when, _order, action = heapq.heappop(self._events)
                self._virtual.advance_to(when)
                action()
        raise RuntimeError(f"the sandbox carrier is still busy after {EVENTS_PER_RUN_MAX} events")

    def _post_waiting(self) -> None:
        while self._work:
            work, done = self._work.popleft()
            result = work()
            with self.lock:
                done(result)


class RealScheduler(Scheduler):
    """One thread waits for the next event; a pool posts, so that one slow gateway worker does not
    hold up every other call."""

    def __init__(self, clock: Clock, lock: "threading.RLock | None" = None) -> None:
        super().__init__(clock, lock)
        self._wake = threading.Condition(self.lock)
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="sandbox-clock", daemon=True)
        self._pool = ThreadPoolExecutor(POSTS_AT_ONCE_MAX, thread_name_prefix="sandbox-post")

    def background(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        def run() -> None:
            result = work()
            with self.lock:
                if not self._stopping:
                    done(result)

        if not self._stopping:
            self._pool.submit(run).add_done_callback(_report)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Nothing more happens; posts that are under way are not waited for."""
        with self.lock:
            self._stopping = True
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _woken(self) -> None:
        self._wake.notify_all()

    def _loop(self) -> None:
        with self.lock:
            while not self._stopping:
                action = self._pop_due(self.now())
                if action is None:
                    self._wake.wait(self._seconds_to_next())
                    continue
                try:
                    action()
                except Exception:  # one broken call must not stop all the others
                    log.exception("a sandbox event failed")

    def _seconds_to_next(self) -> float | None:
        if not self._events:
            return None
        return max(0.0, (self._events[0][0] - self.now()).total_seconds())


def _report(future: Any) -> None:
    if not future.cancelled() and future.exception() is not None:
        log.error("a sandbox post failed", exc_info=future.exception())
