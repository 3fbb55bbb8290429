"""Things that take time, written as they happen: a call is a generator that yields its waits."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.sandbox.clock import Scheduler

T = TypeVar("T")


class Signal:
    """Something that happens at most once; whoever comes later is told at once."""

    def __init__(self) -> None:
        self.fired = False
        self.value: Any = None
        self._listeners: list[Callable[[], None]] = []

    def fire(self, value: Any = None) -> None:
        """The second time changes nothing."""
        if self.fired:
            return
        self.fired, self.value = True, value
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def then(self, listener: Callable[[], None]) -> None:
        if self.fired:
            listener()
        else:
            self._listeners.append(listener)


@dataclass(frozen=True, slots=True)
class Wait:
    """Until the signal fires or the seconds are over; the yield answers whether it fired."""

    signal: Signal | None = None
    seconds: float | None = None


Steps = Generator[Wait, bool, T]


@contextmanager
def at_the_end(deed: Callable[[], None]) -> Iterator[None]:
    """Like `finally`, but not where the generator is merely forgotten with its carrier: a process
    that stops must not end its calls behind its own back."""
    try:
        yield
    except Exception:
        deed()
        raise
    deed()


def pause(seconds: float) -> Steps[None]:
    yield Wait(seconds=seconds)


class Task:
    """Runs a generator over virtual or real time; an interrupt is raised where it waits."""

    def __init__(self, scheduler: Scheduler, steps: Steps[None]) -> None:
        self.done = False
        self._begun = False
        self._scheduler = scheduler
        self._steps = steps
        self._waiting = 0  # counts the waits, so that a late timer cannot end a later wait
        self._interrupt: Exception | None = None
        scheduler.after(0, self._resumer(fired=False))

    def interrupt(self, reason: Exception) -> None:
        """The first interrupt counts; a finished task hears nothing."""
        if self.done or self._interrupt is not None:
            return
        self._interrupt = reason
        self._waiting += 1
        self._scheduler.after(0, self._resumer(fired=False))

    def _resumer(self, *, fired: bool) -> Callable[[], None]:
        waiting = self._waiting

        def resume() -> None:
            if waiting == self._waiting and not self.done:
                self._waiting += 1
                self._resume(fired)

        return resume

    def _resume(self, fired: bool) -> None:
        try:
            if not self._begun:  # an interrupt that came this early is raised at the first wait
                self._begun = True
                wait = next(self._steps)
            elif (reason := self._interrupt) is not None:
                self._interrupt = None
                wait = self._steps.throw(reason)
            else:
                wait = self._steps.send(fired)
        except StopIteration:
            self.done = True
            return
        except Exception:
            self.done = True
            raise
        if self._interrupt is not None:
            self._scheduler.after(0, self._resumer(fired=False))
            return
        if wait.seconds is not None:
            self._scheduler.after(wait.seconds, self._resumer(fired=False))
        if wait.signal is not None:
            resume = self._resumer(fired=True)
            wait.signal.then(lambda: self._scheduler.after(0, resume))
