"""An agency and its clients: who they are, and which of the agency's lines each has caused."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, text

from billing.postings import wallet
from gateway.store.base import Scope


@dataclass(frozen=True, slots=True)
class Share:
    """What one account had of its agency's bill: the agency itself is one of them. `own_micros`
    are its legs, texts and rent, and a client's own access."""

    account_id: uuid.UUID
    name: str
    own_micros: int
    used_seconds: int


# Whose leg, text, number or access a line of the agency's wallet is about; nobody's where the
# agency bought something for all of them. A correction belongs to what it corrects.
_CAUSED = """
moved as (
  select p.seq, p.key, p.leg_sid, split_part(coalesce(p.reverses_key, p.key), ':', 1) as kind,
         split_part(coalesce(p.reverses_key, p.key), ':', 2) as subject,
         case when p.debit = :wallet then p.amount_micros
              when p.credit = :wallet then - p.amount_micros else 0 end as micros
    from posting as p
   where p.tenant_id = :tenant_id and p.account_id = :account_id
     and p.balance_after_micros is not null and p.seq > :after and p.seq <= :last
),
caused as (
  select coalesce(l.account_id, x.account_id, d.account_id, s.account_id) as account_id,
         o.seq, o.key, o.micros
    from moved as o
    left join leg as l on l.tenant_id = :tenant_id and l.leg_sid = o.leg_sid
    left join message as x on o.kind = 'sms' and x.tenant_id = :tenant_id
                          and x.carrier_sid = o.subject
    left join did as d on o.kind = 'rent' and d.tenant_id = :tenant_id
                      and d.id::text = o.subject
    left join subscription as s on o.kind = 'access' and s.tenant_id = :tenant_id
                               and s.account_id <> :account_id and s.id::text = o.subject
)
"""
_SHARES = text(
    f"""
with members as (
  select a.id, a.name from account as a
   where a.tenant_id = :tenant_id
     and (a.id = :account_id
          or (a.parent_id = :account_id
              and exists (select 1 from billing_membership as m
                           where m.tenant_id = a.tenant_id and m.account_id = a.id
                             and m.billing = 'agency_shared')))
),
{_CAUSED},
own as (
  select account_id, sum(micros)::bigint as micros from caused
   where account_id is not null group by account_id
),
drawn as (
  select p.account_id, sum(p.amount_micros)::bigint as seconds
    from posting as p
    join members as m on m.id = p.account_id
   where p.tenant_id = :tenant_id and p.kind = 'draw' and p.balance_after_micros is not null
     and p.seq > :after and p.seq <= :last
     and p.debit in (select b.kind || ':' || replace(b.id::text, '-', '') from bucket as b
                      where b.tenant_id = :tenant_id and b.account_id = :account_id)
   group by p.account_id
)
select m.id, m.name, coalesce(o.micros, 0), coalesce(d.seconds, 0)
  from members as m
  left join own as o on o.account_id = m.id
  left join drawn as d on d.account_id = m.id
 order by m.id <> :account_id, m.name, m.id
"""
)


def shares(connection: Connection, scope: Scope, *, after_seq: int, last_seq: int) -> list[Share]:
    """The agency first, then the sub-accounts that ever shared its billing."""
    rows = connection.execute(_SHARES, _stretch(scope, after_seq, last_seq))
    return [Share(*row) for row in rows]


_KEYS = text(
    f"""
with {_CAUSED}
select seq, key from caused
 where account_id = :client_id and (cast(:before as bigint) is null or seq < :before)
 order by seq desc limit :limit
"""
)


def keys_caused(
    connection: Connection,
    agency: Scope,
    client_id: uuid.UUID,
    *,
    after_seq: int,
    last_seq: int,
    before: int | None,
    limit: int,
) -> list[tuple[int, str]]:
    """The agency's lines that one account caused, the newest first."""
    rows = connection.execute(
        _KEYS,
        _stretch(agency, after_seq, last_seq)
        | {"client_id": client_id, "before": before, "limit": limit},
    )
    return [(row.seq, row.key) for row in rows]


_BUCKETS = text(
    """
select b.id, sum(p.amount_micros)::bigint
  from posting as p
  join bucket as b on b.tenant_id = p.tenant_id and b.account_id = :account_id
                  and p.debit = b.kind || ':' || replace(b.id::text, '-', '')
 where p.tenant_id = :tenant_id and p.account_id = :client_id and p.kind = 'draw'
   and p.balance_after_micros is not null and p.seq > :after and p.seq <= :last
 group by b.id
"""
)


def drawn_by(
    connection: Connection, agency: Scope, client_id: uuid.UUID, *, after_seq: int, last_seq: int
) -> dict[uuid.UUID, int]:
    """Seconds that one account drew of each of the agency's buckets."""
    rows = connection.execute(
        _BUCKETS, _stretch(agency, after_seq, last_seq) | {"client_id": client_id}
    )
    return {row[0]: row[1] for row in rows}


def _stretch(scope: Scope, after_seq: int, last_seq: int) -> dict[str, object]:
    return {
        "tenant_id": scope.tenant_id,
        "account_id": scope.account_id,
        "wallet": wallet(scope.account_id),
        "after": after_seq,
        "last": last_seq,
    }


@dataclass(frozen=True, slots=True)
class Client:
    """A sub-account as its agency sees it; `billing_since` is the last change of who pays."""

    id: uuid.UUID
    name: str
    status: str
    billing: str
    billing_since: dt.datetime


_CLIENTS = text(
    """
select a.id, a.name, a.status, a.billing, coalesce(max(m.from_at), a.created_at)
  from account as a
  left join billing_membership as m on m.tenant_id = a.tenant_id and m.account_id = a.id
                                   and m.from_at <= :now
 where a.tenant_id = :tenant_id and a.parent_id = :account_id
 group by a.id, a.name, a.status, a.billing, a.created_at
 order by a.name, a.id
"""
)


def clients(connection: Connection, agency: Scope, *, now: dt.datetime) -> list[Client]:
    rows = connection.execute(
        _CLIENTS, {"tenant_id": agency.tenant_id, "account_id": agency.account_id, "now": now}
    )
    return [Client(*row) for row in rows]


_OF_LEGS = text(
    """
select l.leg_sid, a.name
  from leg as l
  join account as a on a.tenant_id = l.tenant_id and a.id = l.account_id
 where l.tenant_id = :tenant_id and l.account_id <> :account_id
   and l.leg_sid = any(cast(:legs as text[]))
"""
)


def names_of_legs(
    connection: Connection, agency: Scope, leg_sids: Collection[str]
) -> dict[str, str]:
    """Whose legs these are; an account's own are left out."""
    rows = connection.execute(
        _OF_LEGS,
        {
            "tenant_id": agency.tenant_id,
            "account_id": agency.account_id,
            "legs": list(leg_sids),
        },
    )
    return {row[0]: row[1] for row in rows}


_USAGE = text(
    """
select coalesce((select sum(charge_micros) from daily_usage
                  where tenant_id = :tenant_id and account_id = :account_id and day >= :day), 0)
"""
)


def usage_since(connection: Connection, scope: Scope, day: dt.date) -> int:
    """What an account's calls and texts cost since a local day, whoever paid, in micros."""
    return int(
        connection.scalar(
            _USAGE, {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "day": day}
        )
        or 0
    )
