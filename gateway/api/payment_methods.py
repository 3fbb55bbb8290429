"""Cards of an account: kept at the payment provider, ordered, removed."""

from __future__ import annotations

import datetime as dt
from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.once import once, spends
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import payment_methods
from gateway.store.payment_methods import PaymentMethod


class CardIn(Model):
    token: str = Field(
        min_length=1,
        max_length=200,
        description="What the provider calls the card, such as `pm_…`; never its number. "
        "In the sandbox `pm_card_visa` is a card that pays.",
    )


class CardChanges(Model):
    role: Literal["default", "backup", "other"]


class CardOut(BaseModel):
    id: UUID
    brand: str
    last4: str
    expires: str = Field(description="Year and month, such as 2027-05.")
    role: str = Field(description="default, backup (charged when the default is declined), other.")
    added_at: dt.datetime
    added_by: str


class CardsOut(BaseModel):
    items: list[CardOut]
    next: None = None


class VisitOut(BaseModel):
    id: UUID
    state: str = Field(description="open, or done when `payment_method` is there.")
    url: str | None = Field(description="Where the customer types the card in.")
    payment_method: CardOut | None


@blueprint.get("/payment-methods")
@for_account
@blueprint.output(CardsOut)
def list_payment_methods(access: Access) -> CardsOut:
    """List the cards, the default first"""
    with runtime.current().units.read() as uow:
        kept = payment_methods.listed(uow, access.scope)
    return CardsOut(items=[card_out(method) for method in kept])


@blueprint.post("/payment-methods")
@for_account
@spends
@blueprint.input(CardIn, arg_name="body")
@blueprint.output(CardOut, status_code=201)
def add_payment_method(access: Access, body: CardIn) -> Response:
    """Keep a card that the provider knows by a token

    The first card becomes the default, the second the backup. 402 where the card is refused.
    """

    def act(key: str) -> CardOut:
        running = runtime.current()
        return card_out(
            payment_methods.attach(
                running.units,
                running.cards(),
                access.scope,
                token=body.token,
                actor=access.actor,
                idempotency_key=key,
            )
        )

    return once(access, "payment-method", body, act)


@blueprint.post("/payment-methods/visits")
@for_account
@blueprint.output(VisitOut, status_code=201)
def open_card_page(access: Access) -> VisitOut:
    """Open the provider's page for a new card

    Send the customer to `url`. The card is here when the customer comes back.
    """
    running = runtime.current()
    return _visit_out(
        payment_methods.open_page(running.units, running.cards(), access.scope, access.actor)
    )


@blueprint.get("/payment-methods/visits/<uuid:visit_id>")
@for_account
@blueprint.output(VisitOut)
def get_card_page(access: Access, visit_id: UUID) -> VisitOut:
    """What a visit to the card page brought"""
    running = runtime.current()
    return _visit_out(
        payment_methods.finish_visit(running.units, running.cards(), access.scope, visit_id)
    )


@blueprint.get("/payment-methods/<uuid:method_id>")
@for_account
@blueprint.output(CardOut)
def get_payment_method(access: Access, method_id: UUID) -> CardOut:
    """One card"""
    with runtime.current().units.read() as uow:
        return card_out(payment_methods.get(uow, access.scope, method_id))


@blueprint.patch("/payment-methods/<uuid:method_id>")
@for_account
@blueprint.input(CardChanges, arg_name="body")
@blueprint.output(CardOut)
def update_payment_method(access: Access, method_id: UUID, body: CardChanges) -> CardOut:
    """Make a card the default, the backup, or neither"""
    with runtime.current().units.begin() as uow:
        return card_out(
            payment_methods.set_role(uow, access.scope, method_id, body.role, access.actor)
        )


@blueprint.delete("/payment-methods/<uuid:method_id>")
@for_account
@blueprint.output({}, status_code=204)
def remove_payment_method(access: Access, method_id: UUID) -> Response:
    """Remove a card

    It is never charged again. The backup becomes the default where the default is removed.
    """
    running = runtime.current()
    payment_methods.remove(running.units, running.till, access.scope, method_id, access.actor)
    return Response(status=204)


def card_out(method: PaymentMethod) -> CardOut:
    return CardOut(**{name: getattr(method, name) for name in CardOut.model_fields})


def _visit_out(visit: payment_methods.Visit) -> VisitOut:
    return VisitOut(
        id=visit.setup.id,
        state="open" if visit.method is None else "done",
        url=visit.url,
        payment_method=None if visit.method is None else card_out(visit.method),
    )
