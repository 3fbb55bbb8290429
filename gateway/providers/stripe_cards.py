"""Cards at Stripe, or at whatever speaks its API: the sandbox's card network does.

Cards are typed in on Stripe's own page (a Checkout session in setup mode); charges are
PaymentIntents that name our charge in their metadata. The SDK sends nothing twice by itself: what
is sent again, and when, is billing.charges' to say.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast
from uuid import UUID

import stripe

from billing.charges import ActionRequired, Declined, NotFound, Succeeded
from billing.minor_units import from_minor, to_minor
from gateway.providers.payments import (
    CardPage,
    ChargeAnswer,
    ChargeOrder,
    ChargeQuery,
    EventKind,
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
from gateway.providers.telephony import OutcomeUnknown, ProviderError

TIMEOUT_SECONDS = 20.0
DESCRIPTION_LENGTH_MAX = 200
CANCELED = "canceled"
AUTHENTICATION_REQUIRED = "authentication_required"  # docs.stripe.com/declines/codes
# Clocks differ: a charge may have been made a little before we say that we asked for it.
CLOCK_SKEW = dt.timedelta(minutes=5)
PAGE = 100

# docs.stripe.com/api/events/types
EVENTS: dict[str, EventKind] = {
    "payment_intent.succeeded": "charge",
    "payment_intent.payment_failed": "charge",
    "payment_intent.requires_action": "charge",
    "payment_intent.canceled": "charge",
    "checkout.session.completed": "setup",
    "checkout.session.expired": "setup",
    "charge.dispute.created": "disputed",
    "charge.refunded": "refunded",
    "refund.updated": "refund",
    "refund.failed": "refund",
    "charge.refund.updated": "refund",
}


class StripeCards:
    """`api_url` replaces https://api.stripe.com; `name` marks the references as this one's."""

    def __init__(
        self,
        *,
        api_key: str,
        webhook_secret: str,
        api_url: str = "",
        name: Literal["stripe", "sandbox"] = "stripe",
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.name: str = name
        self._secret = webhook_secret
        addresses = cast(Any, {"base_addresses": {"api": api_url}} if api_url else {})
        client = stripe.StripeClient(
            api_key,
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout_seconds),
            **addresses,
        )
        self._api = client.v1
        self._construct: Callable[[bytes, str, str], stripe.Event] = client.construct_event

    # Cards.

    def open_card_page(
        self, payer: Payer, *, setup_id: UUID, currency: str, return_url: str, cancel_url: str
    ) -> CardPage:
        customer = payer.customer_ref or self._make_customer(payer)
        params: dict[str, Any] = {
            "mode": "setup",
            "currency": currency.lower(),
            "customer": customer,
            "payment_method_types": ["card"],
            "success_url": return_url,
            "cancel_url": cancel_url,
            "metadata": {"tenant": payer.tenant_id.hex, "setup": setup_id.hex},
        }
        with _asking():
            session = self._api.checkout.sessions.create(
                cast(Any, params), {"idempotency_key": f"setup:{setup_id}"}
            )
        assert session.url is not None, "an open session has a page"
        return CardPage(session.id, customer, session.url)

    def saved_card(self, session_ref: str) -> SavedCard | None:
        with _asking():
            session = self._api.checkout.sessions.retrieve(
                session_ref, {"expand": ["setup_intent.payment_method"]}
            )
        intent = session.setup_intent
        if session.status != "complete" or not isinstance(intent, stripe.SetupIntent):
            return None
        method = intent.payment_method
        if intent.status != "succeeded" or not isinstance(method, stripe.PaymentMethod):
            return None
        return _card(method, str(session.customer))

    def attach_card(self, payer: Payer, method_ref: str, *, key: str) -> SavedCard | Declined:
        customer = payer.customer_ref or self._make_customer(payer)
        params: dict[str, Any] = {
            "customer": customer,
            "payment_method_types": ["card"],
            "usage": "off_session",
        }
        with _asking():
            try:
                intent = self._api.setup_intents.create(cast(Any, params), {"idempotency_key": key})
                intent = self._api.setup_intents.confirm(
                    intent.id,
                    {"payment_method": method_ref},
                    {"idempotency_key": f"{key}:confirm"},
                )
            except (stripe.CardError, stripe.InvalidRequestError) as refusal:
                return Declined(_code(refusal))
            if intent.status != "succeeded" or intent.payment_method is None:
                return Declined(AUTHENTICATION_REQUIRED)
            method = self._api.payment_methods.retrieve(str(intent.payment_method))
        return _card(method, customer)

    def forget_card(self, method_ref: str) -> None:
        try:
            with _asking():
                self._api.payment_methods.detach(method_ref)
        except ProviderError as refusal:
            if not refusal.permanent:
                raise

    def _make_customer(self, payer: Payer) -> str:
        with _asking():
            customer = self._api.customers.create(
                {
                    "name": payer.name,
                    "email": payer.email,
                    "metadata": {"tenant": payer.tenant_id.hex, "account": payer.account_id.hex},
                },
                {"idempotency_key": f"customer:{payer.account_id}"},
            )
        return customer.id

    # Charges.

    def charge(self, order: ChargeOrder) -> ChargeAnswer:
        params: dict[str, Any] = {
            "amount": to_minor(order.amount_micros, order.currency),
            "currency": order.currency.lower(),
            "customer": order.customer_ref,
            "payment_method": order.method_ref,
            "payment_method_types": ["card"],
            "metadata": {
                "tenant": order.tenant_id.hex,
                "charge": order.id.hex,
                "about": order.description[:DESCRIPTION_LENGTH_MAX],
            },
            "confirm": True,
        }
        params |= {"return_url": order.return_url} if order.present else {"off_session": True}
        with _asking():
            try:
                intent = self._api.payment_intents.create(
                    cast(Any, params), {"idempotency_key": str(order.id)}
                )
            except stripe.InvalidRequestError as refusal:
                return Declined(_code(refusal))
            except stripe.CardError as refusal:
                made = getattr(refusal.error, "payment_intent", None)
                if made is None:
                    return Declined(_code(refusal))
                intent = self._api.payment_intents.retrieve(made.id)
        return self._read(intent, order)

    def find_charge(self, query: ChargeQuery) -> FoundCharge:
        intent = self._find(query)
        return NotFound() if intent is None else self._read(intent, query.order)

    def cancel_charge(self, query: ChargeQuery) -> None:
        intent = self._find(query)
        if intent is None or intent.status in ("succeeded", "processing", CANCELED):
            return
        with _asking():
            self._api.payment_intents.cancel(intent.id)

    def _find(self, query: ChargeQuery) -> stripe.PaymentIntent | None:
        """Listed by customer, because a search by metadata is minutes behind
        (docs.stripe.com/search#data-freshness)."""
        if query.provider_ref is not None:
            with _asking():
                return self._api.payment_intents.retrieve(query.provider_ref)
        since = int((query.since - CLOCK_SKEW).timestamp())
        with _asking():
            listed = self._api.payment_intents.list(
                {
                    "customer": query.order.customer_ref,
                    "created": {"gte": since},
                    "limit": PAGE,
                }
            )
            for intent in listed.auto_paging_iter():
                if _uuid(intent.metadata, "charge") == query.order.id:
                    return intent
        return None

    def _read(self, intent: stripe.PaymentIntent, order: ChargeOrder) -> ChargeAnswer:
        match intent.status:
            case "succeeded":
                # Captured as it is charged, so what was received is the amount itself.
                received = getattr(intent, "amount_received", intent.amount)
                taken = from_minor(received, intent.currency.upper())
                return Succeeded(intent.id, taken)
            case "requires_action":
                url = _bank_page(intent)
                return (
                    Declined(AUTHENTICATION_REQUIRED)
                    if not url
                    else (ActionRequired(intent.id, url))
                )
            case "requires_payment_method":
                code = _last_error(intent)
                if code == AUTHENTICATION_REQUIRED:
                    return self._ask_customer(intent, order)
                return Declined(code)
            case "canceled":
                return Declined(CANCELED)
            case _:
                return StillOpen()

    def _ask_customer(self, intent: stripe.PaymentIntent, order: ChargeOrder) -> ChargeAnswer:
        """The bank wants the customer, who was not there: the same intent, now with a page of the
        bank's. It takes no money before the customer has agreed there."""
        with _asking():
            try:
                confirmed = self._api.payment_intents.confirm(
                    intent.id,
                    {"payment_method": order.method_ref, "return_url": order.return_url},
                    {"idempotency_key": f"{order.id}:present"},
                )
            except stripe.CardError as refusal:
                return Declined(_code(refusal))
        if confirmed.status == "requires_payment_method":
            return Declined(_last_error(confirmed))
        return self._read(confirmed, order)

    # Refunds.

    def refund(self, order: RefundOrder) -> RefundAnswer:
        found = self._find_refund(order)
        if found is not None:
            return _read_refund(found)
        params: dict[str, Any] = {
            "payment_intent": order.charge_ref,
            "amount": to_minor(order.amount_micros, order.currency),
            "metadata": {"tenant": order.tenant_id.hex, "refund": order.id.hex},
        }
        with _asking():
            try:
                made = self._api.refunds.create(
                    cast(Any, params), {"idempotency_key": f"refund:{order.id}"}
                )
            except (stripe.CardError, stripe.InvalidRequestError) as refusal:
                return NotRefunded(None, refusal.user_message or str(refusal))
        return _read_refund(made)

    def _find_refund(self, order: RefundOrder) -> stripe.Refund | None:
        for refund in self._list_refunds(order.charge_ref):
            if _uuid(refund.metadata, "refund") == order.id:
                return refund
        return None

    def refunds_of(self, charge_ref: str) -> tuple[MadeRefund, ...]:
        return tuple(
            MadeRefund(
                refund.id,
                _uuid(refund.metadata, "refund"),
                from_minor(refund.amount, refund.currency.upper()),
                _read_refund(refund),
            )
            for refund in self._list_refunds(charge_ref)
        )

    def _list_refunds(self, charge_ref: str) -> Iterator[stripe.Refund]:
        with _asking():
            listed = self._api.refunds.list({"payment_intent": charge_ref, "limit": PAGE})
            yield from listed.auto_paging_iter()

    # News.

    def parse_event(self, body: bytes, signature: str) -> PaymentEvent:
        try:
            event = self._construct(body, signature, self._secret)
        except (ValueError, stripe.SignatureVerificationError) as refusal:
            raise EventRefused(str(refusal)) from None
        kind = EVENTS.get(event.type, "other")
        told: Any = event.data.object
        if kind in ("disputed", "refunded"):
            # A dispute has no metadata of ours; it names the intent.
            return PaymentEvent(
                event.id,
                kind,
                provider_ref=getattr(told, "payment_intent", None),
                dispute_ref=told.id if kind == "disputed" else None,
            )
        metadata = getattr(told, "metadata", None) or {}
        tenant = _uuid(metadata, "tenant")
        subject = _uuid(metadata, kind)
        if tenant is None or subject is None:
            return PaymentEvent(event.id, "other")
        return PaymentEvent(event.id, kind, tenant, subject)


