"""What staff watches: due work of all tenants, what was given up, mail, the clock."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from gateway.store.accounts import AccountRow
from gateway.store.clock import LeaseRow
from gateway.store.legs import DueLegRow
from gateway.store.mail import MailRow
from gateway.store.outbox import OutboxRow

COUNT_MAX = 1000
"""Counts stop here: "1000 or more" is all that anybody needs to know."""

_OPEN = (OutboxRow.done_at.is_(None), OutboxRow.dead_at.is_(None))
_DEAD = (OutboxRow.done_at.is_(None), OutboxRow.dead_at.is_not(None))


def due_by_queue(
    connection: Connection, queues: Sequence[str], now: dt.datetime
) -> dict[str, tuple[int, dt.datetime | None]]:
    """Queue -> how many deeds are due (at most COUNT_MAX) and since when the oldest is."""
    found = {}
    for queue in queues:
        due = (
            select(OutboxRow.due_at)
            .where(OutboxRow.queue == queue, OutboxRow.due_at <= now, *_OPEN)
            .order_by(OutboxRow.due_at)
            .limit(COUNT_MAX)
            .subquery()
        )
        count, oldest = connection.execute(select(func.count(), func.min(due.c.due_at))).one()
        found[queue] = (count, oldest)
    return found


def unsettled(connection: Connection) -> tuple[int, dt.datetime | None]:
    """How many ended legs wait for their charge (at most COUNT_MAX), and since when."""
    due = select(DueLegRow.ended_at).limit(COUNT_MAX).subquery()
    count, oldest = connection.execute(select(func.count(), func.min(due.c.ended_at))).one()
    return count, oldest


def lease(connection: Connection, name: str) -> Row[*tuple[Any, ...]] | None:
    """Age and time left by the database's own clock."""
    return connection.execute(
        select(
            LeaseRow.holder,
            func.extract("epoch", func.now() - LeaseRow.beat_at).label("age_seconds"),
            (LeaseRow.expires_at > func.now()).label("held"),
        ).where(LeaseRow.name == name)
    ).one_or_none()


def dead_count(connection: Connection) -> int:
    dead = select(OutboxRow.id).where(*_DEAD).limit(COUNT_MAX).subquery()
    return connection.execute(select(func.count()).select_from(dead)).scalar_one()


def dead(
    connection: Connection, *, before: uuid.UUID | None, limit: int
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Given up and not dealt with, newest first."""
    found = _deeds().where(*_DEAD).order_by(OutboxRow.id.desc()).limit(limit)
    if before is not None:
        found = found.where(OutboxRow.id < before)
    return connection.execute(found).all()


def waiting(connection: Connection, *, limit: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """To be done, the one due longest first."""
    return connection.execute(_deeds().where(*_OPEN).order_by(OutboxRow.due_at).limit(limit)).all()


def lock_deed(connection: Connection, deed_id: uuid.UUID) -> Row[*tuple[Any, ...]] | None:
    return connection.execute(
        select(
            OutboxRow.tenant_id,
            OutboxRow.account_id,
            OutboxRow.kind,
            OutboxRow.key,
            OutboxRow.done_at,
            OutboxRow.dead_at,
        )
        .where(OutboxRow.id == deed_id)
        .with_for_update()
    ).one_or_none()


def revive(connection: Connection, deed_id: uuid.UUID, now: dt.datetime) -> None:
    connection.execute(
        update(OutboxRow)
        .where(OutboxRow.id == deed_id)
        .values(dead_at=None, due_at=now, attempts=0)
    )


def discard(connection: Connection, deed_id: uuid.UUID, now: dt.datetime) -> None:
    connection.execute(update(OutboxRow).where(OutboxRow.id == deed_id).values(done_at=now))


def mails(
    connection: Connection, *, before: uuid.UUID | None, limit: int
) -> Sequence[Row[*tuple[Any, ...]]]:
    found = (
        select(
            MailRow.id,
            MailRow.to_address,
            MailRow.subject,
            MailRow.sent_at,
            MailRow.transport,
            MailRow.account_id,
        )
        .order_by(MailRow.id.desc())
        .limit(limit)
    )
    if before is not None:
        found = found.where(MailRow.id < before)
    return connection.execute(found).all()


def mail(connection: Connection, mail_id: uuid.UUID) -> Row[*tuple[Any, ...]] | None:
    return connection.execute(
        select(
            MailRow.id,
            MailRow.to_address,
            MailRow.subject,
            MailRow.sent_at,
            MailRow.transport,
            MailRow.account_id,
            MailRow.body,
            MailRow.attachments,
        ).where(MailRow.id == mail_id)
    ).one_or_none()


def _deeds() -> Any:
    return select(
        OutboxRow.id,
        OutboxRow.tenant_id,
        OutboxRow.account_id,
        AccountRow.name.label("account_name"),
        OutboxRow.queue,
        OutboxRow.kind,
        OutboxRow.key,
        OutboxRow.payload,
        OutboxRow.created_at,
        OutboxRow.due_at,
        OutboxRow.attempts,
        OutboxRow.last_error,
        OutboxRow.dead_at,
    ).outerjoin(
        AccountRow,
        (AccountRow.tenant_id == OutboxRow.tenant_id) & (AccountRow.id == OutboxRow.account_id),
    )
