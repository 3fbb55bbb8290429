"""What a replay reads: settled legs as they were rated, and the ledger lines around them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, text

from gateway.store.base import Scope
from gateway.store.buckets import StoredBucket

STREAMED = {"yield_per": 5_000}


class SettledLeg(NamedTuple):
    """A settled leg with all that its price was made of. Field order is the select's.

    `bridged_seconds` is the talk of the call's other legs as far as it was known when the leg
    was settled: a leg that was found later did not count.
    """

    leg_sid: str
    call_sid: str
    kind: str
    target_kind: str
    to_address: str
    status: str
    talk_seconds: int
    ring_seconds: int
    answered_at: dt.datetime | None
    ended_at: dt.datetime
    settled_at: dt.datetime
    billed_seconds: int
    rate_micros: int | None
    charge_micros: int
    surcharge_micros: int | None
    cost_micros: int
    started_at: dt.datetime  # of the call
    did_id: uuid.UUID
    source: str
    plan_version_id: uuid.UUID
    number_country: str
    number_type: str
    number_e164: str
    bridged_seconds: int
    account_id: uuid.UUID

    @property
    def usage_micros(self) -> int:
        """What its time was charged, without the surcharge."""
        return self.charge_micros - (self.surcharge_micros or 0)


_SELECT = """
select l.leg_sid, l.call_sid, l.kind, l.target_kind, l.to_address, l.status, l.talk_seconds,
       l.ring_seconds, l.answered_at, l.ended_at, l.settled_at, l.billed_seconds, l.rate_micros,
       l.charge_micros, l.surcharge_micros, l.cost_micros, c.started_at, c.did_id, c.source,
       coalesce(l.repriced_version_id, c.plan_version_id), d.country, d.number_type, d.e164,
       case when l.kind = 'inbound' and l.talk_seconds > 0 then coalesce((
         select sum(o.talk_seconds) from leg as o
           left join receipt as r on r.tenant_id = o.tenant_id and r.id = o.end_receipt_id
          where o.tenant_id = l.tenant_id and o.call_sid = l.call_sid and o.kind <> 'inbound'
            and coalesce(r.received_at <= l.settled_at, true)), 0) else 0 end::bigint,
       c.account_id
  from call as c
  join leg as l on l.tenant_id = c.tenant_id and l.call_sid = c.call_sid
               and l.settled_at is not null
  join did as d on d.tenant_id = c.tenant_id and d.id = c.did_id
"""
# Along ix_call_account_started, then the legs of each call.
_OF_PERIOD = (
    _SELECT
    + """
 where c.tenant_id = :tenant_id and c.account_id = any(cast(:accounts as uuid[]))
   and c.started_at >= :since and c.started_at < :until
   and (cast(:version as uuid) is null
        or coalesce(l.repriced_version_id, c.plan_version_id) = :version)
"""
)
_LEGS = text(_OF_PERIOD + "order by c.started_at, c.call_sid, l.leg_sid")
# The database sorts, on its disk where there are many: the replay holds a few at a time.
_LEGS_AS_SETTLED = text(_OF_PERIOD + "order by l.settled_at, l.ended_at, l.leg_sid")


def settled_legs(
    connection: Connection,
    scope: Scope,
    *,
    since: dt.datetime,
    until: dt.datetime,
    clients: Collection[uuid.UUID] = (),
    version_id: uuid.UUID | None = None,
    as_settled: bool = False,
) -> Iterator[SettledLeg]:
    """Legs of the calls that started in a period, an account's and those of some of its clients,
    streamed in the order of their calls, or of their settlement; with `version_id` only those that
    were last priced by that plan version."""
    with connection.execute(
        _LEGS_AS_SETTLED if as_settled else _LEGS,
        {
            "tenant_id": scope.tenant_id,
            "accounts": [scope.account_id, *clients],
            "since": since,
            "until": until,
            "version": version_id,
        },
        execution_options=STREAMED,
    ) as rows:
        yield from map(SettledLeg._make, rows)


_LEGS_NAMED = text(
    _SELECT
    + """
 where l.tenant_id = :tenant_id and l.account_id = :account_id
   and l.leg_sid = any(cast(:leg_sids as text[]))
 order by l.ended_at, l.leg_sid
