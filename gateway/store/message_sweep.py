"""What the sweep looks at: texts of which the carrier has not told the end."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class OpenMessage:
    tenant_id: uuid.UUID
    id: uuid.UUID


_CLAIM = text(
    """
with due as (
  select tenant_id, id from message
   where check_at <= :now order by check_at limit :limit for update skip locked
)
update message as m set checks = m.checks + 1, check_at = :now + least(
    interval '30 seconds' * power(2, least(m.checks, 10)), interval '1 hour')
  from due where m.tenant_id = due.tenant_id and m.id = due.id
returning m.tenant_id, m.id
"""
)


def claim_checks(connection: Connection, *, now: dt.datetime, limit: int) -> list[OpenMessage]:
    """Texts that are due for a question; the next one comes later and later, up to an hour."""
    return [OpenMessage(*row) for row in connection.execute(_CLAIM, {"now": now, "limit": limit})]


def recheck_all(connection: Connection, *, at: dt.datetime) -> int:
    """After an outage of ours: callbacks may have been lost, so ask about every open text."""
    statement = text("update message set check_at = :at, checks = 0 where check_at > :at")
    return connection.execute(statement, {"at": at}).rowcount


_OLDEST = text("select check_at from message where check_at <= :now order by check_at limit 1")


def oldest_check_at(connection: Connection, *, now: dt.datetime) -> dt.datetime | None:
    found: dt.datetime | None = connection.scalar(_OLDEST, {"now": now})
    return found
