"""How the house is: what waits, what was given up, whether the clock ticks."""

from __future__ import annotations

from flask import render_template

from gateway import queues, runtime
from gateway.ops.pages import blueprint
from gateway.services import operations

LATE_SECONDS = 15.0  # the drain happens within 15 s even without Redis; beyond that, look


@blueprint.get("/")
def home() -> str:
    running = runtime.current()
    with running.units.read() as uow:
        seen = operations.overview(uow)
        waiting = operations.waiting_deeds(uow, 10)
    return render_template(
        "ops/home.html",
        section="home",
        seen=seen,
        waiting=waiting,
        failed=_failed_jobs(running.settings.redis_url),
        late_seconds=LATE_SECONDS,
        count_max=operations.COUNT_MAX,
    )


def _failed_jobs(redis_url: str) -> dict[str, int] | None:
    """By queue; None while Redis is away, which holds nothing that is needed here."""
    connection = queues.connect(redis_url)
    try:
        return queues.Doorbells(connection).failed_jobs()
    except queues.RedisUnavailable:
        return None
    finally:
        connection.close()
