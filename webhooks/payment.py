"""The payment provider's news: signed, noted, looked into by the clock a moment later."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, request

from gateway import runtime
from gateway.providers.payments import EventRefused
from gateway.services import payment_events
from webhooks import replies
from webhooks.blueprint import BODY_BYTES_MAX, count

log = structlog.get_logger(__name__)
payments = Blueprint("payments", __name__, url_prefix="/webhooks")

SIGNATURE = "Stripe-Signature"


@payments.post("/stripe")
def stripe() -> Response:
    """403 and nothing stored for what the provider did not sign, or signed too long ago."""
    request.max_content_length = BODY_BYTES_MAX
    running = runtime.current()
    if running.till is None:
        return replies.forbidden()
    try:
        event = running.till.provider.parse_event(
            request.get_data(cache=False), request.headers.get(SIGNATURE, "")
        )
    except EventRefused as refusal:
        count("payment", "forged")
        log.warning("webhook.forged", path=request.path, words=str(refusal)[:200])
        return replies.forbidden()
    known = running.units.retrying(lambda uow: payment_events.note(uow, event))
    count("payment", "counted" if known else "unknown")
    return replies.nothing()
