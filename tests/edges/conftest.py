"""The cast of the pages, for what is asked of every edge."""

from collections.abc import Iterator

import pytest
from direct_cards import direct_till

from gateway import db
from gateway.app import create_app
from gateway.config import Settings
from gateway.limits import limiter
from gateway.links import PublicLinks
from gateway.runtime import Runtime
from gateway.uow import UnitsOfWork
from tests.web.conftest import NOON, Shop, World, people_the_world


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """Acme with a number and a settled call, Bolt and Cobalt beside it, Olga for staff."""
    runtime = Runtime(
        settings=settings,
        units=UnitsOfWork(db.engine_for(settings.database_url), lambda: NOON),
        links=PublicLinks(settings.public_url),
        connect_carrier=lambda: Shop(),  # type: ignore[arg-type, return-value]
        till=direct_till(settings.public_url, NOON)[0],
    )
    app = create_app(runtime)
    yield people_the_world(app, runtime)
    limiter.reset()
