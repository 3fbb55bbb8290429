"""The drain's statements: which accounts are due, which legs, and what settling them writes."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from gateway.store.base import Scope

FIRST = Scope(uuid.UUID(int=0), uuid.UUID(int=0))

# A loose index scan: one probe of the partial index per account, however many legs are due.
_DUE_ACCOUNTS = text(
    """
with recursive due as (
  (select tenant_id, account_id from leg
    where ended_at is not null and settled_at is null
      and (tenant_id, account_id) > (:tenant_id, :account_id)
    order by tenant_id, account_id limit 1)
  union all
  select n.tenant_id, n.account_id from due
   cross join lateral (
     select tenant_id, account_id from leg
      where ended_at is not null and settled_at is null
        and (leg.tenant_id, leg.account_id) > (due.tenant_id, due.account_id)
      order by tenant_id, account_id limit 1) as n
)
select tenant_id, account_id from due limit :limit
"""
)


def due_accounts(connection: Connection, after: Scope, *, limit: int) -> list[Scope]:
    """Accounts with ended, unsettled legs, in key order after the given one."""
    return [
        Scope(*row)
        for row in connection.execute(
            _DUE_ACCOUNTS,
            {"tenant_id": after.tenant_id, "account_id": after.account_id, "limit": limit},
        )
    ]


_ANY_DUE = text(
    "select exists (select 1 from leg where ended_at is not null and settled_at is null)"
)
# Bounded: at a backlog of a million legs the exact oldest would be a scan; a thousand show it.
_LAG = text(
    """
select min(ended_at) from (
  select ended_at from leg where ended_at is not null and settled_at is null limit 1000) as due
"""
)


def any_due(connection: Connection) -> bool:
    return bool(connection.scalar(_ANY_DUE))


def oldest_due_at(connection: Connection) -> dt.datetime | None:
    """When the longest-waiting leg ended, among the first thousand due; None when none is."""
    return connection.scalar(_LAG)


@dataclass(frozen=True, slots=True)
class DueLeg:
    """An ended leg with what rating it needs. Field order is the select's."""

    leg_sid: str
    call_sid: str
    kind: str
    target_kind: str
    to_address: str
    status: str
    talk_seconds: int
    ring_seconds: int
    confirmed: bool | None
    ended_at: dt.datetime
    end_receipt_id: uuid.UUID | None
    started_at: dt.datetime  # of the call: its price, and the day that it belongs to
    did_id: uuid.UUID
    source: str
    plan_version_id: uuid.UUID
    number_country: str
    number_type: str


_DUE_LEGS = text(
    """
select l.leg_sid, l.call_sid, l.kind, l.target_kind, l.to_address, l.status, l.talk_seconds,
       greatest(0, floor(extract(epoch from l.ended_at - l.started_at)))::int - l.talk_seconds,
       l.confirmed, l.ended_at, l.end_receipt_id,
       c.started_at, c.did_id, c.source, c.plan_version_id, d.country, d.number_type
  from leg as l
  join call as c on c.tenant_id = l.tenant_id and c.call_sid = l.call_sid
  join did as d on d.tenant_id = c.tenant_id and d.id = c.did_id
 where l.tenant_id = :tenant_id and l.account_id = :account_id
   and l.ended_at is not null and l.settled_at is null
 limit :limit
"""
)


def due_legs(connection: Connection, scope: Scope, *, limit: int) -> list[DueLeg]:
    """Under the account's lock, so nobody else settles them meanwhile."""
    return [
        DueLeg(*row)
        for row in connection.execute(
            _DUE_LEGS,
            {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "limit": limit},
        )
    ]


_BRIDGED = text(
    """
select call_sid, coalesce(sum(talk_seconds) filter (where kind <> 'inbound'), 0)::int as seconds,
       bool_or(kind <> 'inbound' and ended_at is null) as waiting
  from leg where tenant_id = :tenant_id and call_sid = any(:call_sids) group by call_sid
"""
)


def bridged_seconds(
    connection: Connection, tenant_id: uuid.UUID, call_sids: Sequence[str]
) -> dict[str, int | None]:
    """Talk of the forwarded legs by call; None while one of them has not ended."""
    rows = connection.execute(_BRIDGED, {"tenant_id": tenant_id, "call_sids": list(call_sids)})
    return {row.call_sid: None if row.waiting else row.seconds for row in rows}


@dataclass(frozen=True, slots=True)
class SettledLeg:
    leg_sid: str
    ring_seconds: int
    billed_seconds: int
    rate_micros: int | None
    rate_label: str | None
    charge_micros: int
    cost_micros: int


