"""A register of VAT ids as services see it."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RegisterAnswer:
    """What a register said. `requested_on` and `identifier` (its consultation number) as it writes
    them; `name`: under which the id is registered; each empty where it tells none."""

    is_valid: bool
    requested_on: str = ""
    identifier: str = ""
    name: str = ""


class VatRegister(Protocol):
    name: str

    def look_up(self, vat_id: str) -> RegisterAnswer:
        """`vat_id` as it is printed, country first. Raises `ProviderError` where the register does
        not say: that is never a no."""
