"""The sandbox carrier behind real HTTP, in virtual time."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from werkzeug.serving import make_server

from gateway.providers.twilio_http import RedirectedHttpClient
from gateway.providers.twilio_rest import TwilioTelephony
from gateway.sandbox.carrier import Carrier
from gateway.sandbox.clock import VirtualClock
from gateway.sandbox.rest import create_sandbox_app

ACCOUNT_SID, AUTH_TOKEN = "AC" + "5a" * 16, "sandbox-token"


@dataclass
class Sandbox:
    carrier: Carrier
    app: Flask
    url: str

    def refuse_next(self, requests: int) -> None:
        self.app.config["REFUSE_NEXT"] = requests


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    carrier = Carrier(ACCOUNT_SID, AUTH_TOKEN, VirtualClock())
    app = create_sandbox_app(carrier)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield Sandbox(carrier, app, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pauses() -> list[float]:
    """How long the client slept before each further try."""
    return []


@pytest.fixture
def telephony(sandbox: Sandbox, pauses: list[float]) -> Iterator[TwilioTelephony]:
    client = RedirectedHttpClient(sandbox.url, sleep=pauses.append)
    yield TwilioTelephony(account_sid=ACCOUNT_SID, auth_token=AUTH_TOKEN, http_client=client)
    client.session.close()
