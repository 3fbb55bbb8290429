"""Keep a list of processes alive, in order; stop them all, in reverse, and leave nobody behind.

Promises: a child that dies is started again after a growing pause, with the reason printed;
deaths in quick succession end the whole with one sentence. SIGINT, SIGTERM and SIGHUP stop
everything; a second one hurries. Nothing is signalled that was not started here.
"""

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from gateway.embedded.process import (
    CannotStart,
    ProcessSpec,
    Running,
    last_line,
    signal_group,
    spawn,
    stop,
)

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
STEADY_SECONDS = 10.0  # whoever lives this long has started well
DEATHS_IN_A_ROW_MAX = 5
PAUSE_SECONDS_MAX = 5.0
STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Say = Callable[[str], None]


@dataclass(slots=True)
class Child:
    spec: ProcessSpec
    process: Running
    started_at: float
    deaths: int = 0
    restart_at: float | None = None


class Supervisor:
    """Use as a context manager: leaving it stops every child, whatever happened inside.

    `wanted` is asked about four times a second; when it answers False, that is a stop signal.
    """

    def __init__(self, say: Say, *, wanted: Callable[[], bool] = lambda: True) -> None:
        self._say = say
        self._wanted = wanted
        self._children: list[Child] = []
        self._signals: list[int] = []
        self._old_handlers: dict[int, object] = {}
        self._wake_read, self._wake_write = os.pipe()

    def __enter__(self) -> "Supervisor":
        if sys.platform == "linux":
            # A killed worker's fork becomes our child instead of init's, so that it can be ended.
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (*STOPPING_SIGNALS, signal.SIGCHLD):
            self._old_handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_all()
        signal.set_wakeup_fd(-1)
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.close(self._wake_read)
        os.close(self._wake_write)

    @property
    def asked_to_stop(self) -> bool:
        return bool(self._signals) or not self._wanted()

    def start(self, *specs: ProcessSpec) -> None:
        for spec in specs:
            self._children.append(Child(spec, spawn(spec), time.monotonic()))

    def check(self) -> None:
        """Raise CannotStart for a child that died during the start, with its last words."""
        for child in self._children:
            if child.process.poll() is not None:
                raise CannotStart(self._obituary(child))

    def finish(self, name: str) -> bool:
        """Wait for the end of a child that has one, and forget it; False when asked to stop
        before. Raises CannotStart with its last words if it did not end well."""
        (child,) = (child for child in self._children if child.spec.name == name)
        while child.process.poll() is None:
            if self.asked_to_stop:
                return False
            self.pause(0.25)
        if child.process.returncode != 0:
            raise CannotStart(last_line(child.spec.log) or self._obituary(child))
        self._children.remove(child)
        return True

    def pause(self, seconds: float) -> None:
        """Sleep, but wake up at once for a signal or a child's death."""
        if select.select([self._wake_read], [], [], seconds)[0]:
            os.read(self._wake_read, 512)

    def watch(self) -> None:
        """Restart whoever dies, until asked to stop. Raises CannotStart when it is hopeless."""
        while not self.asked_to_stop:
            self.pause(0.25)
            now = time.monotonic()
            for child in self._children:
                self._care_for(child, now)
            self._reap_adopted()

    def _care_for(self, child: Child, now: float) -> None:
        if child.restart_at is not None:
            if now >= child.restart_at and not self._signals:
                child.process, child.started_at = spawn(child.spec), now
                child.restart_at = None
            return
        if child.process.poll() is None:
            return
        signal_group(child.process, signal.SIGKILL)  # what it forked must not outlive it
        lived_well = now - child.started_at > STEADY_SECONDS
        child.deaths = 1 if lived_well else child.deaths + 1
        if child.deaths > DEATHS_IN_A_ROW_MAX:
            raise CannotStart(
                f"{self._obituary(child)} That was {child.deaths} times in a row, so everything "
                "stops."
            )
        pause = min(0.25 * 2 ** (child.deaths - 1), PAUSE_SECONDS_MAX)
        child.restart_at = now + pause
        self._say(f"{self._obituary(child)} Starting it again.")

    def _obituary(self, child: Child) -> str:
        code = child.process.returncode
        how = (
            f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        )
        words = last_line(child.spec.log)
        told = f' Its last words: "{words}" ({child.spec.log}).' if words and code > 0 else ""
        return f"{child.spec.name} {how}.{told}"

    def _stop_all(self) -> None:
        """Those that serve go together, then what they stand on, last started first."""
        asked = time.monotonic()
        hurry_after = len(self._signals)
        waiting = [child for child in self._children if child.spec.stop_order == 0]
        for child in waiting:
            if child.process.poll() is None:
                child.process.send_signal(child.spec.stop_signal)
        while waiting:
            waiting = [child for child in waiting if child.process.poll() is None]
            for child in waiting:
                late = time.monotonic() - asked > child.spec.stop_seconds
                if late or len(self._signals) > hurry_after:
                    signal_group(child.process, signal.SIGKILL)
            if waiting:
                self.pause(0.25)
        self._end_adopted()
        for child in reversed(self._children):
            stop(child.process, child.spec)
        self._end_adopted()

    def _reap_adopted(self) -> None:
        """Collect forks of dead children; `Popen` collects its own."""
        ours = {child.process.pid for child in self._children}
        while (dead := _peek_dead()) is not None and dead not in ours:
            os.waitpid(dead, 0)

    def _end_adopted(self) -> None:
        """Linux only: whatever is our child now and was not started here descends from one that
        was (a worker's fork in its own group, for example)."""
        ours = {child.process.pid for child in self._children}
        for pid in _children_of(os.getpid()) - ours:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number in STOPPING_SIGNALS:
            self._signals.append(number)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _peek_dead() -> int | None:
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if found is None else found.si_pid


def _children_of(pid: int) -> set[int]:
    listing = Path(f"/proc/{pid}/task/{pid}/children")
    return {int(text) for text in listing.read_text().split()} if listing.exists() else set()
