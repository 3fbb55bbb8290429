"""What a statement is made of: an account's lines between two ends of the chain, and its legs."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from billing.postings import Posting, PostingKind
from billing.statements import LegLine
from gateway.store.base import Scope

_BOUNDARY = text(
    """
select coalesce(
  (select p.seq - 1 from posting as p
    where p.tenant_id = h.tenant_id and p.account_id = :account_id
      and p.balance_after_micros is not null and p.seq > :after and p.seq <= h.seq
      and p.at >= :ends_at
    order by p.seq limit 1), h.seq)
  from chain_head as h where h.tenant_id = :tenant_id
"""
)


def last_seq_before(
    connection: Connection, scope: Scope, *, after_seq: int, ends_at: dt.datetime
) -> int:
    """Where in the chain a period ends: before the account's first line of the next one.

    A line carries the instant at which its transaction began, so a late one may stand behind
    lines of the next period: it is theirs. What ends once never moves, because the chain only
    grows at its head.
    """
    found: int = connection.execute(
        _BOUNDARY,
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "after": after_seq,
            "ends_at": ends_at,
        },
    ).scalar_one()
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """A posting of the account, and the number that it is about."""

    posting: Posting
    number: str | None


# A line without a balance after it moved no wallet: tax, beside the credit it was taken with.
_SELECT = """
with lines as (
  select * from posting
   where tenant_id = :tenant_id and account_id = :account_id
     and balance_after_micros is not null and seq > :after and seq <= :last
  union all
  select * from posting
   where tenant_id = :tenant_id and account_id = :account_id
     and kind in ('vat','reversal') and balance_after_micros is null
     and seq > :after and seq <= :last
)
select p.key, p.kind, p.debit, p.credit, p.amount_micros, p.at, p.unit, p.description,
       p.balance_after_micros, p.rate_micros, p.billed_seconds, p.reverses_key, d.e164, p.seq
  from lines as p
  left join call as c on c.tenant_id = p.tenant_id and c.call_sid = p.call_sid
  left join message as m on p.kind = 'sms' and m.tenant_id = p.tenant_id
                        and m.carrier_sid = split_part(p.key, ':', 2)
  left join did as d on d.tenant_id = p.tenant_id and d.id = coalesce(
         c.did_id, m.did_id,
         case when p.key like 'rent:%' then cast(split_part(p.key, ':', 2) as uuid) end)
"""
_LINES = text(_SELECT + " order by p.seq")


def lines(connection: Connection, scope: Scope, *, after_seq: int, last_seq: int) -> Iterator[Line]:
    """All that a statement is made of, in the ledger's order; streamed."""
    rows = connection.execute(
        _LINES.execution_options(yield_per=2_000),
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "after": after_seq,
            "last": last_seq,
        },
    )
    for row in rows:
        yield Line(
            Posting(
                key=row[0],
                kind=PostingKind(row[1]),
                debit=row[2],
                credit=row[3],
                amount=row[4],
                at=row[5],
                account_id=scope.account_id,
                unit=row[6],
                description=row[7],
                balance_after=row[8],
                rate_micros=row[9],
                billed_seconds=row[10],
                reverses_key=row[11],
            ),
            row[12],
        )


_OF_CHARGE = text(
    f"""
select seq, key from ({_SELECT}) as line
 where kind = :kind and description = :description
   and e164 is not distinct from cast(:number as text)
   and rate_micros is not distinct from cast(:rate_micros as bigint)
   and balance_after_micros is not null and seq > :behind
 order by seq limit :limit
"""
)


def keys_of_charge(
    connection: Connection,
    scope: Scope,
    *,
    after_seq: int,
    last_seq: int,
    kind: str,
    description: str,
    number: str | None,
    rate_micros: int | None,
    behind: int,
    limit: int,
) -> list[tuple[int, str]]:
    """The lines that a charge of a statement sums up, in the ledger's order."""
    rows = connection.execute(
        _OF_CHARGE,
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "after": after_seq,
            "last": last_seq,
            "kind": kind,
            "description": description,
            "number": number,
            "rate_micros": rate_micros,
            "behind": behind,
            "limit": limit,
        },
    )
    return [(row.seq, row.key) for row in rows]


