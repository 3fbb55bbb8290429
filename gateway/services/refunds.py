"""Money of a card payment given back to its card, where the plan has it (C10): a deed of staff.

Looked at and ordered here: the order and its lines are committed first, under the account's lock;
then it is carried out (`refunding`), until the provider has said how it ended.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from billing.charges import ChargeState
from billing.minor_units import quantum_micros
from billing.postings import Posting, reversal_key
from billing.refunds import (
    NotRefundable,
    RefundParts,
    SettledPayment,
    refund_of,
    refundable_micros,
    refused_by_plan,
)
from billing.vat import VatSplit
from gateway.services import (
    card_payments,
    charges,
    included_credit,
    ledger,
    plans,
    refunding,
    reversals,
)
from gateway.services.errors import Conflict, Invalid, NotForSale
from gateway.services.ledger import Books
from gateway.services.till import Till
from gateway.store import accounts
from gateway.store import charges as charge_store
from gateway.store import ledger as ledger_store
from gateway.store import recharge as recharge_store
from gateway.store import refunds as store
from gateway.store.base import Scope, new_id
from gateway.store.charges import Charge
from gateway.store.refunds import PENDING, Refund, WatchedRefund
from gateway.uow import UnitOfWork, UnitsOfWork

KEY_LENGTH_MAX = 200
FAILED_SHOWN = dt.timedelta(days=30)
WATCHED_MAX = 50


@dataclass(frozen=True, slots=True)
class Refundable:
    """What became of a payment, and the most that may still be given back; `words` say why that is
    nothing, where it is. `without_us_micros` went back at the provider and is none of them."""

    charge: Charge
    card: str
    refunds: tuple[Refund, ...]
    most_micros: int
    words: str
    without_us_micros: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A refund before it is ordered."""

    parts: RefundParts
    card: str
    currency: str
    balance_micros: int


# Looking.


def seen(uow: UnitOfWork, scope: Scope, charge_id: uuid.UUID) -> Refundable:
    charge = card_payments.find(uow, scope, charge_id)
    refunds = tuple(store.of_charge(uow.connection, scope, charge_id))
    most, words = 0, ""
    try:
        payment = _payment_now(uow, charge)
        most = refundable_micros(payment, quantum_micros(charge.currency))
    except (Conflict, NotForSale) as refusal:
        words = refusal.words
    without_us = charge_store.without_us(uow.connection, charge).micros
    return Refundable(charge, refunding.card_of(uow, charge), refunds, most, words, without_us)


def of_charges(
    uow: UnitOfWork, scope: Scope, payments: Iterable[Charge]
) -> dict[uuid.UUID, list[Refund]]:
    """What was given back of each, or was to be, oldest first; as the customer sees it."""
    found: dict[uuid.UUID, list[Refund]] = {charge.id: [] for charge in payments}
    for refund in store.of_charges(uow.connection, scope, found) if found else ():
        found[refund.charge_id].append(refund)
    return found


def quote(uow: UnitOfWork, scope: Scope, charge_id: uuid.UUID, amount_micros: int) -> Quote:
    """Raises what is in the way: `Conflict`, `NotForSale` or `Invalid`."""
    charge = card_payments.find(uow, scope, charge_id)
    payment = _payment_now(uow, charge)
    parts = _parts(charge, payment, amount_micros)
    return Quote(parts, refunding.card_of(uow, charge), charge.currency, payment.balance_micros)


def watched(uow: UnitOfWork) -> list[WatchedRefund]:
    """Of all accounts, for staff: without an end, or not given back in the last days."""
    return store.watched(uow.connection, since=uow.now - FAILED_SHOWN, limit=WATCHED_MAX)


# Ordering.


def refund(
    units: UnitsOfWork,
    till: Till,
    scope: Scope,
    charge_id: uuid.UUID,
    *,
    amount_micros: int,
    reason: str,
    actor: str,
    idempotency_key: str,
) -> Refund:
    """Give back `amount_micros` of what the wallet got, and its tax; the refund as it stands after
    the provider was asked once. The same key again answers the same refund."""
    if not 1 <= len(idempotency_key) <= KEY_LENGTH_MAX:
        raise Invalid.at("/idempotency_key", f"use 1 to {KEY_LENGTH_MAX} characters")
    reversals.check_reason(reason)

    def order(uow: UnitOfWork) -> Refund:
        with ledger.books(uow, scope) as opened:
            first = store.find_by_key(uow.connection, scope, idempotency_key)
            if first is not None:
                return first
            return _order(
                uow, opened, charge_id, amount_micros, reason.strip(), actor, idempotency_key
            )

    ordered = units.retrying(order)
    return refunding.look(units, till, ordered) if ordered.state == PENDING else ordered


