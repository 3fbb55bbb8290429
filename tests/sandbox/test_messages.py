"""Texts of the carrier's customer: what becomes of them, and what is told of it."""

from pathlib import Path

import pytest

from gateway.sandbox.carrier import Carrier
from gateway.sandbox.clock import VirtualClock
from gateway.sandbox.messages import segments
from gateway.sandbox.store import Store

ACME_LINE, CALLER = "+12125550100", "+17025550199"
HELLO = {"To": CALLER, "From": ACME_LINE, "Body": "Hello"}


@pytest.mark.parametrize(
    "fate, told, error_code, billed",
    [
        pytest.param("delivered", ["sent", "delivered"], None, True, id="it arrives"),
        pytest.param("undelivered", ["sent", "undelivered"], 30003, True, id="30003 unreachable"),
        pytest.param("failed", ["failed"], 30007, False, id="30007 filtered, never sent"),
        pytest.param("silent", ["sent"], None, True, id="nothing is heard of it again"),
    ],
)
def test_a_text_meets_its_fate(api, carrier, customer, fate, told, error_code, billed):
    assert api("PUT", f"/sandbox/texts/{CALLER}", json={"fate": fate}).status_code == 200
    before = carrier.books.bill.balance_micros()
    sent = api("POST", "Messages.json", data=HELLO | {"StatusCallback": customer.url("/text")})
    carrier.run_until_idle()
    forms = customer.told("/text")
    assert [form["MessageStatus"] for form in forms] == told
    document = api("GET", f"Messages/{sent.get_json()['sid']}.json").get_json()
    assert (document["status"], document["error_code"]) == (told[-1], error_code)
    assert forms[-1].get("ErrorCode") == (str(error_code) if error_code else None)
    assert (carrier.books.bill.balance_micros() < before) is billed


def test_an_answer_can_be_lost_after_the_deed(api, carrier):
    assert api("PUT", "/sandbox/lost-answers", json={"next": 1}).status_code == 200
    assert api("POST", "Messages.json", data=HELLO).status_code == 502
    assert len(carrier.messages.by_sid) == 1
    assert api("POST", "Messages.json", data=HELLO).status_code == 201


@pytest.mark.parametrize("bound, found", [("DateSent>", 1), ("DateSent<", 0)])
def test_texts_are_listed_by_their_day(api, carrier, bound, found):
    carrier.receive_message(CALLER, ACME_LINE, "Hi")
    day = carrier.clock.now().date()
    asked = day.isoformat() if bound == "DateSent>" else day.replace(year=day.year - 1).isoformat()
    listed = api("GET", f"Messages.json?{bound.replace('>', '%3E').replace('<', '%3C')}={asked}")
    assert len(listed.get_json()["messages"]) == found


@pytest.mark.parametrize(
    "body, toll_free, count",
    [
        pytest.param("x" * 160, False, 1, id="S5-07 160 alone"),
        pytest.param("x" * 306, False, 2, id="S5-07 153 in each part"),
        pytest.param("x" * 306, True, 3, id="152 in each part of a toll-free number's text"),
        pytest.param("x" * 152 + "€" + "x" * 152, False, 3, id="an escape does not part"),
        pytest.param("🙂" * 35, False, 1, id="70 units of UCS-2"),
        pytest.param("🙂" * 67, False, 3, id="a surrogate pair does not part"),
    ],
)
def test_segments_are_counted_as_they_are_cut(body, toll_free, count):
    assert segments(body, toll_free=toll_free) == count


def test_stop_is_remembered_over_a_restart(tmp_path: Path):
    first = Carrier("AC" + "5a" * 16, "t", VirtualClock(), store=Store(tmp_path))
    first.buy_number({"PhoneNumber": ACME_LINE})
    first.receive_message(CALLER, ACME_LINE, "stop")
    first.books.store.close()
    second = Carrier("AC" + "5a" * 16, "t", VirtualClock(), store=Store(tmp_path))
    assert (CALLER, ACME_LINE) in second.messages._stopped
    second.books.store.close()
