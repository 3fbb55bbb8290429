"""Sending a text: what it would cost, whether it may go, and the row that makes it happen once.

The text is committed with a deed on the carrier queue, before the carrier hears of it; what becomes
of it is told by callbacks (`message_events`), or asked for (`message_sweeping`).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from billing.messages import (
    MessageRate,
    MessageRefused,
    MessageStatus,
    may_send,
)
from billing.money import format_amount
from billing.opt_outs import refuse_opted_out
from billing.segments import Segments, segments
from billing.tariffs import Plan
from gateway.services import accounts, audit, exposure, numbers, payers, plans, sales
from gateway.services.accounts import Account
from gateway.services.errors import BalanceTooLow, Conflict, Forbidden, Invalid, NotFound
from gateway.services.numbers import Number
from gateway.store import accounts as account_store
from gateway.store import call_events, conversations, messages, outbox
from gateway.store.base import Scope, new_id
from gateway.store.ledger import LockedBooks, lock_books
from gateway.store.messages import Message
from gateway.uow import UnitOfWork
from routing.numbering import InvalidNumber, parse_e164, pretty

BODY_LENGTH_MAX: Final = 1_600  # error 21617 of the carrier: twilio.com/docs/api/errors/21617


class OptedOut(Forbidden):
    """The far end has said STOP."""

    code = "opted_out"


@dataclass(frozen=True, slots=True)
class Quote:
    """What a text would cost if it went now; `refusal` says why it may not, in words."""

    segments: Segments
    rate: MessageRate | None
    price_micros: int
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class NewText:
    did_id: uuid.UUID
    to: str  # as typed; read as a number of the sending number's country
    body: str


def quote(uow: UnitOfWork, scope: Scope, text: NewText) -> Quote:
    """The preview beside the reply box: changes nothing, refuses nothing but a foreign number."""
    number = numbers.get_number(uow, scope, text.did_id)
    version_id = accounts.get_account(uow, scope).plan_version_id
    plan = plans.plan_version(uow.connection, version_id).plan
    counted = count(number, text.body)
    try:
        to = parse_e164(text.to, number.country)
    except InvalidNumber as refusal:
        return Quote(counted, None, 0, str(refusal))
    wish = refuse_opted_out(
        to, conversations.is_opted_out(uow.connection, scope.tenant_id, number.id, to)
    )
    if wish is not None:
        return Quote(counted, None, 0, wish.words)
    rate = may_send(to, plan.tariff.sms)
    if isinstance(rate, MessageRefused):
        return Quote(counted, None, 0, rate.words)
    return Quote(counted, rate, price(plan, rate, counted))


def send(
    uow: UnitOfWork,
    scope: Scope,
    text: NewText,
    *,
    actor: str,
    idempotency_key: str,
    forward_of: uuid.UUID | None = None,
) -> Message:
    """Put a text on its way. The same key again answers the first text.

    Under the account's lock, so that two texts cannot spend the same balance; what is on its way
    and what live calls have used is not free any more.
    """
    sales.check_key(idempotency_key)
    number = numbers.get_number(uow, scope, text.did_id)
    to, body = _destination(text.to, number), _checked(text.body)
    locked = lock_books(uow.connection, scope)
    if locked is None:
        raise NotFound("account", scope.account_id)
    first = messages.find_by_key(uow.connection, scope, idempotency_key)
    if first is not None:
        if (first.did_id, first.peer, first.body) != (number.id, to, body):
            raise Conflict("That idempotency key was used for another text: send a new key.")
        return first
    plan = plans.plan_version(uow.connection, locked.plan_version_id).plan
    payer = _payer(uow, scope, locked)
    rate = _allowed(uow, number, to, plan, locked.status, payer)
    counted = count(number, body)
    cost = price(plan, rate, counted)
    _check_balance(uow, scope, plan, payer, cost)
    message = new_message(
        number,
        to,
        body,
        uow,
        plan_version_id=locked.plan_version_id,
        actor=actor,
        idempotency_key=idempotency_key,
        forward_of=forward_of,
        rate_micros=rate.price_micros,
        quoted_micros=cost,
    )
    _put_on_its_way(uow, message)
    return message


def _put_on_its_way(uow: UnitOfWork, message: Message) -> None:
    if message.forward_of is None:
        conversations.touch(
            uow.connection,
            message.scope,
            message.did_id,
            message.peer,
            message.id,
            at=uow.now,
            unread=0,
        )
    outbox.add(
        uow.connection,
        message.scope,
        queue="carrier",
        kind="send_message",
        key=f"send_message:{message.id}",
        payload={"message_id": str(message.id)},
        now=uow.now,
    )
    audit.note(
        uow,
        message.scope,
        message.actor or "system",
        "message.sent",
        message.id,
        to=message.peer,
        segments=message.segments,
    )


def new_message(
    number: Number,
    to: str,
    body: str,
    uow: UnitOfWork,
    *,
    plan_version_id: uuid.UUID,
    actor: str,
    idempotency_key: str,
    forward_of: uuid.UUID | None = None,
    rate_micros: int | None = None,
    quoted_micros: int = 0,
    refusal: str | None = None,
) -> Message:
    """The stored row of an outbound text: a draft, or one that was refused and costs nothing."""
    counted = count(number, body)
    message = Message(
        tenant_id=number.tenant_id,
        id=new_id(),
        account_id=number.account_id,
        did_id=number.id,
        carrier_sid=None,
        direction="outbound",
        peer=to,
        body=body,
        media_count=0,
        encoding=counted.encoding,
        segments=counted.count,
        metered=False,
        status=MessageStatus.REFUSED if refusal else MessageStatus.DRAFT,
        error_code=None,
        error=refusal,
        plan_version_id=plan_version_id,
        receipt_id=None,
        forward_of=forward_of,
        created_at=uow.now,
        attempted_at=None,
        due_at=None,
        settled_at=uow.now if refusal else None,
        quoted_micros=quoted_micros,
        rate_micros=rate_micros,
        charge_micros=0 if refusal else None,
        actor=actor,
    )
    added = messages.add(uow.connection, message, idempotency_key=idempotency_key)
    assert added, "its key was looked for under the account's lock"
    return message


def count(number: Number, body: str) -> Segments:
    """Our own count; the carrier's is what is charged."""
    return segments(body, toll_free_us=is_toll_free_us(number.number_type, number.country))


