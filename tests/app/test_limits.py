"""Rate limits hold, and Redis can neither stop nor slow a request for long."""

import socket
import time
from collections.abc import Iterator

import pytest
from apiflask import APIFlask

from gateway.app import create_app
from gateway.bootstrap import build_runtime
from gateway.config import Settings
from gateway.limits import limiter


def limited(settings: Settings, redis_url: str) -> APIFlask:
    app = create_app(build_runtime(settings.model_copy(update={"redis_url": redis_url})))

    @app.get("/tries")
    @limiter.limit("3 per minute")
    def tries() -> str:
        return "ok"

    @app.get("/webhooks/probe")
    def probe() -> str:
        return "ok"

    return app


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    limiter._storage_dead = False


@pytest.fixture
def hung_redis() -> Iterator[str]:
    """Takes connections and never answers, as a stopped process does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_the_fourth_try_in_a_minute_is_refused_in_words(settings: Settings, redis_url: str) -> None:
    client = limited(settings, redis_url).test_client()
    answers = [client.get("/tries", headers={"Accept": "application/json"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].json["code"] == "too_many_requests"
    assert int(answers[3].headers["Retry-After"]) <= 60


def test_two_processes_count_together(settings: Settings, redis_url: str) -> None:
    one = limited(settings, redis_url).test_client()
    statuses = [one.get("/tries").status_code for _ in range(2)]
    other = limited(settings, redis_url).test_client()
    statuses += [other.get("/tries").status_code for _ in range(2)]
    assert statuses == [200, 200, 200, 429]


@pytest.mark.parametrize("state", ["gone", "hung"])
def test_without_redis_each_process_counts_alone_and_answers_soon(
    settings: Settings, hung_redis: str, state: str
) -> None:
    url = hung_redis if state == "hung" else "redis://127.0.0.1:9/0"
    client = limited(settings, url).test_client()
    start = time.perf_counter()
    statuses = [client.get("/tries").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert time.perf_counter() - start < 3


def test_a_webhook_never_waits_for_redis(settings: Settings, hung_redis: str) -> None:
    client = limited(settings, hung_redis).test_client()
    client.get("/tries")  # now the library knows that its storage is dead, and pings it sometimes
    times = []
    for _ in range(20):
        start = time.perf_counter()
        assert client.get("/webhooks/probe").status_code == 200
        times.append(time.perf_counter() - start)
        time.sleep(0.05)
    assert max(times) < 0.3
