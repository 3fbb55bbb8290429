"""Accounts and finished calls by the hundred thousand, written as the webhooks leave them.

One INSERT … SELECT a table: what is measured is what comes after. Two and a half legs a call:
the caller's, the winner's of 20 s to 10 min, and at every other call a phone that only rang.
"""

from __future__ import annotations

import uuid

from sqlalchemy import Connection, text

from gateway.services import ledger, plans
from gateway.store.base import Scope, new_id
from gateway.uow import UnitOfWork

_ACCOUNTS = text(
    """
with made as (
  insert into account (tenant_id, id, parent_id, name, status, currency, country, time_zone,
                       plan_version_id, billing, billing_email, allowed_countries,
                       suspended_notice, low_balance_micros, created_at, suspended_at, settings)
  select id, id, null, 'Account ' || id, 'active', 'USD', 'US', 'America/New_York', :plan, 'own',
         'a@example.com', '["US"]', null, null, :now, null, '{}'
    from unnest(cast(:ids as uuid[])) as id
), directory as (
  insert into account_directory (account_id, tenant_id) select id, id
    from unnest(cast(:ids as uuid[])) as id
), wallet as (
  insert into ledger_account (tenant_id, name, unit, balance_micros)
  select id, 'wallet:' || replace(id::text, '-', ''), 'USD', 0
    from unnest(cast(:ids as uuid[])) as id
), chain as (
  insert into chain_head (tenant_id, seq, hash) select id, 0, decode(repeat('00', 32), 'hex')
    from unnest(cast(:ids as uuid[])) as id
)
insert into did (tenant_id, id, account_id, e164, country, number_type, label, source, status,
                 carrier_sid, forwarding_version_id, rental_micros, bought_at)
select a.id, d.id, a.id, '+1415' || (2000000 + :offset + a.nth * :dids + d.nth), 'US', 'local',
       'Front desk', 'Google Ads', 'active', null, null, 1150000, :now
  from unnest(cast(:ids as uuid[])) with ordinality as a(id, nth)
  cross join lateral (select gen_random_uuid() as id, g as nth
                        from generate_series(1, :dids) as g where a.id is not null) as d
"""
)

# Numbers of an account are gathered once: an agency's tenant has as many as it has clients.
_SPREAD_CALLS = """
create temp table planned on commit drop as
with called as materialized (
  select a.tenant_id, a.id as account_id, a.plan_version_id,
         (select array_agg(d.id order by d.id) from did as d
           where d.tenant_id = a.tenant_id and d.account_id = a.id) as dids
    from unnest(cast(:ids as uuid[])) as t(id)
    join account_directory as o on o.account_id = t.id
    join account as a on a.tenant_id = o.tenant_id and a.id = o.account_id
)
select a.tenant_id, a.account_id, a.dids[1 + n % cardinality(a.dids)] as did_id, a.plan_version_id,
       'CA' || md5(:round || '/' || a.account_id || '/' || n) as call_sid,
       cast(:now as timestamptz) - make_interval(secs => n * :apart) as started_at,
       20 + (hashint8(n) & 1023) * 580 / 1023 as talk, n
  from called as a
  cross join generate_series(1, :calls) as n
"""

_CALLS = """
insert into call (tenant_id, call_sid, account_id, did_id, plan_version_id, source, from_number,
                  from_raw, from_country, from_state, from_city, from_postal_code, to_number,
                  status, voicemail, started_at, ended_at, answered_at, counted, checks)
select tenant_id, call_sid, account_id, did_id, plan_version_id, 'Google Ads', '+12125550199',
       '+12125550199', 'US', 'NY', 'NEW YORK', '10001', '+14155550100', 'completed', false,
       started_at, started_at + make_interval(secs => talk + 9),
       case when :settled and n % 10 <> 0 then started_at + interval '9 s' end, :settled, 0
  from planned
"""

_LEGS = """
insert into leg (tenant_id, leg_sid, call_sid, account_id, kind, target_kind, to_address, cursor,
                 status, status_rank, started_at, answered_at, ended_at, talk_seconds,
                 ring_seconds, end_receipt_id, settled_at, billed_seconds, rate_micros,
                 charge_micros, cost_micros)
select p.tenant_id, case l.nth when 0 then p.call_sid
                               else 'CA' || md5(p.call_sid || l.nth) end,
       p.call_sid, p.account_id, l.kind, l.target_kind, l.to_address, '',
       l.status, 4, p.started_at, case when l.talks then p.started_at + interval '9 s' end,
       p.started_at + make_interval(secs => case when l.talks then p.talk + 9 else 9 end),
       case when l.talks then p.talk else 0 end, 0, gen_random_uuid(),
       case when :settled then cast(:now as timestamptz) end,
       case when :settled then case when l.talks then p.talk else 0 end end,
       case when :settled then 50000 end,
       case when :settled then case when l.talks then p.talk * 50000 / 60 else 0 end end,
       case when :settled then 8500 end
  from planned as p
  join (values (0, 'inbound', 'did', '+14155550100', 'completed', true),
               (1, 'forwarded', 'number', '+14155550101', 'completed', true),
               (2, 'forwarded', 'number', '+14155550102', 'canceled', false))
       as l(nth, kind, target_kind, to_address, status, talks)
    on l.nth < 2 or p.n % 2 = 0
"""


