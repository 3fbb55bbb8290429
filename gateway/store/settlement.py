"""The drain's statements: which accounts are due, which legs, and what settling them writes."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Connection, text

from gateway.store.base import Scope
from gateway.store.direct import execute, statement

FIRST = Scope(uuid.UUID(int=0), uuid.UUID(int=0))
# A carrier that does not answer this often must not keep a leg from being settled.
CHECKS_WAITED_FOR = 5

# A loose index scan: one probe per account, however many legs are due, and a count of those that
# one transaction may take.
_DUE_ACCOUNTS = text(
    """
with recursive due as (
  (select tenant_id, account_id from leg_due
    where (tenant_id, account_id) > (:tenant_id, :account_id)
    order by tenant_id, account_id limit 1)
  union all
  select n.tenant_id, n.account_id from due
   cross join lateral (
     select tenant_id, account_id from leg_due as l
      where (l.tenant_id, l.account_id) > (due.tenant_id, due.account_id)
      order by tenant_id, account_id limit 1) as n
)
select tenant_id, account_id,
       (select count(*) from (select from leg_due as l
                               where l.tenant_id = due.tenant_id and l.account_id = due.account_id
                               limit :count_to) as counted)
  from due limit :limit
"""
)


class DueAccount(NamedTuple):
    scope: Scope
    legs: int  # no further than it was counted


def due_accounts(
    connection: Connection, after: Scope, *, limit: int, count_to: int
) -> list[DueAccount]:
    """Accounts with ended, unsettled legs, in key order after the given one."""
    return [
        DueAccount(Scope(tenant_id, account_id), legs)
        for tenant_id, account_id, legs in connection.execute(
            _DUE_ACCOUNTS,
            {
                "tenant_id": after.tenant_id,
                "account_id": after.account_id,
                "limit": limit,
                "count_to": count_to,
            },
        )
    ]


_DUE_TENANTS = text(
    """
select (select tenant_id from leg_due order by tenant_id limit 1),
       (select tenant_id from leg_due order by tenant_id desc limit 1)
"""
)


def due_tenants(connection: Connection) -> tuple[uuid.UUID, uuid.UUID] | None:
    """The first and the last in key order; None when nothing is due."""
    oldest, newest = connection.execute(_DUE_TENANTS).one()
    return None if oldest is None or newest is None else (oldest, newest)


_ANY_DUE = text("select exists (select 1 from leg_due)")
# Bounded: at a backlog of a million legs the exact oldest would be a scan; a thousand show it.
_LAG = text(
    """
select min(ended_at) from (select ended_at from leg_due limit 1000) as due
"""
)


def any_due(connection: Connection) -> bool:
    return bool(connection.scalar(_ANY_DUE))


def oldest_due_at(connection: Connection) -> dt.datetime | None:
    """When the longest-waiting leg ended, among the first thousand due; None when none is."""
    oldest: dt.datetime | None = connection.scalar(_LAG)
    return oldest


class QueuePlace(NamedTuple):
    """Where in a tenant's queue a leg stands: account by account, legs leave it in this order."""

    account_id: uuid.UUID
    ended_at: dt.datetime
    leg_sid: str


QUEUE_HEAD = QueuePlace(uuid.UUID(int=0), dt.datetime.min.replace(tzinfo=dt.UTC), "")
QUEUE_END_AT = dt.datetime.max.replace(tzinfo=dt.UTC)


