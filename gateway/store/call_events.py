"""The hot statements: what one webhook changes, each in one round trip.

Written as SQL because each is one fat statement (PERFORMANCE.md part 1: one CTE costs a third of
SELECT + INSERT through the ORM). All are idempotent and free of order: a second delivery, or an
earlier event that arrives later, changes nothing that counts.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from gateway.store.base import Scope, new_id
from gateway.store.direct import execute, statement

# How long until the carrier is asked about a call that has not ended, and about a leg whose call
# has. After that the sweep doubles the interval (`store.sweep`).
FIRST_CHECK = dt.timedelta(minutes=2)
CHECK_AFTER_END = dt.timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A webhook as received; `key` names the event so that its second delivery is the same row."""

    key: str
    kind: str
    call_sid: str
    leg_sid: str
    params: Mapping[str, Any]

    def bindings(self, now: dt.datetime) -> dict[str, Any]:
        return {
            "receipt_id": new_id(),
            "receipt_key": self.key,
            "receipt_kind": self.kind,
            "call_sid": self.call_sid,
            "leg_sid": self.leg_sid,
            "params": json.dumps(self.params, ensure_ascii=False),
            "now": now,
        }


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the gate and the router need to know of a call to one of our numbers. Status and
    balance are the agency's where it pays for the account."""

    tenant_id: uuid.UUID
    did_id: uuid.UUID
    account_id: uuid.UUID
    source: str
    account_status: str
    suspended_notice: str | None
    did_status: str
    number_country: str
    number_type: str
    plan_version_id: uuid.UUID
    forwarding_version_id: uuid.UUID | None
    currency: str
    balance_micros: int
    live_calls: int  # others of this account, at this moment
    known: bool  # a repeated webhook: what was decided then holds
    refused: str | None


_ARRIVAL = statement(
    """
select d.tenant_id, d.id, d.account_id, d.source,
       case when p.id is null or a.status <> 'active' then a.status else p.status end,
       a.suspended_notice, d.status,
       d.country, d.number_type, coalesce(c.plan_version_id, a.plan_version_id),
       case when c.call_sid is null then d.forwarding_version_id
            else c.forwarding_version_id end,
       a.currency, w.balance_micros,
       (select count(*) from call as live
         where live.tenant_id = d.tenant_id and live.account_id = d.account_id
           and live.ended_at is null and live.call_sid <> :call_sid),
       c.call_sid is not null, c.refused
  from did_directory as o
  join did as d on d.tenant_id = o.tenant_id and d.id = o.did_id and d.status <> 'released'
  join account as a on a.tenant_id = d.tenant_id and a.id = d.account_id
  left join account as p on p.tenant_id = a.tenant_id and p.id = a.parent_id
                        and a.billing = 'agency_shared'
  join ledger_account as w on w.tenant_id = d.tenant_id and w.unit = a.currency
                          and w.name = 'wallet:' || replace(coalesce(p.id, a.id)::text, '-', '')
  left join call as c on c.tenant_id = d.tenant_id and c.call_sid = :call_sid
 where o.e164 = :e164
"""
)


def arrival(connection: Connection, e164: str, call_sid: str) -> Arrival | None:
    """The only look-up of a webhook outside one tenant; None when the number is nobody's."""
    row = execute(connection, _ARRIVAL, {"e164": e164, "call_sid": call_sid}).fetchone()
    return None if row is None else Arrival(*row)


@dataclass(frozen=True, slots=True)
class LastCall:
    to_number: str
    refused: str | None


_LAST_CALL = statement(
    """
select to_number, refused
  from call
 where tenant_id = :tenant_id and account_id = :account_id
 order by started_at desc, call_sid desc
 limit 1
"""
)


def last_call(connection: Connection, scope: Scope) -> LastCall | None:
    row = execute(
        connection, _LAST_CALL, {"tenant_id": scope.tenant_id, "account_id": scope.account_id}
    ).fetchone()
    return None if row is None else LastCall(*row)


@dataclass(frozen=True, slots=True)
class Caller:
    number: str | None
    raw: str
    country: str
    state: str
    city: str
    postal_code: str


@dataclass(frozen=True, slots=True)
class Opened:
    """`first` is False when another delivery of the webhook was quicker; `own_numbers` are those
    of the numbers asked about that are tracking numbers of any tenant."""

    first: bool
    own_numbers: frozenset[str]


