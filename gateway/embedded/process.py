"""One child process: how it is named, started, asked to stop, and cleared away."""

import ctypes
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol

from gateway.embedded import tether

TETHER = Path(tether.__file__)
LOG_BYTES_MAX = 10_000_000
PR_SET_NAME = 15  # linux/prctl.h
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


class CannotStart(Exception):
    """Why the product cannot run here, as one sentence with its cure."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run: a program, or in a fork of this process the function `run`, whose code is
    loaded already. `uid` is set only when a root launcher must hand the work to a lesser user.

    `stop_order` 0: stops together with the others of 0. 1: others stand on it, it stops after.
    `speaks`: what it prints is for the screen; its log has its errors.
    """

    name: str
    argv: tuple[str, ...] = ()
    run: Callable[[], None] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    log: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 20.0
    stop_order: int = 0
    uid: int | None = None
    speaks: bool = False


class Running(Protocol):
    """A child: `subprocess.Popen`, as far as it is needed here, or `Fork`."""

    pid: int
    returncode: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...


class Fork:
    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode = 0  # as long as `poll` answers None it means nothing
        self._over = False

    def poll(self) -> int | None:
        if not self._over:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended == 0:
                return None
            self._over, self.returncode = True, os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        ends_at = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if ends_at is not None and time.monotonic() > ends_at:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(0.02)
        return self.returncode

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)


def spawn(spec: ProcessSpec) -> Running:
    """Start it in a session of its own, so that Ctrl-C reaches the launcher alone, which then
    stops everything in order. Call from the main thread: Linux tethers a child to the thread
    that started it. Its output is appended to `spec.log`; a log past 10 MB is set aside first.
    """
    if spec.run is not None:
        return _fork(spec, spec.run)
    uid = "-" if spec.uid is None else str(spec.uid)
    shim = (sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), str(int(spec.stop_signal)))
    output = subprocess.DEVNULL if spec.log is None else _open_log(spec.log)
    try:
        return subprocess.Popen(
            (*shim, uid, *spec.argv),
            stdin=subprocess.DEVNULL,
            stdout=None if spec.speaks else output,
            stderr=output,
            cwd=spec.cwd,
            env={**os.environ, **spec.env},
            start_new_session=True,
        )
    finally:
        if output >= 0:
            os.close(output)


def _fork(spec: ProcessSpec, run: Callable[[], None]) -> Fork:
    launcher = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    return Fork(pid) if pid else _live(spec, run, launcher)


def _live(spec: ProcessSpec, run: Callable[[], None], launcher: int) -> NoReturn:
    """The life of a fork: nothing of its parent's signals and output is left to it."""
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL)
        tether.tie(launcher, spec.stop_signal)
        if sys.platform == "linux":  # what `ps -o comm` shows: 15 bytes
            ctypes.CDLL(None).prctl(PR_SET_NAME, spec.name.encode(), 0, 0, 0)
        output = os.open(os.devnull, os.O_WRONLY) if spec.log is None else _open_log(spec.log)
        if not spec.speaks:
            os.dup2(output, 1)
        os.dup2(output, 2)
        run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:  # nobody above us would report it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def signal_group(child: Running, number: signal.Signals) -> None:
    """Signal the child and what it forked; silent when they are gone already."""
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
        return


def stop(child: Running, spec: ProcessSpec) -> None:
    """Ask, wait, then insist. The group is killed in any case: a worker's fork may outlive it."""
    if child.poll() is None:
        child.send_signal(spec.stop_signal)
        try:
            child.wait(spec.stop_seconds)
        except subprocess.TimeoutExpired:
            signal_group(child, signal.SIGKILL)
            child.wait()
    signal_group(child, signal.SIGKILL)


def last_line(log: Path | None) -> str:
    """The last words of a child that died, for the sentence on the screen."""
    if log is None or not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def _open_log(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
