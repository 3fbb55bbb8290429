"""The Stripe adapter, against two stand-ins that know nothing of each other: the sandbox's card
network, and localstripe (github.com/adrienverge/localstripe), as a process of its own.

localstripe is GPL-3 and never imported; put its command on PATH or name it in LOCALSTRIPE.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest
import requests
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from billing.charges import ActionRequired, Declined, NotFound, Succeeded
from gateway.providers.payments import (
    ChargeOrder,
    ChargeQuery,
    EventRefused,
    MadeRefund,
    NotRefunded,
    Payer,
    Refunded,
    RefundOrder,
    StillOpen,
)
from gateway.providers.stripe_cards import StripeCards
from gateway.providers.telephony import OutcomeUnknown, ProviderError
from gateway.sandbox.card_events import signature
from gateway.sandbox.cards import CardFaults, CardNetwork
from gateway.sandbox.carrier import Carrier
from gateway.sandbox.clock import VirtualClock
from gateway.sandbox.rest import create_sandbox_app

SECRET = "whsec_of_the_test"
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
PAYER = Payer(uuid.uuid4(), uuid.uuid4(), "Acme", "billing@acme.test", None)


@pytest.fixture
def network_url() -> Iterator[tuple[CardNetwork, str]]:
    carrier = Carrier("AC" + "5" * 32, "token", clock=VirtualClock(NOW))
    server = make_server("127.0.0.1", 0, create_sandbox_app(carrier), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield carrier.cards, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def network(network_url: tuple[CardNetwork, str]) -> CardNetwork:
    return network_url[0]


@pytest.fixture
def cards(network_url: tuple[CardNetwork, str]) -> StripeCards:
    return StripeCards(
        api_key="sk_sandbox_token", webhook_secret=SECRET, api_url=network_url[1], name="sandbox"
    )


def order(cards: StripeCards, token: str = "pm_card_visa", **changes: object) -> ChargeOrder:
    saved = cards.attach_card(PAYER, token, key=str(uuid.uuid4()))
    assert not isinstance(saved, Declined), saved
    values: dict[str, object] = {
        "id": uuid.uuid4(),
        "tenant_id": PAYER.tenant_id,
        "amount_micros": 40_070_000,
        "currency": "USD",
        "customer_ref": saved.customer_ref,
        "method_ref": saved.method_ref,
        "description": "Call-tracking credit 40.07 USD",
        "present": False,
        "return_url": "https://calls.test/billing/charges/1",
    }
    return ChargeOrder(**{**values, **changes})  # type: ignore[arg-type]


def query(asked: ChargeOrder, provider_ref: str | None = None) -> ChargeQuery:
    return ChargeQuery(asked, provider_ref, NOW)


def test_a_charge_takes_the_amount_once_however_often_it_is_sent(
    cards: StripeCards, network: CardNetwork
) -> None:
    asked = order(cards)
    first = cards.charge(asked)
    assert isinstance(first, Succeeded) and first.amount_micros == 40_070_000
    assert cards.charge(asked) == first
    assert cards.find_charge(query(asked)) == first
    assert cards.find_charge(query(asked, first.provider_id)) == first
    assert network.taken() == 4007


def test_what_was_never_sent_is_not_found_among_many_others(cards: StripeCards) -> None:
    asked = order(cards)
    for _ in range(3):
        cards.charge(order(cards, customer_ref=asked.customer_ref, method_ref=asked.method_ref))
    assert cards.find_charge(query(asked)) == NotFound()


@pytest.mark.parametrize(
    "token, code",
    [
        ("pm_card_chargeCustomerFail", "generic_decline"),
        ("pm_card_insufficientFunds", "insufficient_funds"),
        ("pm_card_lost", "lost_card"),
    ],
)
def test_a_decline_is_an_answer_and_is_found_again(
    cards: StripeCards, token: str, code: str
) -> None:
    asked = order(cards, token)
    assert cards.charge(asked) == Declined(code)
    assert cards.charge(asked) == Declined(code)
    assert cards.find_charge(query(asked)) == Declined(code)


def test_a_bank_that_asks_is_met_at_its_page_also_where_the_payer_was_away(
    cards: StripeCards, network: CardNetwork
) -> None:
    for present in (True, False):
        asked = order(cards, "pm_card_authenticationRequired", present=present)
        waiting = cards.charge(asked)
        assert isinstance(waiting, ActionRequired)
        assert "Your bank" in requests.get(waiting.url, timeout=5).text
        assert cards.find_charge(query(asked)) == waiting
        back = requests.post(waiting.url, data={"answer": "yes"}, timeout=5, allow_redirects=False)
        assert back.headers["Location"] == asked.return_url
        assert isinstance(cards.find_charge(query(asked)), Succeeded)


def test_a_confirmation_that_is_refused_or_dropped_is_a_decline(cards: StripeCards) -> None:
    refused = order(cards, "pm_card_authenticationRequired", present=True)
    waiting = cards.charge(refused)
    assert isinstance(waiting, ActionRequired)
    requests.post(waiting.url, data={"answer": "no"}, timeout=5, allow_redirects=False)
    assert cards.find_charge(query(refused)) == Declined("payment_intent_authentication_failure")
    dropped = order(cards, "pm_card_authenticationRequired", present=True)
    assert isinstance(cards.charge(dropped), ActionRequired)
    cards.cancel_charge(query(dropped))
    cards.cancel_charge(query(dropped))
    assert cards.find_charge(query(dropped)) == Declined("canceled")


def test_a_slow_charge_is_still_open(cards: StripeCards) -> None:
    asked = order(cards, "pm_card_slow")
    assert cards.charge(asked) == StillOpen()
    assert cards.find_charge(query(asked)) == StillOpen()


def test_a_lost_answer_is_unknown_and_the_same_key_finds_what_it_did(
    cards: StripeCards, network: CardNetwork
) -> None:
    asked = order(cards)
    network.faults = CardFaults(lose_answer=1.0)
    with pytest.raises(OutcomeUnknown):
        cards.charge(asked)
    network.faults = CardFaults()
    assert isinstance(cards.find_charge(query(asked)), Succeeded)
    assert isinstance(cards.charge(asked), Succeeded)
    assert network.taken() == 4007


def test_nobody_there_is_unknown_and_a_wrong_key_of_ours_is_no_decline(
    network_url: tuple[CardNetwork, str], cards: StripeCards
) -> None:
    asked = order(cards)
    away = StripeCards(api_key="x", webhook_secret=SECRET, api_url="http://127.0.0.1:9")
    with pytest.raises(OutcomeUnknown):
        away.charge(asked)
    stranger = StripeCards(api_key="wrong", webhook_secret=SECRET, api_url=network_url[1])
    with pytest.raises(ProviderError) as refused:
        stranger.charge(asked)
    assert refused.value.permanent and not isinstance(refused.value, OutcomeUnknown)


def test_a_card_comes_from_the_page_and_is_forgotten_twice_without_complaint(
    cards: StripeCards, network: CardNetwork
) -> None:
    page = cards.open_card_page(
        PAYER,
        setup_id=uuid.uuid4(),
        currency="USD",
        return_url="https://calls.test/back",
        cancel_url="https://calls.test/cards",
    )
    assert cards.saved_card(page.session_ref) is None
    assert "4242" in requests.get(page.url, timeout=5).text
    requests.post(page.url, data={"card": "pm_card_visa"}, timeout=5, allow_redirects=False)
    saved = cards.saved_card(page.session_ref)
    assert saved is not None and (saved.brand, saved.last4) == ("visa", "4242")
    assert len(saved.expires) == 7
    cards.forget_card(saved.method_ref)
    cards.forget_card(saved.method_ref)
    assert cards.attach_card(PAYER, "pm_nothing", key="k") == Declined("resource_missing")


def _event(kind: str, about: dict[str, object]) -> bytes:
    return json.dumps(
        {
            "id": "evt_1",
            "object": "event",
            "type": kind,
            "created": 1,
            "livemode": False,
            "data": {"object": {"object": "x", **about}},
        }
    ).encode()


def test_news_names_our_ids_and_counts_only_with_its_signature(cards: StripeCards) -> None:
    tenant, charge = uuid.uuid4(), uuid.uuid4()
    metadata = {"tenant": tenant.hex, "charge": charge.hex}
    body = _event("payment_intent.succeeded", {"id": "pi_1", "metadata": metadata})
    now = int(time.time())
    event = cards.parse_event(body, signature(SECRET, body, now))
    assert (event.kind, event.tenant_id, event.subject_id) == ("charge", tenant, charge)
    dispute = _event("charge.dispute.created", {"id": "du_1", "payment_intent": "pi_1"})
    flagged = cards.parse_event(dispute, signature(SECRET, dispute, now))
    assert (flagged.kind, flagged.provider_ref, flagged.dispute_ref) == ("disputed", "pi_1", "du_1")
    foreign = _event("payment_intent.succeeded", {"id": "pi_2", "metadata": {}})
    assert cards.parse_event(foreign, signature(SECRET, foreign, now)).kind == "other"
    for wrong in ("", "t=1,v1=00", signature("other", body, now), signature(SECRET, body, 1)):
        with pytest.raises(EventRefused):
            cards.parse_event(body, wrong)
    with pytest.raises(EventRefused):
        cards.parse_event(b"\xff{", signature(SECRET, b"\xff{", now))


def _refund(paid: Succeeded, micros: int) -> RefundOrder:
    return RefundOrder(uuid.uuid4(), PAYER.tenant_id, paid.provider_id, micros, "USD")


def test_c10_a_refund_gives_back_once_however_often_it_is_sent(
    cards: StripeCards, network: CardNetwork
) -> None:
    paid = cards.charge(order(cards))
    assert isinstance(paid, Succeeded)
    asked, other = _refund(paid, 10_000_000), _refund(paid, 10_000_000)
    first = cards.refund(asked)
    assert isinstance(first, Refunded) and cards.refund(asked) == first
    network._answers.clear()  # no key is remembered for ever
    assert cards.refund(asked) == first and cards.refund(other) != first
    assert network.given_back(network.payments[paid.provider_id]) == 2_000


@pytest.mark.parametrize("lost", [CardFaults(lose_request=1.0), CardFaults(lose_answer=1.0)])
def test_c10_a_refund_whose_answer_was_lost_is_found_by_asking(
    cards: StripeCards, network: CardNetwork, lost: CardFaults
) -> None:
    paid = cards.charge(order(cards))
    assert isinstance(paid, Succeeded)
    asked, network.faults = _refund(paid, 10_000_000), lost
    with pytest.raises(OutcomeUnknown):
        cards.refund(asked)
    network.faults = CardFaults()
    assert isinstance(cards.refund(asked), Refunded)
    assert network.given_back(network.payments[paid.provider_id]) == 1_000


def test_c10_a_refund_that_is_refused_or_comes_back_says_why(
    cards: StripeCards, network: CardNetwork
) -> None:
    paid = cards.charge(order(cards))
    assert isinstance(paid, Succeeded)
    refused = cards.refund(_refund(paid, 40_080_000))
    assert isinstance(refused, NotRefunded) and refused.provider_ref is None
    assert "greater than unrefunded amount" in refused.words
    asked = _refund(paid, 40_070_000)
    made = cards.refund(asked)
    assert isinstance(made, Refunded)
    network._send_back(made.provider_ref)
    why = NotRefunded(made.provider_ref, "lost or stolen card")
    assert cards.refund(asked) == why
    elsewhere = network.refund(network.payments[paid.provider_id], 7, {})["id"]
    assert cards.refunds_of(paid.provider_id) == (
        MadeRefund(elsewhere, None, 70_000, Refunded(elsewhere)),
        MadeRefund(made.provider_ref, asked.id, 40_070_000, why),
    )


def test_c10_news_of_a_refund_names_it_or_its_payment(cards: StripeCards) -> None:
    tenant, refund, now = uuid.uuid4(), uuid.uuid4(), int(time.time())
    metadata = {"tenant": tenant.hex, "refund": refund.hex}
    failed = _event("refund.failed", {"id": "re_1", "metadata": metadata})
    event = cards.parse_event(failed, signature(SECRET, failed, now))
    assert (event.kind, event.tenant_id, event.subject_id) == ("refund", tenant, refund)
    about = {"id": "ch_1", "payment_intent": "pi_1", "amount_refunded": 595}
    body = _event("charge.refunded", about)
    told = cards.parse_event(body, signature(SECRET, body, now))
    assert (told.kind, told.provider_ref) == ("refunded", "pi_1")


# The same adapter against localstripe.


@pytest.fixture(scope="module")
def local_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = os.environ.get("LOCALSTRIPE") or shutil.which("localstripe")
    if not command:
        pytest.skip("localstripe is not here: install it beside, and name it in LOCALSTRIPE")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [command, "--port", str(port), "--from-scratch"],
        cwd=tmp_path_factory.mktemp("localstripe"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def local(local_url: str) -> StripeCards:
    return StripeCards(api_key="sk_test_12345", webhook_secret=SECRET, api_url=local_url)


def _local_order(local_url: str, local: StripeCards, number: str) -> ChargeOrder:
    """localstripe knows no test tokens: the card is made with its number, as Stripe.js would."""
    made = requests.post(
        f"{local_url}/v1/payment_methods",
        auth=("sk_test_12345", ""),
        data={
            "type": "card",
            "card[number]": number,
            "card[exp_month]": "12",
            "card[exp_year]": str(NOW.year + 3),
            "card[cvc]": "123",
        },
        timeout=10,
    )
    made.raise_for_status()
    return order(local, made.json()["id"])


def test_localstripe_takes_a_charge_and_tells_of_it(local: StripeCards, local_url: str) -> None:
    """By its reference: localstripe 1.15 cannot list the intents of a customer."""
    asked = _local_order(local_url, local, "4242424242424242")
    taken = local.charge(asked)
    assert isinstance(taken, Succeeded) and taken.amount_micros == 40_070_000
    assert local.find_charge(query(asked, taken.provider_id)) == taken


def test_localstripe_declines_a_card_that_was_kept(local: StripeCards, local_url: str) -> None:
    asked = _local_order(local_url, local, "4000000000000341")
    declined = local.charge(asked)
    assert declined == Declined("card_declined")


def test_localstripes_news_of_a_charge_is_read_and_its_signature_checked(
    local: StripeCards, local_url: str
) -> None:
    asked = _local_order(local_url, local, "4242424242424242")
    told: list[tuple[bytes, str]] = []  # of this charge: news of earlier ones may come too

    @Request.application
    def take(request: Request) -> Response:
        if asked.id.hex in request.get_data(as_text=True):
            told.append((request.get_data(), request.headers.get("Stripe-Signature", "")))
        return Response(status=204)

    server = make_server("127.0.0.1", 0, take, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        requests.post(
            f"{local_url}/_config/webhooks/ours",
            json={
                "url": f"http://127.0.0.1:{server.server_port}/",
                "secret": SECRET,
                "events": ["payment_intent.succeeded"],
            },
            timeout=5,
        ).raise_for_status()
        local.charge(asked)
        for _ in range(200):
            if told:
                break
            time.sleep(0.05)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    ((body, signed),) = told
    event = local.parse_event(body, signed)
    assert (event.kind, event.tenant_id, event.subject_id) == ("charge", asked.tenant_id, asked.id)
    with pytest.raises(EventRefused):
        local.parse_event(body.replace(b"4007", b"9007"), signed)
