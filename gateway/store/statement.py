"""Postings as one account's statement shows them, read only, newest first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, literal, or_, select, text
from sqlalchemy.orm import aliased

from gateway.store.base import Scope, of_scope, scope_values
from gateway.store.calls import CallRow
from gateway.store.ledger import PostingRow
from gateway.store.legs import LegRow
from gateway.store.numbers import DidRow
from gateway.store.receipts import ReceiptRow

SCAN_MAX = 20_000
"""Lines looked through for one page when only some kinds are asked for: about 15 ms."""


# Served by `ix_posting_statement`; what moved no wallet is no line of a statement.
_LINES = (
    select(PostingRow)
    .where(*of_scope(PostingRow), PostingRow.balance_after_micros.is_not(None))
    .order_by(PostingRow.seq.desc())
)


def _with_side(lines: Select[Any]) -> Select[*tuple[Any, ...]]:
    """`takes`: the wallet or the bucket is the side that gives, so the line is a charge."""
    line = lines.subquery()
    takes = or_(
        *(line.c.debit.startswith(f"{kind}:") for kind in ("wallet", "package", "pool", "bundle"))
    )
    return select(line, takes.label("takes")).order_by(line.c.seq.desc())


_ONE = _with_side(_LINES.where(PostingRow.seq == bindparam("of_seq")))


def page(
    connection: Connection,
    scope: Scope,
    *,
    before_seq: int | None,
    limit: int,
    kinds: Collection[str],
) -> tuple[Sequence[Row[*tuple[Any, ...]]], int | None]:
    """At most `limit` lines, and the seq where a search that gave up after `SCAN_MAX` stopped."""
    window, values = _LINES, scope_values(scope)
    if before_seq is not None:
        window = window.where(PostingRow.seq < before_seq)
    if not kinds:
        return connection.execute(_with_side(window.limit(limit)), values).all(), None
    seen = window.limit(SCAN_MAX).subquery()
    wanted = select(seen).where(seen.c.kind.in_(kinds)).order_by(seen.c.seq.desc()).limit(limit)
    rows = connection.execute(_with_side(wanted), values).all()
    if len(rows) == limit:
        return rows, None
    lowest, count = connection.execute(select(func.min(seen.c.seq), func.count()), values).one()
    return rows, lowest if count == SCAN_MAX else None


def one(connection: Connection, scope: Scope, seq: int) -> Row[*tuple[Any, ...]] | None:
    return connection.execute(_ONE, {**scope_values(scope), "of_seq": seq}).one_or_none()


def by_keys(
    connection: Connection, scope: Scope, keys: Collection[str]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Lines by the event that caused them, oldest first."""
    if not keys:
        return ()
    found = _with_side(_LINES.where(PostingRow.key.in_(keys)))
    return connection.execute(found, scope_values(scope)).all()[::-1]


_DRAW_KEYS = text(
    """
select 'draw:' || l.leg_sid || ':' || b.id
  from leg as l
  join account as a on a.tenant_id = l.tenant_id and a.id = l.account_id and a.draws_minutes
  join bucket as b on b.tenant_id = l.tenant_id and b.account_id in (l.account_id, a.parent_id)
                  and b.starts_at < l.ended_at and b.ends_at > l.started_at
 where l.tenant_id = :tenant_id and l.leg_sid = any(cast(:legs as text[]))
"""
)


def draw_keys(connection: Connection, scope: Scope, leg_sids: Collection[str]) -> list[str]:
    """The keys under which these legs may have drawn minutes: one for each bucket of their time."""
    return list(
        connection.scalars(_DRAW_KEYS, {"tenant_id": scope.tenant_id, "legs": list(leg_sids)})
    )


def metered(
    connection: Connection, scope: Scope, leg_sids: Collection[str]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """What the charge of each of these legs was made from: the meter, the plan, the webhook. The
    root of a tenant, an agency, pays for legs of its clients and may ask about them."""
    other = aliased(LegRow)
    bridged = (
        select(func.coalesce(func.sum(other.talk_seconds), 0))
        .where(
            other.tenant_id == LegRow.tenant_id,
            other.call_sid == LegRow.call_sid,
            other.kind != "inbound",
        )
        .scalar_subquery()
    )
    return connection.execute(
        select(
            LegRow.leg_sid,
            LegRow.kind,
            LegRow.status,
            LegRow.talk_seconds,
            LegRow.ring_seconds,
            LegRow.target_kind,
            LegRow.to_address,
            LegRow.charge_micros,
            LegRow.surcharge_micros,
            LegRow.settled_at,
            bridged.label("bridged_seconds"),
            func.coalesce(LegRow.repriced_version_id, CallRow.plan_version_id).label(
                "plan_version_id"
            ),
            DidRow.country,
            DidRow.number_type,
            ReceiptRow.params["CallStatus"].astext.label("event"),
            ReceiptRow.received_at,
        )
        .join(
            CallRow,
            (CallRow.tenant_id == LegRow.tenant_id) & (CallRow.call_sid == LegRow.call_sid),
        )
        .join(DidRow, (DidRow.tenant_id == CallRow.tenant_id) & (DidRow.id == CallRow.did_id))
        .outerjoin(
            ReceiptRow,
            (ReceiptRow.tenant_id == LegRow.tenant_id) & (ReceiptRow.id == LegRow.end_receipt_id),
        )
        .where(
            LegRow.tenant_id == scope.tenant_id,
            or_(
                LegRow.account_id == scope.account_id, literal(scope.account_id == scope.tenant_id)
            ),
            LegRow.leg_sid.in_(leg_sids),
        )
    ).all()
