"""Texts to a tracking number are received and answered with silence; metering them comes with
messages."""

from __future__ import annotations

from flask import Response, request

from routing import twiml
from webhooks import params, replies
from webhooks.blueprint import blueprint, count


@blueprint.post("/sms")
def sms() -> Response:
    """SmsUrl of every number: an empty document sends no reply and costs nothing."""
    params.message_sid(request.form.get("MessageSid"))
    count("sms", "counted")
    return replies.document(twiml.empty())