class DueLeg(NamedTuple):
    """An ended leg with what rating it needs. Field order is the select's.

    A tuple, because hundreds of thousands are made in a drain and it costs a third.
    """

    leg_sid: str
    call_sid: str
    account_id: uuid.UUID
    kind: str
    target_kind: str
    to_address: str
    status: str
    talk_seconds: int
    ring_seconds: int
    beginning_awaited: bool  # its ringing is not known, and the carrier has still to be asked
    confirmed: bool | None
    answered_at: dt.datetime | None
    ended_at: dt.datetime
    end_receipt_id: uuid.UUID | None
    started_at: dt.datetime  # of the call: its price, and the day that it belongs to
    did_id: uuid.UUID
    source: str
    plan_version_id: uuid.UUID
    counted: bool  # the call's answer is in the daily sums already
    number_country: str
    number_type: str
    number_e164: str
    ctid: str  # of its row in the queue

    @property
    def place(self) -> QueuePlace:
        return QueuePlace(self.account_id, self.ended_at, self.leg_sid)


# Read along the queue of each account, then three probes a leg. Materialized, lateral and OFFSET 0
# say so: left to choose, a planner that takes this tenant for a small one reads all of its calls
# for each batch.
_DUE_LEGS = statement(
    """
with due as materialized (
  select q.* from unnest(cast(:account_ids as uuid[])) as a(id)
   cross join lateral (
     select ctid, tenant_id, account_id, ended_at, leg_sid from leg_due
      where tenant_id = :tenant_id and account_id = a.id and ended_at < :before
        and (ended_at, leg_sid) > (case when a.id = :after_account_id then :after_ended_at
                                        else '-infinity' end, :after_leg_sid)
      order by ended_at, leg_sid limit :limit) as q
   order by account_id, ended_at, leg_sid limit :limit
)
select l.leg_sid, l.call_sid, due.account_id, l.kind, l.target_kind, l.to_address, l.status,
       l.talk_seconds,
       greatest(0, floor(extract(epoch from l.ended_at - coalesce(l.dialled_at, l.started_at)))::int
                   - l.talk_seconds),
       l.kind <> 'inbound' and l.dialled_at is null and c.check_at is not null
         and c.checks < :checks,
       l.confirmed, l.answered_at, l.ended_at, l.end_receipt_id,
       c.started_at, c.did_id, c.source, c.plan_version_id, c.counted, d.country, d.number_type,
       d.e164, due.ctid::text
  from due
 cross join lateral (select * from leg as l
                      where l.tenant_id = due.tenant_id and l.leg_sid = due.leg_sid offset 0) as l
 cross join lateral (select * from call as c
                      where c.tenant_id = l.tenant_id and c.call_sid = l.call_sid offset 0) as c
 cross join lateral (select * from did as d
                      where d.tenant_id = c.tenant_id and d.id = c.did_id offset 0) as d
 order by l.ended_at, l.leg_sid
"""
)


def due_legs(
    connection: Connection,
    tenant_id: uuid.UUID,
    account_ids: Sequence[uuid.UUID],
    *,
    after: QueuePlace,
    limit: int,
    before: dt.datetime = QUEUE_END_AT,
) -> list[DueLeg]:
    """As many as the limit along the queue, in the order in which they ended; those alone that
    ended `before` an instant. Under the lock of all these accounts, so nobody else settles them."""
    rows = execute(
        connection,
        _DUE_LEGS,
        {
            "tenant_id": tenant_id,
            "account_ids": sorted(id for id in account_ids if id >= after.account_id),
            "after_account_id": after.account_id,
            "after_ended_at": after.ended_at,
            "after_leg_sid": after.leg_sid,
            "before": before,
            "limit": limit,
            "checks": CHECKS_WAITED_FOR,
        },
    )
    return list(map(DueLeg._make, rows.fetchall()))


_BRIDGED = text(
    """
select l.call_sid, l.seconds, l.waiting or (l.seconds = 0 and c.checks < :checks and
       c.check_at is not null) as waiting
  from (select call_sid, bool_or(kind <> 'inbound' and ended_at is null) as waiting,
               coalesce(sum(talk_seconds) filter (where kind <> 'inbound'), 0)::int as seconds
          from leg where tenant_id = :tenant_id and call_sid = any(:call_sids)
         group by call_sid) as l
  join call as c on c.tenant_id = :tenant_id and c.call_sid = l.call_sid
"""
)


