"""Cards as services see them: a page that keeps one, charges, and what became of them.

A charge answers in one of four ways: `Succeeded`, `Declined`, `ActionRequired` or `StillOpen`. A
lost answer is `OutcomeUnknown`; it is resolved by `find_charge`, or by the same charge again under
the same key while the provider remembers it (billing.charges). A refund is looked for first and
made where there is none, so that asking again gives nothing back twice.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from billing.charges import ActionRequired, Declined, NotFound, Succeeded


class EventRefused(Exception):
    """The signature does not hold, or the body is none of the provider's."""


@dataclass(frozen=True, slots=True)
class StillOpen:
    """The provider has it and does not know yet how it ends."""


ChargeAnswer = Succeeded | Declined | ActionRequired | StillOpen
FoundCharge = ChargeAnswer | NotFound


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose cards they are. `customer_ref` is the provider's name for the account, once known."""

    tenant_id: UUID
    account_id: UUID
    name: str
    email: str
    customer_ref: str | None


@dataclass(frozen=True, slots=True)
class CardPage:
    """Where the customer types the card in; the number is never seen by us."""

    session_ref: str
    customer_ref: str
    url: str


@dataclass(frozen=True, slots=True)
class SavedCard:
    """`expires` is "2027-05"."""

    customer_ref: str
    method_ref: str
    brand: str
    last4: str
    expires: str


@dataclass(frozen=True, slots=True)
class ChargeOrder:
    """A charge as the provider is told: `id` is its idempotency key. `present`: the customer is
    there and may be sent to the bank's page at once, which then leads back to `return_url`."""

    id: UUID
    tenant_id: UUID
    amount_micros: int
    currency: str
    customer_ref: str
    method_ref: str
    description: str
    present: bool
    return_url: str


@dataclass(frozen=True, slots=True)
class ChargeQuery:
    """A charge to be found: by the provider's own reference, or among those of its customer
    that were made from `since` on."""

    order: ChargeOrder
    provider_ref: str | None
    since: dt.datetime


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Money of a charge to give back: `id` is its idempotency key, `charge_ref` the provider's
    name of the charge."""

    id: UUID
    tenant_id: UUID
    charge_ref: str
    amount_micros: int
    currency: str


@dataclass(frozen=True, slots=True)
class Refunded:
    """The money is on its way to the card."""

    provider_ref: str


@dataclass(frozen=True, slots=True)
class NotRefunded:
    """The provider does not give it back, for good. `provider_ref` is None where it never made
    such a refund; else the refund was made and failed later."""

    provider_ref: str | None
    words: str


RefundAnswer = Refunded | NotRefunded | StillOpen


@dataclass(frozen=True, slots=True)
class MadeRefund:
    """A refund of a charge that the provider has, by whomever: `refund_id` is ours, where it is.
    One that is not made for good may be `StillOpen`: the money may go."""

    provider_ref: str
    refund_id: UUID | None
    amount_micros: int
    answer: RefundAnswer


EventKind = Literal["charge", "setup", "refund", "disputed", "refunded", "other"]


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """News of one of our charges, refunds or visits to the card page, named by our own ids; that a
    charge was disputed or money of it refunded, by the provider's reference of the charge. It says
    where to look; what happened is asked, not believed (RELIABILITY E5).

    `dispute_ref` is the provider's reference of the dispute."""

    id: str
    kind: EventKind
    tenant_id: UUID | None = None
    subject_id: UUID | None = None
    provider_ref: str | None = None
    dispute_ref: str | None = None


class PaymentProvider(Protocol):
    """`name` goes into the rows that keep this provider's references."""

    name: str

    def open_card_page(
        self, payer: Payer, *, setup_id: UUID, currency: str, return_url: str, cancel_url: str
    ) -> CardPage: ...

    def saved_card(self, session_ref: str) -> SavedCard | None:
        """The card that a visit brought; None while it has brought none."""

    def attach_card(self, payer: Payer, method_ref: str, *, key: str) -> SavedCard | Declined:
        """Keep a card that the provider knows by a token."""

    def forget_card(self, method_ref: str) -> None:
        """A card that is forgotten already counts as done."""

    def charge(self, order: ChargeOrder) -> ChargeAnswer: ...

    def find_charge(self, query: ChargeQuery) -> FoundCharge: ...

    def cancel_charge(self, query: ChargeQuery) -> None:
        """An unconfirmed charge is not wanted any more; one that ended is left as it is."""

    def refund(self, order: RefundOrder) -> RefundAnswer:
        """Give it back, or say what became of it since: the same order again gives nothing more."""

    def refunds_of(self, charge_ref: str) -> tuple[MadeRefund, ...]:
        """All that was given back of a charge, or was to be, here and elsewhere."""

    def parse_event(self, body: bytes, signature: str) -> PaymentEvent:
        """Raises `EventRefused`."""
