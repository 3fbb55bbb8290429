"""`python -m workers NAME`: one RQ worker for one queue, or the clock."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import structlog
from rq import Queue, Worker
from rq.serializers import JSONSerializer

from gateway import queues
from gateway.config import SettingsInvalid
from workers import carrier, notify, renewals, settle  # noqa: F401  loaded once, before the forks
from workers.context import work
from workers.schedule import Clock

log = structlog.get_logger(__name__)

# RQ notices a killed worker after 808 s at its defaults, after 88 s with these (RELIABILITY R19).
# The clock steps in after ten, so this only tidies RQ's own registries.
WORKER_TTL_SECONDS = 45
MAINTENANCE_SECONDS = 30


def run_clock() -> None:
    clock = Clock(work())

    def stop(signum: int, frame: FrameType | None) -> None:
        clock.stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    clock.run()


def run_worker(name: str) -> None:
    """One queue per worker process: with several, a crash between pop and start loses the job
    for good (rq#1716, rq#2061)."""
    redis = queues.connect_blocking(work().runtime.settings.redis_url)
    worker = Worker(
        [Queue(name, connection=redis, serializer=JSONSerializer)],
        connection=redis,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_SECONDS,
        maintenance_interval=MAINTENANCE_SECONDS,
        log_job_description=False,
    )
    worker.work(logging_level="WARNING")


def main(arguments: list[str]) -> int:
    names = (*queues.QUEUES, "clock")
    if len(arguments) != 1 or arguments[0] not in names:
        print(f"usage: python -m workers {'|'.join(names)}", file=sys.stderr)
        return 2
    try:
        work()
    except SettingsInvalid as invalid:
        print(invalid, file=sys.stderr)
        return 2
    if arguments[0] == "clock":
        run_clock()
    else:
        run_worker(arguments[0])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
