"""Only the carrier is listened to: what it signed, for this URL, in this account's name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Request
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict
from werkzeug.test import EnvironBuilder
from world import World

from gateway.sandbox.signature import sign
from gateway.store.calls import CallRow
from gateway.store.legs import LegRow
from gateway.store.receipts import ReceiptRow
from webhooks.signature import Signature

# Twilio's published examples, the specs of twilio-ruby, and what twilio-node 6.2.0 computes.
VECTORS = json.loads(Path(__file__).with_name("signature_vectors.json").read_text())


def test_our_copy_of_the_vectors_is_the_published_one(shared_data: Path) -> None:
    assert json.loads((shared_data / "signature_vectors.json").read_text()) == VECTORS


FORMS = [
    pytest.param(vector, vector.get("signature") or vector["expected_raw"], id=name)
    for group in ("published", "node_6.2.0_generated")
    for vector in VECTORS[group]
    if "body" not in vector
    for name in [f"{group}: {vector.get('name', 'documented example')}"]
]
BODIES = [
    pytest.param(vector, vector.get("signature") or vector["expected_raw"], id=vector["name"])
    for group in ("published", "node_6.2.0_generated")
    for vector in VECTORS[group]
    if "body" in vector
]


def split(url: str) -> tuple[str, str]:
    """Public base and the path as it stands on the wire."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}", slash + path


def request(path: str, params: Mapping[str, Any], signature: str | None) -> Request:
    headers = {} if signature is None else {"X-Twilio-Signature": signature}
    builder = EnvironBuilder(method="POST", path="/", headers=headers)
    builder.form.update(MultiDict(params))
    environ = builder.get_environ()
    environ["RAW_URI"] = environ["REQUEST_URI"] = path
    return Request(environ)


def door(vector: Mapping[str, Any], account_sid: str = "") -> Signature:
    """The vectors name no account, and so does this one: only the signature decides."""
    base, _ = split(vector["url"])
    return Signature(account_sid=account_sid, auth_token=vector["token"], public_url=base)


@pytest.mark.parametrize("vector, signature", FORMS)
def test_every_published_signature_is_accepted(vector: dict[str, Any], signature: str) -> None:
    _, path = split(vector["url"])
    assert door(vector).holds(request(path, vector["params"], signature))


@pytest.mark.parametrize("vector, signature", FORMS)
def test_one_changed_character_anywhere_is_refused(vector: dict[str, Any], signature: str) -> None:
    _, path = split(vector["url"])
    params = vector["params"]
    forged = signature[:-2] + ("A" if signature[-2] != "A" else "B") + "="
    assert not door(vector).holds(request(path, params, forged))
    assert not door(vector).holds(request(path + "x", params, signature))
    assert not door(vector).holds(request(path, {**params, "Digits": "9"}, signature))
    assert not door({**vector, "token": "54321"}).holds(request(path, params, signature))


@pytest.mark.parametrize("vector, signature", FORMS)
def test_a_good_signature_in_no_accounts_name_is_refused(
    vector: dict[str, Any], signature: str
) -> None:
    _, path = split(vector["url"])
    ours = door(vector, account_sid="AC" + "5a" * 16)
    assert not ours.holds(request(path, vector["params"], signature))


@pytest.mark.parametrize("vector, signature", BODIES)
def test_json_is_signed_by_its_digest_and_names_no_account_so_it_is_refused(
    vector: dict[str, Any], signature: str
) -> None:
    assert RequestValidator(vector["token"]).validate(vector["url"], vector["body"], signature)
    _, path = split(vector["url"])
    builder = EnvironBuilder(
        method="POST", data=vector["body"], content_type="application/json",
        headers={"X-Twilio-Signature": signature},
    )  # fmt: skip
    environ = builder.get_environ()
    environ["RAW_URI"] = path
    assert not door(vector, account_sid="AC" + "5a" * 16).holds(Request(environ))


def stored(stage: World) -> int:
    """Whatever a webhook could have left behind."""
    with stage.units.read() as uow:
        return sum(
            len(uow.connection.execute(table.__table__.select()).all())
            for table in (CallRow, LegRow, ReceiptRow)
        )


def first_call(to: str, call_sid: str = "CA" + "0" * 32) -> dict[str, str]:
    return {"CallSid": call_sid, "From": "+17025550111", "To": to, "CallStatus": "ringing"}


