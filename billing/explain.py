"""Every amount in words and in sums that anybody can repeat.

An explanation stands by itself: its steps are formulas over whole numbers, and the last one
gives the amount. `recompute` works from that text alone, without tariff or database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from billing.formulas import evaluate
from billing.metering import LegStatus, LegUsage
from billing.money import RoundingMode, format_amount, format_rate
from billing.postings import SECONDS, Posting, PostingKind
from billing.rates import Increment, Tariff
from billing.rating import RatedLeg


@dataclass(frozen=True, slots=True)
class ReceiptRef:
    """The webhook that caused a line: what it told ("completed"), and when it arrived."""

    event: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """One sum: `formula` over whole numbers, and the `value` it comes to."""

    label: str
    formula: str
    value: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an amount is what it is; `amount_micros` is positive, the words say who pays.

    Of a line in SECONDS the amount is whole seconds.
    """

    words: str
    steps: tuple[Step, ...]
    amount_micros: int

    def recompute(self) -> int:
        """Do every sum again from its text; raises `StepWrong` at the first that differs."""
        value = 0
        for step in self.steps:
            value = evaluate(step.formula)
            if value != step.value:
                raise StepWrong(step, value)
        return value


class StepWrong(ValueError):
    """A step does not come to what it says."""

    def __init__(self, step: Step, value: int) -> None:
        super().__init__(f"{step.label}: {step.formula} is {value}, not {step.value}")
        self.step = step
        self.value = value


def explain(
    usage: LegUsage,
    rated: RatedLeg,
    tariff: Tariff,
    *,
    currency: str,
    plan_name: str,
    plan_version: int,
    receipts: Sequence[ReceiptRef] = (),
    forgiven_micros: int = 0,
) -> Explanation:
    """Why a leg costs what it costs; also why it costs nothing.

    `rated` must come from the same usage and tariff; `forgiven_micros` is what the plan let
    go of an overrun.
    """
    plan = f"plan {plan_name} v{plan_version}"
    parts = [_price_words(usage, rated, tariff, currency), KIND_WORDS[usage.kind]]
    if rated.charge_micros:
        parts.append(increment_words(tariff.increment))
    parts += [plan, *receipt_words(receipts)]
    if forgiven_micros:
        parts.append(f"{money_words(forgiven_micros, currency)} past zero is free under the plan")
    return Explanation(
        words=", ".join(parts),
        steps=_steps(usage, rated, tariff, forgiven_micros),
        amount_micros=rated.charge_micros - forgiven_micros,
    )


def explain_entry(
    posting: Posting, *, currency: str, receipts: Sequence[ReceiptRef] = ()
) -> Explanation:
    """A line that no rate stands behind: a top-up, an adjustment, rent, minutes that expire."""
    title = posting.description or ENTRY_WORDS[posting.kind]
    in_seconds = posting.unit == SECONDS
    moved = seconds_words(posting.amount) if in_seconds else money_words(posting.amount, currency)
    parts = [f"{title}: {moved}"]
    if posting.reverses_key:
        parts.append(f"undoes {posting.reverses_key}")
    if posting.actor:
        parts.append(f"by {posting.actor}")
    if posting.reason:
        parts.append(f"because: {posting.reason}")
    parts += receipt_words(receipts)
    label = "Seconds" if in_seconds else "Amount in millionths"
    step = Step(label, str(posting.amount), posting.amount)
    return Explanation(", ".join(parts), (step,), posting.amount)


def increment_words(increment: Increment) -> str:
    """per second; per started minute; first 60 s, then per second; per started 6 s."""
    initial, step = increment.initial_seconds, increment.step_seconds
    each = _EACH.get(step, f"per started {step} s")
    return each if initial == step else f"first {initial} s, then {each}"


_EACH = {1: "per second", 60: "per started minute"}
KIND_WORDS = {
    "inbound": "inbound leg",
    "forwarded": "forwarded leg",
    "transfer": "transferred leg",
}
ENTRY_WORDS = {
    PostingKind.USAGE: "Usage",
    PostingKind.CARRIER_COST: "Carrier cost",
    PostingKind.TOPUP: "Top-up",
    PostingKind.ADJUSTMENT: "Adjustment",
    PostingKind.RENTAL: "Rental",
    PostingKind.REVERSAL: "Reversal",
    PostingKind.ACCESS_FEE: "Access fee",
    PostingKind.PLAN_CHANGE: "Change of plan",
    PostingKind.SMS: "Text message",
    PostingKind.SURCHARGE: "Surcharge",
    PostingKind.PACKAGE: "Package of minutes",
    PostingKind.INCLUDED_CREDIT: "Included credit",
    PostingKind.CREDIT_EXPIRY: "Included credit expired",
    PostingKind.REFUND: "Refund",
    PostingKind.ISSUE: "Minutes of the period",
    PostingKind.DRAW: "Minutes drawn",
    PostingKind.EXPIRE: "Unused minutes expired",
}


def _price_words(usage: LegUsage, rated: RatedLeg, tariff: Tariff, currency: str) -> str:
    if not tariff.billable_legs.includes(usage.kind):
        return "not charged under the plan"
    if usage.status != LegStatus.COMPLETED:
        return f"not charged, the leg was not answered ({usage.status})"
    if rated.unrated:
        return (
            f"{rated.billed_seconds} s not charged, no rate for {_unpriced(usage)}, shown to staff"
        )
    if rated.billed_seconds == 0:
        return _free_words(rated.billable_seconds, tariff)
    assert rated.rate is not None, "billed seconds without a rate are unrated"
    rate = rate_words(rated.rate.per_minute_micros, currency)
    words = f"{rated.billed_seconds} s × {rate}"
    if rated.connect_fee_micros:
        words += f" + {money_words(rated.connect_fee_micros, currency)} to connect"
    return words


