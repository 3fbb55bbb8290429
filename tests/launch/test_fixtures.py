"""The fixtures of tests/conftest.py keep their promises: each test alone with its data."""

import psycopg
import pytest
import redis

from gateway.config import Settings


@pytest.mark.parametrize("visit", [1, 2])
def test_no_test_sees_what_another_committed(database_url: str, visit: int) -> None:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        seen = connection.execute("select to_regclass('left_behind')").fetchone()
        connection.execute("create table left_behind (id int)")
    assert seen == (None,), f"visit {visit}"


@pytest.mark.parametrize("visit", [1, 2])
def test_valkey_is_empty_at_the_start_of_each_test(redis_url: str, visit: int) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0, f"visit {visit}"
        client.set("left", "behind")


def test_the_settings_of_a_test_are_those_of_the_sandbox(settings: Settings) -> None:
    assert settings.sandbox
    assert not settings.embedded_postgres
