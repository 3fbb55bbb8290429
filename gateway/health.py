"""For operations: is the process alive, is the installation ready, what has it counted.

Point a load balancer at `/healthz`: calls are answered without Redis and without the clock.
`/readyz` is for people, monitors and deployments: 503 while any part is missing.
"""

import datetime as dt
import os
from collections.abc import Callable, Iterator
from typing import cast

import redis
from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import text

from gateway import db, runtime
from gateway.runtime import Runtime

blueprint = Blueprint("health", __name__)

REDIS_TIMEOUT_SECONDS = 1.0
CLOCK_LATE_SECONDS = 15.0  # the clock beats every second or so; its lease lasts longer

CLOCK_SQL = "select extract(epoch from now() - max(beat_at)) from lease where name = 'clock'"
AGES_SQL = """
select coalesce((select extract(epoch from now() - min(due_at)) from outbox
                 where done_at is null and dead_at is null and due_at <= now()), 0),
       (select count(*) from outbox where dead_at is not null and done_at is null),
       greatest(coalesce((select extract(epoch from now() - min(ended_at)) from leg_due), 0),
                coalesce((select extract(epoch from now() - min(due_at)) from message
                          where due_at is not null and settled_at is null), 0))
"""
AGE_NAMES = (
    ("ringledger_outbox_age_seconds", "How long the oldest due deed has waited."),
    ("ringledger_outbox_dead", "Deeds that were given up and wait for staff."),
    (
        "ringledger_settle_lag_seconds",
        "How long the oldest ended leg or text has waited for its charge.",
    ),
)


@blueprint.get("/healthz")
def healthz() -> Response:
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> Response:
    current = runtime.current()
    checks = {
        "database": _checked(lambda: _migrations(current)),
        "redis": _checked(lambda: _redis(current)),
        "clock": _checked(lambda: _clock(current)),
    }
    ready = all(words == "ok" for words in checks.values())
    response = jsonify(status="ready" if ready else "not ready", checks=checks)
    response.status_code = 200 if ready else 503
    return response


@blueprint.get("/metrics")
def metrics() -> Response:
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    body = generate_latest(registry)
    ages = CollectorRegistry()
    ages.register(Ages(runtime.current()))
    return Response(body + generate_latest(ages), content_type=CONTENT_TYPE_LATEST)


class Ages(Collector):
    """Asked of the database at each scrape: an age that a stuck process kept would be a lie."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            with self._runtime.units.read() as uow:
                values = uow.connection.execute(text(AGES_SQL)).one()
        except Exception:  # a scrape while the database is away still tells the rest
            return
        for (name, words), value in zip(AGE_NAMES, values, strict=True):
            yield GaugeMetricFamily(name, words, value=float(value))


def _checked(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as error:  # whatever it is, it is the answer to "is it ready"
        return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"


def _migrations(current: Runtime) -> str:
    with current.units.read() as uow:
        found = db.applied_revisions(uow.connection)
    current_schema = found == db.expected_revisions()
    return "ok" if current_schema else "schema is not current: run `ringledger db upgrade`"


def _redis(current: Runtime) -> str:
    client = redis.Redis.from_url(
        current.settings.redis_url,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    with client:
        client.ping()
    return "ok"


def _clock(current: Runtime) -> str:
    with current.units.read() as uow:
        age = cast(float | None, uow.connection.execute(text(CLOCK_SQL)).scalar())
    if age is None:
        return "no clock process has ever run: start `python -m workers clock`"
    if age > CLOCK_LATE_SECONDS:
        return f"the clock has not beaten for {dt.timedelta(seconds=int(age))}: start it again"
    return "ok"
