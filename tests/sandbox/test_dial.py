"""A forwarded call: who rings, who wins, how long they talk, what each leg was."""

import time
from collections.abc import Callable

import pytest

from gateway.sandbox.calls import Status
from gateway.sandbox.carrier import Carrier
from gateway.sandbox.people import Behaviour, CallerScript, Outcome

Dial = Callable[..., str]
ACME_LINE, CALLER = "+12125550100", "+17025550199"
FRONT_DESK, MOBILE = "+14155550101", "+14155550102"


def call(carrier: Carrier, caller: CallerScript | None = None) -> str:
    sid = carrier.place_call(CALLER, ACME_LINE, caller)
    carrier.run_until_idle()
    return sid


def test_a_forwarded_call_has_two_legs_of_the_same_length(carrier, customer, dial: Dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    sid = call(carrier)
    [child] = carrier.children(sid)
    assert (carrier.call(sid).duration_seconds, child.duration_seconds) == (83, 83)
    assert (child.direction, child.from_, child.to) == ("outbound-dial", CALLER, FRONT_DESK)
    assert customer.unsigned == []


def test_the_callbacks_of_a_call_come_in_twilios_order(carrier, customer, dial: Dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    call(carrier)
    assert customer.paths() == ["/voice", *["/leg"] * 4, "/action", "/status"]
    legs = customer.told("/leg")
    assert [form["CallStatus"] for form in legs] == [
        "initiated", "ringing", "in-progress", "completed",
    ]  # fmt: skip
    assert [form["SequenceNumber"] for form in legs] == ["0", "1", "2", "3"]
    assert {form["CallbackSource"] for form in legs} == {"call-progress-events"}
    assert legs[2]["Timestamp"] == "Mon, 02 Mar 2026 15:00:06 +0000"


def test_only_the_last_event_tells_a_duration_in_seconds_and_in_minutes(
    carrier, customer, dial: Dial
):
    customer.says("/voice", dial(FRONT_DESK))
    call(carrier)
    *early, last = customer.told("/leg")
    assert all("CallDuration" not in form for form in early)
    assert (last["CallDuration"], last["Duration"]) == ("83", "2")
    [status] = customer.told("/status")
    # Without answerOnBridge the caller's leg is answered at once, six seconds before the callee.
    assert (status["CallDuration"], status["Duration"]) == ("89", "2")


def test_the_first_request_looks_like_twilios(carrier, customer):
    customer.says("/voice", "<Hangup/>")
    sid = call(carrier)
    [form] = customer.told("/voice")
    assert form["CallSid"] == sid and form["CallStatus"] == "ringing"
    assert (form["From"], form["Caller"]) == (CALLER, CALLER)
    assert (form["To"], form["Called"]) == (ACME_LINE, ACME_LINE)
    assert (form["FromState"], form["FromCity"], form["FromZip"]) == ("NV", "LAS VEGAS", "89101")
    assert (form["Direction"], form["ApiVersion"]) == ("inbound", "2010-04-01")
    assert "ParentCallSid" not in form and "ForwardedFrom" not in form


def test_two_phones_ring_together_and_the_first_to_answer_wins(carrier, customer, dial: Dial):
    customer.says("/voice", dial(FRONT_DESK, MOBILE, attributes='answerOnBridge="true"'))
    sid = call(carrier)
    winner, loser = carrier.children(sid)
    assert (winner.status, winner.duration_seconds) == (Status.COMPLETED, 83)
    assert (loser.status, loser.ended_at) == (Status.CANCELED, winner.answered_at)
    [action] = customer.told("/action")
    assert action["DialCallSid"] == winner.sid
    assert (action["DialCallStatus"], action["DialBridged"]) == ("completed", "true")
    assert action["DialCallDuration"] == "83"


def test_sequential_targets_ring_one_after_another(carrier, customer, dial: Dial):
    carrier.people.tell(FRONT_DESK, Behaviour(Outcome.NO_ANSWER))
    customer.says("/voice", dial(FRONT_DESK, MOBILE, attributes='sequential="true" timeout="10"'))
    sid = call(carrier)
    first, second = carrier.children(sid)
    assert first.status is Status.NO_ANSWER
    assert second.created_at == first.ended_at
    assert second.duration_seconds == 30


@pytest.mark.parametrize(
    "outcome, status, dial_status",
    [
        pytest.param(Outcome.BUSY, "busy", "busy", id="engaged"),
        pytest.param(Outcome.REJECTS, "busy", "busy", id="declined on the telephone"),
        pytest.param(Outcome.NO_ANSWER, "no-answer", "no-answer", id="nobody there"),
        pytest.param(Outcome.FAILED, "failed", "failed", id="no such number"),
    ],
)
def test_a_leg_that_nobody_answers_costs_nothing(
    carrier, customer, dial: Dial, outcome, status, dial_status
):
    carrier.people.tell(FRONT_DESK, Behaviour(outcome))
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    sid = call(carrier)
    [child] = carrier.children(sid)
    assert child.status == status
    [action] = customer.told("/action")
    assert (action["DialCallStatus"], action["DialBridged"]) == (dial_status, "false")
    assert "DialCallDuration" not in action
    assert carrier.call(sid).status in ("busy", "no-answer")
    assert carrier.books.bill.lines() == []


def test_twilio_rings_five_seconds_longer_than_the_timeout_says(carrier, customer, dial: Dial):
    carrier.people.tell(FRONT_DESK, Behaviour(answers_after_seconds=24, talks_seconds=10))
    carrier.people.tell(MOBILE, Behaviour(answers_after_seconds=26))
    customer.says("/voice", dial(FRONT_DESK, attributes='timeout="20"'))
    assert carrier.children(call(carrier))[0].status is Status.COMPLETED
    customer.says("/voice", dial(MOBILE, attributes='timeout="20"'))
    [late] = carrier.children(call(carrier))
    assert late.status is Status.NO_ANSWER
    assert (late.ended_at - late.created_at).total_seconds() == 25


def test_the_time_limit_ends_the_talk_and_the_caller_goes_on(carrier, customer, dial: Dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='timeLimit="60" answerOnBridge="true"'))
    customer.says("/action", "<Say>Goodbye and thank you</Say><Hangup/>")
    sid = call(carrier)
    [child] = carrier.children(sid)
    assert child.duration_seconds == 60
    assert carrier.call(sid).duration_seconds == 62  # and two seconds of goodbye


def test_without_answer_on_bridge_the_caller_pays_for_the_ringing(carrier, customer, dial: Dial):
    carrier.people.tell(FRONT_DESK, Behaviour(answers_after_seconds=20, talks_seconds=50))
    customer.says("/voice", dial(FRONT_DESK))
    sid = call(carrier)
    assert (carrier.call(sid).duration_seconds, carrier.call(sid).billed_minutes) == (70, 2)
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    sid = call(carrier)
    assert (carrier.call(sid).duration_seconds, carrier.call(sid).billed_minutes) == (50, 1)


def test_answer_on_bridge_counts_only_as_the_first_verb(carrier, customer, dial: Dial):
    customer.says("/voice", "<Pause/>" + dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    assert carrier.call(call(carrier)).duration_seconds == 1 + 6 + 83


def test_a_second_dial_of_the_same_document_answers_the_caller(carrier, customer, dial: Dial):
    carrier.people.tell(FRONT_DESK, Behaviour(Outcome.BUSY))
    both = [dial(phone, attributes='answerOnBridge="true"', action=False)
            for phone in (FRONT_DESK, MOBILE)]  # fmt: skip
    customer.says("/voice", "".join(both))
    assert carrier.call(call(carrier)).duration_seconds == 9 + 30


def test_a_caller_rings_on_while_the_next_document_dials_the_next_phone(
    carrier, customer, dial: Dial
):
    carrier.people.tell(FRONT_DESK, Behaviour(Outcome.BUSY))
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    customer.says("/action", dial(MOBILE, attributes='answerOnBridge="true"', action=False))
    sid = call(carrier)
    assert [leg.duration_seconds for leg in carrier.children(sid)] == [0, 30]
    assert carrier.call(sid).duration_seconds == 30


def test_a_caller_who_hangs_up_while_it_rings_leaves_no_cost(carrier, customer, dial: Dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    sid = call(carrier, CallerScript(hangs_up_after_seconds=4))
    assert carrier.call(sid).status is Status.NO_ANSWER
    assert [leg.status for leg in carrier.children(sid)] == [Status.CANCELED]
    assert customer.paths()[-2:] == ["/leg", "/status"]
    assert customer.told("/action") == []
    assert carrier.books.bill.minutes() == 0


def test_a_caller_who_hangs_up_first_ends_both_legs(carrier, customer, dial: Dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    sid = call(carrier, CallerScript(talks_seconds=45))
    assert carrier.call(sid).duration_seconds == 45
    assert carrier.children(sid)[0].duration_seconds == 45
    assert customer.paths()[-2:] == ["/leg", "/status"]


def test_the_action_is_also_asked_after_the_caller_hung_up_where_that_is_switched_on(
    carrier, customer, dial: Dial
):
    carrier.exchange.action_after_caller_hangup = True
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    call(carrier, CallerScript(talks_seconds=45))
    assert [form["CallStatus"] for form in customer.told("/action")] == ["completed"]


def test_a_whispered_callee_who_presses_one_is_bridged(carrier, customer, dial: Dial):
    whisper = f'url="{customer.url("/whisper")}"'
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"', noun=whisper))
    customer.says(
        "/whisper",
        lambda form: (
            "" if form.get("Digits") == "1" else '<Gather numDigits="1"><Say>Hi</Say></Gather>'
        ),
    )
    sid = call(carrier)
    [child] = carrier.children(sid)
    assert child.duration_seconds == 85  # one second of prompt, one for the key, 83 of talk
    assert carrier.call(sid).duration_seconds == 83
    first = customer.told("/whisper")[0]
    assert (first["CallSid"], first["ParentCallSid"]) == (child.sid, sid)
    assert first["CallStatus"] == "in-progress"
    assert customer.told("/action")[0]["DialBridged"] == "true"


def test_a_callee_who_declines_the_whisper_was_answered_but_never_bridged(
    carrier, customer, dial: Dial
):
    carrier.people.tell(FRONT_DESK, Behaviour(Outcome.MACHINE, 8, 20, presses=()))
    whisper = f'url="{customer.url("/whisper")}"'
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"', noun=whisper))
    customer.says("/whisper", '<Gather numDigits="1"><Say>Press one</Say></Gather><Hangup/>')
    sid = call(carrier)
    [child] = carrier.children(sid)
    assert (child.status, child.billed_minutes) == (Status.COMPLETED, 1)
    [action] = customer.told("/action")
    assert (action["DialCallStatus"], action["DialBridged"]) == ("completed", "false")
    assert carrier.call(sid).billed_minutes == 0


def test_other_phones_ring_on_while_one_is_asked_to_press_one(carrier, customer, dial: Dial):
    carrier.people.tell(FRONT_DESK, Behaviour(Outcome.MACHINE, 4, 20, presses=()))
    whisper = f'url="{customer.url("/whisper")}"'
    customer.says("/voice", dial(FRONT_DESK, MOBILE, noun=whisper))
    customer.says(
        "/whisper",
        lambda form: "" if form.get("Digits") else '<Gather timeout="20" numDigits="1"/><Hangup/>',
    )
    machine, human = carrier.children(call(carrier))
    assert (machine.status, human.status) == (Status.COMPLETED, Status.COMPLETED)
    assert human.duration_seconds == 31
    assert customer.told("/action")[0]["DialCallSid"] == human.sid


def test_dialling_inside_a_whisper_is_refused(carrier, customer, dial: Dial):
    whisper = f'url="{customer.url("/whisper")}"'
    customer.says("/voice", dial(FRONT_DESK, noun=whisper))
    customer.says("/whisper", dial(MOBILE))
    sid = call(carrier)
    [child] = carrier.children(sid)
    assert [one["code"] for one in carrier.exchange.notifications(child.sid)] == [13201]


def test_eleven_phones_at_once_are_refused(carrier, customer, dial: Dial):
    customer.says("/voice", dial(*[f"+1415555{n:04d}" for n in range(100, 111)]))
    customer.says("/fallback", "<Reject/>")
    sid = call(carrier)
    assert carrier.children(sid) == []
    assert "ErrorCode" in customer.told("/fallback")[0]


def test_sip_and_client_targets_ring_like_numbers(carrier, customer):
    carrier.people.tell("sip:desk@acme.example", Behaviour(Outcome.BUSY))
    carrier.people.tell("client:alice", Behaviour(talks_seconds=61))
    customer.says("/voice", "<Dial><Sip>sip:desk@acme.example</Sip><Client>alice</Client></Dial>")
    sip, client = carrier.children(call(carrier))
    assert (sip.to, sip.status) == ("sip:desk@acme.example", Status.BUSY)
    assert (client.to, client.duration_seconds) == ("client:alice", 61)


def test_a_number_forwarded_to_a_number_of_ours_comes_in_again(carrier, customer, dial: Dial):
    other = carrier.buy_number({"PhoneNumber": "+13125550100", "VoiceUrl": customer.url("/second")})
    customer.says("/voice", dial(other.phone_number, attributes='answerOnBridge="true"'))
    customer.says("/second", f'<Dial answerOnBridge="true">{FRONT_DESK}</Dial>')
    sid = call(carrier)
    [second] = customer.told("/second")
    assert second["ForwardedFrom"] == ACME_LINE
    assert second["CallSid"] != sid and second["Direction"] == "inbound"
    assert carrier.children(sid)[0].duration_seconds == 83
    assert carrier.call(second["CallSid"]).duration_seconds == 83
    assert carrier.books.bill.minutes() == 2 * 4  # two inbound legs, two outbound legs


def test_two_numbers_forwarded_to_each_other_come_to_an_end(carrier, customer, dial: Dial):
    customer.says("/voice", dial(ACME_LINE, attributes='answerOnBridge="true"'))
    sid = call(carrier)
    assert carrier.call(sid).status in ("no-answer", "busy", "failed")
    assert len(customer.told("/voice")) == 6
    assert carrier.books.live == {}


def test_a_caller_id_that_is_not_ours_is_noted_and_not_shown(carrier, customer, dial: Dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='callerId="+18085550100"'))
    sid = call(carrier)
    assert carrier.children(sid)[0].from_ == CALLER
    assert [one["code"] for one in carrier.exchange.notifications(sid)] == [13214]
    customer.says("/voice", dial(FRONT_DESK, attributes=f'callerId="{ACME_LINE}"'))
    assert carrier.children(call(carrier))[0].from_ == ACME_LINE


def test_an_hours_call_takes_milliseconds(carrier, customer, dial: Dial):
    carrier.people.tell(FRONT_DESK, Behaviour(answers_after_seconds=5, talks_seconds=3600))
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    started = time.perf_counter()
    sid = call(carrier)
    assert time.perf_counter() - started < 1
    assert (carrier.call(sid).duration_seconds, carrier.call(sid).billed_minutes) == (3600, 60)


def test_each_started_minute_of_each_answered_leg_is_billed(carrier, customer, dial: Dial):
    customer.says("/voice", dial(FRONT_DESK, MOBILE, attributes='answerOnBridge="true"'))
    sid = call(carrier)
    lines = {line.call_sid: line for line in carrier.books.bill.lines()}
    winner = carrier.children(sid)[0]
    assert lines.keys() == {sid, winner.sid}
    assert (lines[sid].minutes, lines[sid].price_micros) == (2, 17_000)
    assert (lines[winner.sid].minutes, lines[winner.sid].price_micros) == (2, 28_000)


def test_the_price_of_a_call_appears_a_minute_after_its_end(carrier, customer, dial: Dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    sid = carrier.place_call(CALLER, ACME_LINE)
    carrier.run_for(90)
    assert carrier.call(sid).over and carrier.call(sid).price_micros is None
    carrier.run_for(60)
    assert carrier.call(sid).price_micros == 17_000


def test_a_recorded_call_tells_of_its_recording_on_the_parent(carrier, customer, dial: Dial):
    recording = (
        f'record="record-from-answer-dual" recordingStatusCallback="{customer.url("/recording")}"'
    )
    customer.says("/voice", dial(FRONT_DESK, attributes=recording))
    sid = call(carrier)
    [told] = customer.told("/recording")
    assert (told["CallSid"], told["RecordingStatus"]) == (sid, "completed")
    assert (told["RecordingDuration"], told["RecordingChannels"]) == ("83", "2")
    assert told["RecordingSource"] == "DialVerb"
    assert customer.told("/action")[0]["RecordingUrl"] == told["RecordingUrl"]
