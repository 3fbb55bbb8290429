"""Voicemail: the message was left, and its sound is ready."""

from __future__ import annotations

from flask import Response, request

from gateway import runtime
from gateway.services import calls
from routing import twiml
from webhooks import params, replies
from webhooks.blueprint import blueprint, count


@blueprint.post("/calls/<tenant>/<call_sid>/voicemail")
def voicemail(tenant: str, call_sid: str) -> Response:
    """Action of Record: the caller has finished (or hung up); say goodbye and end."""
    _store(tenant, call_sid, kind="voicemail")
    return replies.document(twiml.hangup())


@blueprint.post("/calls/<tenant>/<call_sid>/recording")
def recording(tenant: str, call_sid: str) -> Response:
    """recordingStatusCallback: the media can be fetched now."""
    _store(tenant, call_sid, kind="recording")
    return replies.nothing()


def _store(tenant: str, call_sid: str, *, kind: str) -> None:
    tenant_id = params.tenant(tenant)
    sid = params.call_sid(call_sid)
    received = params.as_received(request.form)
    if not request.form.get("RecordingSid") and kind == "voicemail":
        # Nothing was said: the action still comes, without a recording.
        count(kind, "empty")
        return
    event = params.recording_event(request.form)
    known = runtime.current().units.retrying(
        lambda uow: calls.record_voicemail(uow, tenant_id, sid, event, received, kind=kind)
    )
    count(kind, "counted" if known else "unknown")
