"""Refunds at the console: typed, shown, confirmed, followed (C10)."""

import re
from html import unescape
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from gateway.sandbox.cards import CardFaults, CardNetwork
from gateway.services import accounts, card_payments, charge_flags, payment_methods, plans
from gateway.services import refunds as charge_refunds
from gateway.store.charges import Charge
from tests.web.conftest import OLGA, Browser, World


@pytest.fixture
def charge(world: World) -> Charge:
    """Bolt, of Germany, has paid 20.00 and 3.80 VAT by card."""
    document = load_catalogue()["payg"] | {"refunds": "card_payments"}
    scope, till = world.bolt.scope, world.runtime.cards()
    with world.units.begin() as uow:
        plans.publish_plan(uow, "gives_back", document, OLGA)
        accounts.update_account(uow, scope, {"plan_code": "gives_back", "country": "DE"}, OLGA)
    payment_methods.attach(
        world.units, till, scope, token="pm_card_visa", actor="Bolt", idempotency_key="card"
    )
    return card_payments.pay(
        world.units, till, scope, amount_micros=20_000_000, method_id=None, actor="Bolt",
        idempotency_key="pay",
    )  # fmt: skip


def send(olga: Browser, path: str, fields: dict[str, Any]) -> Any:
    token = re.search(r'name="csrf_token" value="([^"]+)"', olga.page("/ops/accounts"))
    assert token is not None
    return olga.client.post(path, data=fields | {"csrf_token": token.group(1)})


def balance(world: World) -> int:
    with world.units.read() as uow:
        return accounts.get_account(uow, world.bolt.scope).balance_micros


def test_c10_a_refund_is_shown_before_it_is_ordered_and_then_followed(
    world: World, olga: Browser, charge: Charge
) -> None:
    path = f"/ops/accounts/{world.bolt.id}/charges/{charge.id}"
    assert path in olga.page("/ops/charges?all=1")
    before = balance(world)
    assert "At most" in olga.page(path)
    typed = {"amount": "5.00", "reason": "paid twice"}
    asked = send(olga, f"{path}/refund", typed)
    assert asked.status_code == 200 and balance(world) == before, "nothing is ordered yet"
    words = unescape(asked.text)
    assert "Give $5.95 back to visa ····4242?" in words and "$0.95" in words
    key = re.search(r'name="key" value="([^"]+)"', asked.text)
    assert key is not None
    for _ in range(2):  # the button, and the button again
        done = send(olga, f"{path}/refunds", typed | {"key": key.group(1)})
        assert done.status_code == 302 and done.location == path
    assert balance(world) == before - 5_000_000
    page = unescape(olga.page(path))
    assert "Given back." in page and "paid twice" in page and "$5.95" in page
    ledger = unescape(olga.page(f"/ops/accounts/{world.bolt.id}/ledger?kind=topup"))
    assert "Refund (visa ····4242)" in ledger


def test_c10_the_customer_finds_the_credit_note_beside_the_payment_and_its_line(
    world: World, olga: Browser, charge: Charge
) -> None:
    bolt = world.logged_in("owner@bolt.test")
    assert "redit note" not in bolt.page("/billing/cards") + bolt.page("/billing")
    path = f"/ops/accounts/{world.bolt.id}/charges/{charge.id}"
    send(olga, f"{path}/refunds", {"amount": "5.00", "reason": "paid twice", "key": "k"})
    (found,) = set(re.findall(r'href="([^"]+/credit-note\.pdf)"', bolt.page("/billing/cards")))
    assert found in bolt.page(f"/billing/charges/{charge.id}")
    note = bolt.get(found)
    assert note.mimetype == "application/pdf"
    assert 'filename="credit-note-' in note.headers["Content-Disposition"]
    lines = bolt.page("/billing?kind=topup")
    (line,) = re.findall(r'href="([^"]+/receipt\.pdf)" aria-label="Credit note as PDF: ', lines)
    assert bolt.get(line).data == note.data
    assert world.logged_in("owner@cobalt.test").get(found).status_code == 404


