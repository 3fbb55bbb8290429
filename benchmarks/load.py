"""A load generator: one thread, a few keep-alive connections, requests made beforehand.

It runs on the same cores as what it measures, so it does little: write, read, look at the status.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

# A new connection now and then, so that both workers of gunicorn get their share.
REQUESTS_A_CONNECTION = 200


@dataclass(slots=True)
class Load:
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1_000


@dataclass(slots=True)
class _Line:
    """One connection and the request that is under way on it."""

    socket: socket.socket
    sent_at: float = 0.0
    answer: bytearray = field(default_factory=bytearray)
    requests: int = 0


def run(
    port: int,
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    expected: bytes = b"",
) -> Load:
    """Send until the time is up or the requests are; each is sent once, in order. An answer
    without `expected` counts as refused."""
    load = Load()
    left = iter(requests)
    with selectors.DefaultSelector() as selector:
        began = time.perf_counter()
        ends = began + seconds
        open_lines = sum(_begin(selector, port, left) for _ in range(connections))
        while open_lines:
            for key, _ in selector.select(timeout=10):
                line: _Line = key.data
                line.answer += line.socket.recv(65_536)
                if not _is_complete(line.answer):
                    continue
                now = time.perf_counter()
                load.latencies.append(now - line.sent_at)
                load.refused += expected not in line.answer
                if now < ends and line.requests < REQUESTS_A_CONNECTION and _send(line, left):
                    continue
                selector.unregister(line.socket)
                line.socket.close()
                open_lines -= 1
                if now < ends:
                    open_lines += _begin(selector, port, left)
        load.seconds = time.perf_counter() - began
    return load


def _begin(selector: selectors.BaseSelector, port: int, left: Iterator[bytes]) -> int:
    line = _Line(socket.create_connection(("127.0.0.1", port)))
    line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not _send(line, left):
        line.socket.close()
        return 0
    selector.register(line.socket, selectors.EVENT_READ, line)
    return 1


def _send(line: _Line, left: Iterator[bytes]) -> bool:
    request = next(left, None)
    if request is None:
        return False
    line.answer.clear()
    line.requests += 1
    line.sent_at = time.perf_counter()
    line.socket.sendall(request)
    return True


def _is_complete(answer: bytearray) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return not answer  # closed by the server
    if head.startswith(b"HTTP/1.1 204"):
        return True
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return at < 0 or len(body) >= int(lowered[at + 15 :].split(b"\r\n", 1)[0])
