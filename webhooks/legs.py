"""The legs of a call: progress, the whisper to whoever answers, and the key that takes it."""

from __future__ import annotations

from flask import Response, request

from gateway import runtime
from gateway.services import calls
from gateway.uow import UnitOfWork
from routing import twiml
from routing.acts import Target
from webhooks import params, replies
from webhooks.blueprint import blueprint, count


@blueprint.post("/calls/<tenant>/<call_sid>/leg")
def leg(tenant: str, call_sid: str) -> Response:
    """statusCallback of every Number, Sip and Client: initiated, ringing, answered, completed."""
    units = runtime.current().units
    tenant_id = params.tenant(tenant)
    sid = params.call_sid(call_sid)
    received = params.as_received(request.form)
    event = params.leg_event(
        request.form, now=units.clock(), cursor=params.cursor(request.args.get("at", ""))
    )
    known = units.retrying(
        lambda uow: calls.record_leg(uow, tenant_id, sid, event, received), single=True
    )
    count("leg", "counted" if known else "unknown")
    return replies.nothing()


@blueprint.post("/calls/<tenant>/<call_sid>/whisper")
def whisper(tenant: str, call_sid: str) -> Response:
    """Played to a phone that answered, before the caller is connected."""
    target = _note(tenant, call_sid, pressed=False)
    if target is None:
        return replies.document(twiml.hangup())
    again = runtime.current().links.call(params.tenant(tenant), call_sid)
    url = again.confirm(request.args.get("at", ""), params.index(request.args.get("n", "")))
    return replies.document(twiml.whisper_document(target.whisper, target.confirm, url))


@blueprint.post("/calls/<tenant>/<call_sid>/confirm")
def confirm(tenant: str, call_sid: str) -> Response:
    """The key that was pressed: only 1 takes the call."""
    pressed = twiml.is_confirmation(request.form.get("Digits", ""))
    target = _note(tenant, call_sid, pressed=pressed)
    taken = target is not None and pressed
    return replies.document(twiml.confirmed() if taken else twiml.declined())


def _note(tenant: str, call_sid: str, *, pressed: bool) -> Target | None:
    """Find the target that the URL names; where a key is asked for, note the answer so far."""
    tenant_id = params.tenant(tenant)
    sid = params.call_sid(call_sid)
    leg_sid = params.call_sid(request.form.get("CallSid"))
    position = params.cursor(request.args.get("at", ""))
    index = params.index(request.args.get("n", ""))
    received = params.as_received(request.form)

    def deed(uow: UnitOfWork) -> Target | None:
        target = calls.target_of(uow, tenant_id, sid, position, index)
        if target is not None and target.confirm:
            calls.record_confirmation(
                uow,
                tenant_id,
                sid,
                leg_sid,
                pressed=pressed,
                position=position,
                target=target,
                params=received,
            )
        return target

    return runtime.current().units.retrying(deed, single=True)