def bridged_seconds(
    connection: Connection, tenant_id: uuid.UUID, call_sids: Sequence[str]
) -> dict[str, int | None]:
    """Talk of the forwarded legs by call; None while one of them has not ended, or while the
    carrier has still to be asked whether there was one at all."""
    rows = connection.execute(
        _BRIDGED,
        {"tenant_id": tenant_id, "call_sids": list(call_sids), "checks": CHECKS_WAITED_FOR},
    )
    return {row.call_sid: None if row.waiting else row.seconds for row in rows}


class SettledLeg(NamedTuple):
    leg_sid: str
    ctid: str
    ring_seconds: int
    billed_seconds: int
    rate_micros: int | None
    rate_label: str | None
    charge_micros: int
    surcharge_micros: int | None
    cost_micros: int


class Marked(NamedTuple):
    """Legs that were sent to be marked; the server may still be at it (`direct.unawaited`)."""

    cursor: psycopg.Cursor[tuple[Any, ...]]
    legs: int

    def check(self) -> None:
        assert self.cursor.rowcount == self.legs, "a leg vanished under the account's lock"


# The tenant is a column of each row (OFFSET 0 keeps it one), not a constant: so the planner cannot
# choose to read all legs of a tenant, as it does for one that has grown since the last ANALYZE.
_SETTLE = statement(
    """
update leg as l
   set settled_at = :now, ring_seconds = s.ring_seconds, billed_seconds = s.billed_seconds,
       rate_micros = s.rate_micros, rate_label = s.rate_label, charge_micros = s.charge_micros,
       surcharge_micros = s.surcharge_micros, cost_micros = s.cost_micros
  from (select cast(:tenant_id as uuid) as tenant_id, *
          from unnest(cast(:leg_sids as text[]), cast(:ring as bigint[]),
                      cast(:billed as bigint[]), cast(:rates as bigint[]),
                      cast(:labels as text[]), cast(:charges as bigint[]),
                      cast(:surcharges as bigint[]), cast(:costs as bigint[]))
               as u(leg_sid, ring_seconds, billed_seconds, rate_micros, rate_label,
                    charge_micros, surcharge_micros, cost_micros)
        offset 0) as s
 where l.tenant_id = s.tenant_id and l.leg_sid = s.leg_sid
"""
)


def mark_settled(
    connection: Connection,
    tenant_id: uuid.UUID,
    settled: Sequence[SettledLeg],
    *,
    now: dt.datetime,
) -> Marked:
    sids, _, ring, billed, rates, labels, charges, surcharges, costs = zip(*settled, strict=True)
    cursor = execute(
        connection,
        _SETTLE,
        {
            "tenant_id": tenant_id,
            "now": now,
            "leg_sids": texts(sids),
            "ring": numbers(ring),
            "billed": numbers(billed),
            "rates": numbers(rates),
            "labels": texts(labels),
            "charges": numbers(charges),
            "surcharges": numbers(surcharges),
            "costs": numbers(costs),
        },
    )
    return Marked(cursor, len(settled))


# By ctid: a row of the queue is never updated, and nothing moves it while it is not deleted.
_TAKE = statement(
    """
delete from leg_due where tenant_id = :tenant_id and ctid = any(cast(:ctids as tid[]))
"""
)


def take_off_the_queue(
    connection: Connection, tenant_id: uuid.UUID, settled: Sequence[SettledLeg]
) -> None:
    """After `mark_settled` of the same legs: a callback that holds one of them puts it on the queue
    while it is not marked, and would wait for a row that is being taken off."""
    ctids = texts([leg.ctid for leg in settled])
    taken = execute(connection, _TAKE, {"tenant_id": tenant_id, "ctids": ctids})
    assert taken.rowcount == len(settled), "a leg left the queue under the account's lock"


