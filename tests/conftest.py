"""What every test may ask for: a migrated database of its own, an empty Valkey, settings.

Pure tests ask for none of these, and then no server is started.
"""

import fcntl
import importlib.util
import os
import weakref
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import event
from sqlalchemy.pool import Pool

from gateway import db
from gateway.config import Settings, load_settings

TEMPLATE = "ringledger_template"
_opened: "weakref.WeakSet[Any]" = weakref.WeakSet()


def _load(name: str) -> ModuleType:
    """Import a neighbour by path: with --import-mode=importlib, tests/ is not on sys.path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@event.listens_for(Pool, "connect")
def _remember(connection: Any, record: object) -> None:
    _opened.add(connection)


@pytest.fixture(scope="session")
def worker_number(request: pytest.FixtureRequest) -> int:
    """0 without pytest-xdist, else the worker's number from 1 on."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "gw-1")
    return int(worker.removeprefix("gw")) + 1


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Twilio's published data, kept beside the repository where the project is developed."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("RINGLEDGER_SHARED_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"Twilio's data is not at {folder}; RINGLEDGER_SHARED_DATA names its folder")
    return folder


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory, worker_number: int) -> Any:
    """The PostgreSQL and the Valkey of this run (see servers.py), the same for all workers."""
    base = tmp_path_factory.getbasetemp()
    if worker_number == 0:
        return _load("servers").shared_servers(base, os.getpid())
    return _load("servers").shared_servers(base.parent, os.getppid())


@pytest.fixture(scope="session")
def template_database(
    servers: Any, tmp_path_factory: pytest.TempPathFactory, worker_number: int
) -> str:
    """A migrated database to copy, made once per run; nobody may stay connected to it."""
    base = tmp_path_factory.getbasetemp()
    run_dir = base if worker_number == 0 else base.parent
    with (run_dir / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (run_dir / "template.done").exists():
            _run(servers, f"create database {TEMPLATE}")
            db.upgrade(servers.database(TEMPLATE))
            db.dispose()
            _close_all()
            (run_dir / "template.done").touch()
    return TEMPLATE


@pytest.fixture(scope="session")
def make_database(
    servers: Any, template_database: str, worker_number: int
) -> Callable[[], tuple[str, Callable[[], None]]]:
    """A new migrated database (about 10 ms): its URL, and how to drop it."""
    numbers = count()

    def make() -> tuple[str, Callable[[], None]]:
        name = f"test_{worker_number}_{next(numbers)}"
        _run(servers, f"create database {name} template {template_database} strategy file_copy")

        def drop() -> None:
            db.dispose()
            _close_all()
            _run(servers, f"drop database {name} with (force)")

        return servers.database(name), drop

    return make


@pytest.fixture
def database_url(make_database: Callable[[], tuple[str, Callable[[], None]]]) -> Iterator[str]:
    """A migrated database that belongs to this test alone; commit what you like."""
    url, drop = make_database()
    yield url
    drop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Headless; see `browsing.NEEDS_CHROMIUM`."""
    from browsing import launched

    with launched() as browser:
        yield browser


@pytest.fixture
def redis_url(servers: Any, worker_number: int) -> Iterator[str]:
    """An empty Valkey database that belongs to this worker."""
    import redis

    url = servers.redis(worker_number % 64)
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    yield url


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    """Sandbox settings on this test's servers; nothing of the developer's environment."""
    return load_settings(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "VAR_DIR": str(tmp_path / "var"),
            "PUBLIC_URL": "http://gateway.test",
            "BOOTSTRAP_OPS_TOKEN": "olga-token-for-tests",
        }
    )


def _run(servers: Any, statement: str) -> None:
    url = servers.database_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement))


def _close_all() -> None:
    """Pools forget their connections when a test ends; closing them here keeps psycopg from
    warning about it, and warnings are errors."""
    for connection in list(_opened):
        connection.close()
