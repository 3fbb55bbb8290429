"""A call comes in, goes on after a Dial, and ends."""

from __future__ import annotations

from flask import Response, request

from gateway import runtime
from gateway.services import calls
from gateway.services.call_gate import Refused
from gateway.services.calls import Answer, Routed, Unknown
from gateway.uow import UnitOfWork
from routing import twiml
from webhooks import params, replies
from webhooks.blueprint import blueprint, count


@blueprint.post("/voice")
def voice() -> Response:
    """VoiceUrl of every number."""
    units = runtime.current().units
    received = params.as_received(request.form)
    facts = params.call_facts(request.form, now=units.clock())

    def deed(uow: UnitOfWork) -> Answer:
        return calls.open_call(uow, facts, received)

    return _answer("voice", units.retrying(deed, single=True), facts.call_sid)


@blueprint.post("/calls/<tenant>/<call_sid>/dial")
def dial(tenant: str, call_sid: str) -> Response:
    """Action of every Dial: nobody took it, or they talked; what is next?"""
    tenant_id = params.tenant(tenant)
    sid = params.call_sid(call_sid)
    received = params.as_received(request.form)
    outcome = params.dial_outcome(request.form, cursor=params.cursor(request.args.get("at", "")))

    def deed(uow: UnitOfWork) -> Answer:
        return calls.continue_call(uow, tenant_id, sid, outcome, received)

    return _answer("dial", runtime.current().units.retrying(deed, single=True), sid)


@blueprint.post("/fallback")
def fallback() -> Response:
    """VoiceFallbackUrl: asked when the voice webhook could not be had. Touches nothing."""
    count("fallback", "answered")
    return replies.apology()


@blueprint.post("/status/<tenant>")
def status(tenant: str) -> Response:
    """StatusCallback of every number: the parent call has ended."""
    units = runtime.current().units
    now = units.clock()
    tenant_id = params.tenant(tenant)
    received = params.as_received(request.form)
    event = params.leg_event(request.form, now=now, source="status")
    facts = params.call_facts(request.form, now=now)
    known = units.retrying(lambda uow: calls.close_call(uow, tenant_id, event, facts, received))
    count("status", "counted" if known else "unknown")
    return replies.nothing()


def _answer(kind: str, answer: Answer, call_sid: str) -> Response:
    match answer:
        case Routed(tenant_id, decision):
            count(kind, "counted")
            links = runtime.current().links.call(tenant_id, call_sid)
            return replies.document(twiml.render(decision, links))
        case Refused(_, None):
            count(kind, "refused")
            return replies.document(twiml.rejection())
        case Refused(_, notice):
            count(kind, "refused")
            return replies.document(twiml.static_apology(notice or ""))
        case Unknown():
            count(kind, "unknown")
            return replies.not_in_service()
