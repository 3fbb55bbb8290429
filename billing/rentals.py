"""The rent of a number: in advance, by the month, on the day of purchase; the first one free."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from billing.calendar import Period, local_date, period
from billing.rates import Tariff
from billing.renewals import CATCH_UP_MAX, periods_due


@dataclass(frozen=True, slots=True, kw_only=True)
class RentedNumber:
    """A number and the months for which it is paid.

    The first month starts at `charged_from`: the purchase, or the end of the trial. A number
    that comes back within a month already paid goes on where it was: its own first month is
    then month `months_paid_before` of the anchor.
    """

    id: UUID
    zone: str
    anchor: date
    charged_from: datetime
    months_paid_before: int = 0
    released_at: datetime | None = None

    def period(self, n: int) -> Period:
        """The number's own nth month, counted from 0."""
        found = period(self.anchor, self.months_paid_before + n, self.zone)
        return replace(found, n=n, starts_at=self.charged_from if n == 0 else found.starts_at)

    def renews_into(self, n: int) -> bool:
        return self.released_at is None or self.released_at > self.period(n).starts_at


def trial_days(tariff: Tariff, numbers_bought_before: int) -> int:
    """Free days of a number that is bought now.

    `numbers_bought_before` counts all that the account ever had, released ones as well: the
    first number is the first once (S5-13), and the second pays at once (S5-14).
    """
    trial = tariff.rental_trial
    if trial.scope == "first_number" and numbers_bought_before > 0:
        return 0
    return trial.days


def rent(
    number_id: UUID,
    tariff: Tariff,
    *,
    purchased_at: datetime,
    zone: str,
    numbers_bought_before: int,
) -> RentedNumber:
    """A number that is bought now. A free day has 24 hours, whatever the clocks do (S5-13)."""
    free = timedelta(hours=24 * trial_days(tariff, numbers_bought_before))
    charged_from = purchased_at + free
    return RentedNumber(
        id=number_id, zone=zone, anchor=local_date(charged_from, zone), charged_from=charged_from
    )


def rent_again(
    number_id: UUID,
    earlier: RentedNumber,
    *,
    months_posted: int,
    purchased_at: datetime,
    tariff: Tariff,
) -> RentedNumber:
    """The same number bought back by the same account.

    Inside the month already paid nothing is charged until it is over (S2-05); later, or where
    nothing was ever paid, it is a new purchase without a trial.
    """
    paid = earlier.months_paid_before + months_posted
    following = period(earlier.anchor, paid, earlier.zone)
    if months_posted == 0 or purchased_at >= following.starts_at:
        return rent(
            number_id,
            tariff,
            purchased_at=purchased_at,
            zone=earlier.zone,
            numbers_bought_before=1,
        )
    return RentedNumber(
        id=number_id,
        zone=earlier.zone,
        anchor=earlier.anchor,
        charged_from=following.starts_at,
        months_paid_before=paid,
    )


def rent_key(number_id: UUID, n: int) -> str:
    """The rent of a number's nth month, charged once."""
    return f"rent:{number_id}:{n}"


def rents_due(
    number: RentedNumber, *, posted: int, now: datetime, limit: int = CATCH_UP_MAX
) -> tuple[Period, ...]:
    """Months to be charged, exactly once each; a released number owes no further month."""
    return periods_due(
        number.period, posted=posted, now=now, renews_into=number.renews_into, limit=limit
    )
