"""A stand-in for VIES over real HTTP: it says what it is told to, as the API documents it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DATE = "2026-03-04T17:00:05.123Z"


class StandIn:
    """`next`: a status and a body for each coming question, the last for all after it. While
    `is_slow`, nobody answers. `asked`: the bodies that came."""

    url = ""

    def __init__(self) -> None:
        self.next: list[tuple[int, bytes]] = []
        self.asked: list[dict[str, Any]] = []
        self.is_slow = False
        self.closing = threading.Event()

    def says(self, *answers: tuple[int, bytes]) -> None:
        self.next = list(answers)

    def answer(self, path: str, question: dict[str, Any]) -> tuple[int, bytes]:
        self.asked.append(question)
        if self.is_slow:
            self.closing.wait(20)
        if path != "/check-vat-number":
            return 404, b"<html>"
        return self.next.pop(0) if len(self.next) > 1 else self.next[0]


def yes(name: str = "ACME GMBH", identifier: str = "") -> tuple[int, bytes]:
    return _told(valid=True, name=name, requestIdentifier=identifier)


def no() -> tuple[int, bytes]:
    return _told(valid=False, name="---", requestIdentifier="")


def unable(error: str = "MS_UNAVAILABLE", status: int = 200) -> tuple[int, bytes]:
    refusal = {"actionSucceed": False, "errorWrappers": [{"error": error}]}
    return status, json.dumps(refusal).encode()


@contextmanager
def stand_in() -> Iterator[StandIn]:
    register = StandIn()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, told = register.answer(self.path, json.loads(body))
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)
            except BrokenPipeError:
                return  # who asked has gone

        def log_message(self, *args: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    register.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield register
    finally:
        register.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _told(**more: Any) -> tuple[int, bytes]:
    answer = {"countryCode": "DE", "vatNumber": "136695976", "requestDate": DATE, "address": "---"}
    return 200, json.dumps(answer | more).encode()