def test_forged_requests_are_answered_403_and_leave_nothing(stage: World) -> None:
    acme = stage.join("Acme")
    voice, form = "/webhooks/twilio/voice", first_call(acme.e164)
    ours = {"AccountSid": stage.settings.twilio_account_sid, **form}
    token, base = stage.settings.twilio_auth_token, stage.settings.public_url
    good = sign(token, base + voice, ours)
    settings_header = "X-Twilio-Webhooks-Signature-Settings"
    foreign = {**form, "AccountSid": "AC" + "00" * 16}
    forgeries = {
        "no signature": stage.app.test_client().post(voice, data=ours),
        "an empty one": stage.post(voice, form, signature=""),
        "one of letters": stage.post(voice, form, signature="ÿ forged"),
        "another token's": stage.post(voice, form, signature=sign("guess", base + voice, ours)),
        "another URL's": stage.post(voice, form, signature=sign(token, base + "/x", ours)),
        "another host's": stage.post(
            voice, form, signature=sign(token, "http://evil.test" + voice, ours),
            headers={"Host": "evil.test", "X-Forwarded-Host": "evil.test"},
        ),
        "another body's": stage.post(voice, {**form, "From": "+17025550112"}, signature=good),
        "a foreign account": stage.post(voice, foreign),
        "no account": stage.app.test_client().post(
            voice, data=form, headers={"X-Twilio-Signature": sign(token, base + voice, form)}
        ),
        "a shared key's": stage.post(
            voice, form, headers={settings_header: "key=webhooks_sharedkey_1,algorithm=HMAC_SHA1"}
        ),
        "a query added": stage.post(voice + "?x=1", form, signature=good),
    }  # fmt: skip
    assert {why: answer.status_code for why, answer in forgeries.items()} == dict.fromkeys(
        forgeries, 403
    )
    assert stored(stage) == 0


def test_the_host_and_forwarding_headers_are_believed_by_nobody(stage: World) -> None:
    """Behind any proxy the signature covers PUBLIC_URL, and so do the URLs in the answer."""
    acme = stage.join("Acme")
    answer = stage.post(
        "/webhooks/twilio/voice",
        first_call(acme.e164),
        headers={
            "Host": "evil.test:81",
            "X-Forwarded-Host": "evil.test",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Prefix": "/evil",
            "Forwarded": "host=evil.test;proto=https",
        },
    )
    assert answer.status_code == 200
    assert "http://gateway.test/webhooks/twilio/calls/" in answer.text
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("/otherwise!1", id="slash and bang"),
        pytest.param("/rules/0/then!0", id="several slashes"),
        pytest.param("é", id="two bytes"),
        pytest.param("?&=#", id="what ends a query"),
        pytest.param("%2F", id="a percent that is meant"),
        pytest.param("a b+c", id="space and plus"),
        pytest.param("~'()*", id="what encoders disagree about"),
    ],
)
def test_percent_encoded_urls_are_checked_as_they_came_over_the_wire(
    stage: World, cursor: str
) -> None:
    """Through the WSGI server's RAW_URI: `request.url` un-escapes some of these."""
    tenant = "0" * 32
    path = f"/webhooks/twilio/calls/{tenant}/CA{'0' * 32}/dial?at={quote(cursor, safe='')}"
    params = {"DialCallStatus": "no-answer", "CallStatus": "in-progress"}
    assert stage.post(path, params).status_code == 200
    decoded = f"{stage.settings.public_url}{path.partition('?')[0]}?at={cursor}"
    form = {"AccountSid": stage.settings.twilio_account_sid, **params}
    other = sign(stage.settings.twilio_auth_token, decoded, form)
    assert stage.post(path, params, signature=other).status_code == 403


@pytest.mark.parametrize("path", ["/webhooks/twilio/status/%C3%A9%2F%3F", "/webhooks/twilio/%00"])
def test_a_strange_path_that_the_carrier_signed_is_no_server_error(stage: World, path: str) -> None:
    assert stage.post(path, first_call("+14155550100")).status_code in (400, 404)


def test_empty_values_count_and_repeated_keys_are_refused_however_well_signed(
    stage: World,
) -> None:
    acme = stage.join("Acme")
    token, url = stage.settings.twilio_auth_token, "http://gateway.test/webhooks/twilio/voice"
    form = {
        "AccountSid": stage.settings.twilio_account_sid,
        **first_call(acme.e164),
        "FromCity": "",
        "CallerName": "",
    }
    assert stage.post("/webhooks/twilio/voice", form).status_code == 200
    before = stored(stage)
    twice = {**form, "CallSid": "CA" + "1" * 32, "To": [acme.e164, "+14155550199"]}
    answer = stage.app.test_client().post(
        "/webhooks/twilio/voice",
        data=urlencode(twice, doseq=True),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": sign(token, url, twice)},
    )
    assert answer.status_code == 400
    assert "To is sent more than once" in answer.text
    assert stored(stage) == before
