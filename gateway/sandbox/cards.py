"""The card network: customers, cards, visits to the card page, payments; and what befalls them.

It behaves as Stripe's API does where the gateway can tell: a key answers what it answered first,
a declined payment stays and can be looked up, a payment may wait for its payer's bank.
"""

import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.sandbox.card_events import CardEvents
from gateway.sandbox.clock import Scheduler
from gateway.sandbox.store import Store

Document = dict[str, Any]
PAYS, ASKS_BANK, SLOW, SENDS_BACK = "pays", "asks_bank", "slow", "sends_back"
SLOW_SECONDS = 5.0
REFUND_FAILS_SECONDS = 60.0
AUTHENTICATION_REQUIRED = "authentication_required"
AUTHENTICATION_FAILED = "payment_intent_authentication_failure"


class CardRefusal(Exception):
    """Answered as `{"error": {...}}`."""

    def __init__(self, status: int, kind: str, code: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.document = {"error": {"type": kind, "code": code, "message": message, **more}}


@dataclass(frozen=True, slots=True)
class SandboxCard:
    """`fate`: pays, asks_bank, slow, sends_back (it pays, and no refund stays on it), or the code
    it is declined with. Saving always works."""

    token: str
    brand: str
    last4: str
    fate: str
    words: str


CARDS = (
    SandboxCard("pm_card_visa", "visa", "4242", PAYS, "pays"),
    SandboxCard("pm_card_mastercard", "mastercard", "4444", PAYS, "pays"),
    SandboxCard("pm_card_authenticationRequired", "visa", "3184", ASKS_BANK, "asks the bank (3-D)"),
    SandboxCard("pm_card_slow", "visa", "0077", SLOW, "pays, some seconds later"),
    SandboxCard("pm_card_refundFail", "visa", "5126", SENDS_BACK, "pays, and sends refunds back"),
    SandboxCard("pm_card_chargeCustomerFail", "visa", "0341", "generic_decline", "is declined"),
    SandboxCard("pm_card_insufficientFunds", "visa", "9995", "insufficient_funds", "has no money"),
    SandboxCard("pm_card_lost", "visa", "9987", "lost_card", "was lost: declined for good"),
    SandboxCard(
        "pm_card_expired", "visa", "0069", "expired_card", "has expired: declined for good"
    ),
)


@dataclass
class CardFaults:
    """How often (0 to 1) a request that takes money is lost on its way in, or its answer on its
    way out; drawn from the seed."""

    lose_request: float = 0.0
    lose_answer: float = 0.0
    seed: int = 1
    _rng: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    def loses_request(self) -> bool:
        return self.lose_request > 0 and self._rng.random() < self.lose_request

    def loses_answer(self) -> bool:
        return self.lose_answer > 0 and self._rng.random() < self.lose_answer


class CardNetwork:
    """All methods are called under the scheduler's lock, which is that of the whole sandbox."""

    def __init__(self, scheduler: Scheduler, store: Store, events: CardEvents) -> None:
        self.scheduler, self.events = scheduler, events
        self.faults = CardFaults()
        self._store = store
        self._fates = {card.last4: card.fate for card in CARDS}
        self.customers = self._load("customer")
        self.methods = self._load("card")
        self.sessions = self._load("card_session")
        self.setups = self._load("card_setup")
        self.payments = self._load("payment")
        self.refunds = self._load("refund")
        self._by_customer: dict[str, list[str]] = {}
        for payment in self.payments.values():
            self._by_customer.setdefault(payment["customer"], []).append(payment["id"])
        self._answers = {
            one["id"]: (one["asked"], one["status"], one["body"])
            for one in store.load("card_answer")
        }

    def tell(self, last4: str, fate: str) -> None:
        """From now on cards with these digits meet that fate."""
        self._fates[last4] = fate

    def taken(self, customer: str | None = None) -> int:
        """The sum of all payments that took money, in the smallest coin."""
        return sum(
            payment["amount_received"]
            for payment in self.payments.values()
            if customer in (None, payment["customer"])
        )

    # Answers are kept by key, so that the same request again takes nothing more.

    def kept_answer(self, key: str, asked: str) -> tuple[int, Document] | None:
        kept = self._answers.get(key)
        if kept is None:
            return None
        if kept[0] != asked:
            raise CardRefusal(
                400, "idempotency_error", "idempotency_key_in_use",
                "Keys for idempotent requests can only be used with the same parameters"
                " they were first used with.",
            )  # fmt: skip
        return kept[1], kept[2]

    def keep_answer(self, key: str, asked: str, status: int, body: Document) -> None:
        self._answers[key] = (asked, status, body)
        self._store.save(
            "card_answer", key, {"id": key, "asked": asked, "status": status, "body": body}
        )

    # Customers and cards.

    def make_customer(self, name: str, email: str, metadata: Mapping[str, str]) -> Document:
        customer = self._new("cus", "customer", name=name, email=email, metadata=dict(metadata))
        return self._save("customer", self.customers, customer)

    def open_session(
        self, customer: str, success_url: str, cancel_url: str, metadata: Mapping[str, str]
    ) -> Document:
        self.get(self.customers, customer, "customer")
        session = self._new(
            "cs", "checkout.session", mode="setup", customer=customer, status="open",
            success_url=success_url, cancel_url=cancel_url, setup_intent=None, url=None,
            metadata=dict(metadata),
        )  # fmt: skip
        return self._save("card_session", self.sessions, session)

    def complete_session(self, session: Document, token: str) -> Document:
        """Somebody typed a card into the page; the second time changes nothing."""
        if session["status"] == "open":
            setup = self.save_card(session["customer"], token)
            session |= {"status": "complete", "setup_intent": setup["id"]}
            self._save("card_session", self.sessions, session)
            self.events.tell("checkout.session.completed", session)
        return session

    def save_card(self, customer: str, token: str) -> Document:
        return self.confirm_setup(self.open_setup(customer), token)

    def open_setup(self, customer: str) -> Document:
        self.get(self.customers, customer, "customer")
        setup = self._new(
            "seti", "setup_intent", customer=customer, payment_method=None,
            status="requires_payment_method", usage="off_session",
        )  # fmt: skip
        return self._save("card_setup", self.setups, setup)

    def confirm_setup(self, setup: Document, token: str) -> Document:
        method = self._method(setup["customer"], token)
        done = setup | {"payment_method": method["id"], "status": "succeeded"}
        return self._save("card_setup", self.setups, done)

    def _method(self, customer: str, token: str) -> Document:
        if token in self.methods:
            method = self.methods[token]
            if method["customer"] not in (None, customer):
                raise CardRefusal(
                    400, "invalid_request_error", "payment_method_unexpected_state",
                    "The payment method belongs to another customer.",
                )  # fmt: skip
        else:
            card = next((card for card in CARDS if card.token == token), None)
            if card is None:
                raise missing("payment_method", token)
            year = self.scheduler.now().year + 3
            details = {
                "brand": card.brand, "last4": card.last4, "exp_month": 12, "exp_year": year,
                "funding": "credit", "country": "US",
            }  # fmt: skip
            method = self._new("pm", "payment_method", type="card", card=details, customer=None)
        return self._save("card", self.methods, method | {"customer": customer})

    def detach(self, method: Document) -> Document:
        if method["customer"] is None:
            raise CardRefusal(
                400, "invalid_request_error", "payment_method_not_attached",
                "The payment method you provided is not attached to a customer.",
            )  # fmt: skip
        return self._save("card", self.methods, method | {"customer": None})

    # Payments.

    def pay(
        self, *, customer: str, method: str, amount: int, currency: str,
        description: str, present: bool, return_url: str, metadata: Mapping[str, str],
    ) -> Document:  # fmt: skip
        """The payment as it now stands; `CardRefusal` where it was declined, which it keeps."""
        card = self.get(self.methods, method, "payment_method")
        if card["customer"] != customer:
            raise missing("payment_method", method)
        if amount < 50:
            raise CardRefusal(
                400, "invalid_request_error", "amount_too_small", "Amount must be at least 50."
            )
        payment = self._new(
            "pi", "payment_intent", amount=amount, amount_received=0, currency=currency,
            customer=customer, payment_method=method, description=description,
            status="requires_confirmation", next_action=None, last_payment_error=None,
            return_url=return_url, metadata=dict(metadata),
        )  # fmt: skip
        self._by_customer.setdefault(customer, []).append(payment["id"])
        return self._try(payment, present)

    def confirm(self, payment: Document, return_url: str) -> Document:
        if payment["status"] not in ("requires_confirmation", "requires_payment_method"):
            return payment
        return self._try(payment | {"return_url": return_url}, present=True)

    def _try(self, payment: Document, present: bool) -> Document:
        fate = self._fates[self.methods[payment["payment_method"]]["card"]["last4"]]
        if fate in (PAYS, SENDS_BACK):
            return self._succeed(payment)
        if fate == SLOW:
            self._save_payment(payment, status="processing")
            self.scheduler.after(SLOW_SECONDS, lambda: self._arrive(payment["id"]))
            return self.payments[str(payment["id"])]
        if fate == ASKS_BANK and present:
            # The page's address is written where it is known, at the door (card_rest).
            return self._save_payment(
                payment, status="requires_action", next_action={"type": "redirect_to_url"}
            )
        code = AUTHENTICATION_REQUIRED if fate == ASKS_BANK else fate
        raise self._decline(payment, code)

    def answer_bank(self, payment: Document, *, agreed: bool) -> Document:
        """The payer agreed, or not, on the page of the bank; only the first time counts."""
        if payment["status"] != "requires_action":
            return payment
        if agreed:
            return self._succeed(payment)
        self._decline(payment, AUTHENTICATION_FAILED)
        return self.payments[payment["id"]]

    def cancel(self, payment: Document) -> Document:
        if payment["status"] in ("succeeded", "processing", "canceled"):
            raise CardRefusal(
                400, "invalid_request_error", "payment_intent_unexpected_state",
                f"You cannot cancel this PaymentIntent because it is {payment['status']}.",
            )  # fmt: skip
        canceled = self._save_payment(payment, status="canceled", next_action=None)
        self.events.tell("payment_intent.canceled", canceled)
        return canceled

    def dispute(self, payment: Document) -> Document:
        """The payer's bank takes the money back."""
        dispute = self._new(
            "du", "dispute", payment_intent=payment["id"], amount=payment["amount"],
            currency=payment["currency"], status="needs_response", metadata={},
        )  # fmt: skip
        self.events.tell("charge.dispute.created", dispute)
        return dispute

    # Refunds.

    def refund(self, payment: Document, amount: int, metadata: Mapping[str, str]) -> Document:
        """A part of a payment back to its card; without metadata it is none of the gateway's."""
        left = payment["amount_received"] - self.given_back(payment)
        if not 0 < amount <= left:
            raise CardRefusal(
                400, "invalid_request_error", "amount_too_large",
                f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).",
            )  # fmt: skip
        refund = self._new(
            "re", "refund", payment_intent=payment["id"], amount=amount,
            currency=payment["currency"], status="succeeded", metadata=dict(metadata),
        )  # fmt: skip
        self._save("refund", self.refunds, refund)
        charge = self._new(
            "ch", "charge", payment_intent=payment["id"], amount=payment["amount"],
            amount_refunded=self.given_back(payment), currency=payment["currency"], metadata={},
        )  # fmt: skip
        self.events.tell("charge.refunded", charge)
        if self._fates[self.methods[payment["payment_method"]]["card"]["last4"]] == SENDS_BACK:
            self.scheduler.after(REFUND_FAILS_SECONDS, lambda: self._send_back(refund["id"]))
        return refund

    def refunds_of(self, payment_id: str) -> list[Document]:
        """Newest first."""
        found = [one for one in self.refunds.values() if one["payment_intent"] == payment_id]
        return found[::-1]

    def given_back(self, payment: Document) -> int:
        """The sum of a payment's refunds, in the smallest coin."""
        refunds = self.refunds_of(payment["id"])
        return sum(one["amount"] for one in refunds if one["status"] == "succeeded")

    def _send_back(self, refund_id: str) -> None:
        changes = {"status": "failed", "failure_reason": "lost_or_stolen_card"}
        failed = self._save("refund", self.refunds, self.refunds[refund_id] | changes)
        self.events.tell("refund.failed", failed)

    def list_payments(self, customer: str, since: int) -> list[Document]:
        """Newest first."""
        own = [self.payments[id] for id in self._by_customer.get(customer, ())]
        return [payment for payment in reversed(own) if payment["created"] >= since]

    def _arrive(self, payment_id: str) -> None:
        payment = self.payments[payment_id]
        if payment["status"] == "processing":
            self._succeed(payment)

    def _succeed(self, payment: Document) -> Document:
        done = self._save_payment(
            payment, status="succeeded", amount_received=payment["amount"],
            next_action=None, last_payment_error=None,
        )  # fmt: skip
        self.events.tell("payment_intent.succeeded", done)
        return done

    def _decline(self, payment: Document, code: str) -> CardRefusal:
        error = {
            "type": "card_error",
            "code": "card_declined",
            "message": "Your card was declined.",
        }
        if code in (AUTHENTICATION_REQUIRED, AUTHENTICATION_FAILED):
            error |= {"code": code, "message": "Your bank asks you to confirm this payment."}
        if code != AUTHENTICATION_FAILED:
            error["decline_code"] = code
        failed = self._save_payment(
            payment, status="requires_payment_method", next_action=None, last_payment_error=error
        )
        self.events.tell("payment_intent.payment_failed", failed)
        return CardRefusal(
            402, "card_error", error["code"], error["message"],
            decline_code=error.get("decline_code"), payment_intent=failed,
        )  # fmt: skip

    # Documents.

    def get(self, kind: Mapping[str, Document], id: str, noun: str) -> Document:
        found = kind.get(id)
        if found is None:
            raise missing(noun, id)
        return found

    def _new(self, prefix: str, kind: str, **values: Any) -> Document:
        return {
            "id": f"{prefix}_{secrets.token_hex(12)}",
            "object": kind,
            "created": int(self.scheduler.now().timestamp()),
            "livemode": False,
            **values,
        }

    def _save_payment(self, payment: Document, **changes: Any) -> Document:
        return self._save("payment", self.payments, payment | changes)

    def _save(self, kind: str, into: dict[str, Document], document: Document) -> Document:
        into[document["id"]] = document
        self._store.save(kind, document["id"], document)
        return document

    def _load(self, kind: str) -> dict[str, Document]:
        return {document["id"]: document for document in self._store.load(kind)}


def missing(noun: str, id: str) -> CardRefusal:
    return CardRefusal(404, "invalid_request_error", "resource_missing", f"No such {noun}: '{id}'")
