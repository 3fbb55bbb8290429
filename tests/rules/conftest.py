"""One stage for each operator's file: the catalogue as it ships, the carrier in virtual time."""

import pytest
from stages import lasting_stage  # noqa: F401
from world import World


@pytest.fixture(scope="module")
def stage(lasting_stage: World) -> World:  # noqa: F811
    """Each test opens accounts of its own."""
    return lasting_stage
