"""Texts: one that came in, and what became of one of ours."""

from __future__ import annotations

from flask import Response, request

from gateway import runtime
from gateway.services import message_events
from routing import twiml
from webhooks import params, replies
from webhooks.blueprint import blueprint, count


@blueprint.post("/sms")
def sms() -> Response:
    """SmsUrl of every number: an empty document sends no reply and costs nothing."""
    units = runtime.current().units
    received = params.as_received(request.form)
    text = params.incoming_text(request.form, now=units.clock())
    known = units.retrying(lambda uow: message_events.receive(uow, text, received))
    count("sms", "counted" if known else "unknown")
    return replies.document(twiml.empty())


@blueprint.post("/messages/<tenant>/<message>/status")
def message_status(tenant: str, message: str) -> Response:
    """StatusCallback of a text of ours; the path names it by our own id."""
    tenant_id, message_id = params.tenant(tenant), params.message(message)
    received = params.as_received(request.form)
    news = params.text_news(request.form)
    known = runtime.current().units.retrying(
        lambda uow: message_events.report(uow, tenant_id, message_id, news, received)
    )
    count("message", "counted" if known else "unknown")
    return replies.nothing()
