"""The invoice in a statement: its charges as tax offices read them, in whole coins (EN 16931).

The ledger counts micros, an invoice counts coins. So the sum of the charges is rounded once, to
the nearest coin; its lines are rounded so that they sum to it; the tax follows from the sum. What
is asked for is rounded up instead, so that whoever pays it owes nothing, not even a micro; what
that differs is said (BT-114, "rounding amount"), and what is paid too much stays on the balance.
"""

from dataclasses import dataclass
from enum import StrEnum

from billing.credits import payment_of
from billing.minor_units import quantum_micros
from billing.money import ceil_div, round_ratio
from billing.postings import PostingKind
from billing.statements import ChargeLine, Statement
from billing.vat import VatKind, VatTreatment, add_vat

_PER_MINUTE = 60
_COINS_OFF = 1
"""How far seconds times rate may be from a line's coins: every leg was rounded by itself."""


class TaxCategory(StrEnum):
    """UNTDID 5305, as far as EN 16931 and this house use it."""

    STANDARD = "S"
    ZERO = "Z"
    REVERSE_CHARGE = "AE"
    OUTSIDE_SCOPE = "O"


def tax_category(tax: VatTreatment) -> TaxCategory:
    if tax.kind == VatKind.REVERSE_CHARGE:
        return TaxCategory.REVERSE_CHARGE
    if tax.kind == VatKind.OUTSIDE_SCOPE:
        return TaxCategory.OUTSIDE_SCOPE
    return TaxCategory.STANDARD if tax.rate_basis_points else TaxCategory.ZERO


class Unit(StrEnum):
    """UN/ECE Recommendation 20."""

    ONE = "C62"
    SECOND = "SEC"


@dataclass(frozen=True, slots=True)
class Price:
    """`quantity` units at `micros` for every `per` of them; a correction has a negative quantity,
    because a price never is (BR-27)."""

    quantity: int
    unit: Unit
    micros: int
    per: int = 1


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line of charges; `net_micros` are whole coins, `charge.amount_micros` is exact."""

    charge: ChargeLine
    net_micros: int
    price: Price


@dataclass(frozen=True, slots=True)
class Invoice:
    """Whole coins all through: total = net + VAT, due = total - paid + rounding.

    `paid_micros` is what credit had paid already, with its tax. A month of more corrections than
    charges has a negative total; that went back to the balance, and nothing is due.
    """

    tax: VatTreatment
    lines: tuple[InvoiceLine, ...]
    net_micros: int
    vat_micros: int
    paid_micros: int
    rounding_micros: int
    due_micros: int

    @property
    def total_micros(self) -> int:
        return self.net_micros + self.vat_micros


def invoice_of(statement: Statement, tax: VatTreatment) -> Invoice | None:
    """None where nothing was charged: a statement of a quiet month is no invoice.

    Due is what of these very charges is still owed. The rest of an earlier month is asked for by
    that month's invoice.
    """
    if not statement.charges:
        return None
    coin = quantum_micros(statement.currency)
    charged = statement.charges_micros
    net = round_ratio(charged, coin, "half_even") * coin
    vat = add_vat(net, tax.rate_basis_points, quantum_micros=coin).vat_micros
    total = net + vat
    owed = max(0, min(statement.owed_micros, charged))
    due = asked_for(owed, tax, statement.currency)
    from_credit = round_ratio(charged - owed, coin, "half_even") * coin
    paid = total if not owed else payment_of(from_credit, tax, statement.currency).gross_micros
    return Invoice(
        tax=tax,
        lines=_lines(statement.charges, net, coin),
        net_micros=net,
        vat_micros=vat,
        paid_micros=paid,
        rounding_micros=due - (total - paid),
        due_micros=due,
    )


def asked_for(owed_micros: int, tax: VatTreatment, currency: str) -> int:
    """What has to be paid so that so much is owed no more: with its tax, in whole coins."""
    coin = quantum_micros(currency)
    return payment_of(ceil_div(owed_micros, coin) * coin, tax, currency).gross_micros


def _lines(charges: tuple[ChargeLine, ...], net: int, coin: int) -> tuple[InvoiceLine, ...]:
    """Each rounded down to a coin, and the coins that are missing to those that lost most."""
    down = [charge.amount_micros // coin for charge in charges]
    lost = sorted(range(len(charges)), key=lambda n: charges[n].amount_micros % coin, reverse=True)
    for n in lost[: net // coin - sum(down)]:
        down[n] += 1
    return tuple(
        InvoiceLine(charge, coins * coin, _price(charge, coins * coin, coin))
        for charge, coins in zip(charges, down, strict=True)
    )


def _price(charge: ChargeLine, net: int, coin: int) -> Price:
    """By the rate where count or seconds times the rate says the amount, to a coin; else the whole
    line is one thing that costs what it costs, to the micro."""
    sign = -1 if charge.amount_micros < 0 else 1
    rate = charge.rate_micros
    if rate is not None:
        found = (
            Price(sign * charge.count, Unit.ONE, rate)
            if charge.kind == PostingKind.SMS
            else Price(sign * charge.seconds, Unit.SECOND, rate, _PER_MINUTE)
        )
        off = abs(found.quantity * found.micros - net * found.per)
        if found.quantity and off <= _COINS_OFF * coin * found.per:
            return found
    return Price(sign, Unit.ONE, abs(charge.amount_micros))
