"""The call log: list, one call, CSV."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from uuid import UUID

from flask import Response, stream_with_context
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import (
    Currency,
    Items,
    Listing,
    Money,
    money_or_none,
    page,
    rate_or_none,
)
from gateway.api.ledger import PostingOut, posting_out
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import call_log
from gateway.services.call_log import CallDetail, CallLine, Filter, LegLine
from gateway.services.spreadsheet import csv_lines

CSV: Any = {
    200: {"description": "CSV", "content": {"text/csv": {"schema": {"type": "string"}}}},
}
SOUND: Any = {
    200: {
        "description": "The sound",
        "content": {"audio/mpeg": {"schema": {"type": "string", "format": "binary"}}},
    },
}
CallStatus = Literal["live", "answered", "voicemail", "missed", "refused"]


class CallFilter(Model):
    number_id: UUID | None = Field(None, description="Calls to this number.")
    source: str | None = Field(None, max_length=200, description="Calls of this source.")
    outcome: CallStatus | None = Field(None, description="How the call ended for the business.")
    caller: str | None = Field(
        None, max_length=20, description="Any part of the caller's number.", examples=["415555"]
    )
    since: AwareDatetime | None = Field(None, description="Started at or after.")
    until: AwareDatetime | None = Field(None, description="Started before.")

    def to_filter(self) -> Filter:
        return Filter(
            number_id=self.number_id,
            source=self.source,
            status=self.outcome,
            caller=self.caller,
            since=self.since,
            until=self.until,
        )


class CallListing(CallFilter, Listing):
    """Filters and paging."""


class LegOut(BaseModel):
    """Everything about money is null until the leg is settled, seconds after it ended."""

    leg_sid: str
    direction: Literal["inbound", "outbound"]
    kind: str = Field(description="inbound, forwarded or transfer.")
    target_type: str
    to: str
    status: str = Field(description="Twilio's word, such as completed or no-answer.")
    won: bool = Field(description="It was this leg that was connected to the caller.")
    started_at: dt.datetime
    answered_at: dt.datetime | None
    ended_at: dt.datetime | None
    ring_seconds: int
    talk_seconds: int
    billed_seconds: int | None
    charge: Money | None
    surcharge: Money | None = Field(
        description="Of the charge, what a dear destination cost on top; null where it is none."
    )
    rate_per_minute: Money | None
    rate: str | None = Field(description="The name of the price that was applied.")


class CallOut(BaseModel):
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    call_sid: str
    number: str
    number_id: UUID
    label: str
    source: str
    from_: str | None = Field(alias="from", description="Null when the caller withheld it.")
    to: str
    city: str
    state: str
    country: str
    status: str = Field(description="Twilio's word, such as ringing or completed.")
    outcome: CallStatus
    refused: str | None = Field(description="Why it was turned away, such as no_balance.")
    voicemail: bool
    started_at: dt.datetime
    answered_at: dt.datetime | None
    ended_at: dt.datetime | None
    legs: list[LegOut]
    charge: Money | None
    currency: Currency


class CallsOut(Items[CallOut]):
    """A page of calls."""


class EventOut(BaseModel):
    at: dt.datetime
    received_at: dt.datetime
    receipt_id: UUID
    kind: str
    leg_sid: str
    status: str
    words: str


class RecordingOut(BaseModel):
    recording_sid: str
    kind: str
    duration_seconds: int | None
    status: str
    media_type: str | None
    created_at: dt.datetime
    media: str | None = Field(description="Path of the sound, once it was fetched.")


class CallDetailOut(CallOut):
    timeline: list[EventOut]
    recordings: list[RecordingOut]
    postings: list[PostingOut]


@blueprint.get("/calls")
@for_account
@blueprint.input(CallListing, location="query", arg_name="query")
@blueprint.output(CallsOut)
def list_calls(access: Access, query: CallListing) -> object:
    """List calls, newest first

    A filter that matches little is searched for in stretches: a page may be short, even empty,
    and still have a `next`.
    """
    with runtime.current().units.read() as uow:
        found = call_log.list_calls(uow, access.scope, query.to_filter(), query.after, query.limit)
    return page(found, lambda call: call_out(call, access.currency))


@blueprint.get("/calls.csv")
@for_account
@blueprint.input(CallFilter, location="query", arg_name="query")
@blueprint.doc(responses=CSV)
def export_calls(access: Access, query: CallFilter) -> Response:
    """Export calls as CSV

    At most 100,000 rows, newest first. Cells that a spreadsheet could take for a formula, phone
    numbers among them, begin with an apostrophe.
    """
    rows = call_log.export_rows(
        runtime.current().units, access.scope, query.to_filter(), access.currency
    )
    return Response(
        stream_with_context(csv_lines(rows)),
        mimetype="text/csv",
        headers={"Content-Disposition": 'attachment; filename="calls.csv"'},
    )


@blueprint.get("/calls/<call_sid>")
@for_account
@blueprint.output(CallDetailOut)
def get_call(access: Access, call_sid: str) -> CallDetailOut:
    """One call with its legs, its timeline, its recordings and its postings"""
    with runtime.current().units.read() as uow:
        detail = call_log.get_call(uow, access.scope, call_sid)
    return _detail_out(detail, access.currency)


@blueprint.get("/calls/<call_sid>/recordings/<recording_sid>")
@for_account
@blueprint.doc(responses=SOUND)
def get_recording(access: Access, call_sid: str, recording_sid: str) -> Response:
    """The sound of a recording"""
    with runtime.current().units.read() as uow:
        sound = call_log.get_recording(uow, access.scope, call_sid, recording_sid)
    return Response(sound.media, mimetype=sound.media_type)


def call_out(call: CallLine, currency: str) -> CallOut:
    return CallOut(**_fields(call, currency))


def _detail_out(detail: CallDetail, currency: str) -> CallDetailOut:
    call = detail.call
    return CallDetailOut(
        **_fields(call, currency),
        timeline=[
            EventOut(
                at=event.at,
                received_at=event.received_at,
                receipt_id=event.receipt_id,
                kind=event.kind,
                leg_sid=event.leg_sid,
                status=event.status,
                words=event.words,
            )
            for event in detail.timeline
        ],
        recordings=[
            RecordingOut(
                recording_sid=recording.recording_sid,
                kind=recording.kind,
                duration_seconds=recording.duration_seconds,
                status=recording.status,
                media_type=recording.media_type,
                created_at=recording.created_at,
                media=f"/api/v1/calls/{call.call_sid}/recordings/{recording.recording_sid}"
                if recording.has_media
                else None,
            )
            for recording in detail.recordings
        ],
        postings=[posting_out(line) for line in detail.postings],
    )


def _fields(call: CallLine, currency: str) -> dict[str, Any]:
    return {
        "call_sid": call.call_sid,
        "number": call.number,
        "number_id": call.number_id,
        "label": call.label,
        "source": call.source,
        "from": call.caller,
        "to": call.number,
        "city": call.city,
        "state": call.state,
        "country": call.country,
        "status": call.status,
        "outcome": call.outcome,
        "refused": call.refused,
        "voicemail": call.voicemail,
        "started_at": call.started_at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
        "legs": [_leg_out(leg) for leg in call.legs],
        "charge": money_or_none(call.charge_micros),
        "currency": currency,
    }


def _leg_out(leg: LegLine) -> LegOut:
    return LegOut(
        leg_sid=leg.leg_sid,
        direction=leg.direction,
        kind=leg.kind,
        target_type=leg.target_kind,
        to=leg.to,
        status=leg.status,
        won=leg.won,
        started_at=leg.started_at,
        answered_at=leg.answered_at,
        ended_at=leg.ended_at,
        ring_seconds=leg.ring_seconds,
        talk_seconds=leg.talk_seconds,
        billed_seconds=leg.billed_seconds,
        charge=money_or_none(leg.charge_micros),
        surcharge=money_or_none(leg.surcharge_micros),
        rate_per_minute=rate_or_none(leg.rate_micros),
        rate=leg.rate_label,
    )
