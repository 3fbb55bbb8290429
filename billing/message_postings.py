"""The ledger lines of a text: what the customer pays, and what the house owes the carrier."""

from datetime import datetime
from uuid import UUID

from billing.messages import MessageUsage, RatedMessage
from billing.postings import AccountKind, Posting, PostingKind, wallet

_PREFIX = "sms:"
_WORDS = {"inbound": "Text received", "outbound": "Text sent"}


def message_key(message_sid: str) -> str:
    return f"{_PREFIX}{message_sid}:0"


def message_sid_of(key: str) -> str | None:
    """The carrier's id of the text that a line was posted for; None for any other line."""
    return key.removeprefix(_PREFIX).rpartition(":")[0] if key.startswith(_PREFIX) else None


def message_posting(
    usage: MessageUsage,
    rated: RatedMessage,
    *,
    amount: int,
    unit: str,
    at: datetime,
    account_id: UUID,
    balance_before: int,
    message_sid: str,
    plan_version_id: UUID,
    receipt_id: UUID | None,
) -> Posting:
    """The customer pays for a text; `amount` is the charge less what an overrun forgives."""
    return Posting(
        key=message_key(message_sid),
        kind=PostingKind.SMS,
        debit=wallet(account_id),
        credit=AccountKind.REVENUE,
        amount=amount,
        at=at,
        account_id=account_id,
        unit=unit,
        description=_WORDS[usage.direction],
        balance_after=balance_before - amount,
        plan_version_id=plan_version_id,
        rate_micros=rated.price_micros,
        receipt_id=receipt_id,
    )


def message_cost_posting(
    cost: RatedMessage,
    *,
    unit: str,
    at: datetime,
    account_id: UUID,
    message_sid: str,
    plan_version_id: UUID,
    receipt_id: UUID | None,
) -> Posting:
    """The house owes the carrier for a text; no customer's money moves."""
    return Posting(
        key=f"cost:{message_sid}:0",
        kind=PostingKind.CARRIER_COST,
        debit=AccountKind.CARRIER_COST,
        credit=AccountKind.CARRIER_PAYABLE,
        amount=cost.charge_micros,
        at=at,
        account_id=account_id,
        unit=unit,
        description="Carrier cost",
        plan_version_id=plan_version_id,
        rate_micros=cost.price_micros,
        receipt_id=receipt_id,
    )
