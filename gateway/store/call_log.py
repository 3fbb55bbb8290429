"""The call list and what belongs to one call, read only, newest first."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from gateway.store.base import Scope
from gateway.store.calls import CallRow
from gateway.store.legs import LegRow
from gateway.store.numbers import DidRow
from gateway.store.receipts import ReceiptRow
from gateway.store.recordings import RecordingRow

Outcome = Literal["live", "answered", "voicemail", "missed", "refused"]

SCAN_MAX = 20_000
"""Calls looked through for one page under a filter that no index serves: about 15 ms."""


@dataclass(frozen=True, slots=True)
class Filter:
    """`caller` is any part of the caller's number; `since` is included, `until` is not."""

    number_id: uuid.UUID | None = None
    source: str | None = None
    status: Outcome | None = None
    caller: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    @property
    def caller_part(self) -> str | None:
        """As numbers are stored: "(415) 555" is 415555. Words ("anonymous") stay words."""
        if self.caller is None:
            return None
        digits = "".join(c for c in self.caller if c in "+0123456789")
        return digits or self.caller.strip()

    @property
    def is_selective(self) -> bool:
        """Asks for something that no index finds, so that the search must be bounded."""
        return self.source is not None or self.status is not None or self.caller is not None


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the keyset of `ix_call_account_started`."""

    started_at: dt.datetime
    call_sid: str


OUTCOME: ColumnElement[str] = case(
    (CallRow.refused.is_not(None), literal("refused")),
    (CallRow.ended_at.is_(None), literal("live")),
    (CallRow.answered_at.is_not(None), literal("answered")),
    (CallRow.voicemail, literal("voicemail")),
    else_=literal("missed"),
)


def page(
    connection: Connection, scope: Scope, filter: Filter, before: Position | None, limit: int
) -> tuple[Sequence[Row[*tuple[Any, ...]]], Position | None]:
    """At most `limit` calls, and where a search that gave up after `SCAN_MAX` calls stopped."""
    window = _newest_first(scope, filter, before)
    if not filter.is_selective:
        found = window.limit(limit).subquery()
        return connection.execute(_with_number(select(found), found)).all(), None
    seen = window.limit(SCAN_MAX).subquery()
    wanted = (
        select(seen).where(*_criteria(seen.c, filter)).order_by(*_newest(seen.c)).limit(limit)
    ).subquery()
    rows = connection.execute(_with_number(select(wanted), wanted)).all()
    if len(rows) == limit:
        return rows, None
    return rows, _end_of_window(connection, window)


def one(connection: Connection, scope: Scope, call_sid: str) -> Row[*tuple[Any, ...]] | None:
    found = (
        select(CallRow, OUTCOME.label("outcome"))
        .where(
            CallRow.tenant_id == scope.tenant_id,
            CallRow.account_id == scope.account_id,
            CallRow.call_sid == call_sid,
        )
        .subquery()
    )
    return connection.execute(_with_number(select(found), found)).one_or_none()


def legs_of(
    connection: Connection, scope: Scope, call_sids: Collection[str]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Every leg of these calls, the inbound one first, the others in the order they rang."""
    if not call_sids:
        return ()
    return connection.execute(
        select(
            LegRow.call_sid,
            LegRow.leg_sid,
            LegRow.kind,
            LegRow.target_kind,
            LegRow.to_address,
            LegRow.status,
            LegRow.started_at,
            LegRow.answered_at,
            LegRow.ended_at,
            LegRow.ring_seconds,
            LegRow.talk_seconds,
            LegRow.confirmed,
            LegRow.settled_at,
            LegRow.billed_seconds,
            LegRow.rate_micros,
            LegRow.rate_label,
            LegRow.charge_micros,
            LegRow.surcharge_micros,
            LegRow.cost_micros,
        )
        .where(
            LegRow.tenant_id == scope.tenant_id,
            LegRow.account_id == scope.account_id,
            LegRow.call_sid.in_(call_sids),
        )
        .order_by(LegRow.call_sid, LegRow.kind != "inbound", LegRow.started_at, LegRow.leg_sid)
    ).all()


