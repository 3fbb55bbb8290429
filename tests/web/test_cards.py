"""The pages of cards, recharge and payments, as an owner, a member and staff see them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from direct_cards import direct_till
from werkzeug.test import TestResponse

from billing.catalogue import load_catalogue
from gateway.runtime import EXTENSION
from gateway.sandbox.cards import CardNetwork
from gateway.services import accounts, audit, plans
from gateway.services.accounts import get_account
from tests.web.conftest import NOON, OLGA, Browser, World, csrf_token


@pytest.fixture
def network(world: World) -> CardNetwork:
    """The application takes cards, of a network of its own."""
    till, network = direct_till("http://gateway.test", NOON)
    world.app.extensions[EXTENSION] = replace(world.runtime, till=till)
    return network


def refuse_cards(world: World) -> None:
    """Acme moves to a plan that takes no top-ups by card."""
    document = load_catalogue()["payg"] | {"topup": {"card": False}}
    with world.units.begin() as uow:
        plans.publish_plan(uow, "no_cards", document, OLGA)
        accounts.update_account(uow, world.acme.scope, {"plan_code": "no_cards"}, OLGA)


@pytest.fixture
def olga(world: World) -> Browser:
    return world.logged_in(OLGA)


def lands_on(answer: TestResponse) -> str:
    assert answer.status_code == 302, answer.text
    return str(answer.location)


def add_card(owner: Browser, network: CardNetwork, token: str = "pm_card_visa") -> str:
    """The way of a person: open the page, type the card in, come back. The card's path."""
    opened = owner.post("/billing/cards/new")
    assert "https://cards.test/" in opened.text
    session = next(reversed(network.sessions.values()))
    network.complete_session(session, token)
    back = owner.get(session["success_url"].removeprefix("http://gateway.test"))
    assert lands_on(back) == "/billing/cards"
    return re.findall(r"/billing/cards/[0-9a-f-]{36}", owner.page("/billing/cards"))[-1]


def pay(owner: Browser, amount: str) -> TestResponse:
    asked = owner.page(f"/billing/top-up?amount={amount}")
    fields = dict(re.findall(r'name="(amount|card|key)" value="([^"]+)"', asked))
    return owner.post("/billing/top-up", fields)


def balance(world: World) -> int:
    with world.units.read() as uow:
        return get_account(uow, world.acme.scope).balance_micros


def test_a_card_is_brought_from_the_providers_page_and_named_by_its_last_digits(
    world: World, acme: Browser, network: CardNetwork
) -> None:
    assert "No card yet" in acme.page("/billing/cards")
    add_card(acme, network)
    page = acme.page("/billing/cards")
    assert "Visa ···· 4242" in page and "Default" in page


def test_who_leaves_the_card_page_without_a_card_is_told_so(
    acme: Browser, network: CardNetwork
) -> None:
    acme.post("/billing/cards/new")
    session = next(iter(network.sessions.values()))
    acme.get(session["success_url"].removeprefix("http://gateway.test"))
    assert "No card was added" in acme.page("/billing/cards")


def test_s2_17_a_payment_is_shown_before_it_is_made_and_made_once(
    world: World, acme: Browser, network: CardNetwork
) -> None:
    add_card(acme, network)
    before = balance(world)
    asked = acme.page("/billing/top-up?amount=25.00")
    assert "Pay $25.00?" in asked and "No VAT: the customer is in US." in asked
    assert balance(world) == before, "looking at it charges nothing"
    fields = dict(re.findall(r'name="(amount|card|key)" value="([^"]+)"', asked))
    first, second = (lands_on(acme.post("/billing/top-up", fields)) for _ in range(2))
    assert first == second, "a second press answers the first payment"
    assert "$25.00 is on your balance" in acme.page(first)
    assert balance(world) == before + 25_000_000
    assert "Top-up" in acme.page("/billing/cards")


@pytest.mark.parametrize(
    "amount, words",
    [
        ("", "is not an amount"),
        ("0.10", "write 0.50 or more"),
        ("1.005", "multiple of 0.01"),
    ],
)
def test_a_wrong_amount_is_complained_about_at_its_field(
    acme: Browser, network: CardNetwork, amount: str, words: str
) -> None:
    add_card(acme, network)
    answer = acme.get(f"/billing/top-up?amount={amount}")
    assert answer.status_code == 422 and words in answer.text
    assert 'aria-invalid="true"' in answer.text


def test_s2_13_a_declined_payment_says_why_and_the_banner_stays_until_a_card_pays(
    world: World, acme: Browser, network: CardNetwork
) -> None:
    add_card(acme, network, "pm_card_insufficientFunds")
    page = acme.page(lands_on(pay(acme, "25.00")))
    assert "Not paid" in page and "not enough money on the card" in page
    assert "Your card was declined." in acme.page("/")
    network.tell("9995", "pays")
    acme.page(lands_on(pay(acme, "25.00")))
    assert "Your card was declined." not in acme.page("/")


def test_a_payment_that_the_bank_asks_about_leads_there_and_ends_when_one_comes_back(
    world: World, acme: Browser, network: CardNetwork
) -> None:
    add_card(acme, network, "pm_card_authenticationRequired")
    before = balance(world)
    path = lands_on(pay(acme, "25.00"))
    page = acme.page(path)
    assert "Confirm with your bank" in page and "https://bank.test/" in page
    assert "Your bank asks you to confirm" in acme.page("/billing")
    network.answer_bank(next(iter(network.payments.values())), agreed=True)
    assert "$25.00 is on your balance" in acme.page(path)
    assert balance(world) == before + 25_000_000


