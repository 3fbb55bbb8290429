from collections.abc import Iterator

import pytest
from world import World, world

from gateway.config import Settings


@pytest.fixture
def stage(settings: Settings) -> Iterator[World]:
    with world(settings) as opened:
        yield opened
