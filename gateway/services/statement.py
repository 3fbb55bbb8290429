"""The statement: every line that moved an account's wallet, and why. Reads only."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from gateway.services.errors import NotFound
from gateway.services.pages import LIMIT_DEFAULT, Page, clamp, decode_cursor, encode_cursor
from gateway.store import statement as store
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

PARTS_PER_LEG_MAX = 4
"""A leg is charged in at most so many parts (package minutes, included minutes, plan, overrun)."""
_POSTING_ID = re.compile(r"([0-9a-f-]{36})-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class StatementLine:
    """`amount_micros` is signed as the wallet sees it: negative is a charge."""

    id: str
    seq: int
    key: str
    at: dt.datetime
    kind: str
    amount_micros: int
    balance_after_micros: int
    unit: str
    description: str
    call_sid: str | None
    leg_sid: str | None
    plan_version_id: uuid.UUID | None
    rate_micros: int | None
    billed_seconds: int | None
    receipt_id: uuid.UUID | None
    reverses_key: str | None
    actor: str | None
    reason: str | None


def posting_id(tenant_id: uuid.UUID, seq: int) -> str:
    return f"{tenant_id}-{seq}"


def list_postings(
    uow: UnitOfWork,
    scope: Scope,
    after: str | None = None,
    limit: int = LIMIT_DEFAULT,
    kinds: Collection[str] = (),
) -> Page[StatementLine]:
    """Newest first. With `kinds` the search goes in bounded stretches: follow `next`."""
    limit = clamp(limit)
    before_seq = decode_cursor(after, _seq) if after else None
    rows, gave_up_at = store.page(
        uow.connection, scope, before_seq=before_seq, limit=limit + 1, kinds=kinds
    )
    lines = tuple(_line(row) for row in rows[:limit])
    if len(rows) > limit:
        return Page(lines, encode_cursor(lines[-1].seq))
    return Page(lines, None if gave_up_at is None else encode_cursor(gave_up_at))


def get_posting(uow: UnitOfWork, scope: Scope, id: str) -> StatementLine:
    row = store.one(uow.connection, scope, _seq_of(scope, id))
    if row is None:
        raise NotFound("posting", id)
    return _line(row)


def of_legs(uow: UnitOfWork, scope: Scope, leg_sids: Iterable[str]) -> tuple[StatementLine, ...]:
    """What these legs were charged, found by key: postings have no index by call."""
    keys = [f"usage:{leg}:{part}" for leg in leg_sids for part in range(PARTS_PER_LEG_MAX)]
    return tuple(_line(row) for row in store.by_keys(uow.connection, scope, keys))


def _line(row: Any) -> StatementLine:
    return StatementLine(
        id=posting_id(row.tenant_id, row.seq),
        seq=row.seq,
        key=row.key,
        at=row.at,
        kind=row.kind,
        amount_micros=-row.amount_micros if row.takes else row.amount_micros,
        balance_after_micros=row.balance_after_micros,
        unit=row.unit,
        description=row.description,
        call_sid=row.call_sid,
        leg_sid=row.leg_sid,
        plan_version_id=row.plan_version_id,
        rate_micros=row.rate_micros,
        billed_seconds=row.billed_seconds,
        receipt_id=row.receipt_id,
        reverses_key=row.reverses_key,
        actor=row.actor,
        reason=row.reason,
    )


def _seq_of(scope: Scope, id: str) -> int:
    """The chain number in a public id of this tenant."""
    match = _POSTING_ID.fullmatch(id)
    if match is None or match.group(1) != str(scope.tenant_id):
        raise NotFound("posting", id)
    return int(match.group(2))


def _seq(parts: list[str]) -> int:
    (seq,) = parts
    return int(seq)
