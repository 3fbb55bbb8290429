"""The cast of the pages, for what is asked of every edge."""

from collections.abc import Iterator
from typing import Any

import pytest
from direct_cards import direct_till

from tests.web.conftest import NOON, World, copy_of, settled, web_app

__all__ = ["settled", "web_app"]


@pytest.fixture
def world(settled: World, servers: Any, worker_number: int) -> Iterator[World]:
    """Acme with a number and a settled call, Bolt and Cobalt beside it, Olga for staff; cards are
    paid without HTTP."""
    till = direct_till(settled.runtime.settings.public_url, NOON)[0]
    with copy_of(settled, servers, f"edges_{worker_number}", till) as found:
        yield found
