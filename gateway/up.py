"""`ringledger up`: everything that the product needs, on one machine, in one terminal.

Order: the lock on VAR_DIR, the ports, PostgreSQL, Valkey, the sandbox carrier, and the crew (see
`gateway.crew`): schema, plans and demo, web, clock, workers. When `/readyz` says ok, the address
and the log-ins are printed. Each process writes to `VAR_DIR/log/<name>.log`; the screen keeps what
a person has to know.
"""

import errno
import fcntl
import os
import re
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gateway.config import POSTGRES_SOCKET_NAME, VALKEY_SOCKET_NAME, Settings
from gateway.embedded import postgres, sockets, valkey
from gateway.embedded.process import CannotStart, ProcessSpec
from gateway.supervise import Supervisor

ROOT = Path(__file__).parent.parent
# Written when schema, plans and demo are there: the lines to show, the demo's password among them.
WELCOME = Path("secrets") / "welcome"
CREW_STOP_SECONDS = 25.0  # its members have 20
READY_SECONDS = 120.0  # the first start of the demo lives through weeks
Say = Callable[[str], None]


class Stopped(Exception):
    """Ctrl-C during the start: no failure, only an early end."""


def up(settings: Settings) -> int:
    """Run the product until a signal or a hopeless failure; answer the exit code."""
    welcome = settings.var_dir / WELCOME
    return run(
        settings,
        carrier=carrier_specs(settings),
        crew=crew_specs(settings),
        ready=lambda: welcome.exists() and answers_ok(f"{local_url(settings)}/readyz"),
        welcome=lambda: welcome.read_text(encoding="utf-8").splitlines(),
    )


def run(
    settings: Settings,
    *,
    carrier: Sequence[ProcessSpec],
    crew: Sequence[ProcessSpec],
    ready: Callable[[], bool],
    welcome: Callable[[], Sequence[str]],
    say: Say | None = None,
) -> int:
    """The order of a start and of its end, whatever the processes are."""
    tell = say or (lambda line: print(line, flush=True))
    started_at = time.monotonic()
    try:
        with _only_one(settings.var_dir):
            check_port(settings.host, settings.port, "PORT")
            if carrier:
                check_port("127.0.0.1", settings.sandbox_port, "SANDBOX_PORT")
            with Supervisor(tell, wanted=_make_still_wants_us()) as supervisor:
                try:
                    _start_servers(settings, supervisor, tell)
                    _empty_metrics(settings.var_dir / "metrics")
                    (settings.var_dir / WELCOME).unlink(missing_ok=True)
                    tell("Starting web, clock and workers …")
                    supervisor.start(*crew, *carrier)
                    _wait_until(ready, supervisor)
                except Stopped:
                    tell("Stopped before the start was complete.")
                    return 0
                for line in _welcome(settings, welcome(), time.monotonic() - started_at):
                    tell(line)
                supervisor.watch()
                tell("Stopping …")
            sockets.remove(settings.var_dir / "postgres", POSTGRES_SOCKET_NAME)
            sockets.remove(settings.var_dir / "valkey", VALKEY_SOCKET_NAME)
        tell("Stopped. Everything is kept.")
        return 0
    except CannotStart as error:
        print(f"ringledger: {error}", file=sys.stderr, flush=True)
        return 1


def carrier_specs(settings: Settings) -> tuple[ProcessSpec, ...]:
    """The sandbox carrier, without Twilio credentials and without another carrier's URL; and for
    its card network alone where only the cards are of the sandbox."""
    if not settings.runs_carrier and not settings.sandbox_cards:
        return ()
    carrier = _python(
        settings,
        "carrier",
        "gateway.sandbox",
        SANDBOX_HOST="127.0.0.1",
        SANDBOX_PORT=str(settings.sandbox_port),
        SANDBOX_DIR=str(settings.sandbox_dir),
        SANDBOX_TRAFFIC=str(settings.sandbox_traffic if settings.runs_carrier else 0),
        SANDBOX_CARD_EVENTS_URL=f"{local_url(settings)}/webhooks/stripe",
        TWILIO_ACCOUNT_SID=settings.twilio_account_sid,
        TWILIO_AUTH_TOKEN=settings.twilio_auth_token,
    )
    return (carrier,)


def crew_specs(settings: Settings) -> tuple[ProcessSpec, ...]:
    """All that is our own code, from one load of it."""
    if not (ROOT / "gunicorn.conf.py").exists():
        raise CannotStart(
            "`ringledger up` runs from a clone: git clone it, then `make run` "
            "(a server farm runs the lines of the Procfile instead)."
        )
    crew = _python(settings, "crew", "gateway.crew")
    return (replace(crew, speaks=True, stop_seconds=CREW_STOP_SECONDS),)


