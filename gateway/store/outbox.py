"""Outbox: due work that is not settlement, written in the transaction that caused it."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Index, Integer, String, and_, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Scope, new_id


class OutboxRow(Base):
    """Undistributed: claimed across tenants with SKIP LOCKED. `key` makes a deed happen once."""

    __tablename__ = "outbox"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID]
    account_id: Mapped[uuid.UUID]
    queue: Mapped[str] = mapped_column(String(16))  # carrier, notify
    kind: Mapped[str] = mapped_column(String(32))
    key: Mapped[str] = mapped_column(unique=True)
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime]
    attempts: Mapped[int]
    last_error: Mapped[str | None]
    done_at: Mapped[dt.datetime | None]
    dead_at: Mapped[dt.datetime | None]  # gave up: shown to ops, who may revive it

    __table_args__ = (
        Index(
            "ix_outbox_due",
            "queue",
            "due_at",
            postgresql_where="done_at is null and dead_at is null",
        ),
        Index("ix_outbox_dead", "dead_at", postgresql_where="dead_at is not null"),
    )


@dataclass(frozen=True, slots=True)
class DueDeed:
    """A claimed row: nobody else gets it until its lease ends."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    account_id: uuid.UUID
    kind: str
    key: str
    payload: dict[str, Any]
    attempts: int  # this one included


_ADD = insert(OutboxRow).on_conflict_do_nothing(index_elements=["key"])


def add(
    connection: Connection,
    scope: Scope,
    *,
    queue: str,
    kind: str,
    key: str,
    payload: dict[str, Any],
    now: dt.datetime,
    due_at: dt.datetime | None = None,
) -> None:
    """Due work of this transaction; a second row under the same key is the first."""
    connection.execute(
        _ADD,
        {
            "id": new_id(),
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "queue": queue,
            "kind": kind,
            "key": key,
            "payload": payload,
            "created_at": now,
            "due_at": due_at or now,
            "attempts": 0,
        },
    )


_OPEN = and_(OutboxRow.done_at.is_(None), OutboxRow.dead_at.is_(None))


# The clock asks twice a second, and each drain until nothing is due.
_DUE = select(OutboxRow.due_at).where(
    OutboxRow.queue == bindparam("of_queue"), OutboxRow.due_at <= bindparam("now"), _OPEN
)
_OLDEST = _DUE.order_by(OutboxRow.due_at).limit(1)
_CLAIMED = (
    _DUE.with_only_columns(OutboxRow.id)
    .order_by(OutboxRow.due_at)
    .limit(bindparam("at_most", type_=Integer))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_CLAIM = (
    update(OutboxRow)
    .where(OutboxRow.id.in_(select(_CLAIMED.c.id)))
    .values(attempts=OutboxRow.attempts + 1, due_at=bindparam("again_at"))
    .returning(
        OutboxRow.id,
        OutboxRow.tenant_id,
        OutboxRow.account_id,
        OutboxRow.kind,
        OutboxRow.key,
        OutboxRow.payload,
        OutboxRow.attempts,
    )
)


def claim(
    connection: Connection, queue: str, *, now: dt.datetime, lease: dt.timedelta, limit: int
) -> list[DueDeed]:
    """Take the oldest due rows: their next due time moves by the lease, so that a worker that
    dies leaves them to the next one."""
    values = {"of_queue": queue, "now": now, "at_most": limit, "again_at": now + lease}
    rows = connection.execute(_CLAIM, values)
    return sorted((DueDeed(*row) for row in rows), key=lambda deed: deed.id)


_FINISH = (
    update(OutboxRow)
    .where(OutboxRow.id == bindparam("deed_id"))
    .values(done_at=bindparam("now"), last_error=None)
)


def finish(connection: Connection, deed_id: uuid.UUID, *, now: dt.datetime) -> None:
    connection.execute(_FINISH, {"deed_id": deed_id, "now": now})


def postpone(
    connection: Connection, deed_id: uuid.UUID, *, error: str, due_at: dt.datetime
) -> None:
    connection.execute(
        update(OutboxRow)
        .where(OutboxRow.id == deed_id, OutboxRow.done_at.is_(None))
        .values(due_at=due_at, last_error=error[:500])
    )


def give_up(connection: Connection, deed_id: uuid.UUID, *, error: str, now: dt.datetime) -> None:
    """Dead: shown to ops, who may revive it; never tried again by itself."""
    connection.execute(
        update(OutboxRow)
        .where(OutboxRow.id == deed_id, OutboxRow.done_at.is_(None))
        .values(dead_at=now, last_error=error[:500])
    )


def oldest_due_at(connection: Connection, queue: str, *, now: dt.datetime) -> dt.datetime | None:
    """When the longest-waiting due row of a queue became due; None when nothing is."""
    return connection.scalar(_OLDEST, {"of_queue": queue, "now": now})
