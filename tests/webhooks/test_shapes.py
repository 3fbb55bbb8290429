"""Whatever a signed request carries: refused or cleaned in words, never a 5xx, always valid TwiML.

The signature has no field boundaries and no timestamp, so the shapes are the second half of the
check (RELIABILITY A12, E10, I1, I4, L1).
"""

from urllib.parse import parse_qsl, quote_from_bytes, urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse
from world import CALLER, FRONT_DESK, World

from gateway.sandbox.signature import sign
from gateway.store.calls import CallRow
from gateway.store.legs import LegRow
from gateway.store.receipts import ReceiptRow

SID, LEG = "CA" + "0" * 32, "CA" + "1" * 32
RECORDING = "RE" + "2" * 32
VOICE = "/webhooks/twilio/voice"
SPOKEN = ("voice", "fallback", "dial", "whisper", "confirm", "voicemail", "sms")


@pytest.fixture(scope="module")
def stage(lasting_stage: World) -> World:
    """One for the whole file; each test opens accounts of its own."""
    return lasting_stage


def signed_bytes(stage: World, path: str, body: bytes) -> TestResponse:
    """A form body as raw bytes, signed over what it decodes to."""
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, errors="werkzeug.url_quote")
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    signature = sign(stage.settings.twilio_auth_token, f"{stage.settings.public_url}{path}", form)
    return stage.app.test_client().post(
        path,
        data=body,
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature},
    )


def check(answer: TestResponse) -> None:
    """What every answer of ours must be."""
    assert answer.status_code < 500, answer.text
    if answer.mimetype == "text/xml":
        assert ElementTree.fromstring(answer.data).tag == "Response"


def opened(stage: World) -> tuple[str, str]:
    """A call in progress: the tenant as it stands in URLs, and the number that was called."""
    acme = stage.join("Acme")
    assert stage.post(VOICE, {"CallSid": SID, "From": CALLER, "To": acme.e164}).status_code == 200
    return acme.scope.tenant_id.hex, acme.e164


@pytest.mark.parametrize(
    "field, value, words",
    [
        pytest.param("CallSid", "", "CallSid must be", id="no call sid"),
        pytest.param("CallSid", "CA" + "0" * 31, "CallSid must be", id="one digit short"),
        pytest.param("CallSid", "CA" + "G" * 32, "CallSid must be", id="not hexadecimal"),
        pytest.param("CallSid", SID + "\n", "CallSid must be", id="a line feed behind it"),
        pytest.param("CallSid", "CA" + "\uff10" * 32, "CallSid must be", id="full-width digits"),
        pytest.param("CallStatus", "answered", "CallStatus", id="a word that is no status"),
        pytest.param("CallStatus", "COMPLETED", "CallStatus", id="capitals"),
        pytest.param("CallDuration", "-5", "CallDuration", id="E10 a negative duration"),
        pytest.param("CallDuration", "5.5", "CallDuration", id="E10 a fraction"),
        pytest.param("CallDuration", "\uff15", "CallDuration", id="E10 a full-width five"),
        pytest.param("CallDuration", "1_0", "CallDuration", id="E10 what int() would take for 10"),
        pytest.param("CallDuration", "86401", "CallDuration", id="E10 longer than a day"),
        pytest.param("CallDuration", "9" * 40, "CallDuration", id="E10 beyond any integer"),
        pytest.param("CallDuration", "abc", "CallDuration", id="E10 letters"),
    ],
)
def test_a_malformed_end_of_a_call_is_refused_in_words_and_moves_no_money(
    stage: World, field: str, value: str, words: str
) -> None:
    tenant, number = opened(stage)
    status = f"/webhooks/twilio/status/{tenant}"
    ended = {"CallSid": SID, "CallStatus": "completed", "CallDuration": "83", "To": number}
    answer = stage.post(status, {**ended, field: value})
    assert answer.status_code == 400
    assert words in answer.text
    assert stage.settle() == 0
    assert stage.post(status, ended).status_code == 204
    assert stage.settle() == 1


