"""What is due by itself: accounts with a period that ended, and waking what waits for money."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Connection, text

from gateway.store.base import Scope

# Each along its own partial index.
_DUE = """
  (select tenant_id, account_id, due_at from subscription
    where ended_at is null and due_at <= :now order by due_at limit :limit)
  union all
  (select tenant_id, account_id, due_at from package
    where expired_at is null and due_at <= :now order by due_at limit :limit)
  union all
  (select tenant_id, account_id, look_at from bucket
    where closed_at is null and look_at <= :now order by look_at limit :limit)
  union all
  (select tenant_id, account_id, rent_due_at from did
    where released_at is null and rent_due_at <= :now order by rent_due_at limit :limit)
  union all
  (select tenant_id, account_id, effective_at from plan_change
    where state = 'scheduled' and effective_at <= :now order by effective_at limit :limit)
  union all
  (select tenant_id, account_id, look_at from included_credit
    where look_at is not null and look_at <= :now order by look_at limit :limit)
  union all
  (select tenant_id, account_id, look_at from billing_membership
    where look_at is not null and look_at <= :now order by look_at limit :limit)
"""
_ACCOUNTS = text(
    f"select tenant_id, account_id from ({_DUE}) as due group by 1, 2 order by min(due_at), 1, 2"
)
_OLDEST = text(f"select min(due_at) from ({_DUE}) as due")


def due_accounts(connection: Connection, *, now: dt.datetime, limit: int) -> list[Scope]:
    """Accounts with anything due, the longest due first; at most so many of each kind."""
    rows = connection.execute(_ACCOUNTS, {"now": now, "limit": limit})
    return [Scope(*row) for row in rows]


def oldest_due_at(connection: Connection, *, now: dt.datetime) -> dt.datetime | None:
    found: dt.datetime | None = connection.scalar(_OLDEST, {"now": now, "limit": 1})
    return found


_WAKE = (
    text(
        "update subscription set due_at = :now where tenant_id = :tenant_id"
        " and account_id = :account_id and ended_at is null and due_at > ends_at and due_at > :now"
        " and canceled_at is null"
    ),
    text(
        "update package set due_at = :now where tenant_id = :tenant_id"
        " and account_id = :account_id and expired_at is null and due_at > ends_at"
        " and due_at > :now"
    ),
    text(
        "update did set rent_due_at = :now where tenant_id = :tenant_id"
        " and account_id = :account_id and released_at is null and rent_due_at > rented_until"
        " and rent_due_at > :now"
    ),
)


def wake(connection: Connection, scope: Scope, *, now: dt.datetime) -> None:
    """Money came in: what waits for it is tried at once. A row that waits has a next try later
    than the end of its period, and the end of its period is past."""
    values = {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "now": now}
    for statement in _WAKE:
        connection.execute(statement, values)
