"""Accounts as the calendar sees them: which are to be looked at, and what is known of each."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, text

from gateway.store.accounts import AccountRow
from gateway.store.base import Scope


@dataclass(frozen=True, slots=True)
class BilledAccount:
    """What bills, arrears and alerts need of an account."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    parent_id: uuid.UUID | None
    name: str
    legal_name: str
    address: str
    country: str
    vat_id: str
    currency: str
    time_zone: str
    status: str
    held: str | None
    suspended_at: dt.datetime | None
    billing: str
    billing_email: str
    billing_email_bounced_at: dt.datetime | None
    billing_email_confirmed_at: dt.datetime | None
    low_balance_micros: int | None
    draws_minutes: bool
    alerts_minutes: bool
    plan_version_id: uuid.UUID
    created_at: dt.datetime
    credit_turns_at: dt.datetime | None
    balance_micros: int

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.id)


_ACCOUNT = text(
    f"""
select {", ".join(f"a.{name}" for name in BilledAccount.__slots__[:-1])}, w.balance_micros
  from account as a
  join ledger_account as w on w.tenant_id = a.tenant_id and w.unit = a.currency
                          and w.name = 'wallet:' || replace(a.id::text, '-', '')
 where a.tenant_id = :tenant_id and a.id = :account_id
"""
)


def find(connection: Connection, scope: Scope) -> BilledAccount | None:
    row = connection.execute(
        _ACCOUNT, {"tenant_id": scope.tenant_id, "account_id": scope.account_id}
    ).first()
    return None if row is None else BilledAccount(*row)


def due(connection: Connection, *, now: dt.datetime, limit: int) -> list[Scope]:
    """The accounts that have waited longest."""
    rows = connection.execute(
        select(AccountRow.tenant_id, AccountRow.id)
        .where(AccountRow.look_at <= now)
        .order_by(AccountRow.look_at)
        .limit(limit)
    )
    return [Scope(row.tenant_id, row.id) for row in rows]


_IS_DUE = text("select look_at <= :now from account where tenant_id = :tenant_id and id = :id")


def is_due(connection: Connection, scope: Scope, *, now: dt.datetime) -> bool:
    values = {"tenant_id": scope.tenant_id, "id": scope.account_id, "now": now}
    return bool(connection.scalar(_IS_DUE, values))


_OLDEST = (
    select(AccountRow.look_at)
    .where(AccountRow.look_at <= bindparam("now"))
    .order_by(AccountRow.look_at)
    .limit(1)
)


def oldest_due_at(connection: Connection, *, now: dt.datetime) -> dt.datetime | None:
    return connection.scalar(_OLDEST, {"now": now})


_LOOK_AGAIN = text("update account set look_at = :at where tenant_id = :tenant_id and id = :id")


def look_again(connection: Connection, scope: Scope, at: dt.datetime) -> None:
    connection.execute(
        _LOOK_AGAIN, {"tenant_id": scope.tenant_id, "id": scope.account_id, "at": at}
    )
