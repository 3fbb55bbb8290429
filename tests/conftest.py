"""What every test may ask for: a migrated database of its own, an empty Valkey, settings.

Pure tests ask for none of these, and then no server is started.
"""

import fcntl
import gc
import importlib.util
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from order import long_first
from servers import Servers, administrator, shared_servers
from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool
from werkzeug.routing import Rule

from gateway import db
from gateway.config import Settings, load_settings

# Python compiles nothing twice, whatever the environment says: without its caches each worker takes
# twice the time to find the tests, and so does each process of the product to start.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

TEMPLATE = "ringledger_template"
QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""A thousand tests log somebody in, who would wait 25 ms each time; see `products_hasher`."""
_opened: "weakref.WeakSet[Any]" = weakref.WeakSet()


_create_engine = db.create_engine
_first_engine: list[Engine] = []


def _ask_nothing(connection: object) -> None:
    """Instead of five questions about the server, which the first engine has asked."""


def _akin(url: str, **options: Any) -> Engine:
    """An engine that shares what the first one knows: what the server is, and how each statement
    is written. A database per test would compile every statement hundreds of times."""
    engine = _create_engine(url, query_cache_size=4_000, **options)
    if not _first_engine:
        _first_engine.append(engine)
    first = _first_engine[0]
    if getattr(first.dialect, "server_version_info", None):  # it has been connected
        engine.dialect.initialize = _ask_nothing  # type: ignore[method-assign]
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    return engine


db.create_engine = _akin  # type: ignore[attr-defined]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three for two cores: many tests wait for processes of the product, which they start."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers > 1:
        items[:] = long_first(items, workers)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: a full collection of garbage went through a million objects, a
    third of a second for each of thousands, a fifth of the suite's time."""
    if (logins := sys.modules.get("gateway.services.logins")) is not None:
        logins.HASHER = QUICK_HASHER  # type: ignore[attr-defined]
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@event.listens_for(Pool, "connect")
def _remember(connection: Any, record: object) -> None:
    _opened.add(connection)


_compile_builder = Rule._compile_builder
_builders: dict[tuple[str, tuple[tuple[bool, str], ...], bool], Callable[..., tuple[str, str]]] = {}


def _builder_once(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    """Werkzeug compiles two functions for each of 270 routes, 0.13 s for an application, and the
    suite makes hundreds of applications. Their code depends on nothing but the route's text."""
    if rule.defaults:
        return _compile_builder(rule, append_unknown)
    key = (rule.rule, tuple(rule._trace), append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


Rule._compile_builder = _builder_once  # type: ignore[assignment, method-assign]


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
def servers(tmp_path_factory: pytest.TempPathFactory, worker_number: int) -> Iterator[Servers]:
    """The PostgreSQL and the Valkey of this run (see servers.py), the same for all workers."""
    base = tmp_path_factory.getbasetemp()
    if worker_number == 0:
        found = shared_servers(base, os.getpid())
    else:
        found = shared_servers(base.parent, os.getppid())
    yield found
    administrator(found.database_url).close()


@pytest.fixture(scope="session")
def template_database(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory, worker_number: int
) -> str:
    """A migrated database to copy, made once per run; nobody may stay connected to it."""
    base = tmp_path_factory.getbasetemp()
    run_dir = base if worker_number == 0 else base.parent
    with (run_dir / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (run_dir / "template.done").exists():
            servers.create_database(TEMPLATE, "template1")
            db.upgrade(servers.database(TEMPLATE))
            db.dispose()
            _close_all()
            (run_dir / "template.done").touch()
    return TEMPLATE


@pytest.fixture(scope="session")
def make_database(
    servers: Servers, template_database: str, worker_number: int
) -> Callable[[], tuple[str, Callable[[], None]]]:
    """A new migrated database (about 10 ms): its URL, and how to drop it."""
    numbers = count()

    def make() -> tuple[str, Callable[[], None]]:
        name = f"test_{worker_number}_{next(numbers)}"
        servers.create_database(name, template_database)

        def drop() -> None:
            db.dispose()
            _close_all()
            servers.drop_database(name)

        return servers.database(name), drop

    return make


@pytest.fixture
def database_url(make_database: Callable[[], tuple[str, Callable[[], None]]]) -> Iterator[str]:
    """A migrated database that belongs to this test alone; commit what you like."""
    url, drop = make_database()
    yield url
    drop()


@pytest.fixture
def products_hasher(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Passwords are as slow as in the product."""
    from gateway.services import logins

    spec = importlib.util.find_spec("gateway.services.logins")
    assert spec is not None and spec.loader is not None
    as_shipped = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(as_shipped)
    monkeypatch.setattr(logins, "HASHER", as_shipped.HASHER)
    logins._nobodys_hash.cache_clear()
    yield
    logins._nobodys_hash.cache_clear()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Headless; see `browsing.NEEDS_CHROMIUM`."""
    from browsing import launched

    with launched() as browser:
        yield browser


@pytest.fixture
def redis_url(servers: Servers, worker_number: int) -> Iterator[str]:
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


def _close_all() -> None:
    """Pools forget their connections when a test ends; closing them here keeps psycopg from
    warning about it, and warnings are errors."""
    for connection in list(_opened):
        connection.close()
