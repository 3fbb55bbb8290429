"""The call log, its CSV, one call with every webhook and every charge, and its voicemail."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from gettext import gettext as _
from typing import Any, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Response, g, render_template, request, stream_with_context, url_for

from gateway import runtime
from gateway.services import call_log, numbers, spreadsheet, statement
from gateway.services.call_log import Filter, Outcome
from gateway.services.errors import NotFound
from gateway.web.blueprint import blueprint, scope

PAGE = 50
OUTCOMES: tuple[str, ...] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the filter form said: the fields as typed, the filter they make, the complaints."""

    fields: Mapping[str, str]
    filter: Filter
    errors: Mapping[str, list[str]]


@blueprint.get("/calls")
def calls() -> str:
    asked = read_filter(request.args, g.account.time_zone)
    after = request.args.get("after")
    with runtime.current().units.read() as uow:
        page = call_log.list_calls(uow, scope(), asked.filter, after, PAGE)
        owned = numbers.every_number(uow, scope())
    kept: dict[str, Any] = {name: value for name, value in asked.fields.items() if value}
    return render_template(
        "web/calls.html",
        section="calls",
        page=page,
        asked=asked,
        numbers=owned,
        outcomes=OUTCOMES,
        first_page=after is None,
        live_url=url_for("web.calls", **kept),
        next_url=url_for("web.calls", after=page.next, **kept) if page.next else None,
        first_url=url_for("web.calls", **kept) if after else None,
        csv_url=url_for("web.calls_csv", **kept),
    )


@blueprint.get("/calls.csv")
def calls_csv() -> Response:
    """Safe to open in a spreadsheet: no cell can be a formula (RELIABILITY I3)."""
    asked = read_filter(request.args, g.account.time_zone)
    rows = call_log.export_rows(runtime.current().units, scope(), asked.filter, g.account.currency)
    return Response(
        stream_with_context(spreadsheet.csv_lines(rows)),
        mimetype="text/csv",
        headers={"Content-Disposition": 'attachment; filename="calls.csv"'},
    )


@blueprint.get("/calls/<call_sid>")
def call(call_sid: str) -> str:
    with runtime.current().units.read() as uow:
        detail = call_log.get_call(uow, scope(), call_sid)
        charged = {leg.leg_sid: leg.charge_micros for leg in detail.legs}
        explained = statement.explain_legs(uow, scope(), charged)
    return render_template(
        "web/call.html",
        section="calls",
        detail=detail,
        call=detail.call,
        postings_by_leg=_by_leg(detail.postings),
        explained=explained,
    )


@blueprint.get("/calls/<call_sid>/recordings/<recording_sid>")
def recording(call_sid: str, recording_sid: str) -> Response:
    with runtime.current().units.read() as uow:
        found = call_log.get_recording(uow, scope(), call_sid, recording_sid)
    if not found.media_type.startswith("audio/"):
        raise NotFound("recording", recording_sid)
    return Response(
        found.media,
        mimetype=found.media_type,
        headers={"Content-Disposition": "inline", "Cache-Control": "private, max-age=3600"},
    )


def read_filter(args: Mapping[str, str], zone: str) -> Asked:
    """A field that cannot be read is left out of the filter, and complained about."""
    fields = {name: args.get(name, "").strip() for name in FIELDS}
    errors: dict[str, list[str]] = {}
    since = _midnight(fields["since"], zone, errors, "since")
    until = _midnight(fields["until"], zone, errors, "until", days_later=1)
    number_id = None
    if fields["number"]:
        try:
            number_id = UUID(fields["number"])
        except ValueError:
            errors["number"] = [_("Choose a number from the list.")]
    status = fields["status"] if fields["status"] in OUTCOMES else None
    values: dict[str, Any] = {
        "number_id": number_id,
        "source": fields["source"] or None,
        "status": status,
        "caller": fields["caller"] or None,
        "since": since,
        "until": until,
    }
    return Asked(fields, Filter(**values), errors)


FIELDS = ("number", "source", "status", "caller", "since", "until")


def _midnight(
    text: str, zone: str, errors: dict[str, list[str]], field: str, days_later: int = 0
) -> dt.datetime | None:
    """The beginning of a local day, in UTC."""
    if not text:
        return None
    try:
        day = dt.date.fromisoformat(text) + dt.timedelta(days=days_later)
        return dt.datetime.combine(day, dt.time(), ZoneInfo(zone)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        errors[field] = [_("Write the day like 2026-11-22.")]
        return None


def _by_leg(postings: tuple[statement.StatementLine, ...]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for posting in postings:
        found.setdefault(posting.leg_sid or "", []).append(posting)
    return found
