"""What a charge leaves due for others: mail, words on the pages, another look at the recharge."""

from __future__ import annotations

import datetime as dt

from billing.charges import CardChoice, Decline, card_to_charge
from billing.declines import NOT_THE_CARD
from gateway.store import charges, outbox, payment_methods, recharge
from gateway.store.base import Scope
from gateway.store.charges import BY_HAND, Charge
from gateway.uow import UnitOfWork

DECLINED, ACTION, HELD, LOOK = "card_declined", "card_action", "recharge_held", "recharge"


def choose_card(uow: UnitOfWork, scope: Scope) -> CardChoice | None:
    """The card to charge next, default before backup, and from when on; None: none may be."""
    cards = [
        str(method.id)
        for method in payment_methods.kept(uow.connection, scope)
        if method.role != "other"
    ]
    return card_to_charge(cards, declines_of(uow, scope), uow.now)


def declines_of(uow: UnitOfWork, scope: Scope) -> list[Decline]:
    """Those that say something about a card."""
    return [
        Decline(str(declined.payment_method_id), declined.code, declined.at)
        for declined in charges.declines(uow.connection, scope)
        if declined.code not in NOT_THE_CARD
    ]


def look_at_recharge(
    uow: UnitOfWork, scope: Scope, *, after: str, due_at: dt.datetime | None = None
) -> None:
    """Have the recharge decided anew, once for what it follows and `after` names."""
    outbox.add(
        uow.connection,
        scope,
        queue="carrier",
        kind=LOOK,
        key=f"{LOOK}:{scope.account_id}:{after}",
        payload={},
        now=uow.now,
        due_at=due_at,
    )


def tell_declined(
    uow: UnitOfWork, charge: Charge, code: str, words: str, *, balance_micros: int
) -> None:
    """One mail for each decline, with the reason and a link (S2-13)."""
    choice = choose_card(uow, charge.scope) if charge.purpose != BY_HAND else None
    later = choice is not None and choice.free_at > uow.now
    outbox.add(
        uow.connection,
        charge.scope,
        queue="notify",
        kind=DECLINED,
        key=f"{DECLINED}:{charge.id}",
        payload={
            "card": words,
            "code": code,
            "amount": charge.gross_micros,
            "currency": charge.currency,
            "balance": balance_micros,
            "again_at": choice.free_at.isoformat() if choice is not None and later else None,
        },
        now=uow.now,
    )
    recharge.set_notice(uow.connection, charge.scope, "declined")


def tell_action(uow: UnitOfWork, charge: Charge, words: str) -> None:
    """The bank wants the payer. Somebody who is paying right now is led there by the page."""
    recharge.set_notice(uow.connection, charge.scope, "action")
    if charge.purpose == BY_HAND:
        return
    outbox.add(
        uow.connection,
        charge.scope,
        queue="notify",
        kind=ACTION,
        key=f"{ACTION}:{charge.id}",
        payload={
            "card": words,
            "charge_id": str(charge.id),
            "amount": charge.gross_micros,
            "currency": charge.currency,
        },
        now=uow.now,
    )


def tell_held(
    uow: UnitOfWork, scope: Scope, reason: str, words: str, *, balance_micros: int, currency: str
) -> None:
    """The recharge does not happen, and somebody has to know. Once for each beginning of it."""
    outbox.add(
        uow.connection,
        scope,
        queue="notify",
        kind=HELD,
        key=f"{HELD}:{scope.account_id}:{reason}:{uow.now.isoformat()}",
        payload={"words": words, "balance": balance_micros, "currency": currency},
        now=uow.now,
    )
    recharge.set_notice(uow.connection, scope, reason)
