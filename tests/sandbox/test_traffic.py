"""Believable callers, by the call, the day and the storm; and the endpoints that ask for them."""

import random
import statistics
import time
from datetime import datetime

import pytest

from gateway.sandbox.carrier import Carrier
from gateway.sandbox.clock import VirtualClock
from gateway.sandbox.people import Behaviour, Outcome, People
from gateway.sandbox.poster import Reply
from gateway.sandbox.rest import create_sandbox_app
from gateway.sandbox.traffic import Traffic, draw_caller, simulate_day

ACCOUNT_SID, AUTH_TOKEN = "AC" + "5a" * 16, "sandbox-token"
ACME_LINE, CALLER, FRONT_DESK = "+12125550100", "+17025550199", "+14155550101"


def test_callers_come_from_many_area_codes_and_stay_for_different_times():
    rng = random.Random(7)
    callers = [draw_caller(rng) for _ in range(2000)]
    codes = {caller.from_[2:5] for caller in callers if caller.from_.startswith("+1")}
    assert len(codes) > 250
    assert any(caller.from_.startswith("+44") for caller in callers)
    talks = [caller.script.talks_seconds for caller in callers if caller.script.talks_seconds]
    assert 60 < statistics.median(talks) < 120
    assert max(talks) > 600
    assert 20 < sum(caller.script.withheld for caller in callers) < 120
    spam = [talk for talk in talks if talk < 7]
    assert 100 < len(spam) < 300


def test_callers_have_numbers_that_are_kept_for_fiction():
    rng = random.Random(7)
    numbers = {draw_caller(rng).from_ for _ in range(500)}
    assert all(number[5:10] == "55501" or number.startswith("+447700900") for number in numbers)


def test_most_people_answer_and_the_same_seed_answers_alike():
    def outcomes(seed: int) -> list[Behaviour]:
        people = People(seed)
        return [people.behaviour(FRONT_DESK) for _ in range(400)]

    assert outcomes(1) == outcomes(1) != outcomes(2)
    seen = [behaviour.outcome for behaviour in outcomes(1)]
    assert set(seen) == set(Outcome)
    assert 0.65 < seen.count(Outcome.ANSWERS) / 400 < 0.85


def test_traffic_arrives_at_its_rate_and_stops_when_it_is_turned_off():
    carrier = Carrier(ACCOUNT_SID, AUTH_TOKEN, VirtualClock(), lambda request: Reply(200))
    carrier.buy_number({"PhoneNumber": ACME_LINE, "VoiceUrl": "http://gw.example/voice"})
    traffic = Traffic(carrier, _rng=random.Random(3))
    traffic.set_rate(30)
    carrier.run_for(600)
    assert 240 < len(carrier.books.calls) < 360
    traffic.set_rate(0)
    carrier.run_until_idle()
    placed = len(carrier.books.calls)
    carrier.run_for(600)
    assert len(carrier.books.calls) == placed


def test_traffic_waits_for_the_first_number(carrier):
    carrier.books.numbers.release(carrier.books.numbers.owned[ACME_LINE].sid)
    Traffic(carrier).set_rate(60)
    carrier.run_for(60)
    assert carrier.books.calls == {}


