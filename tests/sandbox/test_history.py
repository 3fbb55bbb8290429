"""Calls of the time before the process: the demo's past stands in the carrier's books."""

from typing import Any

SID, LEG = "CA" + "1" * 32, "CA" + "2" * 32
PARENT = {
    "sid": SID,
    "direction": "inbound",
    "from_": "+12125550199",
    "to": "+14155550100",
    "status": "completed",
    "created_at": "2026-02-03T10:00:00+00:00",
    "answered_at": "2026-02-03T10:00:06+00:00",
    "ended_at": "2026-02-03T10:01:29+00:00",
}
CHILD = PARENT | {
    "sid": LEG,
    "parent_call_sid": SID,
    "direction": "outbound-dial",
    "from_": "+14155550100",
    "to": "+14155550101",
}


def test_a_call_of_the_past_is_listed_priced_and_billed_once(api: Any) -> None:
    for _ in range(2):
        told = api("POST", "/sandbox/history", json={"calls": [PARENT, CHILD]})
        assert told.status_code == 201
    day = api("GET", "Calls.json?StartTime=2026-02-03").get_json()["calls"]
    assert {(one["sid"], one["duration"], one["price"]) for one in day} == {
        (SID, "83", "-0.01700"),
        (LEG, "83", "-0.02800"),
    }
    assert api("GET", "/sandbox/billed").get_json()["minutes"] == 4


def test_a_leg_that_is_none_is_named(api: Any) -> None:
    refused = api("POST", "/sandbox/history", json={"calls": [{"sid": SID}]})
    assert refused.status_code == 400
    assert "calls" in refused.get_json()["message"]
