from collections.abc import Iterator

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from gateway.app import create_app
from gateway.bootstrap import build_runtime
from gateway.config import Settings
from gateway.limits import limiter


@pytest.fixture
def app(settings: Settings) -> Iterator[APIFlask]:
    app = create_app(build_runtime(settings))
    app.testing = False  # errors are answered here, not raised
    yield app
    limiter.reset()


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    return app.test_client()
