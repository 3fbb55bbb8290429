"""What a carrier gets back: TwiML, or nothing."""

from __future__ import annotations

from flask import Response

from routing import twiml


def document(xml: str) -> Response:
    return Response(xml, 200, mimetype="text/xml")


def nothing() -> Response:
    """For status callbacks; the carrier ignores the body (TWILIO.md part 4)."""
    return Response(status=204)


def apology() -> Response:
    """Valid TwiML without the database: a caller must never hear an application error."""
    return document(
        twiml.static_apology(
            "We are sorry, your call cannot be connected right now. Please try again."
        )
    )


def not_in_service() -> Response:
    return document(twiml.static_apology("The number you have called is not in service."))


def forbidden() -> Response:
    return Response("The signature does not match this URL and body.\n", 403, mimetype="text/plain")


def malformed(words: str) -> Response:
    return Response(words + "\n", 400, mimetype="text/plain")


def try_again() -> Response:
    """Our own failure: 503, because the callback URL asks for retries on 5xx."""
    return Response("Not stored, please send again.\n", 503, mimetype="text/plain")
