"""Amounts as cards take them: whole numbers of a currency's smallest coin."""

from billing.money import MICROS

# docs.stripe.com/currencies: zero-decimal and three-decimal currencies. Of the latter only
# multiples of ten are taken, so their smallest amount is that of two decimals.
ZERO_DECIMAL = frozenset(
    [
        *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"),
        *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
    ]
)
THREE_DECIMAL = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])


class NotWhole(ValueError):
    """The amount has a fraction of the smallest coin in it."""


def quantum_micros(currency: str) -> int:
    """The smallest amount that a card can pay, in micros; every payment is a multiple of it."""
    return MICROS if currency in ZERO_DECIMAL else MICROS // 100


def to_minor(micros: int, currency: str) -> int:
    """The number that goes to the provider: 4007 for 40.07 USD."""
    if micros % quantum_micros(currency):
        raise NotWhole(f"{micros} micros of {currency} cannot be paid by card")
    return micros // _coin(currency)


def from_minor(number: int, currency: str) -> int:
    return number * _coin(currency)


def _coin(currency: str) -> int:
    if currency in ZERO_DECIMAL:
        return MICROS
    return MICROS // 1000 if currency in THREE_DECIMAL else MICROS // 100