_OPEN = statement(
    """
with new_receipt as (
  insert into receipt (tenant_id, id, key, call_sid, leg_sid, kind, params, received_at)
  values (:tenant_id, :receipt_id, :receipt_key, :call_sid, :leg_sid, :receipt_kind,
          cast(:params as jsonb), :now)
  on conflict (tenant_id, key) do nothing
), new_call as (
  insert into call (tenant_id, call_sid, account_id, did_id, plan_version_id,
                    forwarding_version_id, source, from_number, from_raw, from_country,
                    from_state, from_city, from_postal_code, to_number, status, refused, voicemail,
                    started_at, counted, check_at, checks)
  values (:tenant_id, :call_sid, :account_id, :did_id, :plan_version_id, :forwarding_version_id,
          :source, :from_number, :from_raw, :from_country, :from_state, :from_city,
          :from_postal_code, :to_number, 'ringing', :refused, false, :now, false, :check_at, 0)
  on conflict (tenant_id, call_sid) do nothing
  returning call_sid
), new_leg as (
  insert into leg (tenant_id, leg_sid, call_sid, account_id, kind, target_kind, to_address,
                   cursor, status, status_rank, started_at, talk_seconds, ring_seconds)
  values (:tenant_id, :leg_sid, :call_sid, :account_id, 'inbound', 'did', :to_number,
          '', 'ringing', :ringing_rank, :now, 0, 0)
  on conflict (tenant_id, leg_sid) do nothing
)
select exists (select 1 from new_call),
       array(select e164 from did_directory where e164 = any(cast(:numbers as text[])))
"""
)


def open_call(
    connection: Connection,
    arrival: Arrival,
    receipt: Receipt,
    *,
    caller: Caller,
    called: str,
    refused: str | None,
    numbers: Sequence[str],
    ringing_rank: int,
    now: dt.datetime,
) -> Opened:
    """Receipt, call and parent leg in one statement, the refusal included."""
    row = execute(
        connection,
        _OPEN,
        receipt.bindings(now)
        | {
            "tenant_id": arrival.tenant_id,
            "did_id": arrival.did_id,
            "account_id": arrival.account_id,
            "plan_version_id": arrival.plan_version_id,
            "forwarding_version_id": arrival.forwarding_version_id,
            "source": arrival.source,
            "from_number": caller.number,
            "from_raw": caller.raw,
            "from_country": caller.country,
            "from_state": caller.state,
            "from_city": caller.city,
            "from_postal_code": caller.postal_code,
            "to_number": called,
            "refused": refused,
            "numbers": list(numbers),
            "ringing_rank": ringing_rank,
            "check_at": now + FIRST_CHECK,
        },
    ).fetchone()
    assert row is not None
    return Opened(row[0], frozenset(row[1]))


@dataclass(frozen=True, slots=True)
class LegChange:
    """One event of one leg, in the form the upsert wants."""

    leg_sid: str
    kind: str
    target_kind: str
    to_address: str
    cursor: str
    status: str
    rank: int
    started_at: dt.datetime
    answered_at: dt.datetime | None
    ended_at: dt.datetime | None
    talk_seconds: int
    dialled_at: dt.datetime | None = None
    confirmed: bool | None = None


