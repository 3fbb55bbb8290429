"""Texts over the API."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.services import message_events
from gateway.services.accounts import Account
from gateway.services.message_events import IncomingText
from gateway.uow import UnitsOfWork
from tests.api.conftest import Program

NUMBER, PEER = "+14155550142", "+17025550111"


@pytest.fixture
def number(acmes: Program, acme: Account, fund: Callable[..., None]) -> dict[str, Any]:
    """Acme's new number."""
    fund(acme, "50.00")
    answer = acmes.post("/numbers", {"phone_number": NUMBER, "label": "Front desk"})
    assert answer.status_code == 201 and answer.json is not None
    return answer.json


def text(number: dict[str, Any], body: str = "Hello", to: str = PEER) -> dict[str, str]:
    return {"number_id": number["id"], "to": to, "body": body}


def receive(units: UnitsOfWork, body: str, sid: str = "1") -> None:
    with units.begin() as uow:
        incoming = IncomingText(f"SM{sid:0>32}", PEER, NUMBER, body, 1, 0, uow.now)
        assert message_events.receive(uow, incoming, {"Body": body})


def test_a_text_is_sent_once_per_key_and_listed(acmes: Program, number: dict[str, Any]) -> None:
    sent = acmes.post("/messages", text(number), Idempotency_Key="t1")
    again = acmes.post("/messages", text(number), Idempotency_Key="t1")
    other = acmes.post("/messages", text(number, "Bye"), Idempotency_Key="t1")
    assert (sent.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert sent.json is not None and sent.json == again.json
    assert (sent.json["from"], sent.json["to"], sent.json["status"]) == (NUMBER, PEER, "draft")
    assert (sent.json["segments"], sent.json["charge"]) == (1, None)
    listed = acmes.get("/messages").json
    assert listed is not None and listed["items"] == [sent.json]
    assert acmes.get(f"/messages/{sent.json['id']}").json == sent.json


def test_what_comes_in_is_listed_beside_what_goes_out(
    acmes: Program, units: UnitsOfWork, number: dict[str, Any]
) -> None:
    receive(units, "Are you open?")
    acmes.post("/messages", text(number, "Yes."))
    for query, bodies in (
        ({}, ["Yes.", "Are you open?"]),
        ({"direction": "inbound"}, ["Are you open?"]),
        ({"peer": PEER, "number_id": number["id"]}, ["Yes.", "Are you open?"]),
        ({"peer": "+15005550006"}, []),
    ):
        page = acmes.get("/messages", **query).json
        assert page is not None and [one["body"] for one in page["items"]] == bodies
    first = acmes.get("/messages", limit=1).json
    assert first is not None
    second = acmes.get("/messages", limit=1, after=first["next"]).json
    assert second is not None and second["items"][0]["body"] == "Are you open?"
    assert second["next"] is None


def test_the_preview_counts_and_prices_and_sends_nothing(
    acmes: Program, number: dict[str, Any]
) -> None:
    answer = acmes.post("/messages/preview", text(number, "x" * 160 + "🙂"))
    assert answer.json is not None
    assert (answer.json["encoding"], answer.json["segments"]) == ("UCS-2", 3)
    assert (answer.json["rate"], answer.json["price"]) == ("0.0150", "0.045")
    abroad = acmes.post("/messages/preview", text(number, to="+8613912345678")).json
    assert abroad is not None and "no price" in abroad["refusal"]
    listed = acmes.get("/messages").json
    assert listed is not None and listed["items"] == []


@pytest.mark.parametrize(
    "body, to, status, word",
    [
        pytest.param("Hello", "+8613912345678", 422, "price", id="S5-05 no price: refused"),
        pytest.param("Hello", "1234", 422, "number", id="no telephone"),
        pytest.param("Hello", NUMBER, 422, "itself", id="the number itself"),
        pytest.param(" \n", PEER, 422, "something", id="nothing to say"),
        pytest.param("x" * 1601, PEER, 422, "1600", id="21617 too long"),
    ],
)
def test_a_text_that_may_not_go_is_refused_in_words(
    acmes: Program, number: dict[str, Any], body: str, to: str, status: int, word: str
) -> None:
    answer = acmes.post("/messages", text(number, body, to))
    assert answer.status_code == status and answer.json is not None
    assert word in answer.json["detail"]


def test_stop_is_answered_with_a_code_of_its_own(
    acmes: Program, units: UnitsOfWork, number: dict[str, Any]
) -> None:
    receive(units, "STOP")
    answer = acmes.post("/messages", text(number))
    assert answer.status_code == 403 and answer.json is not None
    assert answer.json["code"] == "opted_out"
    receive(units, "START", "2")
    assert acmes.post("/messages", text(number)).status_code == 201


def test_without_balance_nothing_is_sent(
    acmes: Program, olga_for: Callable[[Account], Program], acme: Account, number: dict[str, Any]
) -> None:
    take = {"amount": "-47.99", "reason": "test"}
    assert olga_for(acme).post("/ops/adjustments", take).status_code == 201
    answer = acmes.post("/messages", text(number))
    assert answer.status_code == 402 and answer.json is not None
    assert answer.json["code"] == "balance_too_low"


@pytest.mark.parametrize(
    "to, stored, word",
    [
        pytest.param("ann@acme.test", "ann@acme.test", "", id="by mail"),
        pytest.param("(415) 555-0177", "+14155550177", "", id="to a phone"),
        pytest.param("", "", "", id="to nobody"),
        pytest.param("ann@", None, "e-mail", id="half an address"),
        pytest.param("call me", None, "e-mail address", id="no phone"),
        pytest.param(NUMBER, None, "tracking number", id="in circles"),
        pytest.param("+8613912345678", None, "price", id="S5-05 no price"),
    ],
)
def test_a_number_says_who_gets_a_copy(
    acmes: Program, number: dict[str, Any], to: str, stored: str | None, word: str
) -> None:
    answer = acmes.patch(f"/numbers/{number['id']}", {"texts_to": to})
    assert answer.json is not None
    if stored is None:
        assert answer.status_code == 422 and word in answer.json["detail"]
        assert answer.json["errors"][0]["path"] == "/texts_to"
    else:
        assert answer.status_code == 200 and answer.json["texts_to"] == stored


def test_cobalt_neither_sees_nor_sends_acmes_texts(
    acmes: Program, cobalts: Program, number: dict[str, Any]
) -> None:
    sent = acmes.post("/messages", text(number)).json
    assert sent is not None
    assert cobalts.get(f"/messages/{sent['id']}").status_code == 404
    assert cobalts.post("/messages", text(number)).status_code == 404
    assert cobalts.post("/messages/preview", text(number)).status_code == 404
    for query in ({}, {"number_id": number["id"]}, {"peer": PEER}):
        listed = cobalts.get("/messages", **query).json
        assert listed is not None and listed["items"] == []
    assert cobalts.patch(f"/numbers/{number['id']}", {"texts_to": ""}).status_code == 404