_SETTLE = text(
    """
update leg as l
   set settled_at = :now, ring_seconds = s.ring_seconds, billed_seconds = s.billed_seconds,
       rate_micros = s.rate_micros, rate_label = s.rate_label, charge_micros = s.charge_micros,
       cost_micros = s.cost_micros
  from unnest(cast(:leg_sids as text[]), cast(:ring as bigint[]), cast(:billed as bigint[]),
              cast(:rates as bigint[]), cast(:labels as text[]), cast(:charges as bigint[]),
              cast(:costs as bigint[]))
       as s(leg_sid, ring_seconds, billed_seconds, rate_micros, rate_label, charge_micros,
            cost_micros)
 where l.tenant_id = :tenant_id and l.leg_sid = s.leg_sid
"""
)


def mark_settled(
    connection: Connection,
    tenant_id: uuid.UUID,
    settled: Sequence[SettledLeg],
    *,
    now: dt.datetime,
) -> None:
    connection.execute(
        _SETTLE,
        {
            "tenant_id": tenant_id,
            "now": now,
            "leg_sids": [s.leg_sid for s in settled],
            "ring": [s.ring_seconds for s in settled],
            "billed": [s.billed_seconds for s in settled],
            "rates": [s.rate_micros for s in settled],
            "labels": [s.rate_label for s in settled],
            "charges": [s.charge_micros for s in settled],
            "costs": [s.cost_micros for s in settled],
        },
    )


_WON = text(
    """
with winner as (
  select distinct on (call_sid) call_sid, leg_sid, answered_at
    from leg
   where tenant_id = :tenant_id and call_sid = any(:call_sids) and kind <> 'inbound'
     and talk_seconds > 0 and confirmed is distinct from false
   order by call_sid, talk_seconds desc, leg_sid
), before as (
  select c.call_sid, c.counted from call as c
   where c.tenant_id = :tenant_id and c.call_sid = any(:call_sids)
)
update call as c
   set won_leg_sid = w.leg_sid, answered_at = w.answered_at, counted = true
  from winner as w join before as b on b.call_sid = w.call_sid
 where c.tenant_id = :tenant_id and c.call_sid = w.call_sid
returning c.call_sid, b.counted
"""
)


def name_winners(
    connection: Connection, tenant_id: uuid.UUID, call_sids: Sequence[str]
) -> frozenset[str]:
    """Who talked: the ended leg that talked longest and was not declined. Answers the calls that
    count as answered from now on, each once."""
    if not call_sids:
        return frozenset()
    rows = connection.execute(_WON, {"tenant_id": tenant_id, "call_sids": list(call_sids)})
    return frozenset(row.call_sid for row in rows if not row.counted)


@dataclass(slots=True)
class DaySums:
    calls: int = 0
    answered: int = 0
    talk_seconds: int = 0
    forwarded_seconds: int = 0
    billed_seconds: int = 0
    charge_micros: int = 0
    cost_micros: int = 0


DayKey = tuple[dt.date, uuid.UUID, str]  # local day, DID, source

_ROLL_UP = text(
    """
insert into daily_usage as u (tenant_id, account_id, day, did_id, source, calls, answered,
                              talk_seconds, forwarded_seconds, billed_seconds, charge_micros,
                              cost_micros)
select :tenant_id, :account_id, *
  from unnest(cast(:days as date[]), cast(:dids as uuid[]), cast(:sources as text[]),
              cast(:calls as bigint[]), cast(:answered as bigint[]), cast(:talk as bigint[]),
              cast(:forwarded as bigint[]), cast(:billed as bigint[]),
              cast(:charges as bigint[]), cast(:costs as bigint[]))
on conflict (tenant_id, account_id, day, did_id, source) do update set
  calls = u.calls + excluded.calls, answered = u.answered + excluded.answered,
  talk_seconds = u.talk_seconds + excluded.talk_seconds,
  forwarded_seconds = u.forwarded_seconds + excluded.forwarded_seconds,
  billed_seconds = u.billed_seconds + excluded.billed_seconds,
  charge_micros = u.charge_micros + excluded.charge_micros,
  cost_micros = u.cost_micros + excluded.cost_micros
"""
)


def roll_up(connection: Connection, scope: Scope, sums: dict[DayKey, DaySums]) -> None:
    """Add to the daily sums that dashboards read."""
    connection.execute(
        _ROLL_UP,
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "days": [day for day, _, _ in sums],
            "dids": [did for _, did, _ in sums],
            "sources": [source for _, _, source in sums],
            "calls": [s.calls for s in sums.values()],
            "answered": [s.answered for s in sums.values()],
            "talk": [s.talk_seconds for s in sums.values()],
            "forwarded": [s.forwarded_seconds for s in sums.values()],
            "billed": [s.billed_seconds for s in sums.values()],
            "charges": [s.charge_micros for s in sums.values()],
            "costs": [s.cost_micros for s in sums.values()],
        },
    )
