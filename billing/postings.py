"""A posting is a transfer: one debit, one credit, one positive amount, one reason, one key.

A ledger account is named "<kind>" for a house account of the tenant and "<kind>:<owner hex>"
for one that belongs to somebody ("wallet:0197…"). An account's balance is what was credited
to it less what was debited: a wallet is money that the house owes its customer.
"""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from billing.metering import LegUsage
from billing.rating import RatedLeg

SECONDS = "SECONDS"
"""The unit of minutes beside the currencies: an amount of it is whole seconds."""


class AccountKind(StrEnum):
    """`wallet`, `package`, `pool` and `bundle` have an owner; the others are the house's own, one
    of each in a tenant."""

    WALLET = "wallet"
    PACKAGE = "package"
    POOL = "pool"
    BUNDLE = "bundle"
    REVENUE = "revenue"
    CARRIER_COST = "carrier_cost"
    CARRIER_PAYABLE = "carrier_payable"
    CASH = "cash"
    ADJUSTMENTS = "adjustments"
    TAX = "tax"
    EXPIRED = "expired"
    INCLUDED_CREDIT = "included_credit"
    SECONDS_ISSUED = "seconds_issued"
    SECONDS_USED = "seconds_used"


class PostingKind(StrEnum):
    """Why money or minutes moved; at most 16 characters, the width of its column."""

    USAGE = "usage"
    CARRIER_COST = "carrier_cost"
    TOPUP = "topup"
    ADJUSTMENT = "adjustment"
    RENTAL = "rental"
    REVERSAL = "reversal"
    ACCESS_FEE = "access_fee"
    PLAN_CHANGE = "plan_change"
    SMS = "sms"
    SURCHARGE = "surcharge"
    PACKAGE = "package"
    ISSUE = "issue"
    DRAW = "draw"
    EXPIRE = "expire"
    VAT = "vat"
    INCLUDED_CREDIT = "included_credit"
    CREDIT_EXPIRY = "credit_expiry"
    REFUND = "refund"


class Posting(NamedTuple):
    """One line of a tenant's ledger, never changed once it is written.

    A tuple, because a drain makes hundreds of thousands and it costs a third; always made with
    keywords. That it moves a positive amount between two accounts is checked where it gets its
    place in the chain, and by the table.

    `amount` is in micros of `unit`, and in whole seconds where the unit is SECONDS.
    `balance_after` is the balance of the owned account that moved (the debited one if both are
    owned) after this line; None if only the house moved. `rate_micros` is per minute; of a
    message, per unit of it. `receipt_id` is the webhook that caused the line.
    """

    key: str
    kind: PostingKind
    debit: str
    credit: str
    amount: int
    at: datetime
    account_id: UUID
    unit: str = "USD"
    description: str = ""
    balance_after: int | None = None
    call_sid: str | None = None
    leg_sid: str | None = None
    plan_version_id: UUID | None = None
    rate_micros: int | None = None
    billed_seconds: int | None = None
    receipt_id: UUID | None = None
    reverses_key: str | None = None
    actor: str | None = None
    reason: str | None = None

    @property
    def owned(self) -> str | None:
        """The owned ledger account whose balance `balance_after` is."""
        if ":" in self.debit:
            return self.debit
        return self.credit if ":" in self.credit else None

    def signed_for(self, ledger_account: str) -> int:
        """What the line did to an account's balance: negative is a charge."""
        if ledger_account == self.credit:
            return self.amount
        return -self.amount if ledger_account == self.debit else 0


class AlreadyAReversal(ValueError):
    """A reversal is not reversed; an adjustment says better what is meant."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} is a reversal itself: post an adjustment with a reason instead")
        self.key = key


def wallet(account_id: UUID) -> str:
    """The ledger account that holds a customer's prepaid money."""
    return f"{AccountKind.WALLET}:{account_id.hex}"


def usage_key(leg_sid: str, part: int = 0) -> str:
    return f"usage:{leg_sid}:{part}"


def surcharge_key(leg_sid: str, part: int = 0) -> str:
    return f"surcharge:{leg_sid}:{part}"


def cost_key(leg_sid: str) -> str:
    return f"cost:{leg_sid}:0"


def reversal_key(key: str) -> str:
    """A line is undone once: the key of its reversal follows from its own."""
    return f"reverse:{key}"


PRICINGS_MAX = 8
"""How often a leg may be charged: once, and once more each time it is priced anew."""


def charge_keys(leg_sid: str) -> tuple[str, ...]:
    """The keys under which a leg may have been charged, and its charges undone."""
    parts = range(PRICINGS_MAX)
    charges = [key(leg_sid, part) for key in (usage_key, surcharge_key) for part in parts]
    return (*charges, *map(reversal_key, charges))


