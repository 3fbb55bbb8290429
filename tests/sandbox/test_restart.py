"""In real time, and after a restart: what was bought and billed is still there."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.sandbox.calls import Status
from gateway.sandbox.carrier import Carrier
from gateway.sandbox.people import Behaviour, CallerScript
from gateway.sandbox.store import Store

ACCOUNT_SID, AUTH_TOKEN = "AC" + "5a" * 16, "sandbox-token"
ACME_LINE, CALLER, FRONT_DESK = "+12125550100", "+17025550199", "+14155550101"


@pytest.fixture
def start(tmp_path: Path, customer) -> Iterator[Callable[..., Carrier]]:
    """A carrier in real time on the same directory each time; all are stopped at the end."""
    started: list[Carrier] = []

    def run(price_delay_seconds: float = 60) -> Carrier:
        carrier = Carrier(
            ACCOUNT_SID, AUTH_TOKEN, store=Store(tmp_path), price_delay_seconds=price_delay_seconds
        )
        if ACME_LINE not in carrier.books.numbers.owned:
            carrier.buy_number(
                {
                    "PhoneNumber": ACME_LINE,
                    "VoiceUrl": customer.url("/voice"),
                    "StatusCallback": customer.url("/status"),
                }
            )
        carrier.people.tell(FRONT_DESK, Behaviour(answers_after_seconds=0.05, talks_seconds=0.1))
        carrier.start()
        started.append(carrier)
        return carrier

    yield run
    for carrier in started:
        carrier.stop()
        carrier.books.store.close()


def wait_for(condition: Callable[[], object], seconds: float = 5) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.01)


def test_a_call_in_real_time_is_told_like_one_in_virtual_time(start, customer, dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    carrier = start()
    sid = carrier.place_call(CALLER, ACME_LINE)
    wait_for(lambda: len(customer.received) == 7)
    assert sorted(customer.paths()) == ["/action", *["/leg"] * 4, "/status", "/voice"]
    assert carrier.call(sid).status is Status.COMPLETED
    assert customer.unsigned == []


def test_a_slow_customer_holds_up_only_its_own_call(start, customer):
    release = threading.Event()

    def slow(form: dict[str, str]) -> str:
        if form["From"] == CALLER:
            release.wait(5)
        return "<Reject/>"

    customer.says("/voice", slow)
    carrier = start()
    held = carrier.place_call(CALLER, ACME_LINE)
    quick = carrier.place_call("+13105550100", ACME_LINE)
    wait_for(lambda: carrier.call(quick).over)
    assert not carrier.call(held).over
    release.set()
    wait_for(lambda: carrier.call(held).over)


def test_numbers_calls_recordings_and_the_bill_survive_a_restart(start, customer):
    customer.says("/voice", "<Hangup/>")
    first = start()
    sid = first.place_call(CALLER, ACME_LINE)
    text = first.receive_message(CALLER, ACME_LINE, "Hello")
    wait_for(lambda: first.call(sid).over)
    bill, balance = first.books.bill.lines(), first.books.bill.balance_micros()
    first.stop()
    second = start()
    assert list(second.books.numbers.owned) == [ACME_LINE]
    assert second.call(sid) == first.call(sid)
    assert second.messages.by_sid[text].body == "Hello"
    assert (second.books.bill.lines(), second.books.bill.balance_micros()) == (bill, balance)


def test_calls_that_were_live_at_a_restart_end_and_say_so(start, customer, dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    first = start()
    first.people.tell(FRONT_DESK, Behaviour(answers_after_seconds=0.05, talks_seconds=900))
    answered = first.place_call(CALLER, ACME_LINE)
    wait_for(lambda: first.call(answered).answered_at is not None)
    customer.says("/voice", '<Dial answerOnBridge="true" timeout="60">+18085550100</Dial>')
    first.people.tell("+18085550100", Behaviour(answers_after_seconds=900))
    ringing = first.place_call(CALLER, ACME_LINE, CallerScript())
    wait_for(lambda: first.children(ringing))
    first.stop()
    customer.received.clear()
    second = start()
    wait_for(lambda: len(customer.told("/status")) == 2)
    assert second.call(answered).status is Status.COMPLETED
    assert second.children(answered)[0].status is Status.COMPLETED
    assert second.call(ringing).status is Status.FAILED
    assert {form["CallStatus"] for form in customer.told("/leg")} == {"completed"}
    told = {form["CallSid"]: form["CallStatus"] for form in customer.told("/status")}
    assert told == {answered: "completed", ringing: "failed"}


def test_the_price_of_a_call_that_was_due_at_a_restart_still_appears(start, customer):
    customer.says("/voice", "<Hangup/>")
    first = start()
    sid = first.place_call(CALLER, ACME_LINE)
    wait_for(lambda: first.call(sid).over)
    assert first.call(sid).price_micros is None
    first.stop()
    second = start(price_delay_seconds=0.05)
    wait_for(lambda: second.call(sid).price_micros == 8_500)