@dataclass(frozen=True, slots=True)
class LegPosition:
    """Behind which leg a page of legs begins."""

    started_at: dt.datetime
    call_sid: str
    leg_sid: str


CALL_DAYS_BACK = 35
"""How long before the period a call may have begun whose leg was settled in it: after an outage
legs are found late, and the carrier tells of calls for about a month."""

# By the calls of the account and, for an agency, of whoever shared its billing: along the index of
# calls by time. A charged leg belongs to the statement that has its line; one that cost nothing, to
# the stretch in which it was settled.
_LEGS = text(
    """
select c.started_at, c.call_sid, l.leg_sid, d.e164,
       case when l.kind = 'inbound' then coalesce(c.from_number, c.from_raw) else l.to_address end,
       l.kind, l.talk_seconds, coalesce(l.billed_seconds, 0), coalesce(g.seconds, 0), l.rate_micros,
       coalesce(s.amount_micros, 0), coalesce(p.amount_micros, 0) + coalesce(s.amount_micros, 0)
  from call as c
  join leg as l on l.tenant_id = c.tenant_id and l.call_sid = c.call_sid
               and l.settled_at is not null
  join did as d on d.tenant_id = c.tenant_id and d.id = c.did_id
  left join posting as p on p.tenant_id = l.tenant_id and p.key = 'usage:' || l.leg_sid || '\\:0'
                        and p.account_id = :account_id
  left join posting as s on s.tenant_id = l.tenant_id and s.account_id = :account_id
                        and s.seq <= :last
                        and s.key = case when l.surcharge_micros is not null
                                         then 'surcharge:' || l.leg_sid || '\\:0' end
  left join lateral (
    select sum(w.amount_micros)::bigint as seconds, max(w.seq) as seq
      from bucket as b
      join posting as w on w.tenant_id = b.tenant_id
                       and w.key = 'draw:' || l.leg_sid || ':' || b.id
     where :draws and b.tenant_id = l.tenant_id and b.account_id in (:account_id, :agency_id)
       and b.starts_at < l.ended_at and b.ends_at > c.started_at
       and (c.account_id = :account_id or b.account_id = :account_id)
  ) as g on true
 where c.tenant_id = :tenant_id and c.account_id = :of_account
   and c.started_at >= :since and c.started_at < :ends_at
   and (c.started_at, c.call_sid, l.leg_sid) > (:at, :call_sid, :leg_sid)
   and case when coalesce(p.seq, s.seq, g.seq) is not null
            then coalesce(p.seq, s.seq, g.seq) between :first and :last
            else c.account_id = :account_id
                 and l.settled_at >= :starts_at and l.settled_at < :ends_at end
 order by c.started_at, c.call_sid, l.leg_sid
 limit :limit
"""
)
_BEGINNING = LegPosition(dt.datetime(1970, 1, 1, tzinfo=dt.UTC), "", "")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one statement covers, and who draws on what."""

    starts_at: dt.datetime
    ends_at: dt.datetime
    first_seq: int
    last_seq: int
    draws_minutes: bool
    agency_id: uuid.UUID | None


def legs(
    connection: Connection,
    scope: Scope,
    stretch: Stretch,
    *,
    of_account: uuid.UUID,
    after: LegPosition | None,
    limit: int,
) -> list[LegLine]:
    """A page of one account's legs, in the order of their calls."""
    behind = after or _BEGINNING
    rows = connection.execute(
        _LEGS,
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "agency_id": stretch.agency_id,
            "of_account": of_account,
            "draws": stretch.draws_minutes,
            "since": max(stretch.starts_at - dt.timedelta(days=CALL_DAYS_BACK), behind.started_at),
            "starts_at": stretch.starts_at,
            "ends_at": stretch.ends_at,
            "first": stretch.first_seq,
            "last": stretch.last_seq,
            "at": behind.started_at,
            "call_sid": behind.call_sid,
            "leg_sid": behind.leg_sid,
            "limit": limit,
        },
    )
    return [LegLine(*row) for row in rows]
