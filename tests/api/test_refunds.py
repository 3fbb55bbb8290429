"""Refunds over the API; every answer is checked against the OpenAPI document (C10)."""

from collections.abc import Callable
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from gateway.sandbox.cards import CardFaults, CardNetwork
from gateway.services import accounts, card_payments, charge_flags, plans
from gateway.services.accounts import Account
from gateway.uow import UnitsOfWork
from tests.api.conftest import Program
from tests.api.test_cards import add, body, network  # noqa: F401  cards are taken

BACK = {"amount": "5.00", "reason": "paid twice"}


@pytest.fixture
def charge_id(
    network: CardNetwork,  # noqa: F811
    acmes: Program,
    acme: Account,
    units: UnitsOfWork,
) -> str:
    document = load_catalogue()["payg"] | {"refunds": "card_payments"}
    with units.begin() as uow:
        plans.publish_plan(uow, "gives_back", document, "Olga")
        accounts.update_account(uow, acme.scope, {"plan_code": "gives_back"}, "Olga")
    add(acmes)
    paid = acmes.post("/top-ups", {"amount": "20.00", "method": "card"})
    assert paid.status_code == 201
    return str(body(paid)["id"])


def test_c10_staff_gives_back_once_for_each_key(
    olga_for: Callable[[Account], Program], acmes: Program, acme: Account, charge_id: str
) -> None:
    olga, path = olga_for(acme), f"/ops/charges/{charge_id}/refunds"
    first = olga.post(path, BACK, Idempotency_Key="k")
    assert first.status_code == 201, first.text
    assert olga.post(path, BACK, Idempotency_Key="k").json == first.json
    assert (body(first)["state"], body(first)["total"]) == ("ok", "5.00")
    listed = body(olga.get(path))
    assert [one["id"] for one in listed["items"]] == [body(first)["id"]]
    assert (listed["refundable"], listed["words"]) == ("15.00", "")
    (seen,) = body(acmes.get(f"/payments/{charge_id}/refunds"))["items"]
    assert (seen["state"], seen["amount"], seen["reason"]) == ("ok", "5.00", "paid twice")
    assert seen["has_credit_note"]
    note = acmes.get(f"/refunds/{seen['id']}/credit-note.pdf")
    assert note.mimetype == "application/pdf" and note.data.startswith(b"%PDF")
    (line,) = body(acmes.get("/ledger", kind="refund"))["items"]
    assert line["has_receipt"] and acmes.get(f"/ledger/{line['id']}/receipt.pdf").data == note.data
    assert (line["amount"], line["reverses"]) == ("-5.00", f"topup:{charge_id}")
    assert (line["reason"], line["balance_after"]) == ("paid twice", "15.00")
    why = body(acmes.get(f"/ledger/{line['id']}/explanation"))
    assert why["amount"] == "5.00" and why["words"].startswith("Refund (visa ····4242): $5.00")


def test_c10_a_lost_answer_is_a_refund_that_is_pending(
    olga_for: Callable[[Account], Program],
    network: CardNetwork,  # noqa: F811
    acme: Account,
    charge_id: str,
) -> None:
    network.faults = CardFaults(lose_answer=1.0)
    sent = olga_for(acme).post(f"/ops/charges/{charge_id}/refunds", BACK)
    assert (sent.status_code, body(sent)["state"]) == (201, "pending")
    assert body(sent)["resolved_at"] is None


@pytest.mark.parametrize(
    "change, status, words",
    [
        pytest.param({"amount": "20.01"}, 422, "At most 20.00", id="C10 more than paid"),
        pytest.param({"amount": "-1.00"}, 422, "above zero", id="C10 less than nothing"),
        pytest.param({"reason": " "}, 422, "say why", id="C10 no reason"),
    ],
)
def test_c10_a_refusal_says_what_to_do(
    olga_for: Callable[[Account], Program],
    acme: Account,
    charge_id: str,
    change: dict[str, Any],
    status: int,
    words: str,
) -> None:
    refused = olga_for(acme).post(f"/ops/charges/{charge_id}/refunds", BACK | change)
    assert refused.status_code == status and words in refused.text


def test_c10_the_plan_gives_nothing_back_unless_it_says_so(
    olga_for: Callable[[Account], Program], acme: Account, charge_id: str, units: UnitsOfWork
) -> None:
    with units.begin() as uow:
        accounts.update_account(uow, acme.scope, {"plan_code": "payg"}, "Olga")
    olga, path = olga_for(acme), f"/ops/charges/{charge_id}/refunds"
    refused = olga.post(path, BACK)
    assert refused.status_code == 403 and "post an adjustment" in refused.text
    listed = body(olga.get(path))
    assert (listed["refundable"], listed["items"]) == ("0.00", [])
    assert listed["words"] == "The plan gives nothing back: post an adjustment."


def test_c10_a_customer_orders_no_refund_and_a_stranger_sees_none(
    olga_for: Callable[[Account], Program],
    acmes: Program,
    bolt: Account,
    charge_id: str,
) -> None:
    path = f"/ops/charges/{charge_id}/refunds"
    assert acmes.post(path, BACK).status_code == acmes.get(path).status_code == 403
    of_bolt = olga_for(bolt)
    assert of_bolt.post(path, BACK).status_code == of_bolt.get(path).status_code == 404
    assert of_bolt.get(f"/payments/{charge_id}/refunds").status_code == 404


def test_c10_staff_clears_a_flag_with_a_reason(
    olga_for: Callable[[Account], Program],
    acmes: Program,
    acme: Account,
    charge_id: str,
    units: UnitsOfWork,
) -> None:
    olga, path = olga_for(acme), f"/ops/charges/{charge_id}/flag/clear"
    why = {"reason": "won: the bank closed it"}
    assert olga.post(path, why).status_code == 409, "there is none"
    with units.begin() as uow:
        (charge,) = card_payments.newest(uow, acme.scope).items
        charge_flags.raise_flag(uow, charge, charge_flags.REFUNDED)
    assert acmes.post(path, why).status_code == 403
    assert body(olga.post(path, {"reason": " "}))["errors"][0]["path"] == "/reason"
    assert olga.post(path, why).status_code == 204
    trail = body(olga.get("/audit"))["items"]
    assert (trail[0]["action"], trail[0]["detail"]["reason"]) == (
        "charge.flag_cleared",
        "won: the bank closed it",
    )
    assert body(olga.get(f"/ops/charges/{charge_id}/refunds"))["without_us"] == "0.00"
