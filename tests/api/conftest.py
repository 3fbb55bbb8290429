"""Programs that call the API: each answer is checked against the OpenAPI document on the way."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from apiflask import APIFlask
from openapi_core import Config, OpenAPI
from openapi_core.contrib.werkzeug import WerkzeugOpenAPIRequest, WerkzeugOpenAPIResponse
from werkzeug.test import Client, EnvironBuilder, TestResponse
from werkzeug.wrappers import Request

from gateway.app import create_app
from gateway.bootstrap import build_runtime
from gateway.config import Settings
from gateway.limits import limiter
from gateway.providers.telephony import OfferedNumber
from gateway.services import tokens
from gateway.services.accounts import Account
from gateway.uow import UnitsOfWork
from tests.services.conftest import (  # noqa: F401  the cast
    FakeCarrier,
    acme,
    bolt,
    carrier,
    cobalt,
    fund,
    on_sale,
)

OPS_TOKEN = "olga-token-for-tests"
_described: list[OpenAPI] = []


@pytest.fixture
def app(settings: Settings, carrier: FakeCarrier) -> Iterator[APIFlask]:  # noqa: F811
    carrier.offers = (
        OfferedNumber("+14155550142", "San Francisco", "CA", "US", "local"),
        OfferedNumber("+14155550143", "San Francisco", "CA", "US", "local"),
    )
    runtime = dataclasses.replace(build_runtime(settings), connect_carrier=lambda: carrier)
    app = create_app(runtime)
    app.testing = False  # errors are answered here, not raised
    with app.app_context():
        limiter.reset()
    yield app


@pytest.fixture
def units(app: APIFlask) -> UnitsOfWork:
    found: UnitsOfWork = app.extensions["ringledger"].units
    return found


class Program:
    """Holds a token; an ops token also names the account that it acts for."""

    def __init__(self, app: APIFlask, token: str | None, account: Account | None = None) -> None:
        self.client = Client(app)
        self.app = app
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        if account is not None:
            self.headers["Ringledger-Account"] = str(account.id)

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.send("GET", path, query_string=query)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.send("POST", path, json=body, headers=headers)

    def put(self, path: str, body: Any) -> TestResponse:
        return self.send("PUT", path, json=body)

    def patch(self, path: str, body: Any) -> TestResponse:
        return self.send("PATCH", path, json=body)

    def delete(self, path: str) -> TestResponse:
        return self.send("DELETE", path)

    def send(self, method: str, path: str, **more: Any) -> TestResponse:
        sent = {name.replace("_", "-"): value for name, value in more.pop("headers", {}).items()}
        if more.get("json", ...) is None:
            del more["json"]
        response = self.client.open(
            f"/api/v1{path}", method=method, headers={**self.headers, **sent}, **more
        )
        _check(self.app, response)
        return response


def _check(app: APIFlask, response: TestResponse) -> None:
    """The answer is what the document promises; a problem is one of RFC 9457."""
    if response.status_code >= 400:
        assert response.mimetype == "application/problem+json", response.text
        problem = response.json
        assert problem is not None and problem["status"] == response.status_code
        assert problem["code"] and problem["detail"], "for programs and for people"
        if response.status_code in (404, 405):
            return  # maybe a path or a method that the document does not know
    elif response.mimetype != "application/json":
        return
    # The request as it was, without its body: that has been read.
    asked = Request(
        EnvironBuilder(response.request.path, method=response.request.method).get_environ()
    )
    _document(app).validate_response(
        WerkzeugOpenAPIRequest(asked), WerkzeugOpenAPIResponse(response)
    )


def _document(app: APIFlask) -> OpenAPI:
    if not _described:
        spec = Client(app).get("/api/openapi.json").json
        assert spec is not None
        problems = {"application/problem+json": json.loads}
        # That the document itself is sound is tested once, in test_document.py.
        config = Config(
            spec_validator_cls=None,
            extra_media_type_deserializers=problems,  # type: ignore[arg-type]
        )
        _described.append(OpenAPI.from_dict(spec, config=config))
    return _described[0]


@pytest.fixture
def olga(app: APIFlask) -> Program:
    """Staff, with the bootstrap token, acting for nobody in particular."""
    return Program(app, OPS_TOKEN)


@pytest.fixture
def olga_for(app: APIFlask) -> Callable[[Account], Program]:
    """Staff acting for an account."""
    return lambda account: Program(app, OPS_TOKEN, account)


@pytest.fixture
def stranger(app: APIFlask) -> Program:
    """Nobody: no token at all."""
    return Program(app, None)


def _with_token(app: APIFlask, units: UnitsOfWork, account: Account) -> Program:
    with units.begin() as uow:
        text, _ = tokens.issue_token(uow, account.scope, "test", "account", "olga")
    return Program(app, text)


@pytest.fixture
def acmes(app: APIFlask, units: UnitsOfWork, acme: Account) -> Program:  # noqa: F811
    return _with_token(app, units, acme)


@pytest.fixture
def bolts(app: APIFlask, units: UnitsOfWork, bolt: Account) -> Program:  # noqa: F811
    return _with_token(app, units, bolt)


@pytest.fixture
def cobalts(app: APIFlask, units: UnitsOfWork, cobalt: Account) -> Program:  # noqa: F811
    return _with_token(app, units, cobalt)
