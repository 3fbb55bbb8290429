"""The product on a PostgreSQL and a Redis from Debian's packages, named by DATABASE_URL and
REDIS_URL. Skipped where they are not installed: apt-get install postgresql redis-server.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from product import free_port, running, soon, whole

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
REDIS = shutil.which("redis-server")
PASSWORD = "a:b@c/d e"  # everything that a URL has to encode
ENCODED = "a%3Ab%40c%2Fd%20e"

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        not POSTGRES or REDIS is None,
        reason="Debian's servers are not here: apt-get install postgresql redis-server",
    ),
]


@contextmanager
def server(*argv: str, **how: Any) -> Iterator[None]:
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def debians_postgres() -> Iterator[str]:
    """On a loopback port, behind a password, with a user that is no superuser."""
    programs, port = POSTGRES[-1].parent, free_port()
    # Root may not run it; the package has made a user.
    other = {"user": "postgres", "group": "postgres", "extra_groups": []}
    rights: dict[str, Any] = other if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="ringledger-debian-") as home:
        data, secret = Path(home) / "data", Path(home) / "password"
        secret.write_text(PASSWORD)
        if rights:
            for path in (home, secret):
                shutil.chown(path, "postgres", "postgres")
        make = ("initdb", "-D", data, "-U", "admin", "--pwfile", secret, "--auth=scram-sha-256")
        subprocess.run(
            [programs / make[0], *make[1:]], check=True, capture_output=True, cwd=home, **rights
        )
        yield from _serve(programs / "postgres", data, port, rights)


def _serve(program: Path, data: Path, port: int, rights: dict[str, Any]) -> Iterator[str]:
    settings = ("listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={data}")
    options = [part for setting in settings for part in ("-c", setting)]
    admin = f"postgresql://admin:{ENCODED}@127.0.0.1:{port}/postgres"
    with server(str(program), "-D", str(data), *options, cwd=data, **rights):

        def made() -> bool:
            try:
                with psycopg.connect(admin, autocommit=True) as connection:
                    connection.execute(f"create role ringledger login password '{PASSWORD}'")
                    connection.execute("create database calls owner ringledger")
            except psycopg.OperationalError:
                return False
            return True

        assert soon(made, 30)
        yield f"postgresql://ringledger:{ENCODED}@127.0.0.1:{port}/calls"


@contextmanager
def debians_redis(folder: Path) -> Iterator[str]:
    port = free_port()
    options = ("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder))
    with server(str(REDIS), *options, "--requirepass", "hidden", "--appendonly", "yes"):
        url = f"redis://:hidden@127.0.0.1:{port}/3"

        def answers() -> bool:
            try:
                with redis.Redis.from_url(url) as client:
                    return bool(client.ping())
            except redis.RedisError:
                return False

        assert soon(answers, 20)
        yield url


def test_traffic_on_debians_servers_is_on_the_books_to_the_cent(tmp_path: Path) -> None:
    with ExitStack() as stack:
        database_url = stack.enter_context(debians_postgres())
        redis_url = stack.enter_context(debians_redis(tmp_path))
        product = stack.enter_context(
            running(tmp_path, DATABASE_URL=database_url, REDIS_URL=redis_url)
        )
        with product.traffic(4):
            pass
        whole(product)
        embedded = {"postgres", "valkey"} & {path.name for path in (tmp_path / "var").iterdir()}
        assert not embedded, "nothing of ours was started beside them"
        with redis.Redis.from_url(redis_url) as client:
            assert client.keys("rq:*"), "RQ was rung over there"