"""
)


def legs_named(connection: Connection, scope: Scope, leg_sids: Collection[str]) -> list[SettledLeg]:
    """The same of certain legs, in the order in which they ended."""
    rows = connection.execute(
        _LEGS_NAMED,
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "leg_sids": list(leg_sids),
        },
    )
    return list(map(SettledLeg._make, rows))


_VERSIONS = text(
    """
select distinct coalesce(l.repriced_version_id, c.plan_version_id)
  from call as c join leg as l on l.tenant_id = c.tenant_id and l.call_sid = c.call_sid
 where c.tenant_id = :tenant_id and c.account_id = any(cast(:accounts as uuid[]))
   and c.started_at >= :since and c.started_at < :until
"""
)


def versions_used(
    connection: Connection,
    scope: Scope,
    *,
    since: dt.datetime,
    until: dt.datetime,
    clients: Collection[uuid.UUID] = (),
) -> frozenset[uuid.UUID]:
    """The plan versions by which the legs of a period were priced last."""
    return frozenset(
        connection.scalars(
            _VERSIONS,
            {
                "tenant_id": scope.tenant_id,
                "accounts": [scope.account_id, *clients],
                "since": since,
                "until": until,
            },
        )
    )


class Line(NamedTuple):
    """What a replay needs of a ledger line.

    `leg_sid` only of lines by which a leg was settled, and `again` of those that corrected the
    charge of a leg of the replay later: both stand for a leg, whose price the replay makes itself.
    """

    at: dt.datetime
    debit: str
    credit: str
    amount: int
    leg_sid: str | None
    again: bool


_LINES = text(
    """
select p.at, p.debit, p.credit, p.amount_micros,
       case when not corrects then p.leg_sid end,
       corrects and exists (
         select 1 from leg as l join call as c on c.tenant_id = l.tenant_id
                                              and c.call_sid = l.call_sid
          where l.tenant_id = p.tenant_id and l.leg_sid = p.leg_sid
            and c.account_id = any(cast(:accounts as uuid[]))
            and c.started_at >= :since and c.started_at < :until)
  from posting as p
 cross join lateral (select p.leg_sid is not null and
   (p.kind = 'reversal' or (p.kind in ('usage','surcharge') and p.key not like '%\\:0')))
    as kind(corrects)
 where p.tenant_id = :tenant_id and p.seq >= :first order by p.seq
"""
)


def lines_from(
    connection: Connection,
    scope: Scope,
    first: int,
    *,
    since: dt.datetime,
    until: dt.datetime,
    clients: Collection[uuid.UUID] = (),
) -> Iterator[Line]:
    """A tenant's lines from a number on, streamed; the replay is of a period of an account and of
    some of its clients."""
    with connection.execute(
        _LINES,
        {
            "tenant_id": scope.tenant_id,
            "accounts": [scope.account_id, *clients],
            "first": first,
            "since": since,
            "until": until,
        },
        execution_options=STREAMED,
    ) as rows:
        yield from map(Line._make, rows)


_AT = text("select at from posting where tenant_id = :tenant_id and seq = :seq")


def first_line_since(connection: Connection, tenant_id: uuid.UUID, at: dt.datetime) -> int:
    """The number of a line before which all lines are older; found by halving, because lines
    have no index by time. Exact to within the time that transactions overlap."""
    low = 1
    high = 1 + (
        connection.scalar(
            text("select seq from chain_head where tenant_id = :tenant_id"),
            {"tenant_id": tenant_id},
        )
        or 0
    )
    while low < high:
        middle = (low + high) // 2
        when = connection.scalar(_AT, {"tenant_id": tenant_id, "seq": middle})
        if when is not None and when < at:
            low = middle + 1
        else:
            high = middle
    return low


_BALANCE_BEFORE = text(
    """
