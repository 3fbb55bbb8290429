"""Charges of cards, from the intent's row to the money in the wallet (RELIABILITY R8, E1 to E5).

Every step is the same: the rule (billing.charges) is told what happened under the account's lock,
its answer is committed with the money that it moves, and only then is the provider called. So a
process may die anywhere: what it left is found again by the clock, and nothing is taken twice.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

import structlog

from billing.charges import (
    OPEN_STATES,
    ActionRequired,
    AnswerLost,
    Ask,
    Cancel,
    ChargeDeed,
    ChargeEvent,
    ChargeIntent,
    ChargeState,
    Credit,
    Submit,
    Submitting,
    TellAction,
    TellDeclined,
    TimePassed,
    next_step,
)
from billing.credits import Payment, credit_of, vat_posting
from billing.ledger import topup_posting
from billing.money import format_amount
from gateway import metrics
from gateway.providers.payments import (
    ChargeOrder,
    ChargeQuery,
    FoundCharge,
    StillOpen,
)
from gateway.providers.telephony import ProviderError
from gateway.services import audit, credit_receipts, ledger, payment_deeds
from gateway.services.errors import Conflict, NotFound
from gateway.services.ledger import Books
from gateway.services.till import Till
from gateway.store import charges as store
from gateway.store import recharge, topups
from gateway.store.base import Scope, new_id
from gateway.store.charges import BY_HAND, Charge
from gateway.store.payment_methods import PaymentMethod
from gateway.uow import UnitOfWork, UnitsOfWork

log = structlog.get_logger(__name__)

# A worker that dies between the intent and the call leaves a charge that is looked at then.
FIRST_LOOK = dt.timedelta(seconds=30)
LEASE = dt.timedelta(seconds=60)  # longer than any call to the provider
LOOKED_AT_ONCE = 20
PURPOSE_WORDS = {"recharge": "Automatic recharge", "topup": "Top-up", "daily": "Daily bill"}


@dataclass(frozen=True, slots=True)
class Told:
    """A charge after an event, its card, and what the rule wants done outside."""

    charge: Charge
    card: PaymentMethod | None
    deeds: tuple[ChargeDeed, ...]


def intend(
    uow: UnitOfWork,
    scope: Scope,
    method: PaymentMethod,
    payment: Payment,
    *,
    currency: str,
    purpose: str,
    actor: str,
    idempotency_key: str,
) -> Charge:
    """The row that stands before the provider hears of it. The caller holds the account's lock and
    has seen that no charge is open."""
    charge = Charge(
        tenant_id=scope.tenant_id,
        id=new_id(),
        account_id=scope.account_id,
        purpose=purpose,
        payment_method_id=method.id,
        net_micros=payment.net_micros,
        vat_micros=payment.vat_micros,
        vat_basis_points=payment.rate_basis_points,
        vat_note=payment.note,
        currency=currency,
        state=ChargeState.PENDING,
        provider_ref=None,
        action_url=None,
        action_until=None,
        decline_code=None,
        credited_micros=None,
        submitted_at=None,
        asked=0,
        flag=None,
        idempotency_key=idempotency_key,
        actor=actor,
        created_at=uow.now,
        resolved_at=None,
    )
    store.add(uow.connection, charge, ask_at=uow.now + FIRST_LOOK)
    audit.note(
        uow,
        scope,
        actor,
        "charge.intended",
        charge.id,
        amount=format_amount(charge.gross_micros),
        purpose=purpose,
        card=card_words(method),
    )
    return charge


def submit(units: UnitsOfWork, till: Till, charge: Charge) -> Charge:
    """Ask the provider for the money, if nobody did yet; the charge as it then stands."""
    return _tell(units, till, charge, Submitting())


def look(units: UnitsOfWork, till: Till, charge: Charge) -> Charge:
    """Go on with a charge that nobody works on, or of which there is news."""
    told = units.retrying(lambda uow: record(uow, charge.scope, charge.id, TimePassed()))
    if told.deeds:
        return _pursue(units, till, told)
    return _tell(units, till, told.charge, _ask(till, told))


def give_up(
    units: UnitsOfWork, till: Till, scope: Scope, charge_id: uuid.UUID, actor: str
) -> Charge:
    """The payer does not want to confirm. What the bank has said by then counts all the same."""
    with units.begin() as uow:
        told = record(uow, scope, charge_id, TimePassed())
        if told.charge.state != ChargeState.REQUIRES_ACTION:
            raise Conflict("Only a payment that waits for your bank can be given up.")
        audit.note(uow, scope, actor, "charge.given_up", charge_id)
    _cancel(till, told)
    return _tell(units, till, told.charge, _ask(till, told))


def sweep(units: UnitsOfWork, till: Till) -> int:
    """Look at the charges that are due for it; how many were."""
    with units.begin() as uow:
        due = store.queue.claim(uow.connection, now=uow.now, lease=LEASE, limit=LOOKED_AT_ONCE)
    for charge in due:
        try:
            look(units, till, charge)
        except Exception:
            # One charge's surprise must not stop the others; it comes up again with the lease.
            log.exception("charge.look_failed", charge_id=str(charge.id))
    return len(due)


def get(units: UnitsOfWork, scope: Scope, charge_id: uuid.UUID) -> Charge:
    with units.read() as uow:
        found = store.find(uow.connection, scope, charge_id)
    if found is None:
        raise NotFound("payment", charge_id)
    return found


def _tell(units: UnitsOfWork, till: Till, charge: Charge, event: ChargeEvent) -> Charge:
    return _pursue(
        units, till, units.retrying(lambda uow: record(uow, charge.scope, charge.id, event))
    )


def _pursue(units: UnitsOfWork, till: Till, told: Told) -> Charge:
    """Do outside what was committed, and tell the answer; a later question is the clock's."""
    charge = told.charge
    for deed in told.deeds:
        match deed:
            case Submit(not_after):
                if units.clock() < not_after:
                    return _tell(units, till, charge, _submit(till, told))
            case Cancel():
                _cancel(till, told)
            case Ask(at):
                if at <= units.clock():
                    return _tell(units, till, charge, _ask(till, told))
            case _:
                pass  # done with the commit
    return charge


