"""What every sale of minutes asks first: a usable key, an open account, money for it."""

from __future__ import annotations

from billing.purchases import may_buy
from billing.tariffs import Plan
from gateway.services import included_credit
from gateway.services.errors import BalanceTooLow, Forbidden, Invalid
from gateway.services.ledger import Books
from gateway.uow import UnitOfWork

KEY_LENGTH_MAX = 200


def check_key(idempotency_key: str) -> None:
    if not 1 <= len(idempotency_key) <= KEY_LENGTH_MAX:
        raise Invalid.at("/idempotency_key", f"use 1 to {KEY_LENGTH_MAX} characters")


def check_affordable(
    uow: UnitOfWork, opened: Books, plan: Plan, what: str, price_micros: int
) -> None:
    """`what` begins the sentence of a refusal: "The package". Credit that the access fee includes
    pays for calls and texts, not for this.

    Raises `Forbidden` and `BalanceTooLow`.
    """
    if opened.locked.status == "closed":
        raise Forbidden("The account is closed: nothing can be bought for it.")
    own = included_credit.own_micros(uow, opened)
    refused = may_buy(what, price_micros, own, plan.credit_limit_micros, plan.currency)
    if refused is not None:
        raise BalanceTooLow(refused.words, needed_micros=price_micros, balance_micros=own)
