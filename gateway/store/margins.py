"""What customers paid for calls and texts, and what the carrier takes for them."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import Connection, text

from gateway.store.base import Scope


@dataclass(frozen=True, slots=True)
class AccountMargin:
    """Sums of an account over some days; `margin_micros` is negative for one that costs more than
    it brings. Rent and access are not in it; so what credit that the access fee includes paid of
    the charges (`included_micros`, by the sums of the days) is no revenue here either."""

    tenant_id: uuid.UUID
    account_id: uuid.UUID
    name: str
    currency: str
    calls: int
    charge_micros: int
    included_micros: int
    cost_micros: int

    @property
    def margin_micros(self) -> int:
        return self.charge_micros - self.included_micros - self.cost_micros


_BY_ACCOUNT = text(
    """
with used as (
  select tenant_id, account_id, sum(calls)::bigint as calls,
         sum(charge_micros)::bigint as charge, sum(cost_micros)::bigint as cost
    from daily_usage where day >= :since
   group by tenant_id, account_id
), included as (
  select c.tenant_id, c.account_id,
         sum(least(c.granted_micros, d.charge) - least(c.granted_micros, d.before))::bigint
           as micros
    from included_credit as c
    join account as a on a.tenant_id = c.tenant_id and a.id = c.account_id
   cross join lateral (
     select greatest(0, coalesce(sum(u.charge_micros), 0)) as charge,
            greatest(0, coalesce(sum(u.charge_micros) filter (where u.day < :since), 0)) as before
       from daily_usage as u
      where u.tenant_id = c.tenant_id
        and (u.account_id = c.account_id
             or (c.shared and u.account_id in (
                   select m.id from account as m
                    where m.tenant_id = c.tenant_id and m.parent_id = c.account_id
                      and m.billing = 'agency_shared')))
        and u.day >= (c.starts_at at time zone a.time_zone)::date
        and u.day < (c.ends_at at time zone a.time_zone)::date) as d
   where c.ends_at >= :since
   group by c.tenant_id, c.account_id
)
select u.tenant_id, u.account_id, a.name, a.currency, u.calls, u.charge, coalesce(i.micros, 0),
       u.cost
  from used as u
  join account as a on a.tenant_id = u.tenant_id and a.id = u.account_id
  left join included as i on i.tenant_id = u.tenant_id and i.account_id = u.account_id
 order by u.charge - coalesce(i.micros, 0) - u.cost, u.account_id
 limit :limit
"""
)


def by_account(connection: Connection, *, since: dt.date, limit: int) -> list[AccountMargin]:
    """The account that loses most first."""
    rows = connection.execute(_BY_ACCOUNT, {"since": since, "limit": limit})
    return [AccountMargin(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class LosingLeg:
    leg_sid: str
    call_sid: str
    started_at: dt.datetime
    kind: str
    number_e164: str
    to_address: str
    talk_seconds: int
    billed_seconds: int
    charge_micros: int
    cost_micros: int

    @property
    def loss_micros(self) -> int:
        return self.cost_micros - self.charge_micros


# The latest legs of the account, as many as are looked through, then the worst of them.
_LOSING = text(
    """
select l.leg_sid, l.call_sid, l.started_at, l.kind, l.e164, l.to_address, l.talk_seconds,
       l.billed_seconds, l.charge_micros, l.cost_micros
  from (select l.leg_sid, l.call_sid, c.started_at, l.kind, d.e164, l.to_address, l.talk_seconds,
               l.billed_seconds, l.charge_micros, l.cost_micros
          from call as c
          join leg as l on l.tenant_id = c.tenant_id and l.call_sid = c.call_sid
          join did as d on d.tenant_id = c.tenant_id and d.id = c.did_id
         where c.tenant_id = :tenant_id and c.account_id = :account_id
           and c.started_at >= :since
         order by c.started_at desc limit :scan) as l
 where l.cost_micros > l.charge_micros
 order by l.charge_micros - l.cost_micros, l.leg_sid limit :limit
"""
)


def losing_legs(
    connection: Connection, scope: Scope, *, since: dt.datetime, scan: int, limit: int
) -> list[LosingLeg]:
    """The legs of an account that cost most beyond what they brought."""
    rows = connection.execute(
        _LOSING,
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "since": since,
            "scan": scan,
            "limit": limit,
        },
    )
    return [LosingLeg(*row) for row in rows]