@contextmanager
def _asking() -> Iterator[None]:
    """Stripe's errors as ours."""
    try:
        yield
    except stripe.APIConnectionError as lost:
        raise OutcomeUnknown("The card network did not answer.") from lost
    except (stripe.AuthenticationError, stripe.PermissionError) as refusal:
        raise ProviderError("The card network refuses our key.", permanent=True) from refusal
    except (stripe.CardError, stripe.InvalidRequestError) as refusal:
        words = refusal.user_message or str(refusal)
        raise ProviderError(f"The card network refused: {words}", permanent=True) from refusal
    except stripe.StripeError as failure:
        # 409, 429 and 5xx: it may or may not have been done (docs.stripe.com/error-low-level).
        raise OutcomeUnknown("The card network is busy or broken.") from failure


def _read_refund(refund: stripe.Refund) -> RefundAnswer:
    """docs.stripe.com/api/refunds/object, status: a refund that succeeded may still fail later."""
    match refund.status:
        case "succeeded":
            return Refunded(refund.id)
        case "failed" | "canceled":
            reason = getattr(refund, "failure_reason", None) or refund.status
            return NotRefunded(refund.id, str(reason).replace("_", " "))
        case _:
            return StillOpen()


def _card(method: stripe.PaymentMethod, customer: str) -> SavedCard:
    card = method.card
    assert card is not None, "only cards are asked for"
    return SavedCard(
        customer_ref=customer,
        method_ref=method.id,
        brand=card.brand,
        last4=card.last4,
        expires=f"{card.exp_year:04}-{card.exp_month:02}",
    )


def _code(refusal: stripe.StripeError) -> str:
    error = refusal.error
    return str(getattr(error, "decline_code", None) or refusal.code or "card_declined")


def _last_error(intent: stripe.PaymentIntent) -> str:
    error = intent.last_payment_error
    if error is None:
        return "card_declined"
    if getattr(error, "code", None) == AUTHENTICATION_REQUIRED:
        return AUTHENTICATION_REQUIRED
    return str(
        getattr(error, "decline_code", None) or getattr(error, "code", None) or "card_declined"
    )


def _bank_page(intent: stripe.PaymentIntent) -> str:
    action: Any = intent.next_action
    redirect: Any = getattr(action, "redirect_to_url", None) if action else None
    return str(redirect.url) if redirect is not None else ""


def _uuid(metadata: Any, name: str) -> UUID | None:
    try:
        return UUID(hex=metadata[name])
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
