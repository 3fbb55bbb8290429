"""The carrier under test, and a customer for it: a small HTTP server that plays the gateway."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask, Response, request
from twilio.request_validator import RequestValidator
from werkzeug.serving import make_server

from gateway.sandbox.carrier import Carrier
from gateway.sandbox.clock import VirtualClock
from gateway.sandbox.people import Behaviour
from gateway.sandbox.rest import create_sandbox_app

ACCOUNT_SID, AUTH_TOKEN = "AC" + "5a" * 16, "sandbox-token"
ACME_LINE = "+12125550100"
FRONT_DESK, MOBILE = "+14155550101", "+14155550102"
CALLER = "+17025550199"
EVERY_EVENT = "initiated ringing answered completed"
Document = str | Callable[[dict[str, str]], str]


@dataclass
class Customer:
    """What the gateway would answer, by path, and what it was told. `failing` counts how many more
    requests to a path are answered 500."""

    base_url: str
    documents: dict[str, Document] = field(default_factory=dict)
    failing: dict[str, int] = field(default_factory=dict)
    content_type: str = "text/xml"
    received: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    unsigned: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return self.base_url + path

    def says(self, path: str, body: Document) -> None:
        """The body of a <Response>, or a function of the form that makes it."""
        self.documents[path] = body

    def told(self, path: str) -> list[dict[str, str]]:
        return [form for at, form in self.received if at == path]

    def paths(self) -> list[str]:
        return [path for path, _form in self.received]


class _Server:
    """One HTTP server for the whole run; the customer behind it is a new one for every test."""

    def __init__(self) -> None:
        self.customer: Customer | None = None
        app = Flask("customer")
        app.add_url_rule("/<path:path>", "any", self._answer, methods=["GET", "POST"])
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _answer(self, path: str) -> Response:
        customer, path = self.customer, "/" + path
        assert customer is not None
        url = self.base_url + request.environ["RAW_URI"]
        signature = request.headers.get("X-Twilio-Signature", "")
        if not RequestValidator(AUTH_TOKEN).validate(url, request.form, signature):
            customer.unsigned.append(url)
        form = request.form.to_dict()
        customer.received.append((path, form))
        if customer.failing.get(path, 0) > 0:
            customer.failing[path] -= 1
            return Response("down", status=500)
        document = customer.documents.get(path, "")
        body = document(form) if callable(document) else document
        if not body.startswith("!"):
            body = f"<Response>{body}</Response>"
        return Response(body.removeprefix("!"), content_type=customer.content_type)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="session")
def customer_server() -> Iterator[_Server]:
    server = _Server()
    yield server
    server.stop()


@pytest.fixture
def customer(customer_server: _Server) -> Customer:
    customer_server.customer = Customer(customer_server.base_url)
    return customer_server.customer


@pytest.fixture
def carrier(customer: Customer) -> Carrier:
    """In virtual time, with Acme's line pointed at the customer."""
    carrier = Carrier(ACCOUNT_SID, AUTH_TOKEN, VirtualClock())
    connect(carrier, customer)
    return carrier


def connect(carrier: Carrier, customer: Customer) -> None:
    carrier.buy_number(
        {
            "PhoneNumber": ACME_LINE,
            "VoiceUrl": customer.url("/voice"),
            "VoiceFallbackUrl": customer.url("/fallback"),
            "StatusCallback": customer.url("/status"),
            "SmsUrl": customer.url("/sms"),
        }
    )
    carrier.people.tell(FRONT_DESK, Behaviour(answers_after_seconds=6, talks_seconds=83))
    carrier.people.tell(MOBILE, Behaviour(answers_after_seconds=9, talks_seconds=30))


@pytest.fixture
def dial(customer: Customer) -> Callable[..., str]:
    """A <Dial> of the given targets, with every leg event and an action."""

    def build(*targets: str, attributes: str = "", noun: str = "", action: bool = True) -> str:
        number = (
            f'<Number statusCallback="{customer.url("/leg")}"'
            f' statusCallbackEvent="{EVERY_EVENT}" {noun}>'
        )
        nouns = "".join(f"{number}{target}</Number>" for target in targets)
        url = f'action="{customer.url("/action")}"' if action else ""
        return f"<Dial {url} {attributes}>{nouns}</Dial>"

    return build


@pytest.fixture
def api(carrier: Carrier) -> Any:
    """The REST API without a network, with the right credentials."""
    client = create_sandbox_app(carrier).test_client()
    return _Api(client)


class _Api:
    def __init__(self, client: Any) -> None:
        self.client = client
        self.app = client.application

    def __call__(self, method: str, path: str, **keywords: Any) -> Any:
        keywords.setdefault("auth", (ACCOUNT_SID, AUTH_TOKEN))
        if not path.startswith("/"):
            path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/{path}"
        return self.client.open(path, method=method, **keywords)