def _free_words(seconds: int, tariff: Tariff) -> str:
    if seconds == 0:
        return "0 s of talk"
    return f"{seconds} s, not longer than the free {tariff.free_until_seconds} s"


def _unpriced(usage: LegUsage) -> str:
    if usage.kind == "inbound":
        return f"{usage.number_country} {usage.number_type} numbers"
    return usage.target_address or "the destination"


def receipt_words(receipts: Sequence[ReceiptRef]) -> list[str]:
    """The webhooks that caused a line, and when they arrived."""
    return [
        f"caused by webhook {receipt.event} at "
        f"{receipt.received_at.astimezone(UTC).isoformat(timespec='seconds')}"
        for receipt in receipts
    ]


def _steps(
    usage: LegUsage, rated: RatedLeg, tariff: Tariff, forgiven_micros: int
) -> tuple[Step, ...]:
    if rated.billable_seconds == 0 or rated.unrated:
        return _looked_at(usage, rated, tariff), Step("Charge in millionths", "0", 0)
    steps = billed_steps(usage, rated, tariff)
    steps.append(Step("Charge in millionths", charge_formula(rated, tariff), rated.charge_micros))
    if forgiven_micros:
        formula = f"{rated.charge_micros} - {forgiven_micros}"
        left = rated.charge_micros - forgiven_micros
        steps.append(Step("Less what lies past zero", formula, left))
    return tuple(steps)


def billed_steps(usage: LegUsage, rated: RatedLeg, tariff: Tariff) -> list[Step]:
    """From what was metered to what is billed: the threshold, then the increments."""
    steps = [_looked_at(usage, rated, tariff)]
    seconds = rated.billable_seconds
    if tariff.free_until_seconds:
        formula = _after_free(seconds, tariff)
        seconds = evaluate(formula)
        steps.append(Step("After the free seconds", formula, seconds))
    formula = _in_blocks(seconds, tariff.increment)
    steps.append(Step("Billed seconds", formula, rated.billed_seconds))
    return steps


def _looked_at(usage: LegUsage, rated: RatedLeg, tariff: Tariff) -> Step:
    return Step("Seconds the plan looks at", _counted(usage, tariff), rated.billable_seconds)


def _counted(usage: LegUsage, tariff: Tariff) -> str:
    legs = tariff.billable_legs
    if usage.status != LegStatus.COMPLETED or not legs.includes(usage.kind):
        return "0"
    talk, formula = usage.talk_seconds, str(usage.talk_seconds)
    if usage.kind == "inbound" and not legs.ivr_time:
        talk = min(talk, usage.bridged_seconds)
        formula = f"min({usage.talk_seconds}, {usage.bridged_seconds})"
    if legs.ring_time and talk > 0:
        formula += f" + {usage.ring_seconds}"
    return formula


def _after_free(seconds: int, tariff: Tariff) -> str:
    free = tariff.free_until_seconds
    if tariff.threshold_mode == "excess_only":
        return f"max(0, {seconds} - {free})"
    return f"{seconds} if {seconds} > {free} else 0"


def _in_blocks(seconds: int, increment: Increment) -> str:
    initial, step = increment.initial_seconds, increment.step_seconds
    if seconds == 0:
        return "0"
    if seconds <= initial:
        return str(initial)
    if initial == step == 1:
        return str(seconds)
    return f"{initial} + ceil(({seconds} - {initial}) / {step}) × {step}"


_ROUNDINGS: dict[RoundingMode, str] = {"down": "floor", "up": "ceil", "half_even": "round"}


def charge_formula(rated: RatedLeg, tariff: Tariff) -> str:
    """The charge for the billed seconds, with its one rounding."""
    if rated.billed_seconds == 0:
        return "0"
    assert rated.rate is not None, "billed seconds without a rate are unrated"
    exact = f"{rated.rate.per_minute_micros} × {rated.billed_seconds} / 60"
    if rated.connect_fee_micros:
        exact += f" + {rated.connect_fee_micros}"
    rounding, quantum = _ROUNDINGS[tariff.rounding.mode], tariff.rounding.quantum_micros
    if quantum == 1:
        return f"{rounding}({exact})"
    return f"{rounding}(({exact}) / {quantum}) × {quantum}"


def _symbol(currency: str) -> str:
    return "$" if currency == "USD" else f"{currency} "


def money_words(micros: int, currency: str) -> str:
    """ "$0.05", "EUR 0.05": the exact amount."""
    return f"{_symbol(currency)}{format_amount(micros)}"


def rate_words(per_minute_micros: int, currency: str) -> str:
    """ "$0.0500/min": a price per minute with four decimals or more."""
    return f"{_symbol(currency)}{format_rate(per_minute_micros)}/min"


def seconds_words(seconds: int) -> str:
    """ "83 s (1 min 23 s)": as it is counted, and as people read it."""
    minutes, rest = divmod(seconds, 60)
    if minutes == 0:
        return f"{seconds} s"
    return f"{seconds} s ({minutes} min{f' {rest} s' if rest else ''})"
