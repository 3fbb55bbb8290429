"""A payment by card that somebody asks for: once, now, by one of the account's cards (S2-17)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from billing.bundles import may_top_up
from billing.charges import CHARGE_MIN_MICROS, ChargeState, is_hard
from billing.credits import Payment, payment_of
from billing.lifecycle import Refused
from billing.minor_units import quantum_micros
from billing.money import format_amount
from gateway.services import charges, credit_receipts, payment_deeds, plans
from gateway.services.errors import Conflict, Forbidden, Invalid, NotForSale, NotFound
from gateway.services.ledger import AMOUNT_MAX_MICROS
from gateway.services.pages import (
    LIMIT_DEFAULT,
    Page,
    clamp,
    cut,
    decode_cursor,
    encode_cursor,
    uuid_of,
)
from gateway.services.till import Till
from gateway.store import accounts, ledger, payment_methods
from gateway.store import charges as store
from gateway.store.base import Scope
from gateway.store.charges import BY_HAND, Charge, WatchedCharge
from gateway.store.payment_methods import PaymentMethod
from gateway.uow import UnitOfWork, UnitsOfWork

KEY_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class Quote:
    """What a credit costs by a card, before anything is charged."""

    method: PaymentMethod
    payment: Payment
    currency: str
    balance_after_micros: int


def quote(
    uow: UnitOfWork, till: Till, scope: Scope, amount_micros: int, method_id: uuid.UUID | None
) -> Quote:
    """Raises what is in the way; `method_id` None is the default card."""
    account = accounts.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    if account.status == "closed":
        raise Forbidden("The account is closed.")
    plan = plans.plan_version(uow.connection, account.plan_version_id).plan
    verdict = may_top_up(plan.terms, by_card=True)
    if isinstance(verdict, Refused):
        raise NotForSale(verdict.words)
    _check_amount(amount_micros, account.currency)
    method = _method(uow, scope, method_id)
    facts = accounts.tax_facts(uow.connection, scope)
    tax = credit_receipts.treatment(facts, till.seller_country, uow.now)
    payment = payment_of(amount_micros, tax, account.currency)
    after = account.balance_micros + amount_micros
    return Quote(method, payment, account.currency, after)


def pay(
    units: UnitsOfWork,
    till: Till,
    scope: Scope,
    *,
    amount_micros: int,
    method_id: uuid.UUID | None,
    actor: str,
    idempotency_key: str,
) -> Charge:
    """Charge the card now; the charge as it stands: credited, declined, on its way, or waiting for
    the payer at `action_url`. The same key again answers the same charge."""
    if not 1 <= len(idempotency_key) <= KEY_LENGTH_MAX:
        raise Invalid.at("/idempotency_key", f"use 1 to {KEY_LENGTH_MAX} characters")

    def intend(uow: UnitOfWork) -> tuple[Charge, bool]:
        if ledger.lock_books(uow.connection, scope) is None:
            raise NotFound("account", scope.account_id)
        first = store.find_by_key(uow.connection, scope, idempotency_key)
        if first is not None:
            return first, False
        if store.find_open(uow.connection, scope) is not None:
            raise Conflict("A payment is on its way already: wait for its end, then try again.")
        asked = quote(uow, till, scope, amount_micros, method_id)
        intended = charges.intend(
            uow,
            scope,
            asked.method,
            asked.payment,
            currency=asked.currency,
            purpose=BY_HAND,
            actor=actor,
            idempotency_key=idempotency_key,
        )
        return intended, True

    charge, is_new = units.retrying(intend)
    if is_new or charge.state == ChargeState.PENDING:
        return charges.submit(units, till, charge)
    return charge


def find(uow: UnitOfWork, scope: Scope, charge_id: uuid.UUID) -> Charge:
    found = store.find(uow.connection, scope, charge_id)
    if found is None:
        raise NotFound("payment", charge_id)
    return found


def newest(
    uow: UnitOfWork, scope: Scope, after: str | None = None, limit: int = LIMIT_DEFAULT
) -> Page[Charge]:
    """Payments of an account, by hand or not, newest first."""
    limit = clamp(limit)
    before = decode_cursor(after, uuid_of) if after else None
    rows = store.newest(uow.connection, scope, before=before, limit=limit + 1)
    return cut(rows, limit, lambda charge: encode_cursor(charge.id))


def watched(
    uow: UnitOfWork, *, only_open: bool, after: str | None = None, limit: int = LIMIT_DEFAULT
) -> Page[WatchedCharge]:
    """Of all accounts, for staff, newest first."""
    limit = clamp(limit)
    before = decode_cursor(after, uuid_of) if after else None
    rows = store.watched(uow.connection, only_open=only_open, before=before, limit=limit + 1)
    return cut(rows, limit, lambda one: encode_cursor(one.charge.id))


def _method(uow: UnitOfWork, scope: Scope, method_id: uuid.UUID | None) -> PaymentMethod:
    kept = payment_methods.kept(uow.connection, scope)
    if not kept:
        raise Invalid.at("/payment_method", "there is no card yet: add one first")
    found = next((one for one in kept if one.id == method_id), kept[0] if not method_id else None)
    if found is None:
        raise NotFound("card", method_id)
    barred = {one.card_id for one in payment_deeds.declines_of(uow, scope) if is_hard(one.code)}
    if str(found.id) in barred:
        raise Invalid.at(
            "/payment_method", "the bank refused this card for good: choose or add another one"
        )
    return found


def _check_amount(amount_micros: int, currency: str) -> None:
    quantum = quantum_micros(currency)
    if amount_micros < max(CHARGE_MIN_MICROS, quantum):
        least = format_amount(max(CHARGE_MIN_MICROS, quantum))
        raise Invalid.at("/amount", f"write {least} or more: no card takes less")
    if amount_micros > AMOUNT_MAX_MICROS:
        raise Invalid.at("/amount", f"at most {format_amount(AMOUNT_MAX_MICROS)} at once")
    if amount_micros % quantum:
        raise Invalid.at("/amount", f"write a multiple of {format_amount(quantum)}")
