"""What every webhook shares: the signature before it, and its failures after it."""

from __future__ import annotations

from typing import Final

import structlog
from flask import Blueprint, Response, current_app, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import RequestEntityTooLarge

from gateway import metrics, runtime
from webhooks import replies
from webhooks.params import Malformed
from webhooks.signature import Signature

log = structlog.get_logger(__name__)
blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks/twilio")

EXTENSION: Final = "ringledger.webhooks.signature"
BODY_BYTES_MAX: Final = 256 * 1024
# Endpoints that a caller waits on: they are answered with TwiML whatever happens.
SPOKEN: Final = frozenset({"voice", "fallback", "dial", "whisper", "confirm", "voicemail"})


@blueprint.before_request
def check_signature() -> Response | None:
    """403 and nothing stored for a request that the carrier did not sign for this URL."""
    request.max_content_length = BODY_BYTES_MAX
    if _signature().holds(request):
        structlog.contextvars.bind_contextvars(
            call_sid=request.form.get("CallSid", "")[:34],
            tenant_id=(request.view_args or {}).get("tenant"),
        )
        return None
    metrics.CALLBACKS.labels(_endpoint(), "forged").inc()
    log.warning("webhook.forged", path=request.path)
    return replies.forbidden()


@blueprint.errorhandler(Malformed)
def malformed(error: Malformed) -> Response:
    metrics.CALLBACKS.labels(_endpoint(), "malformed").inc()
    log.warning("webhook.malformed", path=request.path, words=str(error))
    return replies.malformed(str(error))


@blueprint.errorhandler(RequestEntityTooLarge)
def too_large(error: RequestEntityTooLarge) -> Response:
    return Response("At most 256 KB.\n", 413, mimetype="text/plain")


@blueprint.errorhandler(DBAPIError)
@blueprint.errorhandler(PoolTimeout)
def unavailable(error: Exception) -> Response:
    """The database is away: callers hear words, status callbacks are asked for again."""
    metrics.CALLBACKS.labels(_endpoint(), "unavailable").inc()
    log.error("webhook.unavailable", path=request.path, error=str(error)[:300])
    return replies.apology() if _endpoint() in SPOKEN else replies.try_again()


def count(kind: str, outcome: str) -> None:
    metrics.CALLBACKS.labels(kind, outcome).inc()


def _endpoint() -> str:
    return (request.endpoint or "webhooks.none").rpartition(".")[2]


def _signature() -> Signature:
    extensions = current_app.extensions
    if EXTENSION not in extensions:
        settings = runtime.current().settings
        extensions[EXTENSION] = Signature(
            account_sid=settings.twilio_account_sid,
            auth_token=settings.twilio_auth_token,
            public_url=settings.public_url,
        )
    signature: Signature = extensions[EXTENSION]
    return signature
