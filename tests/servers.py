"""The servers of one test run: PostgreSQL and Valkey, shared by all workers of pytest-xdist.

A process of its own holds them (`python tests/servers.py <folder> <pid>`): it ends them when the
process with that pid, the pytest that the user started, is gone, however it ended. They forget
everything in a crash (fsync off), which is what makes a database per test affordable.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import psycopg

REPOSITORY = Path(__file__).parent.parent
FAST_AND_FORGETFUL = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_connections=200",
    "shared_buffers=64MB",
    "max_wal_size=2GB",
    "checkpoint_timeout=1h",
)
VALKEY_DATABASES = 64
MEMORY_BYTES_MIN = 4 << 30


@dataclass(frozen=True, slots=True)
class Servers:
    """`database_url` names the database `ringledger`, which stays empty."""

    database_url: str
    redis_url: str

    def database(self, name: str) -> str:
        return self.database_url.replace("/ringledger?", f"/{name}?")

    def redis(self, number: int) -> str:
        return self.redis_url.replace("?db=0", f"?db={number}")

    def create_database(self, name: str, template: str) -> None:
        """A copy (about 10 ms); nobody may be connected to the template."""
        self._administer(f"create database {name} template {template} strategy file_copy")

    def drop_database(self, name: str) -> None:
        self._administer(f"drop database {name} with (force)")

    def _administer(self, statement: str) -> None:
        administrator(self.database_url).execute(statement.encode())


@cache
def administrator(database_url: str) -> psycopg.Connection:
    """One connection for all that a worker creates and drops; close it in the end."""
    return psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True)


def shared_servers(run_dir: Path, pytest_pid: int) -> Servers:
    """The run's servers; the first caller starts them, everyone else waits for that."""
    answer = run_dir / "servers.json"
    with (run_dir / "servers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answer.exists():
            log = (run_dir / "servers.log").open("wb")
            with log:
                holder = subprocess.Popen(
                    [sys.executable, __file__, str(run_dir), str(pytest_pid)],
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    cwd=REPOSITORY,
                    env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
                )
            while not answer.exists():
                if holder.poll() is not None:
                    raise RuntimeError((run_dir / "servers.log").read_text())
                time.sleep(0.02)
            holder.returncode = 0  # it outlives this process; Popen must not warn about that
    return Servers(**json.loads(answer.read_text()))


def _memory() -> Path | None:
    """Where the run's files lie in memory, if there is room: a database per test makes and removes
    hundreds of them, and a disk's file system takes more time for that than the tests do."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK):
        return memory if shutil.disk_usage(memory).free > MEMORY_BYTES_MIN else None
    return None


def hold(run_dir: Path, pytest_pid: int) -> None:
    """Start both, write `servers.json`, and stay until pytest is gone."""
    from gateway.config import embedded_database_url, embedded_redis_url
    from gateway.embedded import postgres, valkey
    from gateway.supervise import Supervisor, is_alive

    home = Path(tempfile.mkdtemp(prefix="ringledger-test-", dir=_memory()))
    servers = Servers(embedded_database_url(home), embedded_redis_url(home))
    try:
        with Supervisor(print, wanted=lambda: is_alive(pytest_pid)) as supervisor:
            postgres.prepare(home / "postgres")
            valkey.prepare(home / "valkey")
            supervisor.start(
                postgres.process_spec(home / "postgres", options=FAST_AND_FORGETFUL),
                valkey.process_spec(
                    home / "valkey", options=("--databases", str(VALKEY_DATABASES))
                ),
            )
            postgres.wait_ready(servers.database_url, check=supervisor.check)
            postgres.ensure_database(servers.database_url)
            valkey.wait_ready(servers.redis_url, check=supervisor.check)
            draft = run_dir / "servers.draft"
            draft.write_text(json.dumps(asdict(servers)))
            draft.rename(run_dir / "servers.json")
            supervisor.watch()
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    hold(Path(sys.argv[1]), int(sys.argv[2]))
