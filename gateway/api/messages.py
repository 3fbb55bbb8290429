"""Texts: received, sent, listed, and priced before they are sent."""

from __future__ import annotations

import datetime as dt
from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from gateway import runtime
from gateway.api.access import Access, for_account
from gateway.api.fields import (
    Currency,
    Items,
    Listing,
    Money,
    money,
    money_or_none,
    page,
    rate_or_none,
)
from gateway.api.once import once, spends
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import message_log, messages, numbers
from gateway.services.message_log import Message
from gateway.services.messages import NewText, Quote

BODY_LENGTH_MAX = messages.BODY_LENGTH_MAX


class MessageListing(Listing):
    """Filters and paging."""

    number_id: UUID | None = Field(None, description="Texts of this number.")
    peer: str | None = Field(
        None, max_length=16, description="Texts with this far end.", examples=["+17025550111"]
    )
    direction: Literal["inbound", "outbound"] | None = None


class MessageIn(Model):
    number_id: UUID = Field(description="The number that the text comes from.")
    to: str = Field(max_length=40, examples=["+17025550111"])
    body: str = Field(min_length=1, max_length=BODY_LENGTH_MAX)


class MessageOut(BaseModel):
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    id: UUID
    message_sid: str | None = Field(description="The carrier's id; null until it has the text.")
    direction: Literal["inbound", "outbound"]
    number_id: UUID
    number: str
    peer: str = Field(description="The far end: a number, a short code or a name.")
    from_: str = Field(alias="from")
    to: str
    body: str
    pictures: int
    encoding: str = Field(description="GSM-7 or UCS-2.")
    segments: int = Field(description="The carrier's count once it has the text; ours before.")
    status: str = Field(
        description="Twilio's word, such as delivered. Ours: draft (on its way to the carrier), "
        "refused (it never took the text) and lost (it never received it)."
    )
    error_code: int | None
    error: str | None = Field(description="Why it did not arrive, in words.")
    forward_of: UUID | None = Field(description="The received text that this one hands on.")
    created_at: dt.datetime
    charge: Money | None = Field(description="Null until it is charged, when its end is known.")
    currency: Currency


class MessagesOut(Items[MessageOut]):
    """A page of texts."""


class MessagePreviewOut(BaseModel):
    encoding: str = Field(description="GSM-7 or UCS-2: one character may double the price.")
    units: int = Field(description="Septets of GSM-7, or 16-bit units of UCS-2.")
    units_per_segment: int
    segments: int
    rate: Money | None = Field(description="Of a segment or a text, as the plan counts.")
    price: Money
    currency: Currency
    refusal: str | None = Field(description="Why this text may not go, in words.")


@blueprint.get("/messages")
@for_account
@blueprint.input(MessageListing, location="query", arg_name="query")
@blueprint.output(MessagesOut)
def list_messages(access: Access, query: MessageListing) -> object:
    """List texts, newest first"""
    with runtime.current().units.read() as uow:
        found = message_log.list_messages(
            uow,
            access.scope,
            query.after,
            query.limit,
            did_id=query.number_id,
            peer=query.peer,
            direction=query.direction,
        )
        owned = numbers.e164_of(uow, access.scope, {message.did_id for message in found.items})
    return page(found, lambda text: message_out(text, owned[text.did_id], access.currency))


@blueprint.post("/messages")
@for_account
@spends
@blueprint.input(MessageIn, arg_name="body")
@blueprint.output(MessageOut, status_code=201)
def send_message(access: Access, body: MessageIn) -> Response:
    """Send a text

    It is on its way when this answers; follow it by its `id`. Where the plan has no price for the
    destination it is refused, never free; so is one to a phone that has replied STOP (`opted_out`).
    What texts on their way may cost is spoken for (402). It is charged by the carrier's own count
    of segments, once its end is known.

    Takes `Idempotency-Key`: the same key never sends twice.
    """

    def act(key: str) -> MessageOut:
        with runtime.current().units.begin() as uow:
            sent = messages.send(
                uow,
                access.scope,
                NewText(body.number_id, body.to, body.body),
                actor=access.actor,
                idempotency_key=key,
            )
            number = numbers.get_number(uow, access.scope, sent.did_id)
        return message_out(sent, number.e164, access.currency)

    return once(access, "message", body, act)


@blueprint.post("/messages/preview")
@for_account
@blueprint.input(MessageIn, arg_name="body")
@blueprint.output(MessagePreviewOut)
def preview_message(access: Access, body: MessageIn) -> MessagePreviewOut:
    """Segments and price of a text, without sending it

    Our own count, which equals the carrier's public calculator.
    """
    with runtime.current().units.read() as uow:
        quoted = messages.quote(uow, access.scope, NewText(body.number_id, body.to, body.body))
    return _preview_out(quoted, access.currency)


@blueprint.get("/messages/<uuid:message_id>")
@for_account
@blueprint.output(MessageOut)
def get_message(access: Access, message_id: UUID) -> MessageOut:
    """One text"""
    with runtime.current().units.read() as uow:
        message = message_log.get_message(uow, access.scope, message_id)
        number = numbers.get_number(uow, access.scope, message.did_id)
    return message_out(message, number.e164, access.currency)


def message_out(message: Message, number: str, currency: str) -> MessageOut:
    inbound = message.direction == "inbound"
    return MessageOut(
        id=message.id,
        message_sid=message.carrier_sid,
        direction="inbound" if inbound else "outbound",
        number_id=message.did_id,
        number=number,
        peer=message.peer,
        **{"from": message.peer if inbound else number},
        to=number if inbound else message.peer,
        body=message.body,
        pictures=message.media_count,
        encoding=message.encoding,
        segments=message.segments,
        status=message.status,
        error_code=message.error_code,
        error=message.error,
        forward_of=message.forward_of,
        created_at=message.created_at,
        charge=money_or_none(message.charge_micros),
        currency=currency,
    )


def _preview_out(quoted: Quote, currency: str) -> MessagePreviewOut:
    return MessagePreviewOut(
        encoding=quoted.segments.encoding,
        units=quoted.segments.units,
        units_per_segment=quoted.segments.per_segment,
        segments=quoted.segments.count,
        rate=rate_or_none(quoted.rate.price_micros if quoted.rate else None),
        price=money(quoted.price_micros),
        currency=currency,
        refusal=quoted.refusal or None,
    )
