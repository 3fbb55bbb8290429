"""Rows that are to be looked at again: the column that says when is the queue.

Whoever claims a row has a lease on it: the column moves to the lease's end, so that others leave
it alone, and one whose worker died comes up again by itself. The look at its end says when the
next one is, or that there is none (null). Wants a partial index over the column, not null.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, bindparam, select, update

from gateway.store.base import Base

Found = TypeVar("Found")


class LeasedQueue(Generic[Found]):
    """`at` names the column, `found` is what a row is read as, by the names of its fields;
    `news_for` are the rows that news from outside makes due."""

    def __init__(
        self, row: type[Base], at: str, found: type[Found], *, news_for: ColumnElement[bool]
    ) -> None:
        table = row.__table__
        assert isinstance(table, Table)
        self._found = found
        due_at, fields = table.c[at], getattr(found, "__dataclass_fields__", {})
        is_due = due_at <= bindparam("now")
        due = (
            select(table.c.tenant_id, table.c.id)
            .where(is_due)
            .order_by(due_at)
            .limit(bindparam("at_most"))
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        self._claim = (
            update(table)
            .where(table.c.tenant_id == due.c.tenant_id, table.c.id == due.c.id)
            .values({due_at: bindparam("until")})
            .returning(table.c.id, *(table.c[name] for name in fields))
        )
        self._oldest = select(due_at).where(is_due).order_by(due_at).limit(1)
        self._nudge = (
            update(table)
            .where(
                table.c.tenant_id == bindparam("of_tenant"),
                table.c.id == bindparam("of_id"),
                news_for,
            )
            .values({due_at: bindparam("now")})
        )

    def claim(
        self, connection: Connection, *, now: dt.datetime, lease: dt.timedelta, limit: int
    ) -> list[Found]:
        """The longest due; by id, which is the order in which they came to be."""
        values: dict[str, Any] = {"now": now, "until": now + lease, "at_most": limit}
        rows = sorted(connection.execute(self._claim, values), key=lambda row: row[0])
        return [self._found(*row[1:]) for row in rows]

    def oldest_due_at(self, connection: Connection, *, now: dt.datetime) -> dt.datetime | None:
        return connection.scalar(self._oldest, {"now": now})

    def nudge(
        self, connection: Connection, tenant_id: uuid.UUID, id: uuid.UUID, now: dt.datetime
    ) -> bool:
        """Somebody says that there is news: look now. False where that row needs no look."""
        values = {"of_tenant": tenant_id, "of_id": id, "now": now}
        return bool(connection.execute(self._nudge, values).rowcount)
