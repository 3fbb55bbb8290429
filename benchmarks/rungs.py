"""The steps of the ladder below our webhook, each a WSGI application of its own.

What a careful programmer would write with the same libraries: signature over the configured URL,
SQLAlchemy Core with statements built once, one pooled engine a process.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from flask import Flask, Response, request
from sqlalchemy import Column, DateTime, Engine, MetaData, String, Table, bindparam, insert, select
from twilio.request_validator import RequestValidator

from gateway import db

NUMBERS = Table(
    "plain_number",
    MetaData(),
    Column("e164", String(16), primary_key=True),
    Column("forward_to", String(16)),
)
CALLS = Table(
    "plain_call",
    NUMBERS.metadata,
    Column("call_sid", String(34), primary_key=True),
    Column("from_number", String(64)),
    Column("to_number", String(64)),
    Column("status", String(16)),
    Column("started_at", DateTime(timezone=True)),
)
FORWARD_TO = select(NUMBERS.c.forward_to).where(NUMBERS.c.e164 == bindparam("e164"))
NEW_CALL = insert(CALLS)
DIAL = "<Response><Dial><Number>{}</Number></Dial></Response>"


def bare(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    environ["wsgi.input"].read()
    body = DIAL.format("+14155550101").encode()
    headers = [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def _application(answer: Callable[[], str]) -> Flask:
    app = Flask(__name__)

    @app.post("/webhooks/twilio/voice")
    def voice() -> Response:
        return Response(answer(), mimetype="text/xml")

    return app


@cache
def _validator() -> RequestValidator:
    return RequestValidator(os.environ["TWILIO_AUTH_TOKEN"])


@cache
def _engine() -> Engine:
    return db.engine_for(os.environ["DATABASE_URL"])


def _check() -> None:
    url = os.environ["PUBLIC_URL"] + request.path
    if not _validator().validate(url, request.form, request.headers["X-Twilio-Signature"]):
        raise PermissionError("forged")


def _hello() -> str:
    return DIAL.format("+14155550101")


def _signed() -> str:
    _check()
    return _hello()


def _selected() -> str:
    _check()
    with _engine().connect() as connection:
        target = connection.scalar(FORWARD_TO, {"e164": request.form["To"]})
    return DIAL.format(target)


def _inserted() -> str:
    _check()
    with _engine().begin() as connection:
        target = connection.scalar(FORWARD_TO, {"e164": request.form["To"]})
        connection.execute(
            NEW_CALL,
            {
                "call_sid": request.form["CallSid"],
                "from_number": request.form["From"],
                "to_number": request.form["To"],
                "status": "ringing",
                "started_at": dt.datetime.now(dt.UTC),
            },
        )
    return DIAL.format(target)


hello = _application(_hello)
signed = _application(_signed)
selected = _application(_selected)
inserted = _application(_inserted)
