"""What a document does to a call: voicemail, menus, refusals, faults and fallbacks."""

import pytest

from gateway.sandbox.calls import Status
from gateway.sandbox.people import Behaviour, CallerScript, Outcome

ACME_LINE, CALLER = "+12125550100", "+17025550199"
FRONT_DESK = "+14155550101"


def call(carrier, caller: CallerScript | None = None) -> str:
    sid = carrier.place_call(CALLER, ACME_LINE, caller)
    carrier.run_until_idle()
    return sid


def codes(carrier, sid: str) -> list[int]:
    return [entry["code"] for entry in carrier.exchange.notifications(sid)]


@pytest.mark.parametrize(
    "body, status, minutes",
    [
        pytest.param("<Reject/>", "no-answer", 0, id="Reject first is free"),
        pytest.param('<Reject reason="busy"/>', "busy", 0, id="Reject as busy is free"),
        pytest.param("<Hangup/>", "completed", 1, id="Hangup first is a started minute"),
        pytest.param("", "completed", 1, id="an empty document is a started minute"),
        pytest.param('<Pause length="60"/>', "completed", 1, id="60 s is one minute"),
        pytest.param('<Pause length="61"/>', "completed", 2, id="61 s is two minutes"),
    ],
)
def test_the_inbound_leg_is_billed_from_its_answer(carrier, customer, body, status, minutes):
    customer.says("/voice", body)
    sid = call(carrier)
    assert (carrier.call(sid).status, carrier.books.bill.minutes()) == (status, minutes)
    [told] = customer.told("/status")
    assert (told["CallStatus"], told["Duration"]) == (status, str(minutes))


def test_a_voicemail_is_recorded_and_both_urls_are_told(carrier, customer):
    carrier.people.tell(FRONT_DESK, Behaviour(Outcome.NO_ANSWER))
    action, callback = customer.url("/voicemail"), customer.url("/recording")
    customer.says(
        "/voice",
        f'<Dial answerOnBridge="true" timeout="10" action="{customer.url("/after")}">'
        f"{FRONT_DESK}</Dial>",
    )
    customer.says(
        "/after",
        "<Say>Please leave a message.</Say>"
        f'<Record action="{action}" recordingStatusCallback="{callback}" maxLength="120"/>',
    )
    sid = call(carrier, CallerScript(message_seconds=12))
    [told] = customer.told("/voicemail")
    assert (told["Digits"], told["RecordingDuration"]) == ("hangup", "12")
    [ready] = customer.told("/recording")
    assert (ready["RecordingStatus"], ready["RecordingSource"]) == ("completed", "RecordVerb")
    assert (ready["CallSid"], ready["RecordingSid"]) == (sid, told["RecordingSid"])
    assert carrier.call(sid).status is Status.COMPLETED  # the voicemail answered the call
    assert carrier.call(sid).duration_seconds == 2 + 1 + 12


def test_a_caller_who_says_nothing_leaves_no_message(carrier, customer):
    action, callback = customer.url("/voicemail"), customer.url("/recording")
    customer.says("/voice", f'<Record action="{action}" recordingStatusCallback="{callback}"'
                            ' recordingStatusCallbackEvent="completed absent"/>')  # fmt: skip
    call(carrier, CallerScript(message_seconds=0))
    assert customer.told("/voicemail") == []
    assert [form["RecordingStatus"] for form in customer.told("/recording")] == ["absent"]


def test_a_message_longer_than_allowed_is_cut_and_the_call_goes_on(carrier, customer):
    action = customer.url("/voicemail")
    customer.says("/voice", f'<Record action="{action}" maxLength="20"/>')
    customer.says("/voicemail", '<Pause length="3"/>')
    sid = call(carrier, CallerScript(message_seconds=60))
    assert [form["RecordingDuration"] for form in customer.told("/voicemail")] == ["20"]
    assert carrier.call(sid).duration_seconds == 1 + 20 + 3


def test_a_menu_hears_the_digits_in_turn(carrier, customer):
    customer.says("/voice", f'<Gather action="{customer.url("/choice")}" numDigits="1"/>')
    customer.says("/choice", f'<Gather action="{customer.url("/code")}"/>')
    call(carrier, CallerScript(presses=("27", "4711#")))
    assert [form["Digits"] for form in customer.told("/choice")] == ["2"]
    assert [form["Digits"] for form in customer.told("/code")] == ["4711"]


def test_a_menu_without_an_answer_falls_through_after_its_timeout(carrier, customer):
    customer.says(
        "/voice", f'<Gather action="{customer.url("/choice")}" timeout="7"/><Pause length="2"/>'
    )
    sid = call(carrier)
    assert customer.told("/choice") == []
    assert carrier.call(sid).duration_seconds == 9


def test_an_empty_menu_answer_is_told_where_it_is_asked_for(carrier, customer):
    action = f'action="{customer.url("/choice")}" actionOnEmptyResult="true"'
    customer.says("/voice", f"<Gather {action}/>")
    call(carrier)
    assert [form["Digits"] for form in customer.told("/choice")] == [""]


def test_a_redirect_replaces_the_document(carrier, customer):
    customer.says("/voice", "<Redirect>/other</Redirect><Say>never heard</Say>")
    customer.says("/other", '<Pause length="4"/>')
    assert carrier.call(call(carrier)).duration_seconds == 4


