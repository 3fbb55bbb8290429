"""The statements of the message drain: which accounts are due, which texts, and the marks."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from gateway.store.base import Scope

# A loose index scan, as in `store.settlement`: one probe per account with open texts.
_DUE_ACCOUNTS = text(
    """
with recursive due as (
  (select tenant_id, account_id from message
    where due_at is not null and settled_at is null
      and (tenant_id, account_id) > (:tenant_id, :account_id)
    order by tenant_id, account_id limit 1)
  union all
  select n.tenant_id, n.account_id from due
   cross join lateral (
     select tenant_id, account_id from message
      where due_at is not null and settled_at is null
        and (message.tenant_id, message.account_id) > (due.tenant_id, due.account_id)
      order by tenant_id, account_id limit 1) as n
)
select tenant_id, account_id from due limit :limit
"""
)


def due_accounts(connection: Connection, after: Scope, *, limit: int) -> list[Scope]:
    """Accounts with texts that are due, in key order after the given one."""
    return [
        Scope(*row)
        for row in connection.execute(
            _DUE_ACCOUNTS,
            {"tenant_id": after.tenant_id, "account_id": after.account_id, "limit": limit},
        )
    ]


_OLDEST = text(
    """
select min(due_at) from (
  select due_at from message where due_at is not null and settled_at is null limit 1000) as due
"""
)


def oldest_due_at(connection: Connection) -> dt.datetime | None:
    """Since when the longest-waiting text is due, among the first thousand."""
    found: dt.datetime | None = connection.scalar(_OLDEST)
    return found


class DueMessage(NamedTuple):
    """A text with what rating it needs. Field order is the select's."""

    id: uuid.UUID
    carrier_sid: str
    direction: str
    peer: str
    segments: int
    status: str
    plan_version_id: uuid.UUID
    receipt_id: uuid.UUID | None
    created_at: dt.datetime
    did_id: uuid.UUID
    source: str


_DUE = text(
    """
select m.id, m.carrier_sid, m.direction, m.peer, m.segments, m.status, m.plan_version_id,
       m.receipt_id, m.created_at, m.did_id, d.source
  from message as m
  join did as d on d.tenant_id = m.tenant_id and d.id = m.did_id
 where m.tenant_id = :tenant_id and m.account_id = :account_id
   and m.due_at is not null and m.settled_at is null and m.carrier_sid is not null
 order by m.due_at, m.id limit :limit
   for update of m
"""
)


def due_messages(connection: Connection, scope: Scope, *, limit: int) -> list[DueMessage]:
    """In the order in which they became due. Locked, so that no callback changes what is rated."""
    rows = connection.execute(
        _DUE, {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "limit": limit}
    )
    return list(map(DueMessage._make, rows))


class SettledMessage(NamedTuple):
    id: uuid.UUID
    rate_micros: int | None
    charge_micros: int
    cost_micros: int


_SETTLE = text(
    """
update message as m
   set settled_at = :now, check_at = null, rate_micros = s.rate_micros,
       charge_micros = s.charge_micros, cost_micros = s.cost_micros
  from unnest(cast(:ids as uuid[]), cast(:rates as bigint[]), cast(:charges as bigint[]),
              cast(:costs as bigint[])) as s(id, rate_micros, charge_micros, cost_micros)
 where m.tenant_id = :tenant_id and m.id = s.id
"""
)


def mark_settled(
    connection: Connection,
    tenant_id: uuid.UUID,
    settled: Sequence[SettledMessage],
    *,
    now: dt.datetime,
) -> None:
    ids, rates, charges, costs = zip(*settled, strict=True)
    connection.execute(
        _SETTLE,
        {
            "tenant_id": tenant_id,
            "now": now,
            "ids": list(ids),
            "rates": list(rates),
            "charges": list(charges),
            "costs": list(costs),
        },
    )
