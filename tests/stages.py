"""The stage of a test, or of a file of tests: the product and its sandbox carrier."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from world import World, settings_for, world

from gateway.config import Settings


@pytest.fixture
def stage(settings: Settings) -> Iterator[World]:
    with world(settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def lasting_stage(
    make_database: Callable[[], tuple[str, Callable[[], None]]],
    servers: Any,
    worker_number: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """For a file of tests in which each opens its own accounts; none may ask for `stage` too."""
    database_url, drop = make_database()
    redis_url = servers.redis(worker_number % 64)
    with world(settings_for(database_url, redis_url, tmp_path_factory.mktemp("var"))) as opened:
        yield opened
    drop()