def numbers(values: Iterable[int | None]) -> str:
    """An array as PostgreSQL writes it: the driver's own, element by element, costs ten times
    as much."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def texts(values: Iterable[str | None]) -> str:
    return "{" + ",".join([_quoted(value) for value in values]) + "}"


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    if value.isalnum() and value.upper() != "NULL":
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Winner(NamedTuple):
    """The leg on which a caller talked: the longest that nobody declined."""

    call_sid: str
    leg_sid: str
    answered_at: dt.datetime | None


_ANSWERED = statement(
    """
update call as c
   set won_leg_sid = w.leg_sid, answered_at = w.answered_at, counted = true
  from (select cast(:tenant_id as uuid) as tenant_id, *
          from unnest(cast(:call_sids as text[]), cast(:leg_sids as text[]),
                      cast(:answered as timestamptz[])) as u(call_sid, leg_sid, answered_at)
        offset 0) as w
 where c.tenant_id = w.tenant_id and c.call_sid = w.call_sid
"""
)


def name_winners(connection: Connection, tenant_id: uuid.UUID, winners: Sequence[Winner]) -> None:
    """Calls that count as answered from now on."""
    if not winners:
        return
    call_sids, leg_sids, answered = zip(*winners, strict=True)
    execute(
        connection,
        _ANSWERED,
        {
            "tenant_id": tenant_id,
            "call_sids": texts(call_sids),
            "leg_sids": texts(leg_sids),
            "answered": texts(None if at is None else at.isoformat() for at in answered),
        },
    )


_LONGEST = text(
    """
update call as c set won_leg_sid = w.leg_sid, answered_at = w.answered_at
  from (select distinct on (call_sid) call_sid, leg_sid, answered_at from leg
         where tenant_id = :tenant_id and call_sid = any(:call_sids) and kind <> 'inbound'
           and talk_seconds > 0 and confirmed is distinct from false
         order by call_sid, talk_seconds desc, leg_sid) as w
 where c.tenant_id = :tenant_id and c.call_sid = w.call_sid
"""
)


def name_winners_again(
    connection: Connection, tenant_id: uuid.UUID, call_sids: Sequence[str]
) -> None:
    """For the rare call of which another leg, on which people talked, was settled before."""
    if call_sids:
        connection.execute(_LONGEST, {"tenant_id": tenant_id, "call_sids": list(call_sids)})


@dataclass(slots=True)
class DaySums:
    calls: int = 0
    answered: int = 0
    talk_seconds: int = 0
    forwarded_seconds: int = 0
    billed_seconds: int = 0
    charge_micros: int = 0
    cost_micros: int = 0


DayKey = tuple[uuid.UUID, dt.date, uuid.UUID, str]  # account, local day, DID, source

_ROLL_UP = statement(
    """
insert into daily_usage as u (tenant_id, account_id, day, did_id, source, calls, answered,
                              talk_seconds, forwarded_seconds, billed_seconds, charge_micros,
                              cost_micros)
select :tenant_id, *
  from unnest(cast(:accounts as uuid[]), cast(:days as date[]), cast(:dids as uuid[]),
              cast(:sources as text[]),
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


def roll_up(connection: Connection, tenant_id: uuid.UUID, sums: dict[DayKey, DaySums]) -> None:
    """Add to the daily sums that dashboards read."""
    execute(
        connection,
        _ROLL_UP,
        {
            "tenant_id": tenant_id,
            "accounts": [account for account, _, _, _ in sums],
            "days": [day for _, day, _, _ in sums],
            "dids": [did for _, _, did, _ in sums],
            "sources": [source for _, _, _, source in sums],
            "calls": [s.calls for s in sums.values()],
            "answered": [s.answered for s in sums.values()],
            "talk": [s.talk_seconds for s in sums.values()],
            "forwarded": [s.forwarded_seconds for s in sums.values()],
            "billed": [s.billed_seconds for s in sums.values()],
            "charges": [s.charge_micros for s in sums.values()],
            "costs": [s.cost_micros for s in sums.values()],
        },
    )
