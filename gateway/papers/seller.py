"""Who issues a paper, as it stands on it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seller:
    """`address` and `bank` are lines."""

    name: str
    address: tuple[str, ...] = ()
    country: str = ""
    vat_id: str = ""
    tax_number: str = ""
    bank: tuple[str, ...] = ()
    iban: str = ""
    bic: str = ""
    creditor_id: str = ""


def lines(text: str) -> tuple[str, ...]:
    """From settings, where lines are separated by "|"."""
    return tuple(part.strip() for part in text.split("|") if part.strip())