_RECORD_LEG = statement(
    """
with parent as (
  select account_id, ended_at from call where tenant_id = :tenant_id and call_sid = :call_sid
), new_receipt as (
  insert into receipt (tenant_id, id, key, call_sid, leg_sid, kind, params, received_at)
  select :tenant_id, :receipt_id, :receipt_key, :call_sid, :leg_sid, :receipt_kind,
         cast(:params as jsonb), :now
    from parent
  on conflict (tenant_id, key) do nothing
), asked_again as (
  update call as c set check_at = :check_at from parent
   where c.tenant_id = :tenant_id and c.call_sid = :call_sid and c.check_at is null
     and parent.ended_at is not null and cast(:ended_at as timestamptz) is null
     and not exists (select 1 from leg as known where known.tenant_id = :tenant_id
                        and known.leg_sid = :leg_sid and known.ended_at is not null)
), recorded as (
  insert into leg as l (tenant_id, leg_sid, call_sid, account_id, kind, target_kind, to_address,
                        cursor, status, status_rank, started_at, dialled_at, answered_at, ended_at,
                        talk_seconds, ring_seconds, confirmed, end_receipt_id)
  select :tenant_id, :leg_sid, :call_sid, account_id, :kind, :target_kind, :to_address, :cursor,
         :status, :rank, cast(:started_at as timestamptz), cast(:dialled_at as timestamptz),
         cast(:answered_at as timestamptz), cast(:ended_at as timestamptz), :talk_seconds, 0,
         cast(:confirmed as boolean),
         case when cast(:ended_at as timestamptz) is null then null
              else cast(:receipt_id as uuid) end
    from parent
  on conflict (tenant_id, leg_sid) do update set
    status = case when excluded.status_rank > l.status_rank then excluded.status
                  else l.status end,
    status_rank = greatest(l.status_rank, excluded.status_rank),
    to_address = case when l.to_address = '' then excluded.to_address else l.to_address end,
    cursor = case when l.cursor = '' then excluded.cursor else l.cursor end,
    started_at = least(l.started_at, excluded.started_at),
    dialled_at = least(l.dialled_at, excluded.dialled_at),
    answered_at = least(l.answered_at, excluded.answered_at),
    ended_at = coalesce(l.ended_at, excluded.ended_at),
    talk_seconds = case when l.ended_at is null then excluded.talk_seconds
                        else l.talk_seconds end,
    confirmed = coalesce(l.confirmed or excluded.confirmed, l.confirmed, excluded.confirmed),
    end_receipt_id = coalesce(l.end_receipt_id, excluded.end_receipt_id)
  returning l.account_id, l.ended_at, l.settled_at
), due as (
  insert into leg_due (tenant_id, account_id, ended_at, leg_sid)
  select :tenant_id, account_id, ended_at, :leg_sid from recorded
   where ended_at is not null and settled_at is null
  on conflict do nothing
)
select account_id from recorded
"""
)


def record_leg(
    connection: Connection,
    tenant_id: uuid.UUID,
    receipt: Receipt,
    change: LegChange,
    *,
    now: dt.datetime,
) -> uuid.UUID | None:
    """Receipt and monotone upsert; the account, or None for a call that we never opened.

    Monotone: the status only rises, the first final event fixes the duration, times only move
    towards the truth. So any order and any repetition of a leg's events leave the same row.
    A leg that has ended is due in the same statement; one that is settled never is again.
    News of a leg that goes on after its call's end has the carrier asked about it: the end of the
    leg may have been lost.
    """
    row = execute(
        connection,
        _RECORD_LEG,
        receipt.bindings(now)
        | {
            "tenant_id": tenant_id,
            "kind": change.kind,
            "target_kind": change.target_kind,
            "to_address": change.to_address,
            "cursor": change.cursor,
            "status": change.status,
            "rank": change.rank,
            "started_at": change.started_at,
            "dialled_at": change.dialled_at,
            "answered_at": change.answered_at,
            "ended_at": change.ended_at,
            "talk_seconds": change.talk_seconds,
            "confirmed": change.confirmed,
            "check_at": now + CHECK_AFTER_END,
        },
    ).fetchone()
    return None if row is None else row[0]


_CLOSE = statement(
    """
update call set
  status = case when ended_at is null then :status else status end,
  ended_at = coalesce(ended_at, :ended_at),
  check_at = case when ended_at is not null then check_at when (
      select bool_or(ended_at is null)
          or bool_or(kind <> 'inbound' and talk_seconds > 0 and dialled_at is null)
          or (bool_or(kind = 'inbound' and talk_seconds > 0)
              and not bool_or(kind <> 'inbound' and talk_seconds > 0))
        from leg where leg.tenant_id = :tenant_id and leg.call_sid = :call_sid)
    then cast(:check_at as timestamptz) end
 where tenant_id = :tenant_id and call_sid = :call_sid
"""
)


def close_call(
    connection: Connection,
    tenant_id: uuid.UUID,
    call_sid: str,
    *,
    status: str,
    ended_at: dt.datetime,
    now: dt.datetime,
) -> None:
    """The parent ended. The carrier is asked soon after if a leg is still open then, if one on
    which people talked has no beginning, or if the caller was answered and no forwarded leg is
    known to have talked: its callbacks may be lost."""
    execute(
        connection,
        _CLOSE,
        {
            "tenant_id": tenant_id,
            "call_sid": call_sid,
            "status": status,
            "ended_at": ended_at,
            "check_at": now + CHECK_AFTER_END,
        },
    )


