"""Money that comes in by card: what the card pays, what the wallet gets, what is tax."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.minor_units import quantum_micros
from billing.postings import AccountKind, Posting, PostingKind
from billing.vat import VatSplit, VatTreatment, add_vat, split_gross


@dataclass(frozen=True, slots=True)
class Payment:
    """A credit and its tax. The card pays `gross_micros`; the wallet gets `net_micros`."""

    net_micros: int
    vat_micros: int
    rate_basis_points: int
    note: str

    @property
    def gross_micros(self) -> int:
        return self.net_micros + self.vat_micros


def payment_of(net_micros: int, treatment: VatTreatment, currency: str) -> Payment:
    """What a card pays for a credit: the tax comes on top, rounded to whole coins."""
    quantum = quantum_micros(currency)
    split = add_vat(net_micros, treatment.rate_basis_points, quantum_micros=quantum)
    return Payment(split.net_micros, split.vat_micros, treatment.rate_basis_points, treatment.note)


def payment_in(gross_micros: int, treatment: VatTreatment, currency: str) -> Payment:
    """What came by bank, taken apart: the tax is in it. The inverse of `payment_of`."""
    split = split_gross(
        gross_micros, treatment.rate_basis_points, quantum_micros=quantum_micros(currency)
    )
    return Payment(split.net_micros, split.vat_micros, treatment.rate_basis_points, treatment.note)


def credit_of(payment: Payment, taken_micros: int, currency: str) -> VatSplit:
    """What a credit comes to when the provider took `taken_micros`: as agreed where it took what
    was asked for, else the same rate out of what it did take."""
    if taken_micros == payment.gross_micros:
        return VatSplit(payment.net_micros, payment.vat_micros)
    quantum = quantum_micros(currency)
    return split_gross(taken_micros, payment.rate_basis_points, quantum_micros=quantum)


def vat_key(credit_key: str) -> str:
    """Of the tax that came in with a credit: "topup:ID" -> "vat:ID"."""
    return f"vat:{credit_key.removeprefix('topup:')}"


def vat_posting(
    charge_id: UUID, *, amount: int, unit: str, at: datetime, account_id: UUID, note: str
) -> Posting:
    """The tax that came in with a card payment; it never was in the customer's balance."""
    return Posting(
        key=f"vat:{charge_id}",
        kind=PostingKind.VAT,
        debit=AccountKind.CASH,
        credit=AccountKind.TAX,
        amount=amount,
        at=at,
        account_id=account_id,
        unit=unit,
        description=note,
    )
