"""Olga at the console."""

import pytest

from tests.edges.conftest import settled, web_app, world  # noqa: F401  the cast
from tests.web.conftest import OLGA, Browser, World


@pytest.fixture
def olga(world: World) -> Browser:  # noqa: F811
    return world.logged_in(OLGA)
