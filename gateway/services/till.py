"""Where cards are charged, and what charging has to know of the house."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from gateway.providers.payments import PaymentProvider
from gateway.services.errors import ServiceError


class CardsNotTaken(ServiceError):
    """This installation has no payment provider."""

    code = "cards_not_taken"
    status = 409

    def __init__(self) -> None:
        super().__init__("Cards are not taken here: ask the operator for a top-up by hand.")


@dataclass(frozen=True)
class Till:
    """No slots: the provider is made on first use, because loading its SDK costs most of a second
    and 40 MB, which a process that never charges does not pay. `name` marks its references."""

    name: str
    seller_country: str
    public_url: str
    connect: Callable[[], PaymentProvider]

    @cached_property
    def provider(self) -> PaymentProvider:
        return self.connect()

    def charge_page(self, charge_id: uuid.UUID) -> str:
        return f"{self.public_url}/billing/charges/{charge_id}"

    def cards_page(self) -> str:
        return f"{self.public_url}/billing/cards"

    def return_page(self, setup_id: uuid.UUID) -> str:
        return f"{self.public_url}/billing/cards/return/{setup_id}"