def _python(settings: Settings, name: str, *module: str, **env: str) -> ProcessSpec:
    return ProcessSpec(
        name,
        (sys.executable, "-m", *module),
        env={
            "VAR_DIR": str(settings.var_dir),
            "PROMETHEUS_MULTIPROC_DIR": str(settings.var_dir / "metrics"),
            "PYTHONUNBUFFERED": "1",
            "TZ": "UTC",
            **env,
        },
        log=settings.var_dir / "log" / f"{name}.log",
    )


def check_port(host: str, port: int, setting: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except PermissionError as error:
        raise CannotStart(
            f"This user may not open port {port}: set {setting} to one above 1023."
        ) from error
    except (OSError, UnicodeError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise CannotStart(
                f"Port {port} is taken by another program: stop it, or choose another one, "
                f"for example {setting}={port + 10 if port < 65525 else 8080}."
            ) from error
        raise CannotStart(f"{host}:{port} cannot be opened ({error}): correct HOST.") from error


@contextmanager
def _only_one(var_dir: Path) -> Iterator[None]:
    """Hold VAR_DIR. The kernel lets go of the lock when the process ends, however it ends, so a
    stale file cannot block a start; the PID in it is for the sentence below only."""
    try:
        var_dir.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(var_dir / "up.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise CannotStart(
            f"{var_dir} cannot be written ({error.strerror}): "
            "make it writable for this user, or set VAR_DIR to a folder that is."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotStart(
                f"Ringledger already runs on {var_dir} (process {file.read().strip()}): "
                "stop that one first, or set VAR_DIR and PORT for a second installation."
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _start_servers(settings: Settings, supervisor: Supervisor, tell: Say) -> None:
    log = settings.var_dir / "log"
    if settings.embedded_postgres:
        home = settings.var_dir / "postgres"
        tell("Starting PostgreSQL …" if home.exists() else "Making the database (once) …")
        postgres.prepare(home)
        supervisor.start(postgres.process_spec(home, log=log / "postgres.log"))
    else:
        postgres.check_reachable(settings.database_url)
    if settings.embedded_valkey:
        valkey.prepare(settings.var_dir / "valkey")
        supervisor.start(valkey.process_spec(settings.var_dir / "valkey", log=log / "valkey.log"))
        valkey.wait_ready(settings.redis_url, check=lambda: _still(supervisor))
    else:
        valkey.check_reachable(settings.redis_url)
    if settings.embedded_postgres:
        postgres.wait_ready(settings.database_url, check=lambda: _still(supervisor))
        postgres.ensure_database(settings.database_url)


def _still(supervisor: Supervisor) -> None:
    """Go on with the start? Not after Ctrl-C, and not when a child has died."""
    if supervisor.asked_to_stop:
        raise Stopped
    supervisor.check()


def _wait_until(ready: Callable[[], bool], supervisor: Supervisor) -> None:
    ends_at = time.monotonic() + READY_SECONDS
    while not ready():
        _still(supervisor)
        if time.monotonic() > ends_at:
            raise CannotStart(
                f"Not ready after {READY_SECONDS:.0f} s: the reason is in the newest lines of "
                "VAR_DIR/log/crew.log, prepare.log, web.log and clock.log."
            )
        supervisor.pause(0.05)


def answers_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def local_url(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    return f"http://{host}:{settings.port}"


def _welcome(settings: Settings, lines: Sequence[str], seconds: float) -> Iterator[str]:
    yield ""
    yield f"Ringledger is ready ({seconds:.1f} s):  {local_url(settings)}"
    yield from lines
    for caution in settings.cautions():
        yield f"Caution: {caution}"
    yield f"Logs: {settings.var_dir / 'log'}.  Ctrl-C stops everything and keeps the data."
    yield ""


def _make_still_wants_us() -> Callable[[], bool]:
    """Under `make run`: has make been killed, or interrupted alone? It passes SIGTERM on, but for
    SIGINT it trusts the terminal to have told everybody, and waits for us with SIGINT blocked.
    It blocks it for moments while it starts a command too, hence two sightings in a row."""
    make = os.getppid()
    status = Path(f"/proc/{make}/status")
    if not status.exists() or status.read_text().split()[1] not in ("make", "gmake"):
        return lambda: True
    sightings = 0

    def wanted() -> bool:
        nonlocal sightings
        try:
            blocked = re.search(r"^SigBlk:\s*([0-9a-f]+)", status.read_text(), re.MULTILINE)
        except OSError:  # killed
            return False
        interrupted = blocked and int(blocked[1], 16) & 1 << signal.SIGINT - 1
        sightings = sightings + 1 if interrupted else 0
        return sightings < 2

    return wanted


def _empty_metrics(folder: Path) -> None:
    """Counters of processes that are gone would count for ever."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
