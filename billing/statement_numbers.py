"""How statements are numbered: a series per tenant, from 1 on, without gaps (S5-16)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

_SERIES_LENGTH = 8
_NUMBER = re.compile(r"(?<![0-9])([0-9A-F]{8})[\s./-]*([0-9]{6,9})(?![0-9])")


@dataclass(frozen=True, slots=True, order=True)
class StatementNumber:
    """As printed and as payers quote it: "9F3A01BC-000123"."""

    series: str
    serial: int

    def __str__(self) -> str:
        return f"{self.series}-{self.serial:06d}"


def series_of(tenant_id: UUID) -> str:
    """The last eight hex digits of the tenant's id: the random end of a UUIDv7, not its clock.

    Two tenants may share them; a payment that names such a number is left to people.
    """
    return tenant_id.hex[-_SERIES_LENGTH:].upper()


def next_number(tenant_id: UUID, last_serial: int) -> StatementNumber:
    """The number after the last one given, which is 0 before the first.

    Taken in the transaction that issues the statement, under the lock of the series, so that
    no number is given for nothing, twice, or out of order.
    """
    return StatementNumber(series_of(tenant_id), last_serial + 1)


def missing_numbers(numbers: Iterable[StatementNumber]) -> tuple[StatementNumber, ...]:
    """The gaps of a list that should have none."""
    by_series: dict[str, set[int]] = {}
    for number in numbers:
        by_series.setdefault(number.series, set()).add(number.serial)
    return tuple(
        StatementNumber(series, serial)
        for series, serials in sorted(by_series.items())
        for serial in range(1, max(serials))
        if serial not in serials
    )


def numbers_in(text: str) -> tuple[StatementNumber, ...]:
    """Numbers in what a payer wrote: "inv 9f3a01bc / 000123", "9F3A01BC000123"; each once."""
    found = _NUMBER.findall(text.upper())
    return tuple(dict.fromkeys(StatementNumber(series, int(serial)) for series, serial in found))
