"""What the watchdog reads: accounts with calls in progress, and their money."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import Connection, Row, text

from gateway.store.base import Scope


@dataclass(frozen=True, slots=True)
class WatchedAccount:
    scope: Scope
    plan_version_id: uuid.UUID
    balance_micros: int
    suspended_at: dt.datetime | None


_WALLET = """
  left join account as p on p.tenant_id = a.tenant_id and p.id = a.parent_id
                        and a.billing = 'agency_shared'
  join ledger_account as w on w.tenant_id = a.tenant_id and w.unit = a.currency
                          and w.name = 'wallet:' || replace(coalesce(p.id, a.id)::text, '-', '')
"""
_LIVE = text(
    f"""
select a.tenant_id, a.id, a.plan_version_id, w.balance_micros, a.suspended_at
  from (select distinct tenant_id, account_id from call where ended_at is null) as live
  join account as a on a.tenant_id = live.tenant_id and a.id = live.account_id
{_WALLET}
 order by a.tenant_id, a.id
"""
)
_ONE = text(
    f"""
select a.tenant_id, a.id, a.plan_version_id, w.balance_micros, a.suspended_at
  from account as a
{_WALLET}
 where a.tenant_id = :tenant_id and a.id = :account_id
"""
)


def accounts_with_live_calls(connection: Connection) -> list[WatchedAccount]:
    return [_watched(row) for row in connection.execute(_LIVE)]


def account(connection: Connection, scope: Scope) -> WatchedAccount | None:
    row = connection.execute(
        _ONE, {"tenant_id": scope.tenant_id, "account_id": scope.account_id}
    ).first()
    return None if row is None else _watched(row)


def _watched(
    row: Row[uuid.UUID, uuid.UUID, uuid.UUID, int, dt.datetime | None],
) -> WatchedAccount:
    tenant_id, account_id, plan_version_id, balance_micros, suspended_at = row
    return WatchedAccount(
        Scope(tenant_id, account_id), plan_version_id, balance_micros, suspended_at
    )
