"""What renews by itself: which periods are due, and what happens when money is short."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from billing.calendar import Period
from billing.terms import UnpaidRenewal

CATCH_UP_MAX = 12
"""Periods posted in one go after a long downtime; what is left is due in the next go."""


class RenewalOutcome(StrEnum):
    """`post`: charge and go on. `wait`: suspend, and ask again. `drop`: it ends here."""

    POST = "post"
    WAIT = "wait"
    DROP = "drop"


_UNPAID: dict[UnpaidRenewal, RenewalOutcome] = {
    "post_anyway": RenewalOutcome.POST,
    "suspend": RenewalOutcome.WAIT,
    "drop": RenewalOutcome.DROP,
}


def periods_due(
    period: Callable[[int], Period],
    *,
    posted: int,
    now: datetime,
    renews_into: Callable[[int], bool] = lambda n: True,
    limit: int = CATCH_UP_MAX,
) -> tuple[Period, ...]:
    """Periods that have started and are not posted yet, the oldest first.

    `posted` is the number of the last one posted, -1 for none. The number is part of the
    posting's key, so that a period is charged once, whoever runs this and however often.
    """
    due: list[Period] = []
    for n in range(posted + 1, posted + 1 + limit):
        found = period(n)
        if found.starts_at > now or not renews_into(n):
            break
        due.append(found)
    return tuple(due)


def renewal_shortfall(charge_micros: int, balance_micros: int, credit_limit_micros: int = 0) -> int:
    """Micros that are missing for a renewal, 0 where it is covered; for the announcement too."""
    return max(0, charge_micros - max(0, balance_micros + credit_limit_micros))


def renewal_outcome(shortfall_micros: int, policy: UnpaidRenewal) -> RenewalOutcome:
    return _UNPAID[policy] if shortfall_micros else RenewalOutcome.POST