# The outside.


def _submit(till: Till, told: Told) -> ChargeEvent:
    try:
        return _event(till.provider.charge(_order(till, told)))
    except ProviderError as failure:
        # Even "refused" is not believed to mean "not done" when it is about us and not the card.
        log.warning("charge.answer_lost", charge_id=str(told.charge.id), words=failure.words)
        return AnswerLost()


def _ask(till: Till, told: Told) -> ChargeEvent:
    try:
        return _event(till.provider.find_charge(_query(till, told)))
    except ProviderError as failure:
        log.warning("charge.asked_in_vain", charge_id=str(told.charge.id), words=failure.words)
        return AnswerLost()


def _cancel(till: Till, told: Told) -> None:
    try:
        till.provider.cancel_charge(_query(till, told))
    except ProviderError as failure:
        log.warning("charge.not_canceled", charge_id=str(told.charge.id), words=failure.words)


def _event(answer: FoundCharge) -> ChargeEvent:
    return AnswerLost() if isinstance(answer, StillOpen) else answer


def _order(till: Till, told: Told) -> ChargeOrder:
    """The same for every try, or the provider would refuse its key."""
    charge, method = told.charge, told.card
    assert method is not None, "a charge names a card of its account"
    return ChargeOrder(
        id=charge.id,
        tenant_id=charge.tenant_id,
        amount_micros=charge.gross_micros,
        currency=charge.currency,
        customer_ref=method.customer_ref,
        method_ref=method.method_ref,
        description=f"Call-tracking credit {format_amount(charge.net_micros)} {charge.currency}",
        present=charge.purpose == BY_HAND,
        return_url=till.charge_page(charge.id),
    )


def _query(till: Till, told: Told) -> ChargeQuery:
    since = told.charge.submitted_at or told.charge.created_at
    return ChargeQuery(_order(till, told), told.charge.provider_ref, since)


# The inside: one event, one transaction.


def record(uow: UnitOfWork, scope: Scope, charge_id: uuid.UUID, event: ChargeEvent) -> Told:
    """Tell the rule and keep what it says. The same event again changes nothing."""
    with ledger.books(uow, scope) as opened:
        locked = store.lock_with_card(uow.connection, scope, charge_id)
        if locked is None:
            raise NotFound("payment", charge_id)
        charge, card = locked
        before = _intent(charge)
        step = next_step(before, event, uow.now)
        changes: dict[str, Any] = {**_looks(step.intent, step.deeds, event)}
        if step.intent != before:
            changes |= _changes(step.intent)
        if charge.state in OPEN_STATES and step.intent.state not in OPEN_STATES:
            changes |= {"resolved_at": uow.now, "action_url": None}
            metrics.CHARGES.labels(charge.purpose, step.intent.state.value).inc()
        if isinstance(event, ActionRequired):
            changes["action_url"] = event.url
        for deed in step.deeds:
            if isinstance(deed, Credit):
                changes["credited_micros"] = _credit(uow, opened, charge, card, deed.amount_micros)
                changes["resolved_at"] = uow.now
        done = store.change(uow.connection, charge, **changes) if changes else charge
    # After the books are written, so that what is told is what is so.
    told = Told(done, card, step.deeds)
    _announce(uow, opened, charge, told)
    return told


