"""What a balance allows: service, a new call, how long it may last, and when live calls end.

The money that a decision looks at is the posted balance less what live calls have accrued
and nobody has posted yet. Free seconds and free calls stay free: a call that costs nothing
is not refused for want of money that it does not need.
"""

from dataclasses import dataclass
from enum import StrEnum

from billing.money import format_amount
from billing.rating import TalkRates, affordable_seconds
from billing.tariffs import Plan

NOTHING_RUNS = TalkRates()
TIME_LIMIT_SECONDS_MIN = 1
"""A Dial needs a positive limit; anything longer would overrun what a cut call may cost."""


class AccountStatus(StrEnum):
    """`active` and `suspended` follow from the balance; `closed` is a decision of people."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class RefusalReason(StrEnum):
    ACCOUNT_CLOSED = "account_closed"
    ACCOUNT_SUSPENDED = "account_suspended"
    BALANCE_EXHAUSTED = "balance_exhausted"
    BALANCE_BELOW_MINIMUM = "balance_below_minimum"
    FIRST_BLOCK_NOT_COVERED = "first_block_not_covered"
    TOO_MANY_CALLS = "too_many_calls"
    MINUTES_EXHAUSTED = "minutes_exhausted"
    NOT_FOR_SALE = "not_for_sale"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The call may start."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The call may not start; `words` are for the business, not for its caller."""

    reason: RefusalReason
    words: str


@dataclass(frozen=True, slots=True)
class Overrun:
    """A charge split at the end of the money: what is posted, and what the plan lets go."""

    charged_micros: int
    forgiven_micros: int


def service_status(balance_micros: int, plan: Plan) -> AccountStatus:
    """Active or suspended, from the balance alone; exactly zero is not below zero (S2-12)."""
    above_floor = balance_micros + plan.credit_limit_micros
    if above_floor < 0 or (above_floor == 0 and plan.suspend_when == "lte_zero"):
        return AccountStatus.SUSPENDED
    return AccountStatus.ACTIVE


def may_start_call(
    balance_micros: int,
    status: AccountStatus,
    plan: Plan,
    *,
    live_calls: int = 0,
    first_block_micros: int = 0,
    accrued_micros: int = 0,
) -> Allowed | Refused:
    """The gate before a call; the reason named is the first that applies.

    `first_block_micros` is what the call costs as soon as it is charged at all
    (`rating.first_block_cost`), and matters where the plan cuts calls; `accrued_micros` is
    what live calls have used and nobody has posted, so that a second call is refused while
    the first overruns (S4-09).
    """
    if status == AccountStatus.CLOSED:
        return Refused(RefusalReason.ACCOUNT_CLOSED, "The account is closed.")
    if status == AccountStatus.SUSPENDED:
        words = "The account is suspended: top up to restore service."
        return Refused(RefusalReason.ACCOUNT_SUSPENDED, words)
    if plan.concurrent_calls is not None and live_calls >= plan.concurrent_calls:
        words = f"All {plan.concurrent_calls} calls that the plan allows at once are in progress."
        return Refused(RefusalReason.TOO_MANY_CALLS, words)
    return _covers_start(balance_micros - accrued_micros, plan, first_block_micros)


def _covers_start(left_micros: int, plan: Plan, first_block_micros: int) -> Allowed | Refused:
    if service_status(left_micros, plan) == AccountStatus.SUSPENDED:
        words = f"The balance is used up: {_amount(left_micros, plan)} left, live calls included."
        return Refused(RefusalReason.BALANCE_EXHAUSTED, words)
    spendable_micros = left_micros + plan.credit_limit_micros
    if spendable_micros < plan.min_balance_to_start_micros:
        needed = _amount(plan.min_balance_to_start_micros, plan)
        words = f"A call needs {needed} to start, and {_amount(left_micros, plan)} is left."
        return Refused(RefusalReason.BALANCE_BELOW_MINIMUM, words)
    if plan.in_call.policy == "cut" and spendable_micros < first_block_micros:
        needed = _amount(first_block_micros, plan)
        words = f"The first block costs {needed}, and {_amount(left_micros, plan)} is left."
        return Refused(RefusalReason.FIRST_BLOCK_NOT_COVERED, words)
    return Allowed()


def dial_time_limit(
    plan: Plan,
    balance_micros: int,
    rates: TalkRates,
    *,
    live_rates: TalkRates = NOTHING_RUNS,
    accrued_micros: int = 0,
) -> int:
    """Seconds after which the carrier ends the Dial by itself.

    `rates` are those of this call; the legs of other live calls drain the same money at the
    same time and shorten it. The watchdog (`must_end_live_calls`) covers what starts later.
    """
    ceiling_seconds = plan.in_call.hard_ceiling_seconds
    if plan.in_call.policy == "let_finish":
        return ceiling_seconds
    seconds = affordable_seconds(
        balance_micros - accrued_micros + plan.credit_limit_micros,
        rates + live_rates,
        plan.tariff,
        ceiling_seconds=ceiling_seconds,
    )
    if plan.in_call.policy == "grace":
        seconds += plan.in_call.grace_seconds
    return max(TIME_LIMIT_SECONDS_MIN, min(seconds, ceiling_seconds))


def must_end_live_calls(
    plan: Plan, balance_micros: int, accrued_micros: int, seconds_below_zero: int
) -> bool:
    """Whether the watchdog ends what is running: several calls can drain a balance together."""
    if plan.in_call.policy == "let_finish":
        return False
    if service_status(balance_micros - accrued_micros, plan) == AccountStatus.ACTIVE:
        return False
    return plan.in_call.policy == "cut" or seconds_below_zero >= plan.in_call.grace_seconds


def price_overrun(plan: Plan, charge_micros: int, balance_micros: int) -> Overrun:
    """Under `overrun_price: zero` a leg takes no more than what is left (S4-08)."""
    if plan.in_call.overrun_price == "plan":
        return Overrun(charge_micros, 0)
    left_micros = max(0, balance_micros + plan.credit_limit_micros)
    charged = min(charge_micros, left_micros)
    return Overrun(charged, charge_micros - charged)


def _amount(micros: int, plan: Plan) -> str:
    return f"{format_amount(micros)} {plan.currency}"
