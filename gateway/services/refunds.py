"""Money of a card payment given back to its card, where the plan has it (C10): a deed of staff.

The order and its lines are committed first, under the account's lock; then the provider is asked,
until it has said how it ended. It is asked whether there is such a refund before one is made, and
under a key of its own, so that nothing is given back twice. What it does not give back, other lines
bring back to the balance.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog

from billing.charges import ChargeState
from billing.minor_units import quantum_micros
from billing.money import format_amount
from billing.postings import Posting, reversal_key
from billing.refunds import (
    NotRefundable,
    RefundParts,
    SettledPayment,
    refund_key,
    refund_of,
    refund_posting,
    refund_vat_key,
    refund_vat_posting,
    refundable_micros,
    refused_by_plan,
    seconds_to_next_question,
)
from billing.vat import VatSplit
from gateway.providers.payments import (
    MadeRefund,
    NotRefunded,
    RefundAnswer,
    Refunded,
    RefundOrder,
    StillOpen,
)
from gateway.providers.telephony import ProviderError
from gateway.services import (
    audit,
    charge_flags,
    charges,
    included_credit,
    ledger,
    plans,
    reversals,
)
from gateway.services.errors import Conflict, Invalid, NotForSale, NotFound
from gateway.services.ledger import Books
from gateway.services.till import Till
from gateway.store import accounts, outbox, payment_methods
from gateway.store import charges as charge_store
from gateway.store import ledger as ledger_store
from gateway.store import recharge as recharge_store
from gateway.store import refunds as store
from gateway.store.base import Scope, new_id
from gateway.store.charges import Charge
from gateway.store.leased_queue import LeasedQueue
from gateway.store.refunds import DONE, FAILED, PENDING, Refund, WatchedRefund
from gateway.uow import UnitOfWork, UnitsOfWork

log = structlog.get_logger(__name__)

_Due = TypeVar("_Due", Refund, Charge)

KEY_LENGTH_MAX = 200
FAILED_SHOWN = dt.timedelta(days=30)
WATCHED_MAX = 50
CREDIT_NOTE, SENT_BACK = "credit_note", "refund_sent_back"


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
    charge = _charge(uow, scope, charge_id)
    refunds = tuple(store.of_charge(uow.connection, scope, charge_id))
    most, words = 0, ""
    try:
        payment = _payment_now(uow, charge)
        most = refundable_micros(payment, quantum_micros(charge.currency))
    except (Conflict, NotForSale) as refusal:
        words = refusal.words
    without_us = charge_store.without_us(uow.connection, charge).micros
    return Refundable(charge, _card(uow, charge), refunds, most, words, without_us)


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
    charge = _charge(uow, scope, charge_id)
    payment = _payment_now(uow, charge)
    parts = _parts(charge, payment, amount_micros)
    return Quote(parts, _card(uow, charge), charge.currency, payment.balance_micros)


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
    return look(units, till, ordered) if ordered.state == PENDING else ordered


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
    charge = _charge(uow, scope, charge_id)
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
    _post(uow, opened, charge, ordered)
    _note(uow, ordered, actor, "refund.ordered", charge=str(charge.id), reason=reason)
    return ordered


def _post(uow: UnitOfWork, opened: Books, charge: Charge, refund: Refund) -> Posting:
    """The line of the balance, and that of the tax."""
    line = opened.post(
        lambda balance: refund_posting(
            refund.id,
            charge.id,
            amount=refund.net_micros,
            unit=opened.currency,
            at=uow.now,
            account_id=opened.scope.account_id,
            balance_before=balance,
            description=f"Refund ({_card(uow, charge)})",
            actor=refund.actor,
            reason=refund.reason,
        )
    )
    if refund.vat_micros:
        opened.post(
            lambda _balance: refund_vat_posting(
                refund.id,
                charge.id,
                amount=refund.vat_micros,
                unit=opened.currency,
                at=uow.now,
                account_id=opened.scope.account_id,
                note=charge.vat_note,
            )
        )
    return line


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


# Carrying it out.


def look(units: UnitsOfWork, till: Till, refund: Refund) -> Refund:
    """Ask the provider, which makes it where there is none yet, and keep what it says."""
    with units.read() as uow:
        charge = _charge(uow, refund.scope, refund.charge_id)
    assert charge.provider_ref is not None, "what is given back came in"
    order = RefundOrder(
        refund.id, refund.tenant_id, charge.provider_ref, refund.gross_micros, refund.currency
    )
    answer: RefundAnswer
    try:
        answer = till.provider.refund(order)
    except ProviderError as failure:
        # Even "refused" is not believed to mean "not done" when it is about us.
        log.warning("refund.answer_lost", refund_id=str(refund.id), words=failure.words)
        answer = StillOpen()
    return units.retrying(lambda uow: _record(uow, refund.scope, refund.id, answer))


def sweep(units: UnitsOfWork, till: Till) -> int:
    """Look at the refunds that are due for it, and at the charges of which something went back;
    how many were."""
    return _sweep(units, store.queue, lambda refund: look(units, till, refund)) + _sweep(
        units, charge_store.refunds, lambda charge: look_at_charge(units, till, charge)
    )


def _sweep(units: UnitsOfWork, queue: LeasedQueue[_Due], look: Callable[[_Due], object]) -> int:
    with units.begin() as uow:
        due = queue.claim(
            uow.connection, now=uow.now, lease=charges.LEASE, limit=charges.LOOKED_AT_ONCE
        )
    for one in due:
        try:
            look(one)
        except Exception:
            # One refund's surprise must not stop the others; it comes up again with the lease.
            log.exception("refund.look_failed", id=str(one.id))
    return len(due)


def look_at_charge(units: UnitsOfWork, till: Till, charge: Charge) -> None:
    """Ask what went back of a payment, by whomever; it is asked again where no answer comes."""
    assert charge.provider_ref is not None, "news named it"
    try:
        made = till.provider.refunds_of(charge.provider_ref)
    except ProviderError as failure:
        log.warning("refund.answer_lost", charge_id=str(charge.id), words=failure.words)
        return
    units.retrying(lambda uow: _compare(uow, charge, made))


def _compare(uow: UnitOfWork, charge: Charge, made: Sequence[MadeRefund]) -> None:
    """Ours are kept as the provider says; money that went without us flags the payment."""
    with ledger.books(uow, charge.scope) as opened:
        locked = charge_store.lock(uow.connection, charge.scope, charge.id)
        assert locked is not None
        known = store.of_charge(uow.connection, charge.scope, charge.id)
        without_us = 0
        for one in made:
            ours = _ours(known, one)
            if ours is None:
                went = not isinstance(one.answer, NotRefunded)
                without_us += one.amount_micros if went else 0
            elif ours.state == FAILED and isinstance(one.answer, Refunded):
                _went_after_all(uow, opened, locked, ours, one.answer)
            elif not isinstance(one.answer, StillOpen):
                _keep(uow, opened, ours, one.answer)
        charge_store.was_asked(uow.connection, charge, without_us, uow.now)
        if without_us > charge_store.without_us(uow.connection, charge).seen_micros:
            charge_flags.raise_flag(uow, locked, charge_flags.REFUNDED)


def _ours(known: Sequence[Refund], made: MadeRefund) -> Refund | None:
    """The newest that names it, and is not undone: one that went after all has two."""
    named = [
        one for one in known if made.provider_ref == one.provider_ref or made.refund_id == one.id
    ]
    return max(named, key=lambda one: (one.state != FAILED, one.id), default=None)


def _went_after_all(
    uow: UnitOfWork, opened: Books, charge: Charge, failed: Refund, answer: Refunded
) -> None:
    """It failed here, its money was brought back, and then the card got it: posted anew, once."""
    key = f"late:{failed.id}"
    if store.find_by_key(uow.connection, failed.scope, key) is not None:
        return
    late = replace(
        failed,
        id=new_id(),
        state=DONE,
        provider_ref=answer.provider_ref,
        why="",
        actor="provider",
        idempotency_key=key,
        asked=0,
        created_at=uow.now,
        resolved_at=uow.now,
    )
    store.add(uow.connection, late, ask_at=None)
    line = _post(uow, opened, charge, late)
    _note(uow, late, "provider", "refund.late", failed=str(failed.id))
    _tell(uow, late, CREDIT_NOTE, line)


def _record(uow: UnitOfWork, scope: Scope, refund_id: uuid.UUID, answer: RefundAnswer) -> Refund:
    """One answer, one transaction. The same answer again changes nothing."""
    with ledger.books(uow, scope) as opened:
        refund = store.find(uow.connection, scope, refund_id, lock=True)
        if refund is None:
            raise NotFound("refund", refund_id)
        _keep(uow, opened, refund, answer)
    done = store.find(uow.connection, scope, refund_id)
    assert done is not None
    return done


def _keep(uow: UnitOfWork, opened: Books, refund: Refund, answer: RefundAnswer) -> None:
    match answer:
        case _ if refund.state == FAILED:
            pass
        case StillOpen():
            asked = refund.asked + 1
            again = dt.timedelta(seconds=seconds_to_next_question(asked))
            store.change(uow.connection, refund, asked=asked, ask_at=uow.now + again)
        case Refunded(provider_ref):
            store.change(
                uow.connection, refund, state=DONE, provider_ref=provider_ref, ask_at=None,
                resolved_at=refund.resolved_at or uow.now,
            )  # fmt: skip
            if refund.state == PENDING:
                _note(uow, refund, "provider", "refund.done", provider_ref=provider_ref)
                _tell(uow, refund, CREDIT_NOTE, _line_of(uow, refund))
        case NotRefunded():
            _bring_back(uow, opened, refund, answer)


def _bring_back(uow: UnitOfWork, opened: Books, refund: Refund, answer: NotRefunded) -> None:
    """The balance has the money again, by lines that undo those of the refund."""
    reason = f"Not refunded: {answer.words}"[: reversals.REASON_LENGTH_MAX]
    for key in (refund_key(refund.id), refund_vat_key(refund.id)):
        line = ledger_store.find_posting(uow.connection, refund.tenant_id, key)
        if line is not None:
            reversals.post_reversal(uow, opened, line, reason=reason, actor="provider")
    store.change(
        uow.connection, refund, state=FAILED, why=answer.words, ask_at=None, resolved_at=uow.now,
        provider_ref=answer.provider_ref,
    )  # fmt: skip
    _note(uow, refund, "provider", "refund.failed", words=answer.words)
    if refund.state == DONE:
        _tell(uow, refund, SENT_BACK, _line_of(uow, refund))
    # Perhaps it was refused because somebody else gave the money back.
    charge_store.refunds.nudge(uow.connection, refund.tenant_id, refund.charge_id, uow.now)


def _line_of(uow: UnitOfWork, refund: Refund) -> Posting:
    key = refund_key(refund.id)
    line = ledger_store.find_posting(uow.connection, refund.tenant_id, key)
    assert line is not None, "a refund has its line"
    return line


def _tell(uow: UnitOfWork, refund: Refund, kind: str, line: Posting) -> None:
    """Mail; what it says of the balance was so after the line of this very refund."""
    charge = _charge(uow, refund.scope, refund.charge_id)
    facts = accounts.tax_facts(uow.connection, refund.scope)
    outbox.add(
        uow.connection,
        refund.scope,
        queue="notify",
        kind=kind,
        key=f"{kind}:{refund.id}",
        payload={
            "card": _card(uow, charge),
            "paid_at": charge.created_at.isoformat(),
            "amount": refund.net_micros,
            "vat": refund.vat_micros,
            "vat_note": charge.vat_note,
            "vat_id": facts.vat_id,
            "balance_after": line.balance_after,
            "currency": refund.currency,
            "reason": refund.reason,
            "at": refund.created_at.isoformat(),
        },
        now=uow.now,
    )


def _note(uow: UnitOfWork, refund: Refund, actor: str, action: str, **detail: str) -> None:
    audit.note(
        uow,
        refund.scope,
        actor,
        action,
        refund.id,
        amount=format_amount(refund.net_micros),
        vat=format_amount(refund.vat_micros),
        **detail,
    )


def _charge(uow: UnitOfWork, scope: Scope, charge_id: uuid.UUID) -> Charge:
    found = charge_store.find(uow.connection, scope, charge_id)
    if found is None:
        raise NotFound("payment", charge_id)
    return found


def _line(uow: UnitOfWork, charge: Charge, key: str) -> Posting | None:
    return ledger_store.find_posting(uow.connection, charge.tenant_id, key)


def _card(uow: UnitOfWork, charge: Charge) -> str:
    method = payment_methods.find(uow.connection, charge.scope, charge.payment_method_id)
    return "card" if method is None else charges.card_words(method)
