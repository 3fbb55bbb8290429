"""When a card is charged by itself, and for how much (C6); what stops it when it runs away.

Decided twice: when a balance drops, and again under the account's lock just before the charge,
so that the amount is right for the balance of that moment (S2-11).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.calendar import local_date
from billing.charges import CHARGE_MIN_MICROS, OPEN_STATES, ChargeState
from billing.money import format_amount
from billing.plan_reader import FieldError
from billing.terms import Recharge

CHARGES_PER_DAY_MAX = 3
"""Charges of one account in any 24 hours; a fourth means that something is wrong."""
BREAKER_TIMES_BASELINE = 5
"""Charges of the whole system in a minute, as a multiple of the usual, that stop all of them."""
BREAKER_CHARGES_MIN = 10
"""Fewer charges in a minute never trip the breaker: a quiet system has no usual to compare."""

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RechargeSettings:
    """What a customer chose within the plan; `terms` holds the caps that bind everybody.

    A cap of the customer's own may only tighten the plan's.
    """

    on: bool
    minimum_micros: int
    maximum_micros: int
    terms: Recharge
    daily_cap_micros: int | None = None
    monthly_cap_micros: int | None = None
    cooldown_seconds: int = 0

    @property
    def cooldown(self) -> timedelta:
        """The longer of the customer's and the plan's."""
        return timedelta(seconds=max(self.cooldown_seconds, self.terms.cooldown_seconds))

    @property
    def daily_cap(self) -> int | None:
        return _tighter(self.daily_cap_micros, self.terms.daily_cap_micros)

    @property
    def monthly_cap(self) -> int | None:
        return _tighter(self.monthly_cap_micros, self.terms.monthly_cap_micros)


def _tighter(own: int | None, of_plan: int | None) -> int | None:
    caps = [cap for cap in (own, of_plan) if cap is not None]
    return min(caps, default=None)


def settings_problems(settings: RechargeSettings) -> tuple[FieldError, ...]:
    """What is wrong with the settings, with the cure (S2-10); nothing where they may be saved."""
    problems: list[FieldError] = []
    if settings.on and not settings.terms.allowed:
        problems.append(FieldError("/on", "the plan has no automatic recharge: top up by hand"))
    if settings.minimum_micros < 0:
        problems.append(FieldError("/minimum", "write 0 or more"))
    elif settings.maximum_micros <= settings.minimum_micros:
        problems.append(FieldError("/maximum", "write more than the minimum"))
    elif settings.maximum_micros - settings.minimum_micros < CHARGE_MIN_MICROS:
        least = format_amount(settings.minimum_micros + CHARGE_MIN_MICROS)
        problems.append(FieldError("/maximum", f"write {least} or more: no card takes less"))
    if settings.cooldown_seconds < 0:
        problems.append(FieldError("/cooldown_seconds", "write 0 or more"))
    for name, cap in (("daily_cap", settings.daily_cap), ("monthly_cap", settings.monthly_cap)):
        if cap is not None and cap < settings.maximum_micros - settings.minimum_micros:
            needed = format_amount(settings.maximum_micros - settings.minimum_micros)
            problems.append(FieldError(f"/{name}", f"a single recharge takes {needed} or more"))
    return tuple(problems)


@dataclass(frozen=True, slots=True)
class PastCharge:
    """A charge of the account, by hand or not; `at` is when its intent was written."""

    amount_micros: int
    at: datetime
    state: ChargeState


class HoldReason(StrEnum):
    OFF = "off"
    ENOUGH = "enough"
    IN_FLIGHT = "in_flight"
    NO_CARD = "no_card"
    RETRY_LATER = "retry_later"
    COOLING_DOWN = "cooling_down"
    DAILY_CAP = "daily_cap"
    MONTHLY_CAP = "monthly_cap"
    TOO_MANY_CHARGES = "too_many_charges"
    SYSTEM_STOPPED = "system_stopped"


WORTH_AN_ALERT = frozenset(
    {
        HoldReason.NO_CARD,
        HoldReason.DAILY_CAP,
        HoldReason.MONTHLY_CAP,
        HoldReason.TOO_MANY_CHARGES,
        HoldReason.SYSTEM_STOPPED,
    }
)
"""Holds that leave the customer without money: once each, somebody is told."""


@dataclass(frozen=True, slots=True)
class Charge:
    """Charge this card now; the amount closes the whole gap in one go."""

    amount_micros: int
    card_id: str


@dataclass(frozen=True, slots=True)
class Hold:
    """No charge now, and why; `until` is when to look again, where time alone helps."""

    reason: HoldReason
    words: str
    until: datetime | None = None


def decide_recharge(
    settings: RechargeSettings,
    *,
    balance_micros: int,
    charges: Iterable[PastCharge],
    card_id: str | None,
    card_free_at: datetime | None,
    system_stopped: bool,
    zone: str,
    now: datetime,
    quantum_micros: int = 1,
    brake_lifted_at: datetime | None = None,
) -> Charge | Hold:
    """Whether the card is charged; the reason of a hold is the first that applies.

    The amount is rounded down to `quantum_micros`, the smallest coin, so that the balance never
    ends above the maximum. `brake_lifted_at` is when staff looked at too many charges and found
    them right: only later ones count towards the next time.

    Strictly below the minimum, never at it (S2-11). `charges` are the account's of the last
    32 days or more; those that failed count for nothing here. `card_id` is the card that may
    be charged (`charges.card_to_charge`), `card_free_at` when it may after a decline. A cap
    is never exceeded and never met by half: a charge that does not fit is not made. Days and
    months of caps are the account's own.
    """
    if not settings.on or not settings.terms.allowed:
        return Hold(HoldReason.OFF, "Automatic recharge is off.")
    if balance_micros >= settings.minimum_micros:
        return Hold(HoldReason.ENOUGH, "The balance is not below the minimum.")
    made = [charge for charge in charges if charge.state != ChargeState.FAILED]
    if any(charge.state in OPEN_STATES for charge in made):
        return Hold(HoldReason.IN_FLIGHT, "A charge is on its way.")
    if system_stopped:
        return Hold(HoldReason.SYSTEM_STOPPED, "Charges are stopped while staff looks into it.")
    if card_id is None:
        return Hold(HoldReason.NO_CARD, "There is no card that may be charged: add one.")
    if card_free_at is not None and now < card_free_at:
        return Hold(
            HoldReason.RETRY_LATER, "The card was declined; it is tried again.", card_free_at
        )
    gap = settings.maximum_micros - balance_micros
    amount = gap // quantum_micros * quantum_micros
    return (
        _too_many(made, brake_lifted_at, now)
        or _cap(settings, made, amount, zone, now)
        or (Charge(amount, card_id))
    )


def _too_many(
    made: list[PastCharge], brake_lifted_at: datetime | None, now: datetime
) -> Hold | None:
    since = max(now - _ONE_DAY, brake_lifted_at or now - _ONE_DAY)
    recent = sorted(charge.at for charge in made if charge.at > since)
    if len(recent) < CHARGES_PER_DAY_MAX:
        return None
    words = f"{len(recent)} charges in 24 hours: staff looks into it."
    return Hold(HoldReason.TOO_MANY_CHARGES, words, recent[-CHARGES_PER_DAY_MAX] + _ONE_DAY)


def _cap(
    settings: RechargeSettings, made: list[PastCharge], amount: int, zone: str, now: datetime
) -> Hold | None:
    if made:
        cool_at = max(charge.at for charge in made) + settings.cooldown
        if now < cool_at:
            return Hold(HoldReason.COOLING_DOWN, "The last charge is too recent.", cool_at)
    today = local_date(now, zone)
    days = [(local_date(charge.at, zone), charge.amount_micros) for charge in made]
    of_day = sum(micros for day, micros in days if day == today)
    of_month = sum(
        micros for day, micros in days if (day.year, day.month) == (today.year, today.month)
    )
    for reason, cap, spent in (
        (HoldReason.DAILY_CAP, settings.daily_cap, of_day),
        (HoldReason.MONTHLY_CAP, settings.monthly_cap, of_month),
    ):
        if cap is not None and spent + amount > cap:
            words = (
                f"{format_amount(amount)} would exceed the {reason.value.replace('_', ' ')} of"
                f" {format_amount(cap)}: {format_amount(spent)} is charged already."
            )
            return Hold(reason, words)
    return None


@dataclass(frozen=True, slots=True)
class Breaker:
    """Stops every automatic charge of the system; closed again by a person only."""

    stopped_at: datetime | None = None

    def watch(
        self,
        *,
        charges_last_minute: int,
        charges_baseline: int,
        baseline_minutes: int,
        now: datetime,
    ) -> "Breaker":
        """Trips above five times the usual; once tripped it stays so, whatever follows.

        The usual is `charges_baseline` charges in `baseline_minutes` minutes. The one moment
        to tell staff is when `stopped_at` turns from None.
        """
        assert baseline_minutes > 0
        runs_away = (
            charges_last_minute >= BREAKER_CHARGES_MIN
            and charges_last_minute * baseline_minutes > BREAKER_TIMES_BASELINE * charges_baseline
        )
        return Breaker(now) if runs_away and self.stopped_at is None else self