def _intent(charge: Charge) -> ChargeIntent:
    return ChargeIntent(
        id=charge.id,
        amount_micros=charge.gross_micros,
        currency=charge.currency,
        card_id=str(charge.payment_method_id),
        created_at=charge.created_at,
        state=ChargeState(charge.state),
        submitted_at=charge.submitted_at,
        asked=charge.asked,
        provider_id=charge.provider_ref,
        decline_code=charge.decline_code,
        action_until=charge.action_until,
    )


def _changes(intent: ChargeIntent) -> dict[str, Any]:
    return {
        "state": intent.state.value,
        "provider_ref": intent.provider_id,
        "decline_code": intent.decline_code,
        "submitted_at": intent.submitted_at,
        "asked": intent.asked,
        "action_until": intent.action_until,
    }


def _looks(
    intent: ChargeIntent, deeds: tuple[ChargeDeed, ...], event: ChargeEvent
) -> dict[str, dt.datetime | None]:
    """When the clock looks next. A look itself changes nothing: its lease is still running."""
    if intent.state not in OPEN_STATES:
        return {"ask_at": None}
    if isinstance(event, TimePassed):
        return {}
    for deed in deeds:
        if isinstance(deed, Ask):
            return {"ask_at": deed.at}
    return {"ask_at": intent.action_until} if intent.action_until else {}


def _credit(
    uow: UnitOfWork, opened: Books, charge: Charge, card: PaymentMethod | None, taken_micros: int
) -> int:
    """The wallet's part and the tax, as lines of their own; what the wallet got."""
    agreed = payment_of_charge(charge)
    split = credit_of(agreed, taken_micros, charge.currency)
    words = "card" if card is None else card_words(card)
    topups.insert(
        uow.connection,
        charge.scope,
        top_up_id=charge.id,
        amount_micros=split.net_micros,
        method="card",
        reason=f"Paid by {words}",
        actor=charge.actor,
        idempotency_key=f"charge:{charge.id}",
        now=uow.now,
    )
    kind = PURPOSE_WORDS.get(charge.purpose, "Payment")
    posting = opened.post(
        lambda balance: topup_posting(
            charge.id,
            amount=split.net_micros,
            unit=opened.currency,
            at=uow.now,
            account_id=charge.account_id,
            balance_before=balance,
            description=f"{kind} ({words})",
            actor=charge.actor,
        )
    )
    if split.vat_micros:
        opened.post(
            lambda _balance: vat_posting(
                charge.id,
                amount=split.vat_micros,
                unit=opened.currency,
                at=uow.now,
                account_id=charge.account_id,
                note=charge.vat_note,
            )
        )
    paid = Payment(split.net_micros, split.vat_micros, agreed.rate_basis_points, agreed.note)
    credit_receipts.announce(uow, charge.scope, posting, paid)
    return split.net_micros


def _announce(uow: UnitOfWork, opened: Books, before: Charge, told: Told) -> None:
    """What the account is told, by mail and on its pages, and what follows from the end."""
    charge = told.charge
    words = "Your card" if told.card is None else f"Your card ({card_words(told.card)})"
    for deed in told.deeds:
        match deed:
            case Credit():
                recharge.set_notice(uow.connection, charge.scope, None)
                audit.note(
                    uow,
                    charge.scope,
                    charge.actor,
                    "charge.credited",
                    charge.id,
                    amount=format_amount(charge.credited_micros or 0),
                    vat=format_amount(charge.vat_micros),
                )
            case TellDeclined(code):
                payment_deeds.tell_declined(
                    uow, charge, code, words, balance_micros=opened.balance_micros
                )
            case TellAction():
                payment_deeds.tell_action(uow, charge, words)
            case _:
                pass
    ended = before.state in OPEN_STATES and charge.state not in OPEN_STATES
    if ended and opened.locked.recharge_below_micros is not None:
        payment_deeds.look_at_recharge(uow, charge.scope, after=str(charge.id))


def payment_of_charge(charge: Charge) -> Payment:
    return Payment(charge.net_micros, charge.vat_micros, charge.vat_basis_points, charge.vat_note)


def card_words(method: PaymentMethod) -> str:
    return f"{method.brand} ····{method.last4}"
