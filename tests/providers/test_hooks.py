"""Webhooks of customers: signed, to public hosts only, to the very address that was checked."""

import hashlib
import hmac
import http.server
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gateway.providers.hooks import HttpHooks, signature
from gateway.providers.telephony import ProviderError

SECRET = "s" * 48
EVENT = {"type": "alert", "words": "Größe"}


class Receiver(http.server.BaseHTTPRequestHandler):
    answer = 204
    got: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, dict(self.headers), body))
        self.send_response(self.answer)
        self.send_header("Location", "https://169.254.169.254/")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        return None


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[tuple[int, ssl.SSLContext]]:
    """An https server for alerts.test on a loopback port."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(certificate), "-subj", "/CN=alerts.test"),
            *("-addext", "subjectAltName=DNS:alerts.test"),
        ],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("openssl is not there to make a certificate")
    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    Receiver.got, Receiver.answer = [], 204
    yield server.server_port, ssl.create_default_context(cafile=str(certificate))
    server.shutdown()
    thread.join()
    server.server_close()


def hooks(context: ssl.SSLContext | None = None) -> HttpHooks:
    return HttpHooks(
        resolve=lambda host, port: ["127.0.0.1"], is_allowed=lambda address: True, context=context
    )


def test_the_body_is_signed_and_sent_as_it_was_signed(
    receiver: tuple[int, ssl.SSLContext],
) -> None:
    port, context = receiver
    hooks(context).post(f"https://alerts.test:{port}/a?b=1", SECRET, EVENT)
    ((path, headers, body),) = Receiver.got
    assert path == "/a?b=1" and json.loads(body) == EVENT
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["Ringledger-Signature"] == f"sha256={expected}" == signature(SECRET, body)
    assert headers["Host"] == f"alerts.test:{port}"


@pytest.mark.parametrize(
    "answer, permanent",
    [
        pytest.param(500, False, id="their trouble: again later"),
        pytest.param(302, False, id="H redirects are not followed"),
        pytest.param(410, True, id="they want no more"),
    ],
)
def test_what_is_no_success_is_a_failure(
    receiver: tuple[int, ssl.SSLContext], answer: int, permanent: bool
) -> None:
    port, context = receiver
    Receiver.answer = answer
    with pytest.raises(ProviderError) as failure:
        hooks(context).post(f"https://alerts.test:{port}/", SECRET, EVENT)
    assert failure.value.permanent is permanent
    assert len(Receiver.got) == 1


def test_a_certificate_of_another_name_is_refused(receiver: tuple[int, ssl.SSLContext]) -> None:
    port, context = receiver
    with pytest.raises(ProviderError):
        hooks(context).post(f"https://other.test:{port}/", SECRET, EVENT)
    assert Receiver.got == []


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(["127.0.0.1"], id="H loopback"),
        pytest.param(["10.1.2.3"], id="H private"),
        pytest.param(["169.254.169.254"], id="H the cloud's own"),
        pytest.param(["::1"], id="H loopback, IPv6"),
        pytest.param(["::ffff:127.0.0.1"], id="H loopback in disguise"),
        pytest.param(["93.184.216.34", "10.0.0.1"], id="H one of them private"),
        pytest.param([], id="H nowhere"),
    ],
)
def test_private_addresses_are_never_connected_to(addresses: list[str]) -> None:
    with pytest.raises(ProviderError) as refusal:
        HttpHooks(resolve=lambda host, port: addresses).post("https://x.test/", SECRET, EVENT)
    assert refusal.value.permanent
    assert "not a public address" in refusal.value.words


def test_a_host_that_nobody_knows_is_tried_again_later() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(ProviderError) as failure:
        HttpHooks(resolve=resolve).post("https://x.test/", SECRET, EVENT)
    assert not failure.value.permanent
