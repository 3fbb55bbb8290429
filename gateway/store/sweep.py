"""What the sweep looks at: calls whose end the carrier has not told us."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class OpenCall:
    tenant_id: uuid.UUID
    call_sid: str
    checks: int


_CLAIM = text(
    """
with due as (
  select tenant_id, call_sid from call
   where check_at <= :now order by check_at limit :limit for update skip locked
)
update call as c set checks = c.checks + 1, check_at = :now + least(
    interval '30 seconds' * power(2, least(c.checks, 10)), interval '10 minutes')
  from due where c.tenant_id = due.tenant_id and c.call_sid = due.call_sid
returning c.tenant_id, c.call_sid, c.checks
"""
)
_KNOWN_LEGS = text(
    """
select leg_sid, kind, ended_at is null as open, talk_seconds, dialled_at from leg
 where tenant_id = :tenant_id and call_sid = :call_sid
"""
)
_DONE = text(
    """
update call set check_at = null
 where tenant_id = :tenant_id and call_sid = :call_sid and ended_at is not null
   and not exists (select 1 from leg where leg.tenant_id = :tenant_id
                      and leg.call_sid = :call_sid and leg.ended_at is null)
"""
)
_OLDEST = text("select check_at from call where check_at <= :now order by check_at limit 1")
_RECHECK = text(
    "update call set check_at = :at, checks = 0 where check_at is not null and check_at > :at"
)


def claim_calls(connection: Connection, *, now: dt.datetime, limit: int) -> list[OpenCall]:
    """Calls that are due for a question; the next one comes later and later, up to 10 minutes."""
    return [OpenCall(*row) for row in connection.execute(_CLAIM, {"now": now, "limit": limit})]


@dataclass(frozen=True, slots=True)
class KnownLegs:
    """What has been told of a call so far."""

    parent_open: bool
    any_open: bool
    caller_talked: bool
    forwarded_talked: bool
    lacks_a_beginning: bool

    @property
    def lacks_news(self) -> bool:
        """A leg still talks, one on which people talked never began, or somebody answered and
        nobody is known to have talked: voicemail, or a leg of which every callback was lost."""
        silent = self.caller_talked and not self.forwarded_talked
        return self.any_open or self.lacks_a_beginning or silent


def known_legs(connection: Connection, tenant_id: uuid.UUID, call_sid: str) -> KnownLegs:
    legs = connection.execute(_KNOWN_LEGS, {"tenant_id": tenant_id, "call_sid": call_sid}).all()
    return KnownLegs(
        parent_open=any(leg.open for leg in legs if leg.leg_sid == call_sid),
        any_open=any(leg.open for leg in legs),
        caller_talked=any(leg.talk_seconds for leg in legs if leg.kind == "inbound"),
        forwarded_talked=any(leg.talk_seconds for leg in legs if leg.kind != "inbound"),
        lacks_a_beginning=any(
            leg.talk_seconds and leg.dialled_at is None for leg in legs if leg.kind != "inbound"
        ),
    )


def close_if_ended(connection: Connection, tenant_id: uuid.UUID, call_sid: str) -> None:
    """No more questions about a call of which every leg has ended."""
    connection.execute(_DONE, {"tenant_id": tenant_id, "call_sid": call_sid})


def recheck_all(connection: Connection, *, at: dt.datetime) -> int:
    """After an outage of ours: callbacks may have been lost, so ask about every open call."""
    return connection.execute(_RECHECK, {"at": at}).rowcount


def oldest_check_at(connection: Connection, *, now: dt.datetime) -> dt.datetime | None:
    oldest: dt.datetime | None = connection.scalar(_OLDEST, {"now": now})
    return oldest


_UNSEEN = text(
    """
select listed.call_sid
  from unnest(cast(:sids as text[]), cast(:numbers as text[])) as listed(call_sid, e164)
  join did_directory as d on d.e164 = listed.e164
 where not exists (select 1 from call as c
                    where c.tenant_id = d.tenant_id and c.call_sid = listed.call_sid)
"""
)


def unseen(connection: Connection, called: Mapping[str, str]) -> list[str]:
    """Of calls by CallSid with the number that was called: those to our numbers that are on
    nobody's books."""
    rows = connection.scalars(_UNSEEN, {"sids": list(called), "numbers": list(called.values())})
    return list(rows)
