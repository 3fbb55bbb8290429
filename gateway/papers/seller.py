"""Who issues a paper, as it stands on it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seller:
    """`address` and `bank` are lines."""

    name: str
    address: tuple[str, ...] = ()
    vat_id: str = ""
    bank: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, address: str, vat_id: str, bank: str) -> "Seller":
        """From settings, where lines are separated by "|"."""
        return cls(name, _lines(address), vat_id, _lines(bank))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|") if part.strip())
