"""Access by the month or the year: its periods, its end, and what a change of plan costs."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from billing.calendar import Period, local_midnight, nth_period, period
from billing.pools import NOTHING_GIVEN, Given, upgrade_grant
from billing.renewals import CATCH_UP_MAX, periods_due
from billing.tariffs import Plan
from billing.terms import CancelEffect, Term

TERM_MONTHS: dict[Term, int] = {"month": 1, "year": 12}
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Access paid in advance; the local day it started on is kept over short months and years."""

    id: UUID
    account_id: UUID
    term: Term
    zone: str
    anchor: date
    started_at: datetime
    cancelled_at: datetime | None = None
    cancel_effect: CancelEffect = "period_end"

    def period(self, n: int) -> Period:
        """The nth term; the first starts at once, the others at local midnight."""
        found = period(self.anchor, n, self.zone, TERM_MONTHS[self.term])
        return replace(found, starts_at=self.started_at) if n == 0 else found

    def renews_into(self, n: int) -> bool:
        """A cancellation in the second of the renewal comes too late for it."""
        if n == 0 or self.cancelled_at is None:
            return True
        return self.cancelled_at >= self.period(n).starts_at

    def current_period(self, now: datetime) -> Period:
        n = 0
        while self.period(n).ends_at <= now:
            n += 1
        return self.period(n)

    def next_renewal_on(self, now: datetime) -> date | None:
        """The date shown beside the plan (S3-04); None after a cancellation."""
        following = self.period(self.current_period(now).n + 1)
        return following.starts_on if self.renews_into(following.n) else None

    @property
    def access_ends_at(self) -> datetime | None:
        """The first instant without access; None while nothing was cancelled.

        A cancelled month ends with its period (S3-01). A cancelled year lasts through its
        anniversary, to 23:59:59 in the account's zone (S3-02); from 29 Feb that is 28 Feb.
        """
        if self.cancelled_at is None:
            return None
        if self.cancel_effect == "now":
            return self.cancelled_at
        last = self.current_period(self.cancelled_at)
        if self.term == "month":
            return last.ends_at
        anniversary = nth_period(self.anchor, last.n + 1, TERM_MONTHS[self.term])
        return local_midnight(anniversary + _ONE_DAY, self.zone)

    def gives_access_at(self, now: datetime) -> bool:
        ends_at = self.access_ends_at
        return self.started_at <= now and (ends_at is None or now < ends_at)


def cancel(subscription: Subscription, now: datetime, effect: CancelEffect) -> Subscription:
    """No renewal follows and nothing is refunded; a second cancellation changes nothing."""
    if subscription.cancelled_at is not None:
        return subscription
    return replace(subscription, cancelled_at=now, cancel_effect=effect)


def access_key(subscription_id: UUID, n: int) -> str:
    """The access fee of the nth term, charged once."""
    return f"access:{subscription_id}:{n}"


def access_fees_due(
    subscription: Subscription, *, posted: int, now: datetime, limit: int = CATCH_UP_MAX
) -> tuple[Period, ...]:
    """Terms to be charged, exactly once each, also after a downtime (S3-04)."""
    return periods_due(
        subscription.period,
        posted=posted,
        now=now,
        renews_into=subscription.renews_into,
        limit=limit,
    )


@dataclass(frozen=True, slots=True)
class ChangePreview:
    """What a change of plan costs and gives now, before anybody confirms it (C12).

    `formula` is the sum behind the fee, in the language of explanations.
    """

    fee_micros: int
    formula: str
    allowance_seconds: int
    days_left: int
    days: int
    next_fee_micros: int
    next_fee_on: date
    term: Term
    channel: str


class TermNotOffered(ValueError):
    """The plan is not sold by that term."""

    def __init__(self, plan_name: str, term: Term) -> None:
        super().__init__(f"{plan_name} is not sold by the {term}")
        self.term = term


def fee_of(plan: Plan, term: Term) -> int:
    """The access fee of a term; raises `TermNotOffered` where the plan has none for it."""
    fee = plan.terms.access_fee.for_term(term)
    if fee is None:
        raise TermNotOffered(plan.name, term)
    return fee


def preview_term(new: Plan, *, term: Term, term_period: Period, on: date) -> ChangePreview:
    """From the month to the year, or back: the term that was paid is used up first, so nothing
    is due now, and the first new one begins with the day on which it ends."""
    return ChangePreview(
        fee_micros=0,
        formula="0",
        allowance_seconds=0,
        days_left=term_period.days_left(on),
        days=term_period.days,
        next_fee_micros=fee_of(new, term),
        next_fee_on=term_period.ends_on,
        term=term,
        channel=new.terms.upgrade.channel,
    )


def preview_change(
    old: Plan,
    new: Plan,
    *,
    term_period: Period,
    cycle: Period,
    on: date,
    term: Term = "month",
    given: Given | None = NOTHING_GIVEN,
) -> ChangePreview:
    """Change to another plan on a day; the terms of the new plan say how.

    The fee is the difference between the two access fees: all of it, or the part for the
    calendar days left of the term, rounded down. A cheaper plan costs nothing now and gives
    nothing back (S3-06). The allowance is granted for the billing cycle, less what it was `given`;
    None where that is over, and the next one begins by itself with all the minutes.
    """
    fee_old, fee_new = old.terms.access_fee.for_term(term), fee_of(new, term)
    rules = new.terms.upgrade
    days_left, days = term_period.days_left(on), term_period.days
    difference = f"max(0, {fee_new} - {fee_old or 0})"
    fee_micros, formula = max(0, fee_new - (fee_old or 0)), difference
    if rules.fee == "prorated":
        fee_micros = fee_micros * days_left // days
        formula = f"floor({difference} × {days_left} / {days})"
    pool = new.terms.allowance
    return ChangePreview(
        fee_micros=fee_micros,
        formula=formula,
        allowance_seconds=0
        if pool is None or given is None
        else upgrade_grant(pool, cycle, on, share=rules.allowance, given=given).seconds,
        days_left=days_left,
        days=days,
        next_fee_micros=fee_new,
        next_fee_on=term_period.ends_on,
        term=term,
        channel=rules.channel,
    )
