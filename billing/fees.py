"""Postings of what is not talk time: access fees, changes of plan, surcharges."""

from datetime import datetime
from uuid import UUID

from billing.postings import AccountKind, Posting, PostingKind, surcharge_key, wallet
from billing.rating import RatedLeg
from billing.subscriptions import Subscription, access_key


def access_posting(
    subscription: Subscription,
    n: int,
    *,
    amount: int,
    unit: str,
    at: datetime,
    account_id: UUID,
    balance_before: int,
    description: str,
    plan_version_id: UUID,
) -> Posting:
    """The access fee of a term, in advance; `account_id` pays, the subscriber or its agency."""
    return Posting(
        key=access_key(subscription.id, n),
        kind=PostingKind.ACCESS_FEE,
        debit=wallet(account_id),
        credit=AccountKind.REVENUE,
        amount=amount,
        at=at,
        account_id=account_id,
        unit=unit,
        description=description,
        balance_after=balance_before - amount,
        plan_version_id=plan_version_id,
    )


def plan_change_posting(
    change_id: UUID,
    *,
    amount: int,
    unit: str,
    at: datetime,
    account_id: UUID,
    balance_before: int,
    description: str,
    plan_version_id: UUID,
    actor: str,
    formula: str,
) -> Posting:
    """What an upgrade costs at once; `plan_version_id` is the new plan's, and `formula` the sum
    that was previewed: it stands in the line as its reason."""
    return Posting(
        key=f"change:{change_id}",
        kind=PostingKind.PLAN_CHANGE,
        debit=wallet(account_id),
        credit=AccountKind.REVENUE,
        amount=amount,
        at=at,
        account_id=account_id,
        unit=unit,
        description=description,
        balance_after=balance_before - amount,
        plan_version_id=plan_version_id,
        actor=actor,
        reason=formula,
    )


def surcharge_posting(
    rated: RatedLeg,
    *,
    amount: int,
    unit: str,
    at: datetime,
    account_id: UUID,
    balance_before: int,
    call_sid: str,
    leg_sid: str,
    plan_version_id: UUID,
    receipt_id: UUID | None,
    part: int = 0,
) -> Posting:
    """The surcharge of a leg, on top of its usage; `amount` is less what an overrun forgives."""
    assert rated.rate is not None, "a surcharge has a rate"
    return Posting(
        key=surcharge_key(leg_sid, part),
        kind=PostingKind.SURCHARGE,
        debit=wallet(account_id),
        credit=AccountKind.REVENUE,
        amount=amount,
        at=at,
        account_id=account_id,
        unit=unit,
        description=f"Surcharge {rated.rate.label}",
        balance_after=balance_before - amount,
        call_sid=call_sid,
        leg_sid=leg_sid,
        plan_version_id=plan_version_id,
        rate_micros=rated.rate.per_minute_micros,
        billed_seconds=rated.billed_seconds,
        receipt_id=receipt_id,
    )