def test_a_payment_that_waits_for_the_bank_can_be_dropped(
    world: World, acme: Browser, network: CardNetwork
) -> None:
    add_card(acme, network, "pm_card_authenticationRequired")
    path = lands_on(pay(acme, "25.00"))
    assert lands_on(acme.post(f"{path}/give-up")) == path
    assert "Not paid" in acme.page(path)
    assert network.taken() == 0


def test_a_card_is_removed_after_a_look_at_what_follows(
    acme: Browser, network: CardNetwork
) -> None:
    add_card(acme, network)
    add_card(acme, network, "pm_card_mastercard")
    ids = re.findall(r"/billing/cards/([0-9a-f-]{36})/remove", acme.page("/billing/cards"))
    assert "Mastercard ···· 4444 becomes the default" in acme.page(
        f"/billing/cards/{ids[0]}/remove"
    )
    acme.post(f"/billing/cards/{ids[1]}/role", {"role": "default"})
    acme.post(f"/billing/cards/{ids[0]}/remove")
    page = acme.page("/billing/cards")
    assert "4242" not in page.partition("Payments by card")[0] and "4444" in page


def test_s2_10_the_recharge_form_keeps_what_was_typed_and_complains_in_place(
    world: World, acme: Browser, network: CardNetwork
) -> None:
    assert "Your plan has no automatic recharge" in acme.page("/billing/recharge")
    with world.units.begin() as uow:
        accounts.update_account(uow, world.acme.scope, {"plan_code": "prepaid_recharge"}, "olga")
    form = {"on": "yes", "minimum": "10.00", "maximum": "50.00", "cooldown": "5"}
    wrong = acme.post("/billing/recharge", form | {"maximum": "9,5", "minimum": "20.00"})
    assert wrong.status_code == 422
    assert "has a comma" in wrong.text and 'value="9,5"' in wrong.text
    wrong = acme.post("/billing/recharge", form | {"maximum": "9.00"})
    assert wrong.status_code == 422 and "write more than the minimum" in wrong.text
    wrong = acme.post("/billing/recharge", form | {"cooldown": "soon"})
    assert wrong.status_code == 422 and "whole minutes" in wrong.text
    assert lands_on(acme.post("/billing/recharge", form)) == "/billing/recharge"
    page = acme.page("/billing/recharge")
    assert 'value="50.00"' in page and "checked" in page and 'value="5"' in page
    with world.units.read() as uow:
        (chosen,) = (e for e in audit.trail(uow, world.acme.scope) if e.action == "recharge.chosen")
    told = {"on": "yes", "minimum": "10.00", "maximum": "50.00", "cooldown": "300 s"}
    assert chosen.detail == told, "in amounts as people write them"


def test_a_member_sees_the_cards_and_acts_on_none(
    world: World, acme: Browser, member: Browser, network: CardNetwork
) -> None:
    path = add_card(acme, network)
    page = member.page("/billing/cards")
    assert "4242" in page and "Add a card" not in page and "Remove" not in page
    for method, where in (
        ("post", "/billing/cards/new"),
        ("post", f"{path}/role"),
        ("get", f"{path}/remove"),
        ("get", "/billing/top-up"),
        ("post", "/billing/recharge"),
    ):
        assert getattr(member, method)(where).status_code == 403


def test_where_no_cards_are_taken_the_pages_say_what_to_do(world: World, acme: Browser) -> None:
    for path in ("/billing/cards", "/billing/top-up"):
        page = acme.page(path)
        assert "Cards are not taken here" in page and "by transfer or phone" in page


def test_staff_sees_open_charges_asks_about_them_and_holds_the_brake(
    world: World, acme: Browser, olga: Browser, network: CardNetwork
) -> None:
    add_card(acme, network, "pm_card_authenticationRequired")
    pay(acme, "25.00")
    page = olga.page("/ops/charges")
    assert "Acme" in page and "requires action" in page
    (ask,) = re.findall(r'action="(/ops/accounts/[^"]+/ask)"', page)
    network.answer_bank(next(iter(network.payments.values())), agreed=True)

    def send(path: str, fields: dict[str, Any]) -> str:
        token = csrf_token(olga.page("/ops/charges"))
        answer = olga.client.post(path, data=fields | {"csrf_token": token})
        assert lands_on(answer) == "/ops/charges"
        return olga.page("/ops/charges")

    assert "The charge is now: ok." in send(ask, {})
    assert "Nothing is open" in olga.page("/ops/charges")
    assert "$25.00" in olga.page("/ops/charges?all=1")
    assert "Say why" in send("/ops/charges/brake", {"deed": "stop", "reason": ""})
    assert "looks odd" in send("/ops/charges/brake", {"deed": "stop", "reason": "looks odd"})
    assert "Stopped" not in send("/ops/charges/brake", {"deed": "lift", "reason": "fine"})


def test_c6_a_top_up_by_card_that_the_plan_refuses_is_refused_at_every_step(
    world: World, network: CardNetwork, acme: Browser
) -> None:
    add_card(acme, network)
    assert "Top up now" in acme.page("/billing/cards")
    refuse_cards(world)
    assert "Top up now" not in acme.page("/billing/cards")
    for answer in (
        acme.get("/billing/top-up?amount=20.00"),
        acme.post("/billing/top-up", {"amount": "20.00", "key": "k"}),
    ):
        assert answer.status_code == 403
        assert "Your plan takes no top-ups by card: ask for a larger plan." in answer.text
    assert network.taken() == 0