select balance_after_micros from posting
 where tenant_id = :tenant_id and account_id = :account_id and seq < :seq
   and balance_after_micros is not null and unit <> 'SECONDS'
 order by seq desc limit 1
"""
)


def balance_before(connection: Connection, scope: Scope, seq: int) -> int:
    """What the wallet held before a line; 0 before its first."""
    found: int | None = connection.scalar(
        _BALANCE_BEFORE,
        {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "seq": seq},
    )
    return found or 0


_BUCKETS = text(
    """
with moved as (
  select side.name, sum(side.amount)::bigint as amount
    from posting as p
   cross join lateral (values (p.credit, p.amount_micros), (p.debit, -p.amount_micros))
         as side(name, amount)
   where p.tenant_id = :tenant_id and p.seq >= :first and p.unit = 'SECONDS'
   group by side.name
)
select b.id, b.account_id, b.kind, b.package_id, b.offer_code, b.plan_version_id, b.n, b.upgrade,
       b.starts_at, b.ends_at, b.look_at, b.closed_at,
       coalesce(w.balance_micros, 0) - coalesce(m.amount, 0),
       exists (select 1 from posting as i where i.tenant_id = b.tenant_id
                  and i.key = 'issue:' || b.id and i.seq < :first)
  from bucket as b
  left join ledger_account as w on w.tenant_id = b.tenant_id and w.unit = 'SECONDS'
                               and w.name = b.kind || ':' || replace(b.id::text, '-', '')
  left join moved as m on m.name = w.name
 where b.tenant_id = :tenant_id and b.account_id = any(cast(:owners as uuid[]))
   and b.ends_at > :since and b.starts_at < :until
 order by b.starts_at, b.id
"""
)


def buckets_before(
    connection: Connection,
    tenant_id: uuid.UUID,
    owners: Collection[uuid.UUID],
    *,
    since: dt.datetime,
    until: dt.datetime,
    first: int,
) -> list[tuple[StoredBucket, bool]]:
    """Buckets whose time touches a period, closed ones too, with what each held before the line
    `first` (what it holds now, less all that moved since), and whether it was filled by then."""
    rows = connection.execute(
        _BUCKETS,
        {
            "tenant_id": tenant_id,
            "owners": list(owners),
            "since": since,
            "until": until,
            "first": first,
        },
    )
    return [(StoredBucket(*row[:-1]), row[-1]) for row in rows]


_DRAW_MINUTES = text(
    "select coalesce(bool_or(draws_minutes), false) from account"
    " where tenant_id = :tenant_id and id = any(cast(:accounts as uuid[]))"
)


def draw_minutes(
    connection: Connection, tenant_id: uuid.UUID, account_ids: Collection[uuid.UUID]
) -> bool:
    """Whether any of these accounts ever had seconds paid in advance."""
    asked = {"tenant_id": tenant_id, "accounts": list(account_ids)}
    return bool(connection.scalar(_DRAW_MINUTES, asked))


_CLIENTS = text(
    """
select a.id, a.name from account as a
 where a.tenant_id = :tenant_id and a.parent_id = :account_id and exists (
   select 1 from billing_membership as m
    where m.tenant_id = a.tenant_id and m.account_id = a.id and m.billing = 'agency_shared'
      and m.from_at < :until)
"""
)


def clients_of(connection: Connection, scope: Scope, *, until: dt.datetime) -> dict[uuid.UUID, str]:
    """Names of the clients that shared an agency's billing before an instant, if only a while."""
    rows = connection.execute(
        _CLIENTS, {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "until": until}
    )
    return {row.id: row.name for row in rows}