# Callbacks have changed each row some times: the space of its earlier versions is still in its
# page, and is where the next change goes. Pages that are filled by the half stand for that.
_ROOM = (
    "alter table call set (fillfactor = 50)",
    "alter table leg set (fillfactor = 50)",
)
_QUEUE = """
insert into leg_due (tenant_id, account_id, ended_at, leg_sid)
select l.tenant_id, l.account_id, l.ended_at, l.leg_sid
  from leg as l join planned as p on p.tenant_id = l.tenant_id and p.call_sid = l.call_sid
"""


def open_accounts(
    uow: UnitOfWork, count: int, *, dids: int = 1, offset: int = 0
) -> list[uuid.UUID]:
    """Tenants with one account, a million in its wallet and `dids` numbers; their ids."""
    ids = [new_id() for _ in range(count)]
    plan = plans.get_plan(uow, "payg")
    uow.connection.execute(
        _ACCOUNTS,
        {"ids": ids, "plan": plan.id, "now": uow.now, "dids": dids, "offset": offset},
    )
    for id in ids:
        ledger.top_up(
            uow,
            Scope(id, id),
            amount_micros=ledger.AMOUNT_MAX_MICROS,
            method="manual",
            reason="never runs out",
            actor="benchmark",
            idempotency_key="begin",
        )
    return ids


def finish_calls(
    uow: UnitOfWork,
    account_ids: list[uuid.UUID],
    calls: int,
    *,
    round: str,
    seconds_apart: float = 60.0,
    settled: bool = False,
) -> int:
    """`calls` ended calls an account; how many legs that is. `settled` legs carry a charge, but
    the ledger has no line of it: for pages that read calls alone."""
    connection = uow.connection
    # The rows fit each other by construction; checking each foreign key would triple the wait.
    connection.execute(text("set local session_replication_role = replica"))
    connection.execute(
        text(_SPREAD_CALLS),
        {
            "round": round,
            "now": uow.now,
            "apart": seconds_apart,
            "ids": account_ids,
            "calls": calls,
        },
    )
    for room in _ROOM:
        connection.execute(text(room))
    connection.execute(text(_CALLS), {"settled": settled})
    legs = connection.execute(text(_LEGS), {"settled": settled, "now": uow.now}).rowcount
    if not settled:
        connection.execute(text(_QUEUE))
    return legs


_ROLL_UP = text(
    """
insert into daily_usage (tenant_id, account_id, day, did_id, source, calls, answered, talk_seconds,
                         forwarded_seconds, billed_seconds, charge_micros, cost_micros)
select c.tenant_id, c.account_id, (c.started_at at time zone 'America/New_York')::date, c.did_id,
       c.source, count(*) filter (where l.kind = 'inbound'),
       count(*) filter (where l.kind <> 'inbound' and l.talk_seconds > 0),
       coalesce(sum(l.talk_seconds) filter (where l.kind = 'inbound'), 0),
       coalesce(sum(l.talk_seconds) filter (where l.kind <> 'inbound'), 0),
       sum(l.billed_seconds), sum(l.charge_micros), sum(l.cost_micros)
  from call as c join leg as l on l.tenant_id = c.tenant_id and l.call_sid = c.call_sid
 where c.tenant_id = :tenant_id
 group by 1, 2, 3, 4, 5
"""
)


def roll_up(uow: UnitOfWork, tenant_id: uuid.UUID) -> None:
    """The daily sums of calls that were written as settled."""
    uow.connection.execute(_ROLL_UP, {"tenant_id": tenant_id})


def calm(connection: Connection) -> None:
    """As the autovacuum would leave it, before the clock starts."""
    connection.execution_options(isolation_level="AUTOCOMMIT")
    connection.execute(
        text("vacuum analyze call, leg, leg_due, posting, ledger_account, chain_head, daily_usage")
    )
    connection.execute(text("checkpoint"))