def is_toll_free_us(number_type: str, country: str) -> bool:
    """Toll-free numbers of the US and Canada, whose parts hold one unit less."""
    return number_type == "toll-free" and country in ("US", "CA")


def price(plan: Plan, rate: MessageRate, counted: Segments) -> int:
    assert plan.tariff.sms is not None, "a rate comes from the plan's prices"
    units = counted.count if plan.tariff.sms.unit == "segment" else 1
    return units * rate.price_micros


def still_refused(uow: UnitOfWork, message: Message) -> str | None:
    """Why a text must not go after all: between the row and the carrier a STOP may have come, or
    the money may have run out."""
    if accounts.get_account(uow, message.scope).status != "active":
        return _SUSPENDED
    opted_out = conversations.is_opted_out(
        uow.connection, message.tenant_id, message.did_id, message.peer
    )
    wish = refuse_opted_out(message.peer, opted_out)
    return None if wish is None else wish.words


_SUSPENDED = "The account is suspended: top up first, then send texts."


def _destination(typed: str, number: Number) -> str:
    try:
        to = parse_e164(typed, number.country)
    except InvalidNumber as refusal:
        raise Invalid.at("/to", str(refusal)) from None
    if to == number.e164:
        raise Invalid.at("/to", "that is the number itself: choose another one")
    return to


def _checked(body: str) -> str:
    if not body.strip():
        raise Invalid.at("/body", "write something")
    if len(body) > BODY_LENGTH_MAX:
        raise Invalid.at("/body", f"a text has at most {BODY_LENGTH_MAX} characters")
    return body


def _payer(uow: UnitOfWork, scope: Scope, locked: LockedBooks) -> Account:
    """Whoever pays for the text, as it stands: nobody moves money of the tenant meanwhile,
    because the account's lock holds its chain."""
    agency = payers.agency_of(uow, scope, locked, uow.now)
    return accounts.get_account(uow, agency or scope)


def _allowed(
    uow: UnitOfWork, number: Number, to: str, plan: Plan, status: str, payer: Account
) -> MessageRate:
    if status != "active" or payer.status != "active":
        raise Forbidden(_SUSPENDED)
    if number.status != "active":
        raise Conflict(f"{pretty(number.e164)} is not in service: choose another number.")
    opted_out = conversations.is_opted_out(uow.connection, number.tenant_id, number.id, to)
    wish = refuse_opted_out(pretty(to), opted_out)
    if wish is not None:
        raise OptedOut(wish.words)
    rate = may_send(to, plan.tariff.sms)
    if isinstance(rate, MessageRefused):
        raise Invalid.at("/to", rate.words)
    return rate


def _check_balance(uow: UnitOfWork, scope: Scope, plan: Plan, payer: Account, cost: int) -> None:
    """What other clients of an agency have on its way is spoken for as well."""
    spenders = [scope, payer.scope, *account_store.sharing_clients(uow.connection, payer.scope)]
    ids = {spender.account_id for spender in spenders}
    spoken_for = messages.quoted_micros(uow.connection, scope.tenant_id, ids)
    live = call_events.live_legs(uow.connection, scope)
    accrued = exposure.of_live_legs(live, plan, now=uow.now).accrued_micros
    credit = plans.plan_version(uow.connection, payer.plan_version_id).plan.credit_limit_micros
    free = payer.balance_micros + credit - spoken_for - accrued
    if free < cost:
        raise BalanceTooLow(
            f"This text costs {format_amount(cost)} {payer.currency} and "
            f"{format_amount(free)} is free, what is on its way included: top up first.",
            needed_micros=cost,
            balance_micros=free,
        )
