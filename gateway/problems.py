"""What goes wrong, told once for all edges: RFC 9457 problem documents to programs, a page to
people, one plain line to the carrier.

A `ServiceError` knows its status, its code and its words; everything else is an HTTP error of
the framework or a fault of ours, whose details stay in the log.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from apiflask import APIFlask, HTTPError
from flask import Response, json, render_template, request
from flask_wtf.csrf import CSRFError  # type: ignore[import-untyped]
from sqlalchemy.exc import DataError, OperationalError, TimeoutError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from gateway import limits
from gateway.services.errors import FieldError, Invalid, NotForSale, NotFound, ServiceError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    413: "too_large",
    414: "too_long",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_requests",
    500: "internal",
    503: "unavailable",
}
WORDS = {
    400: "The request could not be read.",
    401: "Log in, or send a valid token.",
    403: "That is not allowed here.",
    404: "There is nothing here under that address.",
    405: "That address does not take this method.",
    413: "That is too much at once.",
    415: "Send JSON, with Content-Type: application/json.",
    422: "Some fields need another look.",
    429: "Too many tries: wait a minute.",
    500: "Something broke on our side. It has been noted.",
    503: "The service is being worked on. Try again in a minute.",
}


def problem(
    status: int,
    code: str = "",
    words: str = "",
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """A problem document; `words` are for people and name the cure where there is one."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code or CODES.get(status, "error"),
        "detail": words or WORDS.get(status, HTTPStatus(status).description),
        **more,
    }
    fields = [{"path": e.path, "message": e.message, "code": e.code} for e in errors]
    if fields:
        document["errors"] = fields
    response = Response(json.dumps(document), status, mimetype=MEDIA_TYPE)
    response.headers.update(dict(headers or {}))
    return response


def answer(
    status: int,
    code: str = "",
    words: str = "",
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """In the form that the asker reads."""
    if request.path.startswith("/webhooks/"):
        return Response(f"{CODES.get(status, 'error')}\n", status, mimetype="text/plain")
    if wants_json():
        return problem(status, code, words, errors, headers, **more)
    page = render_template(
        "error.html",
        status=status,
        title=HTTPStatus(status).phrase,
        words=words or WORDS.get(status, HTTPStatus(status).description),
        see=more.get("see"),
    )
    response = Response(page, status, mimetype="text/html")
    response.headers.update(dict(headers or {}))
    return response


def wants_json() -> bool:
    if request.path.startswith(("/api/", "/healthz", "/readyz", "/metrics")):
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html")
    return best == "application/json"


def init_app(app: APIFlask, *, unreadable: Iterable[type[Exception]] = ()) -> None:
    """`unreadable`: what the web server raises for a body that is none, while we read it."""
    app.register_error_handler(ServiceError, _service_error)
    app.register_error_handler(HTTPException, _http_exception)
    for kind in unreadable:
        app.register_error_handler(kind, _unreadable)
    app.register_error_handler(DataError, _data_error)
    app.register_error_handler(OperationalError, _database_away)
    app.register_error_handler(TimeoutError, _database_away)
    app.register_error_handler(Exception, _fault)
    # APIFlask's own error, which also carries what pydantic complained about.
    app.error_callback = _api_error


def _service_error(error: ServiceError) -> Response:
    errors = error.errors if isinstance(error, Invalid) else ()
    more: dict[str, Any] = {"see": error.see} if isinstance(error, NotForSale) else {}
    words = error.words
    if isinstance(error, NotFound) and not wants_json():
        words = f"There is no {error.noun} here."  # the id means nothing to people
    return answer(error.status, error.code, words, errors, **more)


def _http_exception(error: HTTPException) -> Response:
    if error.response is not None:  # a redirect, or an answer that an extension made
        return error.response  # type: ignore[return-value]  # werkzeug's, and Flask takes it
    status = error.code or 500
    kept = {
        name: value
        for name, value in error.get_headers()
        if name in ("Allow", "Retry-After", "WWW-Authenticate")
    }
    words = ""
    if isinstance(error, CSRFError):
        words = "This page was open for too long: go back, reload it and try again."
    elif isinstance(error, RequestEntityTooLarge):
        words = limits.body_of_route().cure
    return answer(status, words=words, headers=kept)


def _api_error(error: HTTPError) -> Response:
    status = error.status_code
    detail = error.detail if isinstance(error.detail, Mapping) else {}
    fields = tuple(_field_errors(detail)) if status == 422 else ()
    # A caller's own message is words; APIFlask's default one only repeats the status.
    said = error.message or ""
    words = "" if said in ("Validation error", HTTPStatus(status).phrase) else said
    headers = {str(name): str(value) for name, value in Headers(error.headers or {}).items()}
    return answer(status, "", words, fields, headers)


def _field_errors(detail: Mapping[str, Any]) -> Iterable[FieldError]:
    """APIFlask writes {"json": {"targets.0.address": ["Field required"]}}."""
    for fields in detail.values():
        if not isinstance(fields, Mapping):
            continue
        for dotted, messages in fields.items():
            path = "" if dotted == "_schema" else "/" + str(dotted).replace(".", "/")
            for message in messages if isinstance(messages, list | tuple) else [messages]:
                yield FieldError(path, str(message))


def _unreadable(error: Exception) -> Response:
    return answer(400)


def _data_error(error: DataError) -> Response:
    """A value that no column can hold: NUL, or a number beyond 64 bits."""
    log.warning("value refused by the database", path=request.path, error=str(error.orig))
    return answer(422, words="One of the values cannot be stored: check it for odd characters.")


def _database_away(error: Exception) -> Response:
    log.error("database unavailable", path=request.path, error=str(error))
    return answer(503, headers={"Retry-After": "5"})


def _fault(error: Exception) -> Response:
    log.exception("unhandled error", path=request.path, method=request.method)
    return answer(500)
