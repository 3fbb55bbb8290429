"""One child process: how it is named, started, asked to stop, and cleared away."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

TETHER = Path(__file__).with_name("tether.py")
LOG_BYTES_MAX = 10_000_000


class CannotStart(Exception):
    """Why the product cannot run here, as one sentence with its cure."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run. `uid` is set only when a root launcher must hand the work to a lesser user.

    `stop_order` 0: stops together with the others of 0. 1: others stand on it, it stops after.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    log: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 20.0
    stop_order: int = 0
    uid: int | None = None


def spawn(spec: ProcessSpec) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, so that Ctrl-C reaches the launcher alone, which then
    stops everything in order. Call from the main thread: Linux tethers a child to the thread
    that started it. Its output is appended to `spec.log`; a log past 10 MB is set aside first.
    """
    uid = "-" if spec.uid is None else str(spec.uid)
    shim = (sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), str(int(spec.stop_signal)))
    output = subprocess.DEVNULL if spec.log is None else _open_log(spec.log)
    try:
        return subprocess.Popen(
            (*shim, uid, *spec.argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=spec.cwd,
            env={**os.environ, **spec.env},
            start_new_session=True,
        )
    finally:
        if output >= 0:
            os.close(output)


def signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the child and what it forked; silent when they are gone already."""
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
        return


def stop(child: subprocess.Popen[bytes], spec: ProcessSpec) -> None:
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
