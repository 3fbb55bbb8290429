"""What stands on the bill of a period besides its legs: rent, access, texts, and clients' texts."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from gateway.store.base import Scope
from gateway.store.replay import STREAMED


class RecurringLine(NamedTuple):
    """Rent, an access fee or that of a change of plan as it was posted; the number only of rent.
    `owner_id` has the number or the plan: an agency pays what its clients owe while they share."""

    key: str
    kind: str
    amount: int
    plan_version_id: uuid.UUID | None
    did_id: uuid.UUID | None
    number_e164: str | None
    number_country: str | None
    number_type: str | None
    at: dt.datetime
    owner_id: uuid.UUID


_RECURRING = text(
    """
select p.key, p.kind, p.amount_micros, p.plan_version_id, d.id, d.e164, d.country, d.number_type,
       p.at, coalesce(d.account_id, s.account_id, g.account_id, p.account_id)
  from posting as p
  left join did as d on p.kind = 'rental' and d.tenant_id = p.tenant_id
                    and d.id::text = split_part(p.key, ':', 2)
  left join subscription as s on p.kind = 'access_fee' and s.tenant_id = p.tenant_id
                             and s.id::text = split_part(p.key, ':', 2)
  left join plan_change as g on p.kind = 'plan_change' and g.tenant_id = p.tenant_id
                            and g.id::text = split_part(p.key, ':', 2)
 where p.tenant_id = :tenant_id and p.account_id = :account_id and p.seq >= :first
   and p.balance_after_micros is not null and p.kind in ('rental', 'access_fee', 'plan_change')
   and p.at >= :since and p.at < :until
 order by p.seq
"""
)


def recurring_lines(
    connection: Connection, scope: Scope, *, first: int, since: dt.datetime, until: dt.datetime
) -> list[RecurringLine]:
    rows = connection.execute(
        _RECURRING,
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "first": first,
            "since": since,
            "until": until,
        },
    )
    return list(map(RecurringLine._make, rows))


class SettledText(NamedTuple):
    """A settled text as it was rated."""

    id: uuid.UUID
    direction: str
    peer: str
    segments: int
    status: str
    plan_version_id: uuid.UUID
    charge_micros: int
    did_id: uuid.UUID
    number_e164: str
    created_at: dt.datetime
    settled_at: dt.datetime


_TEXTS = text(
    """
select m.id, m.direction, m.peer, m.segments, m.status, m.plan_version_id, m.charge_micros,
       m.did_id, d.e164, m.created_at, m.settled_at
  from message as m
  join did as d on d.tenant_id = m.tenant_id and d.id = m.did_id
 where m.tenant_id = :tenant_id and m.account_id = :account_id and m.settled_at is not null
   and m.created_at >= :since and m.created_at < :until
 order by m.created_at, m.id
"""
)


def settled_texts(
    connection: Connection, scope: Scope, *, since: dt.datetime, until: dt.datetime
) -> Iterator[SettledText]:
    with connection.execute(
        _TEXTS,
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "since": since,
            "until": until,
        },
        execution_options=STREAMED,
    ) as rows:
        yield from map(SettledText._make, rows)


_TEXTS_OF_CLIENTS = text(
    """
with change as (
  select m.account_id, m.from_at, m.billing,
         lead(m.from_at, 1, 'infinity') over (partition by m.account_id order by m.from_at) as to_at
    from billing_membership as m
   where m.tenant_id = :tenant_id
), shared as (
  select s.account_id, s.from_at, s.to_at
    from change as s join account as a on a.tenant_id = :tenant_id and a.id = s.account_id
   where a.parent_id = :account_id and s.billing = 'agency_shared'
)
select width_bucket(m.settled_at, cast(:starts as timestamptz[])), count(*),
       sum(m.charge_micros)::bigint
  from shared as s
  join message as m on m.tenant_id = :tenant_id and m.account_id = s.account_id
                   and m.created_at >= greatest(s.from_at, :since)
                   and m.created_at < least(s.to_at, :until) and m.settled_at is not null
 group by 1
"""
)


class ClientTexts(NamedTuple):
    """`place` counts from 1; 0 is before the first."""

    place: int
    texts: int
    charged_micros: int


def texts_of_clients(
    connection: Connection,
    scope: Scope,
    *,
    since: dt.datetime,
    until: dt.datetime,
    starts: Sequence[dt.datetime],
) -> list[ClientTexts]:
    """What an agency was charged for its clients' texts of a period while they shared its billing;
    by the cycle that begins with each of `starts`."""
    rows = connection.execute(
        _TEXTS_OF_CLIENTS,
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "since": since,
            "until": until,
            "starts": list(starts),
        },
    )
    return [ClientTexts(*row) for row in rows]