def usage_posting(
    usage: LegUsage,
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
    """The customer pays for a leg; `amount` is the charge less what an overrun forgives."""
    return Posting(
        key=f"usage:{leg_sid}:{part}",
        kind=PostingKind.USAGE,
        debit=f"wallet:{account_id.hex}",
        credit="revenue",
        amount=amount,
        at=at,
        account_id=account_id,
        unit=unit,
        description=_LEG_WORDS[usage.kind],
        balance_after=balance_before - amount,
        call_sid=call_sid,
        leg_sid=leg_sid,
        plan_version_id=plan_version_id,
        rate_micros=rated.rate.per_minute_micros if rated.rate else None,
        billed_seconds=rated.billed_seconds,
        receipt_id=receipt_id,
    )


_LEG_WORDS = {
    "inbound": "Inbound leg",
    "forwarded": "Forwarded leg",
    "transfer": "Transferred leg",
}


def cost_posting(
    cost: RatedLeg,
    *,
    unit: str,
    at: datetime,
    account_id: UUID,
    call_sid: str,
    leg_sid: str,
    plan_version_id: UUID | None,
    receipt_id: UUID | None,
) -> Posting:
    """The house owes the carrier for a leg; no customer's money moves."""
    return Posting(
        key=f"cost:{leg_sid}:0",
        kind=PostingKind.CARRIER_COST,
        debit="carrier_cost",
        credit="carrier_payable",
        amount=cost.charge_micros,
        at=at,
        account_id=account_id,
        unit=unit,
        description="Carrier cost",
        call_sid=call_sid,
        leg_sid=leg_sid,
        plan_version_id=plan_version_id,
        rate_micros=cost.rate.per_minute_micros if cost.rate else None,
        billed_seconds=cost.billed_seconds,
        receipt_id=receipt_id,
    )


def topup_posting(
    topup_id: UUID,
    *,
    amount: int,
    unit: str,
    at: datetime,
    account_id: UUID,
    balance_before: int,
    description: str,
    actor: str,
    reason: str | None = None,
) -> Posting:
    """Money came in: cash grows, and so does what is owed to the customer."""
    return Posting(
        key=f"topup:{topup_id}",
        kind=PostingKind.TOPUP,
        debit=AccountKind.CASH,
        credit=wallet(account_id),
        amount=amount,
        at=at,
        account_id=account_id,
        unit=unit,
        description=description,
        balance_after=balance_before + amount,
        actor=actor,
        reason=reason,
    )


def adjustment_posting(
    adjustment_id: UUID,
    *,
    amount: int,
    unit: str,
    at: datetime,
    account_id: UUID,
    balance_before: int,
    actor: str,
    reason: str,
) -> Posting:
    """Staff corrects a balance; a negative `amount` takes."""
    assert reason.strip(), "an adjustment needs a reason"
    owned, house = wallet(account_id), AccountKind.ADJUSTMENTS
    return Posting(
        key=f"adjust:{adjustment_id}",
        kind=PostingKind.ADJUSTMENT,
        debit=house if amount > 0 else owned,
        credit=owned if amount > 0 else house,
        amount=abs(amount),
        at=at,
        account_id=account_id,
        unit=unit,
        description="Adjustment",
        balance_after=balance_before + amount,
        actor=actor,
        reason=reason,
    )


def rental_posting(
    number_id: UUID,
    month: int,
    *,
    amount: int,
    unit: str,
    at: datetime,
    account_id: UUID,
    balance_before: int,
    description: str,
    plan_version_id: UUID,
) -> Posting:
    """A number’s rent in advance; `month` counts from 1, the one that begins with the purchase."""
    return Posting(
        key=f"rent:{number_id}:{month}",
        kind=PostingKind.RENTAL,
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


def reverse(
    posting: Posting,
    *,
    key: str,
    reason: str,
    actor: str,
    at: datetime,
    balance_after: int | None,
) -> Posting:
    """The same amount back the other way, pointing at its original; the original stays."""
    if posting.kind == PostingKind.REVERSAL:
        raise AlreadyAReversal(posting.key)
    assert reason.strip(), "a reversal needs a reason"
    return Posting(
        key=key,
        kind=PostingKind.REVERSAL,
        debit=posting.credit,
        credit=posting.debit,
        amount=posting.amount,
        at=at,
        account_id=posting.account_id,
        unit=posting.unit,
        description=f"Reversal of {posting.description or posting.key}",
        balance_after=balance_after,
        call_sid=posting.call_sid,
        leg_sid=posting.leg_sid,
        plan_version_id=posting.plan_version_id,
        rate_micros=posting.rate_micros,
        billed_seconds=posting.billed_seconds,
        reverses_key=posting.key,
        actor=actor,
        reason=reason,
    )