@dataclass(frozen=True, slots=True)
class KnownCall:
    """A call in progress, with what its next decision needs."""

    account_id: uuid.UUID
    account_status: str
    did_status: str
    number_country: str
    number_type: str
    plan_version_id: uuid.UUID
    forwarding_version_id: uuid.UUID | None
    balance_micros: int
    live_calls: int
    started_at: dt.datetime
    from_number: str | None
    from_raw: str
    from_country: str
    from_state: str
    from_city: str
    from_postal_code: str
    to_number: str


_CONTINUE = statement(
    """
with facts as (
  select c.account_id,
         case when p.id is null or a.status <> 'active' then a.status
              else p.status end as account_status, d.status as did_status,
         d.country as number_country, d.number_type, c.plan_version_id, c.forwarding_version_id,
         w.balance_micros,
         (select count(*) from call as live
           where live.tenant_id = :tenant_id and live.account_id = c.account_id
             and live.ended_at is null and live.call_sid <> :call_sid) as live_calls,
         c.started_at, c.from_number, c.from_raw, c.from_country, c.from_state, c.from_city,
         c.from_postal_code, c.to_number
    from call as c
    join account as a on a.tenant_id = c.tenant_id and a.id = c.account_id
    join did as d on d.tenant_id = c.tenant_id and d.id = c.did_id
    left join account as p on p.tenant_id = a.tenant_id and p.id = a.parent_id
                          and a.billing = 'agency_shared'
    join ledger_account as w on w.tenant_id = c.tenant_id and w.unit = a.currency
                            and w.name = 'wallet:' || replace(coalesce(p.id, a.id)::text, '-', '')
   where c.tenant_id = :tenant_id and c.call_sid = :call_sid
), new_receipt as (
  insert into receipt (tenant_id, id, key, call_sid, leg_sid, kind, params, received_at)
  select :tenant_id, :receipt_id, :receipt_key, :call_sid, :leg_sid, :receipt_kind,
         cast(:params as jsonb), :now
    from facts
  on conflict (tenant_id, key) do nothing
)
select * from facts
"""
)


def continue_call(
    connection: Connection, tenant_id: uuid.UUID, receipt: Receipt, *, now: dt.datetime
) -> KnownCall | None:
    """Receipt and facts of a call that goes on; None for one that we never opened."""
    values = receipt.bindings(now) | {"tenant_id": tenant_id}
    row = execute(connection, _CONTINUE, values).fetchone()
    return None if row is None else KnownCall(*row)


_VOICEMAIL = text(
    "update call set voicemail = true where tenant_id = :tenant_id and call_sid = :call_sid"
)


def mark_voicemail(connection: Connection, tenant_id: uuid.UUID, call_sid: str) -> None:
    connection.execute(_VOICEMAIL, {"tenant_id": tenant_id, "call_sid": call_sid})


@dataclass(frozen=True, slots=True)
class LiveLeg:
    """A forwarded leg on which people talk right now, and the call that it belongs to."""

    call_sid: str
    leg_sid: str
    target_kind: str
    to_address: str
    answered_at: dt.datetime
    number_country: str
    number_type: str


_LIVE_LEGS = text(
    """
select l.call_sid, l.leg_sid, l.target_kind, l.to_address, l.answered_at, d.country, d.number_type
  from call as c
  join leg as l on l.tenant_id = c.tenant_id and l.call_sid = c.call_sid
               and l.kind <> 'inbound' and l.ended_at is null and l.answered_at is not null
  join did as d on d.tenant_id = c.tenant_id and d.id = c.did_id
 where c.tenant_id = :tenant_id and c.account_id = :account_id and c.ended_at is null
 order by l.call_sid, l.leg_sid
"""
)


def live_legs(connection: Connection, scope: Scope) -> list[LiveLeg]:
    return [
        LiveLeg(*row)
        for row in connection.execute(
            _LIVE_LEGS, {"tenant_id": scope.tenant_id, "account_id": scope.account_id}
        )
    ]


_VERSION_OF = text(
    "select forwarding_version_id from call where tenant_id = :tenant_id and call_sid = :call_sid"
)


def forwarding_version_of(
    connection: Connection, tenant_id: uuid.UUID, call_sid: str
) -> uuid.UUID | None:
    version_id: uuid.UUID | None = connection.scalar(
        _VERSION_OF, {"tenant_id": tenant_id, "call_sid": call_sid}
    )
    return version_id