def _order(
    uow: UnitOfWork,
    opened: Books,
    charge_id: uuid.UUID,
    amount_micros: int,
    reason: str,
    actor: str,
    idempotency_key: str,
) -> Refund:
    scope = opened.scope
    charge = card_payments.find(uow, scope, charge_id)
    payment = _payment(
        uow,
        charge,
        opened.locked.plan_version_id,
        own_micros=included_credit.own_micros(uow, opened),
        balance_micros=opened.balance_micros,
        recharge_below_micros=opened.locked.recharge_below_micros,
    )
    parts = _parts(charge, payment, amount_micros)
    ordered = Refund(
        tenant_id=scope.tenant_id,
        id=new_id(),
        account_id=scope.account_id,
        charge_id=charge.id,
        net_micros=parts.net_micros,
        vat_micros=parts.vat_micros,
        vat_formula=parts.formula,
        currency=charge.currency,
        state=PENDING,
        provider_ref=None,
        why="",
        reason=reason,
        actor=actor,
        idempotency_key=idempotency_key,
        asked=0,
        created_at=uow.now,
        resolved_at=None,
    )
    store.add(uow.connection, ordered, ask_at=uow.now + charges.FIRST_LOOK)
    refunding.post(uow, opened, charge, ordered)
    refunding.note(uow, ordered, actor, "refund.ordered", charge=str(charge.id), reason=reason)
    return ordered


def _payment_now(uow: UnitOfWork, charge: Charge) -> SettledPayment:
    """As it stands; what is ordered is looked at again under the account's lock."""
    account = accounts.find(uow.connection, charge.scope)
    assert account is not None, "a charge is of an account"
    rule = recharge_store.find_rule(uow.connection, charge.scope)
    left = included_credit.left_micros(uow, charge.scope, account.credit_turns_at)
    return _payment(
        uow,
        charge,
        account.plan_version_id,
        own_micros=account.balance_micros - left,
        balance_micros=account.balance_micros,
        recharge_below_micros=rule.min_micros if rule is not None and rule.enabled else None,
    )


def _payment(
    uow: UnitOfWork,
    charge: Charge,
    plan_version_id: uuid.UUID,
    *,
    own_micros: int,
    balance_micros: int,
    recharge_below_micros: int | None,
) -> SettledPayment:
    refused = refused_by_plan(plans.plan_version(uow.connection, plan_version_id).plan.terms)
    if refused is not None:
        raise NotForSale(refused.words)
    if charge.state != ChargeState.OK or charge.provider_ref is None:
        raise Conflict("Only a payment that came in can be given back.")
    if charge.flag is not None:
        raise Conflict(f"This payment was {charge.flag} at the provider: post an adjustment.")
    if charge_store.without_us(uow.connection, charge).micros:
        raise Conflict("Money of this payment went back at the provider: post an adjustment.")
    credit = _line(uow, charge, f"topup:{charge.id}")
    assert credit is not None, "a payment that came in is a line"
    if _line(uow, charge, reversal_key(credit.key)) is not None:
        raise Conflict("The line of this payment was undone: post an adjustment.")
    tax = _line(uow, charge, f"vat:{charge.id}")
    return SettledPayment(
        paid=VatSplit(credit.amount, 0 if tax is None else tax.amount),
        given_back=store.given_back(uow.connection, charge.scope, charge.id),
        own_micros=own_micros,
        balance_micros=balance_micros,
        recharge_below_micros=recharge_below_micros,
    )


def _parts(charge: Charge, payment: SettledPayment, amount_micros: int) -> RefundParts:
    parts = refund_of(payment, amount_micros, quantum_micros(charge.currency))
    if isinstance(parts, NotRefundable):
        raise Invalid.at("/amount", parts.words)
    return parts


def _line(uow: UnitOfWork, charge: Charge, key: str) -> Posting | None:
    return ledger_store.find_posting(uow.connection, charge.tenant_id, key)
