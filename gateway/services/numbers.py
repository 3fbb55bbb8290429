"""Tracking numbers: searched, listed, labelled, and asked to be released."""

import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from billing.messages import MessageRefused, may_send
from billing.tariffs import Plan
from gateway.links import PublicLinks
from gateway.providers.telephony import ProviderError, Telephony
from gateway.services import accounts, audit, pages, plans
from gateway.services.errors import Conflict, FieldError, Invalid, NotFound
from gateway.services.pages import Page
from gateway.services.purchases import (
    as_service_error,
    check_words,
    for_sale,
    order_number,
    prices,
    resolve_orders,
)
from gateway.store import numbers
from gateway.store.base import Scope
from gateway.store.numbers import Number
from gateway.uow import UnitOfWork
from routing.numbering import InvalidNumber, parse_e164, pretty

__all__ = [
    "AvailableNumber",
    "Number",
    "configure_on_carrier",
    "e164_of",
    "every_number",
    "get_number",
    "list_numbers",
    "order_number",
    "request_release",
    "resolve_orders",
    "search_available",
    "set_texts_to",
    "update_number",
]

SEARCH_LIMIT_MAX = 50
AREA_CODE = re.compile(r"[2-9][0-9]{2}")
CONTAINS = re.compile(r"[0-9A-Za-z*]{2,16}")  # Twilio's own rule for Contains


@dataclass(frozen=True, slots=True)
class AvailableNumber:
    """On sale now, with what it would cost; not a reservation."""

    e164: str
    locality: str
    region: str
    number_type: str
    country: str
    rental_micros: int  # a month
    inbound_per_minute_micros: int


def search_available(
    telephony: Telephony,
    plan: Plan,
    *,
    country: str = "US",
    number_type: str = "local",
    area_code: str = "",
    contains: str = "",
    limit: int = 20,
) -> tuple[AvailableNumber, ...]:
    """What the carrier offers among what the plan has prices for."""
    rental, rate = prices(plan, country, number_type)
    errors = []
    if rental is None or rate is None:
        errors.append(FieldError("/type", for_sale(plan, country)))
    if area_code and (country not in ("US", "CA") or AREA_CODE.fullmatch(area_code) is None):
        errors.append(FieldError("/area_code", "write three digits such as 415, for US or CA"))
    if contains and CONTAINS.fullmatch(contains) is None:
        errors.append(FieldError("/contains", "write 2 to 16 digits, letters or *"))
    if errors or rental is None or rate is None:
        raise Invalid(errors)
    try:
        offered = telephony.search_numbers(
            country=country,
            number_type=number_type,
            area_code=area_code,
            contains=contains,
            limit=min(max(limit, 1), SEARCH_LIMIT_MAX),
        )
    except ProviderError as failure:
        raise as_service_error(failure) from failure
    return tuple(
        AvailableNumber(
            e164=offer.e164,
            locality=offer.locality,
            region=offer.region,
            number_type=number_type,
            country=country,
            rental_micros=rental,
            inbound_per_minute_micros=rate,
        )
        for offer in offered
    )


def list_numbers(
    uow: UnitOfWork,
    scope: Scope,
    *,
    search: str = "",
    after: str | None = None,
    limit: int = pages.LIMIT_DEFAULT,
) -> Page[Number]:
    """Newest first; `search` finds words of the label or the source, or digits of the number.

    Raises `Invalid` at /after."""
    limit = pages.clamp(limit)
    found = numbers.of_account(
        uow.connection,
        scope,
        search=search.strip(),
        before=pages.decode_cursor(after, pages.uuid_of) if after else None,
        limit=limit + 1,
    )
    return pages.cut(found, limit, lambda number: pages.encode_cursor(number.id))


def every_number(uow: UnitOfWork, scope: Scope) -> tuple[Number, ...]:
    """All of an account's, newest first: for a choice among them, and for deeds on each."""
    return numbers.of_account(uow.connection, scope)


def get_number(uow: UnitOfWork, scope: Scope, did_id: uuid.UUID) -> Number:
    found = numbers.find(uow.connection, scope, did_id)
    if found is None:
        raise NotFound("number", did_id)
    return found


def e164_of(uow: UnitOfWork, scope: Scope, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The numbers themselves, released ones included."""
    return numbers.e164_of(uow.connection, scope, ids)


def update_number(
    uow: UnitOfWork,
    scope: Scope,
    did_id: uuid.UUID,
    *,
    label: str | None = None,
    source: str | None = None,
    actor: str,
) -> Number:
    """None leaves it. Calls that came before keep the source they came by."""
    number = get_number(uow, scope, did_id)
    given = {"label": label, "source": source}
    changes = {name: value.strip() for name, value in given.items() if value is not None}
    check_words(changes)
    if changes:
        numbers.change(uow.connection, scope, did_id, dict(changes))
        audit.note(uow, scope, actor, "number.changed", number.e164, **changes)
    return get_number(uow, scope, did_id)


def set_texts_to(uow: UnitOfWork, scope: Scope, did_id: uuid.UUID, to: str, actor: str) -> Number:
    """Who gets a copy of each text that comes in: an e-mail address, a phone, or (empty) nobody.

    A phone must have a price and be none of our numbers, or texts would go round in circles.
    """
    number = get_number(uow, scope, did_id)
    chosen = _receiver_of_texts(uow, number, to.strip())
    if chosen != number.texts_to:
        numbers.change(uow.connection, scope, did_id, {"texts_to": chosen})
        audit.note(uow, scope, actor, "number.texts_to", number.e164, to=chosen)
    return get_number(uow, scope, did_id)


def _receiver_of_texts(uow: UnitOfWork, number: Number, typed: str) -> str:
    if not typed:
        return ""
    if "@" in typed:
        if not accounts.is_email(typed):
            raise Invalid.at("/texts_to", "write an e-mail address, such as ann@example.com")
        return typed
    try:
        phone = parse_e164(typed, number.country)
    except InvalidNumber as refusal:
        raise Invalid.at("/texts_to", f"{refusal} Or write an e-mail address.") from None
    if numbers.ours_among(uow.connection, [phone]):
        raise Invalid.at("/texts_to", "that is a tracking number: choose a phone of your own")
    version_id = accounts.get_account(uow, number.scope).plan_version_id
    price = may_send(phone, plans.plan_version(uow.connection, version_id).plan.tariff.sms)
    if isinstance(price, MessageRefused):
        raise Invalid.at("/texts_to", price.words)
    return phone


def request_release(uow: UnitOfWork, scope: Scope, did_id: uuid.UUID, actor: str) -> Number:
    """The number stops taking calls and goes its way to the carrier; asking again changes
    nothing."""
    number = get_number(uow, scope, did_id)
    if number.status in ("releasing", "released"):
        return number
    numbers.change(
        uow.connection, scope, did_id, {"status": "releasing", "release_requested_at": uow.now}
    )
    audit.note(uow, scope, actor, "number.release_requested", number.e164)
    return get_number(uow, scope, did_id)


def configure_on_carrier(telephony: Telephony, links: PublicLinks, number: Number) -> None:
    """Point the number's voice, fallback, status and message URLs at us (again)."""
    if number.carrier_sid is None:
        raise Conflict(f"{pretty(number.e164)} has no number at the carrier yet.")
    try:
        telephony.update_number(number.carrier_sid, links.number(number.tenant_id))
    except ProviderError as failure:
        raise as_service_error(failure) from failure
