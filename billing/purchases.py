"""A package that was bought: its periods, its renewal, and who may stop it until when."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID, uuid5

from billing.calendar import Period, local_date, period
from billing.money import format_amount
from billing.packages import Bucket
from billing.renewals import CATCH_UP_MAX, periods_due
from billing.terms import PackageOffer, Rollover, Scope

MONTHS = 1


@dataclass(frozen=True, slots=True)
class Purchaser:
    """Who bought, as they were called then; kept though the user is renamed or removed (S1-09).

    `acted_as_by` is the member of staff who acted in the user's name.
    """

    actor_id: str
    name: str
    acted_as_by: str | None = None

    @property
    def words(self) -> str:
        return f"{self.name} (by {self.acted_as_by})" if self.acted_as_by else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """Renewed by the month on the day of purchase, 31 kept (S1-07).

    `anchor` is that day in the zone which the account had then.
    """

    id: UUID
    owner_id: UUID
    offer: PackageOffer
    zone: str
    anchor: date
    purchased_at: datetime
    purchaser: Purchaser
    scope: Scope = "account"
    stopped_at: datetime | None = None

    def period(self, n: int) -> Period:
        """The nth month; the first starts with the purchase, the others at local midnight."""
        found = period(self.anchor, n, self.zone, MONTHS)
        return replace(found, starts_at=self.purchased_at) if n == 0 else found

    def current_period(self, now: datetime) -> Period:
        n = 0
        while self.period(n).ends_at <= now:
            n += 1
        return self.period(n)

    def renews_into(self, n: int) -> bool:
        """A stop in the second of the renewal, or later, holds for the one after (S1-10)."""
        if n == 0:
            return True
        if not self.offer.renews:
            return False
        return self.stopped_at is None or self.stopped_at >= self.period(n).starts_at

    def next_renewal_on(self, now: datetime) -> date | None:
        """The date shown; None where the package ends instead."""
        following = self.period(self.current_period(now).n + 1)
        return following.starts_on if self.renews_into(following.n) else None

    def ends_at(self, now: datetime) -> datetime | None:
        """When the minutes end for good; None while the package renews (S1-11)."""
        current = self.current_period(now)
        n = current.n
        while n > 0 and not self.renews_into(n):
            n -= 1
        return None if self.renews_into(n + 1) else self.period(n).ends_at

    def bucket_id(self, n: int) -> UUID:
        """The same period always has the same bucket, so that it is filled once."""
        return uuid5(self.id, str(n))

    def bucket(self, n: int, remaining_seconds: int) -> Bucket:
        """A period's bucket as its ledger account stands."""
        span = self.period(n)
        return Bucket(
            id=self.bucket_id(n),
            kind="package",
            owner_id=self.owner_id,
            remaining_seconds=remaining_seconds,
            starts_at=span.starts_at,
            expires_at=span.ends_at,
            leg_scope=self.offer.leg_scope,
            number_type=self.offer.number_type,
            region_set=self.offer.region_set,
            scope=self.scope,
            priority=self.offer.priority,
            continues=n > 0,
        )


class PurchaseRefusal(StrEnum):
    BALANCE_TOO_LOW = "balance_too_low"
    PERIOD_OVER = "period_over"


@dataclass(frozen=True, slots=True)
class PurchaseRefused:
    """Nothing was bought or changed; `words` are for the customer."""

    reason: PurchaseRefusal
    words: str


def may_buy(
    what: str, price_micros: int, balance_micros: int, credit_limit_micros: int, currency: str
) -> PurchaseRefused | None:
    """None where the balance, credit included, covers the price; to be asked under the lock."""
    missing = price_micros - balance_micros - credit_limit_micros
    if missing <= 0:
        return None
    words = (
        f"{what} costs {format_amount(price_micros)} {currency}; "
        f"top up {format_amount(missing)} {currency} first. Minutes are not refundable."
    )
    return PurchaseRefused(PurchaseRefusal.BALANCE_TOO_LOW, words)


def stop_renewal(package: Package, now: datetime) -> Package:
    """The minutes stay usable to the end of the period; a second stop changes nothing."""
    if package.stopped_at is not None:
        return package
    return replace(package, stopped_at=now)


def undo_stop(package: Package, now: datetime) -> Package | PurchaseRefused:
    """Renew after all, up to the moment at which the minutes end."""
    if package.stopped_at is None:
        return package
    end = package.ends_at(now)
    if end is not None and now >= end:
        words = f"The package ended on {local_date(end, package.zone)}: buy a new one."
        return PurchaseRefused(PurchaseRefusal.PERIOD_OVER, words)
    return replace(package, stopped_at=None)


def package_renewals_due(
    package: Package, *, posted: int, now: datetime, limit: int = CATCH_UP_MAX
) -> tuple[Period, ...]:
    """Months to be paid and filled, exactly once each, also after a downtime (S1-13)."""
    return periods_due(
        package.period, posted=posted, now=now, renews_into=package.renews_into, limit=limit
    )


def may_expire(bucket: Bucket, now: datetime, oldest_open_leg_at: datetime | None) -> bool:
    """Whether nothing can be drawn any more: over, and no leg of its time is unsettled.

    A leg that ended in time and is reported late still finds its seconds.
    """
    if now < bucket.expires_at:
        return False
    return oldest_open_leg_at is None or oldest_open_leg_at >= bucket.expires_at


def carried_over(
    rollover: Rollover, remaining_seconds: int, before_seconds: int = 0
) -> tuple[int, int]:
    """Seconds that go into the next period, and seconds that expire (C4). The cap is the period's:
    `before_seconds` went from other grants of it."""
    left = max(0, remaining_seconds)
    carried = max(0, rollover.carried_seconds(left + before_seconds) - before_seconds)
    return carried, left - carried
