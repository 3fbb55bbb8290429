"""Value added tax on what a customer pays: which country's rate, or why none.

Telephone and electronic services are taxed where the customer is (Directive 2006/112/EC,
articles 44, 58 and 196). Which countries a seller is registered in is the seller's affair:
this says what the rule is, and the ledger what was taken.
"""

import csv
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files

from billing.money import round_ratio

_WHOLE = 10_000
"""Basis points in 100 %."""

_NOT_IN_THE_UNION = frozenset({"CH", "GB", "NO"})
"""Neighbours that the table holds beside the 27 members."""


class VatKind(StrEnum):
    DOMESTIC = "domestic"
    DESTINATION = "destination"
    REVERSE_CHARGE = "reverse_charge"
    OUTSIDE_SCOPE = "outside_scope"


@dataclass(frozen=True, slots=True)
class VatTreatment:
    """2000 basis points are 20 %; `note` is printed on the receipt."""

    kind: VatKind
    rate_basis_points: int
    note: str


class NoVatRate(LookupError):
    """The country taxes, but the table begins later than the day that was asked for."""

    def __init__(self, country: str, on: date) -> None:
        super().__init__(f"no VAT rate of {country} is known for {on.isoformat()}")
        self.country, self.on = country, on


def parse_rates(lines: Iterable[str]) -> Mapping[str, tuple[tuple[date, int], ...]]:
    """(first day, basis points) of each country, oldest first."""
    rates: dict[str, list[tuple[date, int]]] = {}
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        entry = date.fromisoformat(row["valid_from"]), int(row["rate_basis_points"])
        rates.setdefault(row["country"], []).append(entry)
    return {country: tuple(sorted(entries)) for country, entries in rates.items()}


@cache
def _rates() -> Mapping[str, tuple[tuple[date, int], ...]]:
    text = files("billing.data").joinpath("vat_rates.csv").read_text(encoding="utf-8")
    return parse_rates(text.splitlines())


def standard_rate(country: str, on: date) -> int | None:
    """Basis points in force that day; None where the table has no such country."""
    entries = _rates().get(country)
    if entries is None:
        return None
    index = bisect_right(entries, on, key=lambda entry: entry[0])
    if index == 0:
        raise NoVatRate(country, on)
    return entries[index - 1][1]


def vat_for(
    country: str, *, business_id_checked: bool, seller_country: str, on: date
) -> VatTreatment:
    """How a customer of that country is taxed on that day.

    `business_id_checked` says that the customer's VAT id was checked and belongs to a
    business; at home it changes nothing. A private customer abroad pays the rate of home,
    not the seller's.
    """
    rate = standard_rate(country, on)
    if rate is None:
        return VatTreatment(VatKind.OUTSIDE_SCOPE, 0, f"No VAT: the customer is in {country}.")
    if country == seller_country:
        return VatTreatment(VatKind.DOMESTIC, rate, f"VAT {_percent(rate)} ({country}).")
    if not business_id_checked:
        return VatTreatment(VatKind.DESTINATION, rate, f"VAT {_percent(rate)} ({country}).")
    law = (
        "Reverse charge: VAT is due from the customer (article 196, Directive 2006/112/EC)."
        if country not in _NOT_IN_THE_UNION
        else "Reverse charge: VAT is due from the customer in the country of the customer."
    )
    return VatTreatment(VatKind.REVERSE_CHARGE, 0, law)


def _percent(basis_points: int) -> str:
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") + " %"


@dataclass(frozen=True, slots=True)
class VatSplit:
    """An amount in its parts, in micros: net and VAT are always exactly the gross."""

    net_micros: int
    vat_micros: int

    @property
    def gross_micros(self) -> int:
        return self.net_micros + self.vat_micros


def split_gross(gross_micros: int, rate_basis_points: int, *, quantum_micros: int = 1) -> VatSplit:
    """The VAT that an amount contains, as of a card payment (S5-19).

    The VAT is rounded once, half to even, to `quantum_micros` (10_000 for whole cents); the
    net is what is left.
    """
    vat = _rounded(gross_micros * rate_basis_points, _WHOLE + rate_basis_points, quantum_micros)
    return VatSplit(gross_micros - vat, vat)


def add_vat(net_micros: int, rate_basis_points: int, *, quantum_micros: int = 1) -> VatSplit:
    """The VAT on top of an amount, as on an invoice; rounded once, half to even."""
    return VatSplit(net_micros, _rounded(net_micros * rate_basis_points, _WHOLE, quantum_micros))


def _rounded(numerator: int, denominator: int, quantum_micros: int) -> int:
    return round_ratio(numerator, denominator * quantum_micros, "half_even") * quantum_micros
