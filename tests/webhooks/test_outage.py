"""Callers hear something whatever of ours is away: PostgreSQL, Redis, or both."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch
from xml.etree import ElementTree

import pytest
from flask import Flask
from werkzeug.test import TestResponse
from world import CALLER, FRONT_DESK, MOBILE, START, World, settings_for, world

from gateway import db
from gateway.app import create_app
from gateway.links import PublicLinks
from gateway.providers.telephony import Telephony
from gateway.runtime import Runtime
from gateway.sandbox.signature import sign
from gateway.store.calls import CallRow
from gateway.uow import UnitsOfWork

SID = "CA" + "0" * 32
FORM = {
    "MessageStatus": "sent",
    "CallSid": SID, "From": CALLER, "To": "+14155550199", "CallStatus": "completed",
    "DialCallStatus": "no-answer", "RecordingSid": "RE" + "0" * 32, "MessageSid": "SM" + "0" * 32,
    "CallDuration": "83", "Digits": "1",
}  # fmt: skip
OURS = f"calls/{'0' * 32}/{SID}"


@contextmanager
def silent_port() -> Iterator[int]:
    """Accepts connections and never says a word, as a process does that was stopped."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stranded:
    """The application with servers that are not there."""

    def __init__(self, database_url: str, redis_url: str, var_dir: Path) -> None:
        self.settings = settings_for(database_url, redis_url, var_dir)

        def no_carrier() -> Telephony:
            raise AssertionError("a webhook asked the carrier by REST")

        units = UnitsOfWork(db.engine_for(database_url), lambda: START)
        links = PublicLinks(self.settings.public_url)
        self.app: Flask = create_app(Runtime(self.settings, units, links, no_carrier))

    def post(self, door: str) -> TestResponse:
        url = f"{self.settings.public_url}/webhooks/twilio/{door}"
        form = {"AccountSid": self.settings.twilio_account_sid, **FORM}
        signature = sign(self.settings.twilio_auth_token, url, form)
        return self.app.test_client().post(
            url.removeprefix(self.settings.public_url),
            data=form,
            headers={"X-Twilio-Signature": signature},
        )


@pytest.fixture
def stranded(tmp_path: Path) -> Stranded:
    port = closed_port()
    return Stranded(
        f"postgresql+psycopg://postgres@127.0.0.1:{port}/gone",
        f"redis://127.0.0.1:{port}",
        tmp_path,
    )


@pytest.mark.parametrize(
    "door",
    ["voice", "fallback"]
    + [f"{OURS}/{end}?at=!0&n=0" for end in ("dial", "whisper", "confirm", "voicemail")],
)
def test_without_a_database_whoever_is_on_the_line_hears_valid_twiml(
    stranded: Stranded, door: str
) -> None:
    answer = stranded.post(door)
    assert answer.status_code == 200
    assert answer.mimetype == "text/xml"
    spoken = ElementTree.fromstring(answer.data)
    assert spoken.tag == "Response"
    assert "Say" in [verb.tag for verb in spoken]


@pytest.mark.parametrize(
    "door",
    [
        f"status/{'0' * 32}",
        f"{OURS}/leg?at=!0&n=0",
        f"{OURS}/recording",
        "sms",
        f"messages/{'0' * 32}/{'1' * 32}/status",
    ],
)
def test_without_a_database_callbacks_that_mean_money_are_asked_for_again(
    stranded: Stranded, door: str
) -> None:
    """503, and the fragment of the callback's URL asks the carrier for five more tries on 5xx."""
    assert stranded.post(door).status_code == 503


def test_a_forgery_is_still_a_forgery_without_a_database(stranded: Stranded) -> None:
    answer = stranded.app.test_client().post("/webhooks/twilio/voice", data=FORM)
    assert answer.status_code == 403


@pytest.mark.parametrize("hung", [False, True], ids=["Redis refuses", "Redis hangs"])
def test_calls_are_answered_metered_and_settled_without_redis(
    database_url: str, tmp_path: Path, hung: bool
) -> None:
    with silent_port() as silent:
        redis_url = f"redis://127.0.0.1:{silent if hung else closed_port()}/0"
        with world(settings_for(database_url, redis_url, tmp_path)) as stage:
            acme = stage.join("Acme")
            stage.person(FRONT_DESK, talks=83)
            stage.nobody(MOBILE)
            started = time.monotonic()
            stage.call(acme.e164)
            # A dozen webhooks, each half a second longer if anything in it waited for Redis.
            assert time.monotonic() - started < 3
            stage.settle()
            (call,) = stage.rows(CallRow, acme.scope)
            assert call.status == "completed"
            assert stage.balance(acme.scope) == 50_000_000 - 69_166 * 2
            stage.prove_ledger()


def test_no_webhook_opens_a_connection_of_its_own(stage: World) -> None:
    """Neither Redis nor HTTP on this path: all that a webhook touches is PostgreSQL's socket."""
    acme = stage.join("Acme")
    form = {"CallSid": SID, "From": CALLER, "To": acme.e164}
    assert stage.post("/webhooks/twilio/voice", form).status_code == 200

    def refuse(self: socket.socket, address: object) -> None:
        raise AssertionError(f"a webhook connects to {address}")

    ended = {**FORM, "To": acme.e164}
    tenant = acme.scope.tenant_id.hex
    doors = [f"calls/{tenant}/{SID}/{end}?at=!0&n=0" for end in
             ("leg", "dial", "whisper", "confirm", "voicemail", "recording")]  # fmt: skip
    with patch.object(socket.socket, "connect", refuse):
        for door in ("voice", *doors, f"status/{tenant}"):
            answer = stage.post(
                f"/webhooks/twilio/{door}", {**ended, "RecordingStatus": "completed"}
            )
            assert answer.status_code in (200, 204), (door, answer.text)
