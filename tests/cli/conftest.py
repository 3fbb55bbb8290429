"""`ringledger` as a person would run it, on this test's servers and a sandbox carrier."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from browsing import served
from click.testing import CliRunner, Result
from flask import Flask, Response

from gateway import db
from gateway.cli import main
from gateway.config import Settings
from gateway.sandbox.carrier import Carrier
from gateway.sandbox.rest import create_sandbox_app


@dataclass
class Terminal:
    environ: dict[str, str]

    def __call__(self, *words: str, input: str | None = None) -> Result:
        # Nothing of the developer's own environment reaches the command.
        return CliRunner(env=self.environ).invoke(main, words, input=input)

    def json(self, *words: str) -> Any:
        result = self(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@contextmanager
def sandbox(settings: Settings) -> Iterator[str]:
    carrier = Carrier(settings.twilio_account_sid, settings.twilio_auth_token)
    carrier.start()
    with served(create_sandbox_app(carrier)) as url:
        yield url
    carrier.stop()


@pytest.fixture
def sandbox_url(settings: Settings) -> Iterator[str]:
    with sandbox(settings) as url:
        yield url


def a_voice() -> Flask:
    """Whoever answers the sandbox carrier's webhooks: says a word and hangs up."""
    app = Flask("gateway")

    @app.post("/<path:path>")
    def voice(path: str) -> Response:
        return Response("<Response><Say>Hello</Say></Response>", content_type="text/xml")

    return app


@pytest.fixture
def gateway_url() -> Iterator[str]:
    with served(a_voice()) as url:
        yield url


@pytest.fixture
def environ(settings: Settings, sandbox_url: str, gateway_url: str) -> dict[str, str]:
    return environ_of(settings, sandbox_url, gateway_url)


def environ_of(settings: Settings, sandbox_url: str, gateway_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "VAR_DIR": str(settings.var_dir),
        "PUBLIC_URL": gateway_url,
        "TWILIO_ACCOUNT_SID": "",
        "TWILIO_AUTH_TOKEN": "",
        "TWILIO_API_URL": sandbox_url,
        "SANDBOX_PORT": sandbox_url.rpartition(":")[2],
        "LOG_LEVEL": "WARNING",
    }


@pytest.fixture
def ringledger(environ: dict[str, str]) -> Iterator[Terminal]:
    terminal = Terminal(environ)
    result = terminal("db", "upgrade")
    assert result.exit_code == 0, result.output
    yield terminal
    db.dispose()


@pytest.fixture
def acme(ringledger: Terminal) -> Any:
    return ringledger.json("account", "create", "--name", "Acme", "--email", "a@acme.test")
