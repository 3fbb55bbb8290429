"""Sub-accounts on their own billing or on their agency's, effective-dated (C15)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class BillingChange:
    """From an instant on, a sub-account shares its agency's billing or pays by itself."""

    from_at: datetime
    shared: bool


def shares_billing_at(changes: Sequence[BillingChange], instant: datetime) -> bool:
    """The last change up to the instant counts; before the first an account pays by itself.

    Asked for the moment a leg began: a move during a call counts from the next one (S1-14).
    """
    last = max(
        (change for change in changes if change.from_at <= instant),
        key=lambda change: change.from_at,
        default=None,
    )
    return last is not None and last.shared