@pytest.mark.parametrize(
    "timestamp",
    [
        "",
        "yesterday",
        "Fri, 31 Dec 9999 23:59:59 -1400",
        "Mon, 01 Jan 0001 00:00:00 +1400",
        "Tue, 03 Mar 2026 15:01:28",
        "Tue, 99 Mar 2026 15:01:28 +0000",
        "Tue, 03 Mar 2096 15:01:28 +0000",
        "Tue, 03 Mar 1996 15:01:28 +0000",
    ],
)
def test_an_absurd_timestamp_is_replaced_by_the_moment_of_arrival(
    stage: World, timestamp: str
) -> None:
    """A call must not end seventy years from now: nothing would settle, and no chart hold it."""
    acme = stage.join("Acme")
    stage.post(VOICE, {"CallSid": SID, "From": CALLER, "To": acme.e164})
    ended = {
        "CallSid": SID, "CallStatus": "completed", "CallDuration": "60", "To": acme.e164,
        "Timestamp": timestamp,
    }  # fmt: skip
    answer = stage.post(f"/webhooks/twilio/status/{acme.scope.tenant_id.hex}", ended)
    assert answer.status_code == 204
    (call,) = stage.rows(CallRow, acme.scope)
    assert call.ended_at == stage.carrier.clock.now()


def test_a_body_of_256_kb_is_read_and_one_byte_more_is_not(stage: World) -> None:
    acme = stage.join("Acme")
    form = {
        "AccountSid": stage.settings.twilio_account_sid, "CallSid": SID, "From": CALLER,
        "To": acme.e164, "CallerName": "",
    }  # fmt: skip
    room = 256 * 1024 - len(urlencode(form))
    fits = signed_bytes(stage, VOICE, urlencode({**form, "CallerName": "a" * room}).encode())
    assert fits.status_code == 200
    full = {**form, "CallSid": LEG, "CallerName": "a" * (room + 1)}
    assert signed_bytes(stage, VOICE, urlencode(full).encode()).status_code == 413
    assert [call.call_sid for call in stage.rows(CallRow, acme.scope)] == [SID]


def test_a_hundred_thousand_fields_are_one_short_answer(stage: World) -> None:
    body = "&".join(f"f{n}=" for n in range(30_000)).encode()
    assert signed_bytes(stage, VOICE, body).status_code in (403, 413)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "",
    ],
)
def test_a_body_of_another_kind_is_nobodys_request(stage: World, content_type: str) -> None:
    answer = stage.app.test_client().post(
        VOICE, data=b"\x00{]--x\r\n", content_type=content_type,
        headers={"X-Twilio-Signature": sign(stage.settings.twilio_auth_token, VOICE, {})},
    )  # fmt: skip
    assert answer.status_code == 403


def test_only_post_is_spoken_here(stage: World) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD"):
        answer = stage.app.test_client().open(VOICE, method=method)
        assert answer.status_code in (403, 405), method


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("\x00Robert\x00", id="NUL, which PostgreSQL refuses"),
        pytest.param("<Dial>+19005550100</Dial>", id="I1 verbs in a name"),
        pytest.param("\x1b[31m\u202egnol", id="terminal escapes and right-to-left"),
        pytest.param("'; drop table call; --", id="quotes"),
        pytest.param("\ufffe\uffff", id="what XML may not hold"),
        pytest.param("🦊" * 2_000, id="eight thousand bytes"),
    ],
)
def test_what_callers_may_choose_is_cleaned_and_kept(stage: World, name: str) -> None:
    acme = stage.join("Acme")
    form = {"CallSid": SID, "From": name, "To": acme.e164, "FromCity": name, "CallerName": name}
    answer = stage.post(VOICE, form)
    assert answer.status_code == 200
    check(answer)
    (receipt,) = stage.rows(ReceiptRow, acme.scope)
    kept = receipt.params["CallerName"]
    assert len(kept) <= 1_600
    assert not set(kept) & set("\x00\x1b\ufffe\uffff")
    (call,) = stage.rows(CallRow, acme.scope)
    assert call.from_number is None


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"\xed\xa0\x80", b"\xc3", b"\x00"])
def test_bytes_that_are_no_text_are_replaced(stage: World, raw: bytes) -> None:
    """Half a character, half a surrogate pair, no UTF-8 at all."""
    acme = stage.join("Acme")
    form = {
        "AccountSid": stage.settings.twilio_account_sid, "CallSid": SID, "To": acme.e164,
    }  # fmt: skip
    body = urlencode(form) + f"&From={quote_from_bytes(raw)}&{quote_from_bytes(raw)}=x"
    answer = signed_bytes(stage, VOICE, body.encode())
    assert answer.status_code == 200
    check(answer)