def receipts_of(
    connection: Connection, scope: Scope, call_sid: str
) -> Sequence[Row[*tuple[Any, ...]]]:
    """The webhooks of a call in the order they came; the caller has checked whose call it is."""
    return connection.execute(
        select(
            ReceiptRow.id,
            ReceiptRow.kind,
            ReceiptRow.call_sid,
            ReceiptRow.leg_sid,
            ReceiptRow.params,
            ReceiptRow.received_at,
        )
        .where(ReceiptRow.tenant_id == scope.tenant_id, ReceiptRow.call_sid == call_sid)
        .order_by(ReceiptRow.id)
    ).all()


def recordings_of(
    connection: Connection, scope: Scope, call_sid: str
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Without the sound itself."""
    return connection.execute(
        select(
            RecordingRow.recording_sid,
            RecordingRow.kind,
            RecordingRow.duration_seconds,
            RecordingRow.status,
            RecordingRow.media_type,
            RecordingRow.media.is_not(None).label("has_media"),
            RecordingRow.created_at,
        )
        .where(
            RecordingRow.tenant_id == scope.tenant_id,
            RecordingRow.account_id == scope.account_id,
            RecordingRow.call_sid == call_sid,
        )
        .order_by(RecordingRow.created_at)
    ).all()


def recording_media(
    connection: Connection, scope: Scope, call_sid: str, recording_sid: str
) -> Row[*tuple[Any, ...]] | None:
    return connection.execute(
        select(RecordingRow.media_type, RecordingRow.media).where(
            RecordingRow.tenant_id == scope.tenant_id,
            RecordingRow.account_id == scope.account_id,
            RecordingRow.call_sid == call_sid,
            RecordingRow.recording_sid == recording_sid,
            RecordingRow.media.is_not(None),
        )
    ).one_or_none()


def _newest_first(
    scope: Scope, filter: Filter, before: Position | None
) -> Select[*tuple[Any, ...]]:
    """Calls of the account from `before` back, by an index in its own order."""
    query = select(CallRow, OUTCOME.label("outcome")).where(
        CallRow.tenant_id == scope.tenant_id, CallRow.account_id == scope.account_id
    )
    if filter.number_id is not None:
        query = query.where(CallRow.did_id == filter.number_id)
    if filter.since is not None:
        query = query.where(CallRow.started_at >= filter.since)
    if filter.until is not None:
        query = query.where(CallRow.started_at < filter.until)
    if before is not None:
        query = query.where(
            tuple_(CallRow.started_at, CallRow.call_sid)
            < tuple_(literal(before.started_at), literal(before.call_sid))
        )
    return query.order_by(CallRow.started_at.desc(), CallRow.call_sid.desc())


def _criteria(call: Any, filter: Filter) -> list[ColumnElement[bool]]:
    criteria: list[ColumnElement[bool]] = []
    if filter.source is not None:
        criteria.append(call.source == filter.source)
    if filter.status is not None:
        criteria.append(call.outcome == filter.status)
    caller = filter.caller_part
    if caller is not None:
        criteria.append(
            or_(
                func.strpos(call.from_number, caller) > 0,
                func.strpos(call.from_raw, caller) > 0,
            )
        )
    return criteria


def _newest(call: Any) -> tuple[Any, Any]:
    return call.started_at.desc(), call.call_sid.desc()


def _with_number(query: Select[Any], call: Any) -> Select[*tuple[Any, ...]]:
    """The few calls of the page with the label of their number (joined last: the page is small)."""
    return (
        query.add_columns(DidRow.label.label("number_label"))
        .outerjoin(DidRow, (DidRow.tenant_id == call.c.tenant_id) & (DidRow.id == call.c.did_id))
        .order_by(*_newest(call.c))
    )


def _end_of_window(connection: Connection, window: Select[Any]) -> Position | None:
    seen = window.limit(SCAN_MAX).subquery()
    last = connection.execute(
        select(seen.c.started_at, seen.c.call_sid, func.count().over().label("seen"))
        .order_by(seen.c.started_at, seen.c.call_sid)
        .limit(1)
    ).one_or_none()
    if last is None or last.seen < SCAN_MAX:
        return None
    return Position(last.started_at, last.call_sid)
