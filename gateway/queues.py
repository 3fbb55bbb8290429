"""RQ as a doorbell: it carries "look at the database", never the work itself.

Queue names, the Redis connection, and ringing. Whatever Redis loses, doubles or delays, the due
rows in PostgreSQL are looked at again half a second later.
"""

from __future__ import annotations

from typing import Final

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

QUEUES: Final = ("settle", "carrier", "notify", "renewals")
JOBS: Final = {
    "settle": "workers.settle.run",
    "carrier": "workers.carrier.run",
    "notify": "workers.notify.run",
    "renewals": "workers.renewals.run",
}
JOB_TIMEOUT_SECONDS: Final = 60
FAILED_JOBS_KEPT_SECONDS: Final = 7 * 86_400
# redis-py 8 waits 5 s and retries by itself: a hung Redis would hold its caller for 15 s and may
# run a command twice (RELIABILITY C7, C9). One second, no retry; the next tick rings again.
SOCKET_TIMEOUT_SECONDS: Final = 1.0


class RedisUnavailable(Exception):
    """Redis did not answer; nothing is lost, because the due rows are in PostgreSQL."""


def connect(redis_url: str) -> Redis:
    return Redis.from_url(
        redis_url,
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
        retry=None,
        retry_on_error=[],
        health_check_interval=0,
    )


def connect_blocking(redis_url: str) -> Redis:
    """For a worker that waits for jobs: no socket timeout, or each quiet spell were an error."""
    return Redis.from_url(redis_url, socket_timeout=None, socket_connect_timeout=5)


class Doorbells:
    """Rings the workers; one per process."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._queues = {
            name: Queue(name, connection=redis, serializer=JSONSerializer) for name in QUEUES
        }

    def ring(self, name: str) -> bool:
        """Coalesced: with one ring waiting in the queue a second would do nothing more.

        False when one is waiting already; raises `RedisUnavailable`.
        """
        queue = self._queues[name]
        try:
            if queue.count:
                return False
            queue.enqueue(
                JOBS[name],
                job_timeout=JOB_TIMEOUT_SECONDS,
                result_ttl=0,
                failure_ttl=FAILED_JOBS_KEPT_SECONDS,
            )
        except (RedisError, OSError) as error:
            raise RedisUnavailable(str(error)) from error
        return True

    def answers(self) -> bool:
        """Whether Redis is there, for `/readyz`."""
        try:
            return bool(self._redis.ping())
        except (RedisError, OSError):
            return False

    def failed_jobs(self) -> dict[str, int]:
        """How many rings ended in an exception, by queue; raises `RedisUnavailable`."""
        try:
            return {
                name: FailedJobRegistry(queue=queue).count for name, queue in self._queues.items()
            }
        except (RedisError, OSError) as error:
            raise RedisUnavailable(str(error)) from error