NASTY = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="\x00\x0b\x1f\x7f\ud7ff\ue000\ufffd<>&'\"%", max_size=10),
    st.from_regex(r"CA[0-9a-f]{32}", fullmatch=True),
    st.sampled_from(
        [
            "", SID, LEG, RECORDING, CALLER, FRONT_DESK, "completed", "in-progress", "busy",
            "no-answer", "canceled", "initiated", "ringing", "true", "false", "1", "0", "83",
            "86400", "999999", "-1", "client:alice", "sip:a@b.example", "anonymous", "+266696687",
            "SM" + "4" * 32, "delivered", "sent", "draft", "STOP",
            "absent", "failed", "Tue, 03 Mar 2026 15:01:28 +0000", "+1" + "4" * 40,
        ]
    ),
)  # fmt: skip
FIELDS = st.sampled_from(
    [
        "CallSid", "ParentCallSid", "From", "To", "CallStatus", "CallDuration", "Duration",
        "Timestamp", "SequenceNumber", "DialCallStatus", "DialBridged", "DialCallSid", "Digits",
        "RecordingSid", "RecordingStatus", "RecordingDuration", "FromState", "FromZip",
        "FromCountry", "StirVerstat", "MessageSid", "MessageStatus", "NumSegments", "NumMedia",
        "ErrorCode", "Body",
    ]
)  # fmt: skip
DOORS = st.sampled_from(
    ["voice", "fallback", "sms", "status/{t}", "messages/{t}/" + "1" * 32 + "/status"]
    + [f"calls/{{t}}/{{c}}/{end}" for end in
       ("leg", "dial", "whisper", "confirm", "voicemail", "recording")]
)  # fmt: skip


@settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    door=DOORS,
    form=st.dictionaries(st.one_of(FIELDS, st.text(max_size=8)), NASTY, max_size=8),
    sid=st.sampled_from([SID, LEG, "CA" + "9" * 32, "x"]),
    query=st.sampled_from(
        ["", "?at=!0&n=0", "?at=%2Fotherwise!0&n=1", "?at=%00&n=0", "?at=!0&n=99999",
         "?at=%FF", "?at=" + "x" * 600, "?at=%2Fnowhere!7&n=-1"]
    ),
)  # fmt: skip
def test_no_form_at_any_door_is_a_server_error_or_broken_twiml(
    stage: World, door: str, form: dict[str, str], sid: str, query: str
) -> None:
    tenant = getattr(stage, "fuzzed", None)
    if tenant is None:
        tenant, _ = opened(stage)
        stage.fuzzed = tenant  # type: ignore[attr-defined]
    path = f"/webhooks/twilio/{door.format(t=tenant, c=sid)}{query}"
    form.pop("AccountSid", None)
    answer = stage.post(path, {"CallSid": sid, **form})
    check(answer)
    if answer.status_code == 200:
        assert answer.mimetype == "text/xml"


def test_a_number_that_is_nobodys_is_said_to_be_out_of_service(stage: World) -> None:
    answer = stage.post(VOICE, {"CallSid": SID, "From": CALLER, "To": "+14155550199"})
    assert answer.status_code == 200
    check(answer)
    assert "not in service" in answer.text


@pytest.mark.parametrize("door", ["leg", "dial", "whisper", "confirm", "voicemail", "recording"])
def test_callbacks_of_a_call_that_was_never_opened_are_answered_and_stored_nowhere(
    stage: World, door: str
) -> None:
    acme = stage.join("Acme")
    path = f"/webhooks/twilio/calls/{acme.scope.tenant_id.hex}/{SID}/{door}?at=!0&n=0"
    answer = stage.post(
        path,
        {
            "CallSid": LEG, "CallStatus": "completed", "CallDuration": "83", "To": FRONT_DESK,
            "DialCallStatus": "completed", "RecordingSid": RECORDING, "Digits": "1",
        },
    )  # fmt: skip
    assert answer.status_code == (204 if door in ("leg", "recording") else 200)
    check(answer)
    for table in (CallRow, LegRow, ReceiptRow):
        assert stage.rows(table, acme.scope) == []


def test_one_tenants_callback_urls_reach_nothing_of_anothers_call(stage: World) -> None:
    """Cobalt's tenant in the path of Acme's call: signed, and yet about nothing."""
    acme, cobalt = stage.join("Acme"), stage.join("Cobalt", area_code="212")
    stage.post(VOICE, {"CallSid": SID, "From": CALLER, "To": acme.e164})
    ended = {"CallSid": SID, "CallStatus": "completed", "CallDuration": "83", "To": acme.e164}
    answer = stage.post(f"/webhooks/twilio/status/{cobalt.scope.tenant_id.hex}", ended)
    assert answer.status_code == 204
    assert stage.rows(CallRow, cobalt.scope) == []
    (call,) = stage.rows(CallRow, acme.scope)
    assert call.ended_at is None