def test_a_document_that_leads_back_to_itself_ends_some_time(carrier, customer):
    customer.says("/voice", "<Redirect>/voice</Redirect>")
    sid = call(carrier)
    assert carrier.call(sid).over
    assert 12400 in codes(carrier, sid)


def test_a_caller_waits_in_the_queue_until_they_leave(carrier, customer):
    customer.says(
        "/voice",
        f'<Enqueue action="{customer.url("/after")}" waitUrl="{customer.url("/wait")}">sales'
        "</Enqueue>",
    )
    turns = iter(["<Play/>", "<Play/>", "<Leave/>"])
    customer.says("/wait", lambda form: next(turns))
    call(carrier)
    assert [form["QueueTime"] for form in customer.told("/wait")] == ["0", "3", "6"]
    assert customer.told("/wait")[0]["QueuePosition"] == "1"
    [after] = customer.told("/after")
    assert (after["QueueResult"], after["QueueTime"]) == ("leave", "6")
    assert carrier.books.queues["sales"] == []


@pytest.mark.parametrize(
    "body, content_type, code",
    [
        pytest.param("!<Response><Say>", "text/xml", 12100, id="12100 broken XML"),
        pytest.param("!<Answer/>", "text/xml", 12100, id="12100 another root"),
        pytest.param("!{}", "application/json", 12300, id="12300 not TwiML at all"),
        pytest.param("!" + "x" * 70_000, "text/xml", 11750, id="11750 more than 64 kB"),
        pytest.param("<Leave/>", "text/xml", 12200, id="12200 Leave outside a queue"),
    ],
)
def test_a_bad_document_goes_to_the_fallback_with_its_error(
    carrier, customer, body, content_type, code
):
    customer.says("/voice", body)
    customer.content_type = content_type
    sid = call(carrier)
    [fallback] = customer.told("/fallback")
    assert fallback["ErrorCode"] == str(code)
    assert fallback["ErrorUrl"] == customer.url("/voice")
    assert fallback["CallSid"] == sid
    assert codes(carrier, sid)[0] == code


def test_a_server_error_is_not_retried_but_goes_to_the_fallback(carrier, customer):
    customer.failing["/voice"] = 1
    customer.says("/fallback", '<Pause length="5"/>')
    sid = call(carrier)
    assert customer.paths() == ["/voice", "/fallback", "/status"]
    assert customer.told("/fallback")[0]["ErrorCode"] == "11200"
    assert carrier.call(sid).duration_seconds == 5


def test_a_call_whose_fallback_fails_too_has_failed(carrier, customer):
    customer.failing.update({"/voice": 9, "/fallback": 9})
    sid = call(carrier)
    assert carrier.call(sid).status is Status.FAILED
    assert customer.told("/status")[0]["CallStatus"] == "failed"
    assert carrier.books.bill.minutes() == 0


def test_a_customer_that_is_down_is_error_11205(carrier, customer):
    number = carrier.books.numbers.owned[ACME_LINE]
    number.voice_url, number.voice_fallback_url = "http://127.0.0.1:9/voice", ""
    sid = call(carrier)
    assert carrier.call(sid).status is Status.FAILED
    assert codes(carrier, sid) == [11205]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<say>hello</say>", id="a verb in the wrong case"),
        pytest.param("<Conference>x</Conference>", id="a verb nobody plays here"),
        pytest.param('<Say vioce="man">hello</Say>', id="an attribute nobody documented"),
        pytest.param(
            '<Dial timeout="soon"><Number>+14155550101</Number></Dial>', id="not a number"
        ),
        pytest.param("<Dial><Number>+999</Number></Dial>", id="a target that is no number"),
    ],
)
def test_a_small_fault_is_noted_and_the_call_goes_on(carrier, customer, body):
    customer.says("/voice", body + '<Pause length="2"/>')
    sid = call(carrier)
    assert codes(carrier, sid)
    assert carrier.call(sid).status is Status.COMPLETED
    assert customer.told("/fallback") == []


def test_text_that_is_no_twiml_is_read_aloud(carrier, customer):
    customer.says("/voice", "!We are closed today, please call tomorrow")
    customer.content_type = "text/plain"
    assert carrier.call(call(carrier)).duration_seconds == 3


def test_a_withheld_number_comes_without_a_place(carrier, customer):
    carrier.place_call(CALLER, ACME_LINE, CallerScript(withheld=True))
    carrier.run_until_idle()
    [form] = customer.told("/voice")
    assert form["From"] == "anonymous"
    assert (form["FromCity"], form["FromState"], form["FromCountry"]) == ("", "", "")
    assert form["ToState"] == "NY"
    assert "StirVerstat" not in form


def test_callers_are_attested_mostly_but_not_always(carrier, customer):
    for line in range(60):
        carrier.place_call(f"+1702555{line:04d}", ACME_LINE)
    carrier.run_until_idle()
    seen = {form.get("StirVerstat") for form in customer.told("/voice")}
    assert {"TN-Validation-Passed-A", None} <= seen


def test_a_number_without_a_voice_url_fails_at_once(carrier, customer):
    carrier.buy_number({"PhoneNumber": "+13125550100"})
    sid = carrier.place_call(CALLER, "+13125550100")
    carrier.run_until_idle()
    assert carrier.call(sid).status is Status.FAILED
    assert customer.received == [] and codes(carrier, sid) == []