@pytest.mark.parametrize(
    "fields, words",
    [
        pytest.param({"amount": "x"}, "amount-error", id="C10 no amount"),
        pytest.param({"amount": "99.00"}, "At most", id="C10 more than there is"),
        pytest.param({"reason": " "}, "say why", id="C10 no reason"),
    ],
)
def test_c10_what_cannot_be_is_said_at_its_field(
    world: World, olga: Browser, charge: Charge, fields: dict[str, str], words: str
) -> None:
    path = f"/ops/accounts/{world.bolt.id}/charges/{charge.id}"
    for deed in ("refund", "refunds"):
        sent = {"amount": "5.00", "reason": "x", "key": "k"} | fields
        refused = send(olga, f"{path}/{deed}", sent)
        assert refused.status_code == 422 and words in refused.text
        assert 'aria-invalid="true"' in refused.text


def test_c10_where_the_plan_gives_nothing_back_the_page_says_what_to_do(
    world: World, olga: Browser, charge: Charge
) -> None:
    with world.units.begin() as uow:
        accounts.update_account(uow, world.bolt.scope, {"plan_code": "payg"}, OLGA)
    path = f"/ops/accounts/{world.bolt.id}/charges/{charge.id}"
    page = olga.page(path)
    assert "The plan gives nothing back: post an adjustment." in page
    assert f'action="{path}/refund"' not in page
    sent = send(olga, f"{path}/refunds", {"amount": "5.00", "reason": "x", "key": "k"})
    assert sent.status_code == 302
    assert "post an adjustment" in olga.page(path)


def test_c10_a_flag_is_seen_and_cleared_with_a_reason(
    world: World, olga: Browser, charge: Charge
) -> None:
    path = f"/ops/accounts/{world.bolt.id}/charges/{charge.id}"
    assert "Clear the flag" not in olga.page(path)
    with world.units.begin() as uow:
        charge_flags.raise_flag(uow, charge, charge_flags.DISPUTED)
    assert path in olga.page("/ops/charges"), "it is among those that wait for somebody"
    assert "The cardholder disputed this payment" in unescape(olga.page(path))
    refused = send(olga, f"{path}/flag/clear", {"clear_reason": " "})
    assert refused.status_code == 422 and "say why" in refused.text
    assert 'aria-invalid="true"' in refused.text
    for words in ("when you lift them", "has no flag"):  # the button, and the button again
        done = send(olga, f"{path}/flag/clear", {"clear_reason": "won: the bank closed it"})
        assert done.status_code == 302
        assert words in olga.page(path)
    page = unescape(olga.page(path))
    assert "disputed: won: the bank closed it" in page and "Clear the flag" not in page
    assert "won: the bank closed it" in olga.page(f"/ops/accounts/{world.bolt.id}/audit")


def test_c10_the_customer_sees_what_was_given_back_and_what_was_not(
    world: World, olga: Browser, charge: Charge
) -> None:
    network: CardNetwork = world.runtime.cards().provider.network  # type: ignore[attr-defined]
    owner = world.logged_in("owner@bolt.test")
    path = f"/billing/charges/{charge.id}"
    assert "Given back" not in owner.page(path)
    with world.units.read() as uow:
        refunded = charge_refunds.of_charges(uow, world.bolt.scope, [charge])
    assert refunded == {charge.id: []}

    def give(amount: str) -> None:
        fields = {"amount": amount, "reason": f"paid {amount} twice", "key": amount}
        sent = send(olga, f"/ops/accounts/{world.bolt.id}/charges/{charge.id}/refunds", fields)
        assert sent.status_code == 302

    give("5.00")
    network.faults = CardFaults(lose_answer=1.0)
    give("2.00")
    page = unescape(owner.page(path))
    assert page.count('<td data-label="Reason">') == 2
    for words in ("paid 5.00 twice", "$5.95", "take five to ten days", "has left your balance"):
        assert words in page
    listed = unescape(owner.page("/billing/cards"))
    assert "$5.95 given back" in listed and "$2.38 on its way back" in listed
    assert world.logged_in("owner@acme.test").get(path).status_code == 404