def test_a_simulated_day_has_quiet_nights_and_busy_mornings(carrier, customer, dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    carrier.people.forget(FRONT_DESK)
    seen: list[int] = []
    before = carrier.clock.now()
    ended = simulate_day(carrier, 40, lambda done, total: seen.append(done), seed=5)
    parents = [call for call in carrier.books.calls.values() if call.direction == "inbound"]
    assert (ended, len(parents), seen) == (40, 40, list(range(1, 41)))
    assert all(call.over and call.created_at < before for call in parents)
    new_york_hours = [(call.created_at.hour - 5) % 24 for call in parents]
    assert sum(8 <= hour < 18 for hour in new_york_hours) > 25
    answered = [call for call in parents if call.answered_at]
    assert 12 < len(answered) < 38
    timestamps = [datetime.strptime(form["Timestamp"], "%a, %d %b %Y %H:%M:%S %z")
                  for form in customer.told("/leg")]  # fmt: skip
    assert max(timestamps) < before
    assert carrier.clock.now() == before
    assert carrier.books.live == {}


# The control endpoints.


def test_a_call_is_placed_with_people_who_do_as_they_are_told(api, carrier, customer, dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    body = {
        "from": CALLER,
        "to": ACME_LINE,
        "caller": {"talks_seconds": 20},
        "people": {FRONT_DESK: {"outcome": "answers", "answers_after_seconds": 3}},
    }
    placed = api("POST", "/sandbox/calls", json=body)
    assert placed.status_code == 201
    carrier.run_until_idle()
    call = carrier.call(placed.get_json()["call_sid"])
    assert (call.from_, call.duration_seconds) == (CALLER, 20)
    listed = api("GET", "/sandbox/calls?limit=1").get_json()["calls"]
    assert [one["to"] for one in listed] == [FRONT_DESK]
    assert api("GET", "/sandbox/billed").get_json()["minutes"] == 2
    status = api("GET", "/sandbox/status").get_json()
    assert (status["numbers"], status["calls"], status["live"]) == ([ACME_LINE], 2, 0)
    told = api("GET", "/sandbox/callbacks").get_json()["callbacks"]
    assert [one["params"]["CallStatus"] for one in told][-1] == "completed"


def test_a_call_without_particulars_draws_its_caller(api, carrier, customer):
    customer.says("/voice", "<Reject/>")
    sid = api("POST", "/sandbox/calls", json={}).get_json()["call_sid"]
    carrier.run_until_idle()
    assert carrier.call(sid).to == ACME_LINE and carrier.call(sid).over


def test_somebody_puts_the_telephone_down(api, carrier, customer, dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    sid = carrier.place_call(CALLER, ACME_LINE)
    carrier.run_for(16)
    assert api("POST", f"/sandbox/calls/{sid}/hangup").status_code == 200
    carrier.run_until_idle()
    assert carrier.call(sid).duration_seconds == 10


def test_a_text_and_a_person_and_faults_are_set_from_outside(api, carrier, customer):
    text = {"from": CALLER, "to": ACME_LINE, "body": "Hello"}
    assert api("POST", "/sandbox/messages", json=text).status_code == 201
    behaviour = {"outcome": "busy", "presses": ["", "1"]}
    assert api("PUT", f"/sandbox/people/{FRONT_DESK}", json=behaviour).status_code == 200
    assert carrier.people.behaviour(FRONT_DESK).outcome is Outcome.BUSY
    assert api("GET", "/sandbox/people").get_json()[FRONT_DESK]["presses"] == ["", "1"]
    api("DELETE", f"/sandbox/people/{FRONT_DESK}")
    assert FRONT_DESK not in carrier.people.told()
    api("PUT", "/sandbox/faults", json={"lose": 1})
    carrier.place_call(CALLER, ACME_LINE)
    carrier.run_until_idle()
    assert customer.told("/sms")[0]["Body"] == "Hello"
    assert customer.told("/status") == []


@pytest.mark.parametrize(
    "method, path, body, word",
    [
        pytest.param("POST", "calls", {"caller": {"shouts": 1}}, "shouts", id="unknown field"),
        pytest.param(
            "PUT", "people/+14155550101", {"outcome": "sleeps"}, "sleeps", id="unknown outcome"
        ),
        pytest.param("PUT", "faults", {"lose": 2}, "lose", id="no probability"),
        pytest.param("PUT", "traffic", {}, "calls_per_minute", id="no rate"),
        pytest.param("POST", "simulations", {"kind": "war"}, "war", id="unknown simulation"),
        pytest.param("POST", "simulations", {"kind": "day", "calls": 0}, "calls", id="no calls"),
        pytest.param("POST", "messages", {"to": 5}, "to", id="no text"),
        pytest.param("PUT", "texts/+14155550101", {"fate": "eaten"}, "eaten", id="no fate"),
        pytest.param("PUT", "lost-answers", {"next": -1}, "next", id="no count"),
        pytest.param("POST", "calls", [], "object", id="not an object"),
        pytest.param("POST", "messages", {"body": "\ud83d"}, "half", id="half an emoji"),
    ],
)
def test_a_senseless_wish_is_refused_by_its_name(api, method, path, body, word):
    answer = api(method, f"/sandbox/{path}", json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (400, 20001)
    assert word in answer.get_json()["message"]


def test_an_unknown_simulation_is_not_found(api):
    assert api("GET", "/sandbox/simulations/7").status_code == 404


def test_without_a_number_nothing_is_simulated(api, carrier):
    carrier.books.numbers.release(carrier.books.numbers.owned[ACME_LINE].sid)
    for path, body in (("calls", {}), ("simulations", {"kind": "storm"})):
        answer = api("POST", f"/sandbox/{path}", json=body)
        assert "VoiceUrl" in answer.get_json()["message"]


@pytest.mark.parametrize("kind", ["day", "storm"])
def test_a_simulation_reports_its_progress_until_it_is_done(customer, kind):
    customer.says("/voice", "<Reject/>")
    carrier = Carrier(ACCOUNT_SID, AUTH_TOKEN)
    carrier.buy_number({"PhoneNumber": ACME_LINE, "VoiceUrl": customer.url("/voice")})
    carrier.start()
    try:
        client = create_sandbox_app(carrier).test_client()
        auth = (ACCOUNT_SID, AUTH_TOKEN)
        body = {"kind": kind, "calls": 12, "over_seconds": 0.1}
        started = client.post("/sandbox/simulations", json=body, auth=auth).get_json()
        give_up_at = time.monotonic() + 10
        while True:
            now = client.get(f"/sandbox/simulations/{started['id']}", auth=auth).get_json()
            if now["state"] != "running" or time.monotonic() > give_up_at:
                break
            time.sleep(0.02)
    finally:
        carrier.stop()
    assert (now["state"], now["ended"], now["total"]) == ("done", 12, 12)
    assert len(customer.told("/voice")) == 12
