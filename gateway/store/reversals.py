"""Charges that look like a given one."""

from __future__ import annotations

from sqlalchemy import Connection, text

from gateway.store.base import Scope
from gateway.store.statement import SCAN_MAX

# A bounded stretch of the statement on both sides of the line; the far end of a leg stands on its
# row, so a leg is compared by number and far end, anything else by its words.
_LOOK_ALIKE = text(
    """
with given as (
  select p.seq, p.kind, p.plan_version_id, p.rate_micros, p.debit, p.credit, p.description,
         l.to_address, l.kind as leg_kind, c.did_id, c.from_raw
    from posting as p
    left join leg as l on l.tenant_id = p.tenant_id and l.leg_sid = p.leg_sid
    left join call as c on c.tenant_id = l.tenant_id and c.call_sid = l.call_sid
   where p.tenant_id = :tenant_id and p.account_id = :account_id and p.seq = :seq
), near as (
  (select * from posting as p
    where p.tenant_id = :tenant_id and p.account_id = :account_id and p.seq < :seq
      and p.balance_after_micros is not null order by p.seq desc limit :scan)
  union all
  (select * from posting as p
    where p.tenant_id = :tenant_id and p.account_id = :account_id and p.seq > :seq
      and p.balance_after_micros is not null order by p.seq limit :scan)
)
select n.key
  from given as g
  join near as n on n.kind = g.kind and n.debit = g.debit and n.credit = g.credit
                and n.plan_version_id is not distinct from g.plan_version_id
                and n.rate_micros is not distinct from g.rate_micros
                and n.description = g.description
  left join leg as l on l.tenant_id = :tenant_id and l.leg_sid = n.leg_sid
  left join call as c on c.tenant_id = :tenant_id and c.call_sid = l.call_sid
 where l.to_address is not distinct from g.to_address
   and c.did_id is not distinct from g.did_id
   and (g.leg_kind is distinct from 'inbound' or c.from_raw = g.from_raw)
   and not exists (select 1 from posting as r where r.tenant_id = :tenant_id
                      and r.key = 'reverse:' || n.key)
 order by n.seq desc limit :limit
"""
)


def look_alike_keys(connection: Connection, scope: Scope, seq: int, *, limit: int) -> list[str]:
    """Keys of lines like the given one that nobody undid: the same price of the same plan, the
    same number and far end (of an inbound leg, the same caller)."""
    return list(
        connection.scalars(
            _LOOK_ALIKE,
            {
                "tenant_id": scope.tenant_id,
                "account_id": scope.account_id,
                "seq": seq,
                "scan": SCAN_MAX,
                "limit": limit,
            },
        )
    )
