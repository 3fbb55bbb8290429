"""One stage for each operator's file: the catalogue as it ships, the carrier in virtual time."""

import pytest
from world import World

from tests.journeys.conftest import lasting_stage  # noqa: F401


@pytest.fixture(scope="module")
def stage(lasting_stage: World) -> World:  # noqa: F811
    """Each test opens accounts of its own."""
    return lasting_stage
