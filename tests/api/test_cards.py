"""Cards, recharge, payments and staff's view of them over the API."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
from apiflask import APIFlask
from direct_cards import direct_till

from billing.catalogue import load_catalogue
from gateway.runtime import EXTENSION
from gateway.sandbox.cards import CardNetwork
from gateway.services import accounts, plans
from gateway.services.accounts import Account
from gateway.uow import UnitsOfWork
from tests.api.conftest import Program

RULE = {"on": True, "minimum": "10.00", "maximum": "50.00"}


@pytest.fixture
def network(app: APIFlask) -> CardNetwork:
    """The application takes cards, of a network of its own."""
    till, network = direct_till("https://calls.test", dt.datetime.now(dt.UTC))
    app.extensions[EXTENSION] = dataclasses.replace(app.extensions[EXTENSION], till=till)
    return network


def body(answer: Any) -> dict[str, Any]:
    assert answer.json is not None
    return dict(answer.json)


def add(program: Program, token: str = "pm_card_visa", **headers: str) -> dict[str, Any]:
    answer = program.post("/payment-methods", {"token": token}, **headers)
    assert answer.status_code == 201, answer.text
    return body(answer)


def test_a_card_is_added_ordered_and_removed(network: CardNetwork, acmes: Program) -> None:
    first = add(acmes, Idempotency_Key="k1")
    assert add(acmes, Idempotency_Key="k1")["id"] == first["id"], "once, however often it is sent"
    second = add(acmes, "pm_card_mastercard")
    assert [first["role"], second["role"]] == ["default", "backup"]
    changed = acmes.patch(f"/payment-methods/{second['id']}", {"role": "default"})
    assert body(changed)["role"] == "default"
    listed = body(acmes.get("/payment-methods"))["items"]
    assert [(one["last4"], one["role"]) for one in listed] == [
        ("4444", "default"),
        ("4242", "backup"),
    ]
    assert acmes.delete(f"/payment-methods/{second['id']}").status_code == 204
    assert acmes.get(f"/payment-methods/{second['id']}").status_code == 404
    assert body(acmes.get(f"/payment-methods/{first['id']}"))["role"] == "default"
    assert acmes.patch(f"/payment-methods/{first['id']}", {"role": "other"}).status_code == 409


def test_a_card_that_is_unknown_to_the_provider_is_refused_in_words(
    network: CardNetwork, acmes: Program
) -> None:
    answer = acmes.post("/payment-methods", {"token": "pm_nothing"})
    assert answer.status_code == 402 and body(answer)["code"] == "card_declined"


def test_a_customer_is_sent_to_the_card_page_and_comes_back_with_a_card(
    network: CardNetwork, acmes: Program, cobalts: Program
) -> None:
    visit = body(acmes.post("/payment-methods/visits"))
    assert visit["state"] == "open" and visit["url"].startswith("https://cards.test/")
    path = f"/payment-methods/visits/{visit['id']}"
    assert body(acmes.get(path))["payment_method"] is None
    network.complete_session(next(iter(network.sessions.values())), "pm_card_visa")
    assert cobalts.get(path).status_code == 404
    done = body(acmes.get(path))
    assert (done["state"], done["payment_method"]["last4"]) == ("done", "4242")


def test_s2_17_a_top_up_by_card_is_paid_once_by_its_key(
    network: CardNetwork, acmes: Program
) -> None:
    no_card = acmes.post("/top-ups", {"amount": "20.00", "method": "card"})
    assert no_card.status_code == 422 and "add one first" in no_card.text
    add(acmes)
    for _ in range(2):
        paid = acmes.post("/top-ups", {"amount": "20.00", "method": "card"}, Idempotency_Key="k")
        assert paid.status_code == 201
        shown = body(paid)
        assert (shown["state"], shown["balance_after"], shown["total"]) == ("ok", "20.00", "20.00")
    payment = body(acmes.get(f"/payments/{shown['id']}"))
    assert (payment["state"], payment["credited"], payment["purpose"]) == ("ok", "20.00", "topup")
    assert len(body(acmes.get("/payments"))["items"]) == 1
    (line,) = body(acmes.get("/ledger"))["items"]
    assert (line["kind"], line["amount"]) == ("topup", "20.00")
    assert network.taken() == 2_000


def test_c6_a_plan_that_takes_no_top_ups_by_card_refuses_them(
    network: CardNetwork, units: UnitsOfWork, acme: Account, acmes: Program
) -> None:
    add(acmes)
    document = load_catalogue()["payg"] | {"topup": {"card": False}}
    with units.begin() as uow:
        plans.publish_plan(uow, "no_cards", document, "olga")
        accounts.update_account(uow, acme.scope, {"plan_code": "no_cards"}, "olga")
    refused = acmes.post("/top-ups", {"amount": "20.00", "method": "card"})
    assert (refused.status_code, body(refused)["code"]) == (403, "not_for_sale")
    assert "ask for a larger plan" in body(refused)["detail"]
    assert network.taken() == 0


@pytest.mark.parametrize(
    "token, code",
    [
        pytest.param("pm_card_insufficientFunds", "not enough money", id="S2-13 no money"),
        pytest.param("pm_card_lost", "add another one", id="S2-13 lost"),
    ],
)
def test_a_declined_top_up_says_why_and_takes_nothing(
    network: CardNetwork, acmes: Program, token: str, code: str
) -> None:
    add(acmes, token)
    answer = acmes.post("/top-ups", {"amount": "20.00", "method": "card"})
    assert answer.status_code == 402
    assert body(answer)["code"] == "card_declined" and code in body(answer)["detail"]
    assert body(acmes.get("/balance"))["balance"] == "0.00"
    assert network.taken() == 0


def test_a_bank_that_asks_is_an_address_in_the_answer(network: CardNetwork, acmes: Program) -> None:
    add(acmes, "pm_card_authenticationRequired")
    waiting = body(acmes.post("/top-ups", {"amount": "20.00", "method": "card"}))
    assert waiting["state"] == "requires_action"
    assert waiting["action_url"].startswith("https://bank.test/")
    assert waiting["balance_after"] == "0.00"
    again = acmes.post("/top-ups", {"amount": "30.00", "method": "card"})
    assert again.status_code == 409


def test_cards_that_are_not_taken_are_refused_in_words(app: APIFlask, acmes: Program) -> None:
    running = app.extensions[EXTENSION]
    app.extensions[EXTENSION] = dataclasses.replace(running, till=None)
    answer = acmes.post("/top-ups", {"amount": "50.00", "method": "card"})
    assert answer.status_code == 409 and body(answer)["code"] == "cards_not_taken"
    assert "by hand" in body(answer)["detail"]


# Recharge.


def test_s2_10_recharge_is_chosen_within_the_plan_with_complaints_at_their_fields(
    network: CardNetwork, units: UnitsOfWork, acme: Account, acmes: Program
) -> None:
    refused = acmes.put("/recharge", RULE)
    assert refused.status_code == 422, "payg has none"
    assert [error["path"] for error in body(refused)["errors"]] == ["/on"]
    with units.begin() as uow:
        accounts.update_account(uow, acme.scope, {"plan_code": "prepaid_recharge"}, "olga")
    before = body(acmes.get("/recharge"))
    assert (before["on"], before["minimum"], before["maximum"]) == (False, "10.00", "50.00")
    for changes, path in (
        ({"minimum": "-1.00"}, "/minimum"),
        ({"maximum": "10.00"}, "/maximum"),
        ({"daily_cap": "20.00"}, "/daily_cap"),
    ):
        wrong = acmes.put("/recharge", RULE | changes)
        assert wrong.status_code == 422
        assert [error["path"] for error in body(wrong)["errors"]] == [path]
    kept = body(acmes.put("/recharge", RULE | {"daily_cap": "500.00"}))
    assert (kept["on"], kept["daily_cap"]) == (True, "150.00"), "the plan's cap is tighter"
    assert body(acmes.get("/recharge")) == kept


# Staff.


def test_staff_asks_about_open_charges_and_holds_the_brake(
    network: CardNetwork, acme: Account, acmes: Program, olga: Program
) -> None:
    add(acmes, "pm_card_authenticationRequired")
    waiting = body(acmes.post("/top-ups", {"amount": "20.00", "method": "card"}))
    (seen,) = body(olga.get("/ops/charges"))["items"]
    assert (seen["id"], seen["account_name"]) == (waiting["id"], "Acme")
    network.answer_bank(next(iter(network.payments.values())), agreed=True)
    asked = olga.post(f"/ops/accounts/{acme.id}/charges/{waiting['id']}/ask")
    assert body(asked)["state"] == "ok"
    assert body(olga.get("/ops/charges"))["items"] == []
    assert len(body(olga.get("/ops/charges", only_open="false"))["items"]) == 1
    stopped = body(olga.put("/ops/charge-brake", {"stopped": True, "reason": "looks odd"}))
    assert stopped["stopped_at"] and stopped["words"] == "looks odd"
    lifted = body(olga.put("/ops/charge-brake", {"stopped": False, "reason": "all right"}))
    assert lifted["stopped_at"] is None and lifted["lifted_at"]
    assert olga.put("/ops/charge-brake", {"stopped": True, "reason": " "}).status_code == 422
    lift = olga.post(f"/ops/accounts/{acme.id}/recharge/lift", {"reason": "fine"})
    assert lift.status_code == 204


def test_s3_07_an_account_that_is_paid_by_card_waits_for_one(
    network: CardNetwork, acme: Account, olga: Program
) -> None:
    new = {"name": "Cora", "plan": "small_teams", "billing_email": "cora@cora.test"}
    made = olga.post("/accounts", new)
    assert made.status_code == 201, made.text
    opened = body(made)
    assert opened["status"] == "suspended"
    program = Program(olga.app, "olga-token-for-tests")
    program.headers["Ringledger-Account"] = opened["id"]
    add(program)
    assert body(olga.get(f"/accounts/{opened['id']}"))["status"] == "active"
    assert body(olga.post("/accounts", new | {"needs_card": False}))["status"] == "active"
