"""Money of a card payment that goes back to its card: how much may, and its lines (C10).

Amounts are what the wallet loses; the payment's tax goes back beside it, in proportion.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.charges import ASK_AFTER_SECONDS
from billing.money import format_amount, round_ratio
from billing.postings import AccountKind, Posting, PostingKind, wallet
from billing.terms import Terms
from billing.vat import VatSplit


@dataclass(frozen=True, slots=True)
class SettledPayment:
    """A settled payment: what the wallet got and its tax, and what of both was given back.

    `own_micros` is the customer's own money in the wallet, without credit that the access fee
    includes. Below `recharge_below_micros` a card would be charged again at once.
    """

    paid: VatSplit
    given_back: VatSplit
    own_micros: int
    balance_micros: int
    recharge_below_micros: int | None = None


@dataclass(frozen=True, slots=True)
class RefundParts:
    """What the wallet loses and the tax beside it; `formula` is the sum of the tax."""

    net_micros: int
    vat_micros: int
    formula: str

    @property
    def gross_micros(self) -> int:
        """What the card gets."""
        return self.net_micros + self.vat_micros


@dataclass(frozen=True, slots=True)
class NotRefundable:
    """Why not, and what to do instead; for staff."""

    words: str


def refused_by_plan(terms: Terms) -> NotRefundable | None:
    if terms.refunds == "card_payments":
        return None
    return NotRefundable("The plan gives nothing back: post an adjustment.")


def refundable_micros(payment: SettledPayment, quantum_micros: int) -> int:
    """At most what was paid less earlier refunds, and at most the customer's own money; in whole
    coins, as a card takes them."""
    left = payment.paid.net_micros - payment.given_back.net_micros
    return max(0, min(left, payment.own_micros)) // quantum_micros * quantum_micros


def refund_of(
    payment: SettledPayment, net_micros: int, quantum_micros: int
) -> RefundParts | NotRefundable:
    """A refund in its parts, or why not. The tax is that of all refunds so far, rounded once, less
    what earlier ones gave back of it: all of the money takes all of the tax with it."""
    refused = _refused(payment, net_micros, quantum_micros)
    if refused is not None:
        return refused
    paid, before = payment.paid, payment.given_back
    after = before.net_micros + net_micros
    if after == paid.net_micros:
        formula = f"{paid.vat_micros} - {before.vat_micros}"
        return RefundParts(net_micros, paid.vat_micros - before.vat_micros, formula)
    coins = round_ratio(paid.vat_micros * after, paid.net_micros * quantum_micros, "half_even")
    formula = f"round({paid.vat_micros} × {after} / {paid.net_micros * quantum_micros})"
    return RefundParts(
        net_micros,
        max(0, coins * quantum_micros - before.vat_micros),
        f"max(0, {formula} × {quantum_micros} - {before.vat_micros})",
    )


def _refused(payment: SettledPayment, net_micros: int, quantum_micros: int) -> NotRefundable | None:
    most = refundable_micros(payment, quantum_micros)
    if most == 0:
        if payment.paid.net_micros <= payment.given_back.net_micros:
            return NotRefundable("All of this payment was given back already.")
        return NotRefundable("Nothing of the customer's own money is left: post an adjustment.")
    if net_micros <= 0 or net_micros % quantum_micros:
        return NotRefundable(f"Write a multiple of {format_amount(quantum_micros)}, above zero.")
    if net_micros > most:
        return NotRefundable(
            f"At most {format_amount(most)} can be given back: write that or less."
        )
    least, after = payment.recharge_below_micros, payment.balance_micros - net_micros
    if least is not None and after < least:
        return NotRefundable(
            f"The balance would be {format_amount(after)}, and below {format_amount(least)} the"
            " card is charged again: have the recharge turned off first, or give back less."
        )
    return None


def seconds_to_next_question(asked: int) -> int:
    """`asked`: how often the provider was asked in vain, from 1."""
    return ASK_AFTER_SECONDS[min(asked, len(ASK_AFTER_SECONDS)) - 1]


def refund_key(refund_id: UUID) -> str:
    return f"refund:{refund_id}"


def refund_vat_key(refund_id: UUID) -> str:
    return f"vat-refund:{refund_id}"


def refund_posting(
    refund_id: UUID,
    charge_id: UUID,
    *,
    amount: int,
    unit: str,
    at: datetime,
    account_id: UUID,
    balance_before: int,
    description: str,
    actor: str,
    reason: str,
) -> Posting:
    """Cash shrinks, and so does what is owed to the customer."""
    assert reason.strip(), "a refund needs a reason"
    return Posting(
        key=refund_key(refund_id),
        kind=PostingKind.REFUND,
        debit=wallet(account_id),
        credit=AccountKind.CASH,
        amount=amount,
        at=at,
        account_id=account_id,
        unit=unit,
        description=description,
        balance_after=balance_before - amount,
        reverses_key=f"topup:{charge_id}",
        actor=actor,
        reason=reason,
    )


def refund_vat_posting(
    refund_id: UUID,
    charge_id: UUID,
    *,
    amount: int,
    unit: str,
    at: datetime,
    account_id: UUID,
    note: str,
) -> Posting:
    """The tax of what goes back; it never was in the customer's balance."""
    return Posting(
        key=refund_vat_key(refund_id),
        kind=PostingKind.VAT,
        debit=AccountKind.TAX,
        credit=AccountKind.CASH,
        amount=amount,
        at=at,
        account_id=account_id,
        unit=unit,
        description=note,
        reverses_key=f"vat:{charge_id}",
    )
