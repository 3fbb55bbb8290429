"""Callbacks that are doubled, late, overtaken or lost; and those that a test delivers by hand."""

import pytest

from gateway.sandbox.callbacks import Faults
from gateway.sandbox.carrier import Carrier
from gateway.sandbox.clock import VirtualClock

ACCOUNT_SID, AUTH_TOKEN = "AC" + "5a" * 16, "sandbox-token"
ACME_LINE, CALLER, FRONT_DESK = "+12125550100", "+17025550199", "+14155550101"


def call(carrier: Carrier) -> str:
    sid = carrier.place_call(CALLER, ACME_LINE)
    carrier.run_until_idle()
    return sid


def asynchronous(customer) -> list[tuple[str, str]]:
    return [
        (path, form["CallStatus"])
        for path, form in customer.received
        if path in ("/leg", "/status")
    ]


INITIATED, RINGING, ANSWERED = ("/leg", "initiated"), ("/leg", "ringing"), ("/leg", "in-progress")
LEG_OVER, CALL_OVER = ("/leg", "completed"), ("/status", "completed")


@pytest.mark.parametrize(
    "script, delivered",
    [
        pytest.param(
            lambda callback: [0.0],
            [INITIATED, RINGING, ANSWERED, LEG_OVER, CALL_OVER],
            id="nothing happens to them",
        ),
        pytest.param(
            lambda callback: [0.0, 0.0],
            [one for one in (INITIATED, RINGING, ANSWERED, LEG_OVER, CALL_OVER) for _ in range(2)],
            id="each comes twice",
        ),
        pytest.param(
            lambda callback: [] if callback.params["CallStatus"] == "in-progress" else [0.0],
            [INITIATED, RINGING, LEG_OVER, CALL_OVER],
            id="the answer is lost",
        ),
        pytest.param(
            lambda callback: [200.0] if callback.params["CallStatus"] == "in-progress" else [0.0],
            [INITIATED, RINGING, LEG_OVER, CALL_OVER, ANSWERED],
            id="the answer arrives after the end",
        ),
        pytest.param(
            lambda callback: [0.0, 300.0] if callback.kind == "status" else [0.0],
            [INITIATED, RINGING, ANSWERED, LEG_OVER, CALL_OVER, CALL_OVER],
            id="the end is told again later",
        ),
    ],
)
def test_a_script_decides_the_fate_of_every_callback(carrier, customer, dial, script, delivered):
    customer.says("/voice", dial(FRONT_DESK))
    carrier.faults = Faults(script=script)
    call(carrier)
    assert asynchronous(customer) == delivered
    assert len(carrier.captured) == 5


def test_drawn_faults_are_the_same_for_the_same_seed(carrier, customer, dial):
    customer.says("/voice", dial(FRONT_DESK))

    def run(seed: int) -> list[tuple[str, str]]:
        customer.received.clear()
        carrier.faults = Faults(duplicate=0.3, delay=0.3, reorder=0.3, lose=0.2, seed=seed)
        for _ in range(5):
            call(carrier)
        return asynchronous(customer)

    first = run(1)
    assert run(1) == first
    assert run(2) != first
    assert set(first) == {INITIATED, RINGING, ANSWERED, LEG_OVER, CALL_OVER}


def test_a_callback_is_overtaken_by_the_next_one_of_its_call(carrier, customer, dial):
    # Nothing follows the answer for 83 s, so that it leaves alone, half a minute late.
    customer.says("/voice", dial(FRONT_DESK))
    carrier.faults = Faults(reorder=1.0)
    call(carrier)
    assert asynchronous(customer) == [RINGING, INITIATED, ANSWERED, CALL_OVER, LEG_OVER]


@pytest.mark.parametrize("name", ["duplicate", "delay", "reorder", "lose"])
def test_a_fault_is_a_probability(name):
    with pytest.raises(ValueError, match=name):
        Faults(**{name: 1.5})


def test_held_callbacks_are_captured_and_documents_are_still_asked_for(customer, dial):
    carrier = Carrier(ACCOUNT_SID, AUTH_TOKEN, VirtualClock(), hold=True)
    carrier.buy_number(
        {
            "PhoneNumber": ACME_LINE,
            "VoiceUrl": customer.url("/voice"),
            "StatusCallback": customer.url("/status"),
        }
    )
    customer.says("/voice", dial(FRONT_DESK))
    sid = call(carrier)
    assert customer.paths() == ["/voice", "/action"]
    kinds = [callback.kind for callback in carrier.captured]
    assert kinds[-1] == "status" and set(kinds) == {"leg", "status"}
    assert {callback.about for callback in carrier.captured} == {sid}
    for callback in reversed(carrier.captured):
        assert carrier.courier.deliver(callback).status == 200
    assert customer.paths()[2] == "/status"
    assert customer.unsigned == []


def test_money_callbacks_are_retried_as_their_url_asks(carrier, customer, dial):
    number = carrier.books.numbers.owned[ACME_LINE]
    number.status_callback = customer.url("/status#rc=5&rp=5xx,ct,rt")
    customer.failing["/status"] = 3
    call(carrier)
    assert len(customer.told("/status")) == 4
    [delivery] = carrier.courier.delivered
    assert (delivery.reply.status, delivery.reply.attempts) == (200, 4)


def test_without_a_fragment_a_server_error_loses_the_callback(carrier, customer):
    customer.failing["/status"] = 1
    call(carrier)
    assert len(customer.told("/status")) == 1
    assert carrier.courier.delivered[0].reply.status == 500
