"""The call log: which calls came, who answered, what each leg cost. Reads only."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from billing.money import format_amount
from gateway.services import statement, timeline
from gateway.services.errors import NotFound
from gateway.services.pages import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    Page,
    clamp,
    decode_cursor,
    encode_cursor,
)
from gateway.services.statement import StatementLine
from gateway.services.timeline import TimelineEvent
from gateway.store import call_log as store
from gateway.store.base import Scope
from gateway.store.call_log import Filter, Outcome
from gateway.uow import UnitOfWork, UnitsOfWork

__all__ = [
    "CallDetail",
    "CallLine",
    "Filter",
    "LegLine",
    "Outcome",
    "RecordingLine",
    "RecordingMedia",
    "export_rows",
    "get_call",
    "get_recording",
    "list_calls",
]

OUTCOMES: tuple[Outcome, ...] = ("live", "answered", "voicemail", "missed", "refused")
_SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
EXPORT_ROWS_MAX = 100_000
"""Rows of one CSV; a longer stretch is exported in parts, by date."""

EXPORT_HEADER = (
    "started_at",
    "call_sid",
    "number",
    "label",
    "source",
    "caller",
    "city",
    "state",
    "country",
    "outcome",
    "forwarded_to",
    "inbound_talk_seconds",
    "outbound_talk_seconds",
    "billed_seconds",
    "charge",
    "currency",
)


@dataclass(frozen=True, slots=True)
class LegLine:
    """`billed_seconds`, `rate_micros` (a minute) and the amounts are None until it is settled."""

    leg_sid: str
    kind: Literal["inbound", "forwarded", "transfer"]
    target_kind: str
    to: str
    status: str
    started_at: dt.datetime
    answered_at: dt.datetime | None
    ended_at: dt.datetime | None
    ring_seconds: int
    talk_seconds: int
    confirmed: bool | None
    won: bool
    settled_at: dt.datetime | None
    billed_seconds: int | None
    rate_micros: int | None
    rate_label: str | None
    charge_micros: int | None
    surcharge_micros: int | None  # of it, what a dear destination cost on top
    cost_micros: int | None

    @property
    def direction(self) -> Literal["inbound", "outbound"]:
        """As seen from us: towards our number, or from us to a target."""
        return "inbound" if self.kind == "inbound" else "outbound"

    @property
    def talked(self) -> bool:
        """A target picked up and did not decline the call."""
        return self.kind != "inbound" and self.talk_seconds > 0 and self.confirmed is not False


@dataclass(frozen=True, slots=True)
class CallLine:
    """`caller` is None when withheld; `charge_micros` is None until every leg is settled."""

    call_sid: str
    number_id: uuid.UUID
    number: str
    label: str
    source: str
    caller: str | None
    caller_raw: str
    city: str
    state: str
    country: str
    postal_code: str
    outcome: Outcome
    status: str
    refused: str | None
    voicemail: bool
    started_at: dt.datetime
    answered_at: dt.datetime | None
    ended_at: dt.datetime | None
    plan_version_id: uuid.UUID
    forwarding_version_id: uuid.UUID | None
    legs: tuple[LegLine, ...]
    charge_micros: int | None

    @property
    def winner(self) -> LegLine | None:
        won = next((leg for leg in self.legs if leg.won), None)
        return won or next((leg for leg in self.legs if leg.talked), None)

    @property
    def talk_seconds(self) -> int:
        """Of the inbound leg: what the caller was connected for."""
        return sum(leg.talk_seconds for leg in self.legs if leg.kind == "inbound")


@dataclass(frozen=True, slots=True)
class RecordingLine:
    """`has_media` is False until a worker has fetched the sound from the carrier."""

    recording_sid: str
    kind: str
    duration_seconds: int | None
    status: str
    media_type: str | None
    has_media: bool
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class RecordingMedia:
    media_type: str
    media: bytes


@dataclass(frozen=True, slots=True)
class CallDetail:
    call: CallLine
    legs: tuple[LegLine, ...]
    timeline: tuple[TimelineEvent, ...]
    recordings: tuple[RecordingLine, ...]
    postings: tuple[StatementLine, ...]


def list_calls(
    uow: UnitOfWork,
    scope: Scope,
    filter: Filter | None = None,
    after: str | None = None,
    limit: int = LIMIT_DEFAULT,
) -> Page[CallLine]:
    """Newest first. Sparse matches are searched for in bounded stretches: follow `next`."""
    limit = clamp(limit)
    before = decode_cursor(after, _position) if after else None
    rows, gave_up_at = store.page(uow.connection, scope, filter or Filter(), before, limit + 1)
    lines = _lines(uow, scope, rows[:limit])
    if len(rows) > limit:
        return Page(lines, encode_cursor(_micros(lines[-1].started_at), lines[-1].call_sid))
    if gave_up_at is not None:
        return Page(lines, encode_cursor(_micros(gave_up_at.started_at), gave_up_at.call_sid))
    return Page(lines, None)


def get_call(uow: UnitOfWork, scope: Scope, call_sid: str) -> CallDetail:
    row = store.one(uow.connection, scope, call_sid) if _SID.fullmatch(call_sid) else None
    if row is None:
        raise NotFound("call", call_sid)
    (call,) = _lines(uow, scope, (row,))
    receipts = store.receipts_of(uow.connection, scope, call_sid)
    return CallDetail(
        call=call,
        legs=call.legs,
        timeline=timeline.of(receipts, {leg.leg_sid: leg.to for leg in call.legs}),
        recordings=tuple(
            RecordingLine(**recording._mapping)
            for recording in store.recordings_of(uow.connection, scope, call_sid)
        ),
        postings=statement.of_legs(uow, scope, [leg.leg_sid for leg in call.legs]),
    )


def get_recording(
    uow: UnitOfWork, scope: Scope, call_sid: str, recording_sid: str
) -> RecordingMedia:
    """The sound itself; not found as well while the carrier still has the only copy."""
    known = _SID.fullmatch(call_sid) and _SID.fullmatch(recording_sid)
    row = store.recording_media(uow.connection, scope, call_sid, recording_sid) if known else None
    if row is None:
        raise NotFound("recording", recording_sid)
    return RecordingMedia(row.media_type or "audio/mpeg", bytes(row.media))


def export_rows(
    units: UnitsOfWork, scope: Scope, filter: Filter, currency: str
) -> Iterator[tuple[str, ...]]:
    """Header, then calls newest first; a short unit of work per page, because a slow download must
    not hold a connection. The cells are raw: `gateway.services.spreadsheet` makes them safe."""
    yield EXPORT_HEADER
    after: str | None = None
    rows = 0
    while rows < EXPORT_ROWS_MAX:
        with units.read() as uow:
            found = list_calls(uow, scope, filter, after, LIMIT_MAX)
        for call in found.items:
            yield _cells(call, currency)
        rows += len(found.items)
        after = found.next
        if after is None:
            return


def _lines(uow: UnitOfWork, scope: Scope, rows: Sequence[Any]) -> tuple[CallLine, ...]:
    winners = {row.won_leg_sid for row in rows}
    legs: defaultdict[str, list[LegLine]] = defaultdict(list)
    for leg in store.legs_of(uow.connection, scope, [row.call_sid for row in rows]):
        facts = dict(leg._mapping)
        call_sid = facts.pop("call_sid")
        facts["to"] = facts.pop("to_address")
        legs[call_sid].append(LegLine(won=leg.leg_sid in winners, **facts))
    return tuple(_line(row, tuple(legs[row.call_sid])) for row in rows)


def _line(row: Any, legs: tuple[LegLine, ...]) -> CallLine:
    """Settlement names the winner a second or two after the call; until then the legs tell."""
    talked = [leg.answered_at for leg in legs if leg.talked and leg.answered_at is not None]
    outcome: Outcome = row.outcome
    if talked and outcome in ("missed", "voicemail"):
        outcome = "answered"
    return CallLine(
        call_sid=row.call_sid,
        number_id=row.did_id,
        number=row.to_number,
        label=row.number_label or "",
        source=row.source,
        caller=row.from_number,
        caller_raw=row.from_raw,
        city=row.from_city,
        state=row.from_state,
        country=row.from_country,
        postal_code=row.from_postal_code,
        outcome=outcome,
        status=row.status,
        refused=row.refused,
        voicemail=row.voicemail,
        started_at=row.started_at,
        answered_at=row.answered_at or min(talked, default=None),
        ended_at=row.ended_at,
        plan_version_id=row.plan_version_id,
        forwarding_version_id=row.forwarding_version_id,
        legs=legs,
        charge_micros=_charge(row, legs),
    )


def _charge(row: Any, legs: tuple[LegLine, ...]) -> int | None:
    if row.ended_at is None or any(leg.settled_at is None for leg in legs):
        return None
    return sum(leg.charge_micros or 0 for leg in legs)


def _cells(call: CallLine, currency: str) -> tuple[str, ...]:
    outbound = [leg for leg in call.legs if leg.direction == "outbound"]
    winner = call.winner
    return (
        call.started_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        call.call_sid,
        call.number,
        call.label,
        call.source,
        call.caller or call.caller_raw or "withheld",
        call.city,
        call.state,
        call.country,
        call.outcome,
        winner.to if winner else "",
        str(call.talk_seconds),
        str(sum(leg.talk_seconds for leg in outbound)),
        str(sum(leg.billed_seconds or 0 for leg in call.legs)),
        "" if call.charge_micros is None else format_amount(call.charge_micros),
        currency,
    )


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _micros(at: dt.datetime) -> int:
    return (at - _EPOCH) // dt.timedelta(microseconds=1)


def _position(parts: list[str]) -> store.Position:
    micros, call_sid = parts
    return store.Position(_EPOCH + dt.timedelta(microseconds=int(micros)), call_sid)
