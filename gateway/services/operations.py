"""What staff watches and mends: waiting work, work that was given up, mail, the clock."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from gateway.services import audit
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.services.pages import (
    LIMIT_DEFAULT,
    Page,
    clamp,
    cut,
    decode_cursor,
    encode_cursor,
    uuid_of,
)
from gateway.store import operations as store
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

COUNT_MAX = store.COUNT_MAX
OUTBOX_QUEUES = ("carrier", "notify")
CLOCK = "clock"
REASON_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class Waiting:
    """`count` stops at COUNT_MAX; `oldest_seconds` is 0 when nothing is due."""

    name: str
    count: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class ClockLease:
    holder: str
    age_seconds: float
    held: bool


@dataclass(frozen=True, slots=True)
class Operations:
    """`clock` is None when no clock process ever ran."""

    queues: tuple[Waiting, ...]
    settlement: Waiting
    dead: int
    clock: ClockLease | None


@dataclass(frozen=True, slots=True)
class Deed:
    """One row of the outbox."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    account_id: uuid.UUID
    account_name: str | None
    queue: str
    kind: str
    key: str
    payload: dict[str, Any]
    created_at: dt.datetime
    due_at: dt.datetime
    attempts: int
    last_error: str | None
    dead_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class MailLine:
    id: uuid.UUID
    to_address: str
    subject: str
    sent_at: dt.datetime
    transport: str
    account_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Mail(MailLine):
    body: str
    attachments: list[str]  # names of files


def overview(uow: UnitOfWork) -> Operations:
    due = store.due_by_queue(uow.connection, OUTBOX_QUEUES, uow.now)
    lease = store.lease(uow.connection, CLOCK)
    return Operations(
        queues=tuple(_waiting(uow, name, *due[name]) for name in OUTBOX_QUEUES),
        settlement=_waiting(uow, "settle", *store.unsettled(uow.connection)),
        dead=store.dead_count(uow.connection),
        clock=None
        if lease is None
        else ClockLease(lease.holder, float(lease.age_seconds), lease.held),
    )


def dead_deeds(uow: UnitOfWork, after: str | None = None, limit: int = LIMIT_DEFAULT) -> Page[Deed]:
    """Given up and not dealt with yet, newest first."""
    limit = clamp(limit)
    before = decode_cursor(after, uuid_of) if after else None
    rows = store.dead(uow.connection, before=before, limit=limit + 1)
    return cut([Deed(**row._mapping) for row in rows], limit, lambda deed: encode_cursor(deed.id))


def waiting_deeds(uow: UnitOfWork, limit: int = LIMIT_DEFAULT) -> tuple[Deed, ...]:
    """To be done by themselves, the one due longest first."""
    rows = store.waiting(uow.connection, limit=clamp(limit))
    return tuple(Deed(**row._mapping) for row in rows)


def revive(uow: UnitOfWork, deed_id: uuid.UUID, reason: str, actor: str) -> None:
    """Due at once, with all its tries. The deed re-reads the state before it acts."""
    row = _lock_dead(uow, deed_id, reason)
    store.revive(uow.connection, deed_id, uow.now)
    _note(uow, row, actor, "deed.revived", reason)


def discard(uow: UnitOfWork, deed_id: uuid.UUID, reason: str, actor: str) -> None:
    """It will never be done; the row stays as evidence."""
    row = _lock_dead(uow, deed_id, reason)
    store.discard(uow.connection, deed_id, uow.now)
    _note(uow, row, actor, "deed.discarded", reason)


def mailbox(
    uow: UnitOfWork, after: str | None = None, limit: int = LIMIT_DEFAULT
) -> Page[MailLine]:
    """What was sent, newest first; without MAIL_URL this is the only place it went to."""
    limit = clamp(limit)
    before = decode_cursor(after, uuid_of) if after else None
    rows = store.mails(uow.connection, before=before, limit=limit + 1)
    return cut(
        [MailLine(**row._mapping) for row in rows], limit, lambda mail: encode_cursor(mail.id)
    )


def get_mail(uow: UnitOfWork, mail_id: uuid.UUID) -> Mail:
    row = store.mail(uow.connection, mail_id)
    if row is None:
        raise NotFound("mail", mail_id)
    return Mail(**row._mapping)


def _waiting(uow: UnitOfWork, name: str, count: int, oldest: dt.datetime | None) -> Waiting:
    age = 0.0 if oldest is None else max(0.0, (uow.now - oldest).total_seconds())
    return Waiting(name, count, age)


def _lock_dead(uow: UnitOfWork, deed_id: uuid.UUID, reason: str) -> Any:
    if not 1 <= len(reason.strip()) <= REASON_LENGTH_MAX:
        raise Invalid.at("/reason", f"say why, in at most {REASON_LENGTH_MAX} characters")
    row = store.lock_deed(uow.connection, deed_id)
    if row is None:
        raise NotFound("deed", deed_id)
    if row.dead_at is None or row.done_at is not None:
        raise Conflict("That deed is not given up any more: look at the list again.")
    return row


def _note(uow: UnitOfWork, row: Any, actor: str, action: str, reason: str) -> None:
    audit.note(
        uow,
        Scope(row.tenant_id, row.account_id),
        actor,
        action,
        row.key,
        kind=row.kind,
        reason=reason.strip(),
    )
