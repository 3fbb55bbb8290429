"""A refund carried out: its lines, the questions to the provider, and what becomes of its answers.

The provider is asked whether there is such a refund before one is made, and under a key of its own,
so that nothing is given back twice. What it does not give back, other lines bring back.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from billing.money import format_amount
from billing.postings import Posting
from billing.refunds import (
    refund_key,
    refund_posting,
    refund_vat_key,
    refund_vat_posting,
    seconds_to_next_question,
)
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
    card_payments,
    charge_flags,
    charges,
    credit_notes,
    ledger,
    reversals,
)
from gateway.services.errors import NotFound
from gateway.services.ledger import Books
from gateway.services.till import Till
from gateway.store import accounts, outbox, payment_methods
from gateway.store import charges as charge_store
from gateway.store import ledger as ledger_store
from gateway.store import refunds as store
from gateway.store.base import Scope, new_id
from gateway.store.charges import Charge
from gateway.store.leased_queue import LeasedQueue
from gateway.store.refunds import DONE, FAILED, PENDING, Refund
from gateway.uow import UnitOfWork, UnitsOfWork

log = structlog.get_logger(__name__)

_Due = TypeVar("_Due", Refund, Charge)

CREDIT_NOTE, SENT_BACK = "credit_note", "refund_sent_back"


def look(units: UnitsOfWork, till: Till, refund: Refund) -> Refund:
    """Ask the provider, which makes it where there is none yet, and keep what it says."""
    with units.read() as uow:
        charge = card_payments.find(uow, refund.scope, refund.charge_id)
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
    line = post(uow, opened, charge, late)
    note(uow, late, "provider", "refund.late", failed=str(failed.id))
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
                note(uow, refund, "provider", "refund.done", provider_ref=provider_ref)
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
    note(uow, refund, "provider", "refund.failed", words=answer.words)
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
    """Mail, and its paper; what they say of the balance was so after the line of this refund."""
    charge = card_payments.find(uow, refund.scope, refund.charge_id)
    facts, card = accounts.tax_facts(uow.connection, refund.scope), card_of(uow, charge)
    if kind == CREDIT_NOTE:
        credit_notes.freeze(uow, refund, charge, line, card)
    outbox.add(
        uow.connection,
        refund.scope,
        queue="notify",
        kind=kind,
        key=f"{kind}:{refund.id}",
        payload={
            "reference": line.key,
            "card": card,
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


def post(uow: UnitOfWork, opened: Books, charge: Charge, refund: Refund) -> Posting:
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
            description=f"Refund ({card_of(uow, charge)})",
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


def note(uow: UnitOfWork, refund: Refund, actor: str, action: str, **detail: str) -> None:
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


def card_of(uow: UnitOfWork, charge: Charge) -> str:
    method = payment_methods.find(uow.connection, charge.scope, charge.payment_method_id)
    return "card" if method is None else charges.card_words(method)
