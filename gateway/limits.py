"""Limits of what is asked: how often, shared by the edges (`@limiter.limit("10 per minute")` on a
view), and how much at once.

Tries are counted in Redis, and in each process's memory while Redis is away: a limit that is
looser for a while is better than a log-in that does not answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_SECONDS = 0.5
BODY_BYTES_MAX = 256 * 1024
BANK_FILE_BYTES_MAX = 10 * 1024 * 1024

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Body:
    """The most that a route takes, and what to do with more."""

    bytes_max: int
    cure: str


BODY = Body(BODY_BYTES_MAX, "That is too much at once: send at most 256 KB.")
BANK_FILE = Body(
    BANK_FILE_BYTES_MAX,
    "A bank's file may have 10 MB at most: have the bank make one for each day, or import it with"
    " “ringledger transfers import”.",
)


def takes(body: Body) -> Callable[[View], View]:
    """More than others do; only from those whom the route's edge knows and lets in."""

    def mark(view: View) -> View:
        view.body = body  # type: ignore[attr-defined]
        return view

    return mark


def body_of_route() -> Body:
    view = current_app.view_functions.get(request.endpoint or "")
    found = getattr(view, "body", BODY)
    assert isinstance(found, Body)
    return found


class RedisAlone(RedisStorage):
    """The library also loads the `valkey` client wherever it is installed (the demo's wheel brings
    it), 17 MB of every web worker that nobody uses. Naming the schemes again replaces its class."""

    STORAGE_SCHEME = ["redis", "rediss", "redis+unix"]  # noqa: RUF012  as the library has it
    DEPENDENCIES = {"redis": None}  # noqa: RUF012


class EdgeLimiter(Limiter):
    """Keeps out of the carrier's way: while Redis is down, the library pings it now and then
    inside whatever request comes along, and no webhook may wait for that."""

    def _check_request_limit(
        self, callable_name: str | None = None, in_middleware: bool = True
    ) -> None:
        if not request.path.startswith("/webhooks/"):
            super()._check_request_limit(callable_name, in_middleware)


limiter = EdgeLimiter(
    key_func=get_remote_address,
    strategy="fixed-window",
    in_memory_fallback_enabled=True,
    swallow_errors=True,
    headers_enabled=True,
    key_prefix="ringledger",
)


def init_app(app: Flask, redis_url: str) -> None:
    # The library's spelling of a unix socket differs from redis-py's.
    app.config.setdefault("RATELIMIT_STORAGE_URI", redis_url.replace("unix://", "redis+unix://", 1))
    app.config.setdefault(
        "RATELIMIT_STORAGE_OPTIONS",
        {
            "socket_timeout": TIMEOUT_SECONDS,
            "socket_connect_timeout": TIMEOUT_SECONDS,
            # redis-py's own default is three more tries with pauses of seconds.
            "retry": Retry(NoBackoff(), 0),
        },
    )
    limiter.init_app(app)
