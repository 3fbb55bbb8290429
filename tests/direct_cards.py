"""The sandbox's card network asked without HTTP: what is lost on the wire is lost here."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from billing.charges import ActionRequired, Declined, NotFound, Succeeded
from billing.minor_units import from_minor, to_minor
from gateway.providers.payments import (
    CardPage,
    ChargeAnswer,
    ChargeOrder,
    ChargeQuery,
    EventRefused,
    FoundCharge,
    MadeRefund,
    NotRefunded,
    Payer,
    PaymentEvent,
    RefundAnswer,
    Refunded,
    RefundOrder,
    SavedCard,
    StillOpen,
)
from gateway.providers.telephony import OutcomeUnknown
from gateway.sandbox.card_events import CardEvents
from gateway.sandbox.cards import CardNetwork, CardRefusal, Document
from gateway.sandbox.clock import VirtualClock, VirtualScheduler
from gateway.sandbox.store import Store
from gateway.services.till import Till


@dataclass
class Wire:
    """What went over the wire to take money, and what of it got lost; and questions after it."""

    requests: int = 0
    requests_lost: int = 0
    answers_lost: int = 0
    questions: int = 0
    questions_lost: int = 0

    @property
    def arrived(self) -> int:
        return self.requests - self.requests_lost


class DirectCards:
    name = "sandbox"

    def __init__(self, network: CardNetwork) -> None:
        self.network = network
        self.wire = Wire()

    # Cards.

    def open_card_page(
        self, payer: Payer, *, setup_id: UUID, currency: str, return_url: str, cancel_url: str
    ) -> CardPage:
        session = self.network.open_session(self._customer(payer), return_url, cancel_url, {})
        return CardPage(session["id"], session["customer"], f"https://cards.test/{session['id']}")

    def saved_card(self, session_ref: str) -> SavedCard | None:
        session = self.network.sessions[session_ref]
        return None if session["setup_intent"] is None else self._saved(session["setup_intent"])

    def attach_card(self, payer: Payer, method_ref: str, *, key: str) -> SavedCard | Declined:
        kept = self.network.kept_answer(key, method_ref)
        if kept is not None:
            return self._saved(kept[1]["id"])
        try:
            setup = self.network.save_card(self._customer(payer), method_ref)
        except CardRefusal as refusal:
            return Declined(refusal.document["error"]["code"])
        self.network.keep_answer(key, method_ref, 200, setup)
        return self._saved(setup["id"])

    def forget_card(self, method_ref: str) -> None:
        self.network.detach(self.network.methods[method_ref])

    def _customer(self, payer: Payer) -> str:
        known = payer.customer_ref
        return known or str(self.network.make_customer(payer.name, payer.email, {})["id"])

    def _saved(self, setup_id: str) -> SavedCard:
        setup = self.network.setups[setup_id]
        method = self.network.methods[setup["payment_method"]]
        card = method["card"]
        expires = f"{card['exp_year']}-{card['exp_month']:02}"
        return SavedCard(setup["customer"], method["id"], card["brand"], card["last4"], expires)

    # Charges.

    def charge(self, order: ChargeOrder) -> ChargeAnswer:
        network = self.network
        self.wire.requests += 1
        if network.faults.loses_request():
            self.wire.requests_lost += 1
            raise OutcomeUnknown("lost on the way in")
        key, asked = str(order.id), repr((order.amount_micros, order.method_ref))
        if network.kept_answer(key, asked) is None:
            with suppress(CardRefusal):  # the payment keeps why
                network.pay(
                    customer=order.customer_ref,
                    method=order.method_ref,
                    amount=to_minor(order.amount_micros, order.currency),
                    currency=order.currency.lower(),
                    description=order.description,
                    present=order.present,
                    return_url=order.return_url,
                    metadata={"charge": order.id.hex},
                )
            network.keep_answer(key, asked, 200, {})
        if network.faults.loses_answer():
            self.wire.answers_lost += 1
            raise OutcomeUnknown("lost on the way out")
        found = self._read(order)
        assert not isinstance(found, NotFound)
        return found

    def find_charge(self, query: ChargeQuery) -> FoundCharge:
        self.wire.questions += 1
        if self.network.faults.loses_answer():
            self.wire.questions_lost += 1
            raise OutcomeUnknown("no answer to the question either")
        return self._read(query.order)

    def cancel_charge(self, query: ChargeQuery) -> None:
        payment = self._find(query.order)
        if payment is not None:
            self.network.cancel(payment)

    def _find(self, order: ChargeOrder) -> Document | None:
        for payment in self.network.list_payments(order.customer_ref, 0):
            if payment["metadata"]["charge"] == order.id.hex:
                return payment
        return None

    def _read(self, order: ChargeOrder) -> FoundCharge:
        payment = self._find(order)
        if payment is None:
            return NotFound()
        match payment["status"]:
            case "succeeded":
                taken = from_minor(payment["amount_received"], order.currency)
                return Succeeded(payment["id"], taken)
            case "requires_action":
                return ActionRequired(payment["id"], f"https://bank.test/{payment['id']}")
            case "requires_payment_method":
                error = payment["last_payment_error"]
                return Declined(error.get("decline_code") or error["code"])
            case "canceled":
                return Declined("canceled")
        return StillOpen()

    def refund(self, order: RefundOrder) -> RefundAnswer:
        network, payment = self.network, self.network.payments[order.charge_ref]
        if network.faults.loses_request():
            raise OutcomeUnknown("lost on the way in")
        found = [
            one
            for one in network.refunds_of(order.charge_ref)
            if one["metadata"].get("refund") == order.id.hex
        ]
        try:
            made = (
                found[0]
                if found
                else network.refund(
                    payment, to_minor(order.amount_micros, order.currency), {"refund": order.id.hex}
                )
            )
        except CardRefusal as refusal:
            return NotRefunded(None, refusal.document["error"]["message"])
        if network.faults.loses_answer():
            raise OutcomeUnknown("lost on the way out")
        if made["status"] == "failed":
            return NotRefunded(made["id"], made["failure_reason"])
        return Refunded(made["id"])

    def refunds_of(self, charge_ref: str) -> tuple[MadeRefund, ...]:
        raise OutcomeUnknown("nobody tells this network's news")

    def parse_event(self, body: bytes, signature: str) -> PaymentEvent:
        if signature != "signed":
            raise EventRefused("not signed")
        return PaymentEvent(json.loads(body)["id"], "other")


def direct_network(clock: VirtualClock) -> tuple[CardNetwork, VirtualScheduler]:
    scheduler = VirtualScheduler(clock)
    return CardNetwork(scheduler, Store(), CardEvents(scheduler, url="", secret="")), scheduler


def direct_till(public_url: str, now: dt.datetime) -> tuple[Till, CardNetwork]:
    """For pages and programs: cards in a network of their own, at a time that stands still."""
    network, _ = direct_network(VirtualClock(now))
    return Till("sandbox", "US", public_url, lambda: DirectCards(network)), network
