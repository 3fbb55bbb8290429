"""Credit that the access fee already pays for: granted by the cycle, drawn first, then expired.

It lies in the wallet, so that the balance stays all that a caller's minute depends on. What of it
is drawn follows from the ledger alone: calls and texts that were charged since it was granted
draw it before the customer's own money; rent, fees and purchases never do.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from billing.calendar import Period
from billing.postings import AccountKind, Posting, PostingKind, wallet

USAGE_KINDS = (PostingKind.USAGE, PostingKind.SURCHARGE, PostingKind.SMS)
"""What draws the credit."""


@dataclass(frozen=True, slots=True)
class IncludedFigures:
    """The credit of the cycle that runs, in micros: what was granted, what calls and texts drew
    of it, what is left until `cycle_ends_on`, the first day that no longer belongs to the cycle."""

    granted_micros: int
    used_micros: int
    cycle_starts_on: date
    cycle_ends_on: date

    @property
    def left_micros(self) -> int:
        return self.granted_micros - self.used_micros

    @property
    def last_day(self) -> date:
        return self.cycle_ends_on - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Two moments in the life of one cycle's credit: what had been granted, and what calls and
    texts had been charged since the first grant (less what was given back), at each."""

    granted_before_micros: int
    granted_micros: int
    charged_before_micros: int
    charged_micros: int
    is_open: bool  # at the later moment: what is left has not expired

    @property
    def drawn_between_micros(self) -> int:
        """Negative where more was given back than drawn."""
        before = drawn_micros(self.granted_before_micros, self.charged_before_micros)
        return drawn_micros(self.granted_micros, self.charged_micros) - before

    @property
    def undrawn_micros(self) -> int:
        """What lies in the wallet at the later moment."""
        drawn = drawn_micros(self.granted_micros, self.charged_micros)
        return self.granted_micros - drawn if self.is_open else 0


@dataclass(frozen=True, slots=True)
class Included:
    """What credit did to a stretch of the ledger: the part of its charges that it paid, and what
    of it lies in the wallet at the end, which is not the customer's own money."""

    drawn_micros: int = 0
    left_micros: int = 0


NOTHING_INCLUDED = Included()


def included_of(stretches: Iterable[Stretch]) -> Included:
    found = tuple(stretches)
    return Included(
        sum(one.drawn_between_micros for one in found), sum(one.undrawn_micros for one in found)
    )


def drawn_micros(granted_micros: int, charged_micros: int) -> int:
    """The credit first, then the customer's own money; what is given back goes back the same
    way, and never adds to the credit."""
    return min(granted_micros, max(0, charged_micros))


def undrawn_micros(granted_micros: int, charged_micros: int) -> int:
    return granted_micros - drawn_micros(granted_micros, charged_micros)


@dataclass(frozen=True, slots=True)
class Grant:
    """So much, and the sum that says why."""

    micros: int
    formula: str


def cycle_grant(credit_micros: int, cycle: Period, on: date) -> Grant:
    """What a cycle begins with: all the credit of the plan.

    Where the day of the cycle was changed, the cycle before lasts to its own end, `on`, and the
    days from then to the new day have their share, rounded down: each day is paid for once.
    """
    return _part(credit_micros, f"1 × {credit_micros}", cycle, on)


def upgrade_grant(
    credit_micros: int,
    cycle: Period,
    on: date,
    *,
    own_micros: int = 0,
    added_micros: int = 0,
) -> Grant:
    """What a plan with more credit adds in the cycle that runs, for its days from `on`: its first
    day where the plan adds the whole difference, as the fee does, else today.

    `own_micros` is the credit of the plan that the cycle began with; `added_micros` is what
    upgrades added since. Once is enough: who goes down and up again is granted nothing anew, and a
    still greater plan adds only what exceeds the upgrades before.
    """
    formula = f"({credit_micros} - {own_micros})" if own_micros else f"1 × {credit_micros}"
    more = _part(max(0, credit_micros - own_micros), formula, cycle, on)
    formula = f"{more.formula} - {added_micros}" if added_micros else more.formula
    return Grant(max(0, more.micros - added_micros), formula)


def _part(micros: int, formula: str, cycle: Period, on: date) -> Grant:
    left, days = cycle.days_left(on), cycle.days
    if left == days:
        return Grant(micros, formula)
    return Grant(micros * left // days, f"floor({formula} × {left} / {days})")


def grant_key(account_id: UUID, cycle: int, grant: int) -> str:
    """`cycle` is the number of the credit's cycle; grant 0 is its own, then come upgrades."""
    return f"included:{account_id}:{cycle}:{grant}"


def expiry_key(account_id: UUID, cycle: int) -> str:
    return f"included_end:{account_id}:{cycle}"


def grant_posting(
    grant: Grant,
    *,
    account_id: UUID,
    cycle: Period,
    number: int,
    place: int,
    unit: str,
    at: datetime,
    balance_before: int,
    plan_version_id: UUID,
) -> Posting:
    """No payment: the house gives it, and takes back what is not used. `number` and `place` are
    the cycle and the grant of `grant_key`; the reason is the sum."""
    return Posting(
        key=grant_key(account_id, number, place),
        kind=PostingKind.INCLUDED_CREDIT,
        debit=AccountKind.INCLUDED_CREDIT,
        credit=wallet(account_id),
        amount=grant.micros,
        at=at,
        account_id=account_id,
        unit=unit,
        description=f"Included credit of the cycle from {cycle.starts_on:%d %b %Y}",
        balance_after=balance_before + grant.micros,
        plan_version_id=plan_version_id,
        reason=grant.formula,
    )


def expiry_posting(
    granted_micros: int,
    charged_micros: int,
    *,
    account_id: UUID,
    starts_on: date,
    number: int,
    unit: str,
    at: datetime,
    balance_before: int,
    plan_version_id: UUID,
) -> Posting | None:
    """The unused part at the cycle's end; None where nothing is left. It takes exactly what the
    grants brought and nobody drew, so that the wallet is left with the customer's own money."""
    left = undrawn_micros(granted_micros, charged_micros)
    if left == 0:
        return None
    return Posting(
        key=expiry_key(account_id, number),
        kind=PostingKind.CREDIT_EXPIRY,
        debit=wallet(account_id),
        credit=AccountKind.INCLUDED_CREDIT,
        amount=left,
        at=at,
        account_id=account_id,
        unit=unit,
        description=f"Unused included credit of the cycle from {starts_on:%d %b %Y} expired",
        balance_after=balance_before - left,
        plan_version_id=plan_version_id,
        reason=f"{granted_micros} - {drawn_micros(granted_micros, charged_micros)}",
    )
