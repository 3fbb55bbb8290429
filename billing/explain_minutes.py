"""Why a leg took so many minutes, why the rest cost what it cost, and what a surcharge is for."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from billing.explain import (
    KIND_WORDS,
    Explanation,
    ReceiptRef,
    Step,
    billed_steps,
    charge_formula,
    money_words,
    rate_words,
    receipt_words,
)
from billing.metering import LegUsage
from billing.packages import Drawn, price_rest
from billing.rating import RatedLeg
from billing.tariffs import Plan


def explain_drawn(
    usage: LegUsage,
    rated: RatedLeg,
    drawn: Drawn,
    plan: Plan,
    *,
    bucket_names: Mapping[UUID, str],
    plan_version: int,
    receipts: Sequence[ReceiptRef] = (),
) -> tuple[Explanation, ...]:
    """The lines of a leg that drew minutes: one for each bucket, then one for the money.

    `bucket_names` are what customers call them ("package local_10k"). Where no money is due,
    there is no line for it.
    """
    tail = [f"plan {plan.name} v{plan_version}", *receipt_words(receipts)]
    before = billed_steps(usage, rated, plan.tariff)
    lines = [
        _draw_line(usage, rated, drawn, index, bucket_names[one.bucket_id], before, tail)
        for index, one in enumerate(drawn.draws)
    ]
    paid_seconds = drawn.paid_seconds(plan.in_call.overrun_price)
    if paid_seconds:
        lines.append(_rest_line(usage, rated, drawn, plan, paid_seconds, before, tail))
    return tuple(lines)


def _draw_line(
    usage: LegUsage,
    rated: RatedLeg,
    drawn: Drawn,
    index: int,
    name: str,
    before: list[Step],
    tail: list[str],
) -> Explanation:
    seconds = drawn.draws[index].seconds
    others = [one.seconds for place, one in enumerate(drawn.draws) if place != index]
    formula = " - ".join(map(str, (rated.billed_seconds, *others, drawn.rest_seconds)))
    words = [f"{seconds} s of {rated.billed_seconds} s from {name}", KIND_WORDS[usage.kind], *tail]
    step = Step("Seconds of this bucket", formula, seconds)
    return Explanation(", ".join(words), (*before, step), seconds)


def _rest_line(
    usage: LegUsage,
    rated: RatedLeg,
    drawn: Drawn,
    plan: Plan,
    paid_seconds: int,
    before: list[Step],
    tail: list[str],
) -> Explanation:
    met = rated.billed_seconds - paid_seconds
    left = Step("Seconds that no minutes met", f"{rated.billed_seconds} - {met}", paid_seconds)
    charge = price_rest(rated, paid_seconds, plan.tariff)
    if rated.rate is None:
        words = [f"{paid_seconds} s not charged, no rate, shown to staff"]
        steps = (*before, left, Step("Charge in millionths", "0", 0))
    else:
        rest = rated._replace(billed_seconds=paid_seconds, charge_micros=charge)
        rate = rate_words(rated.rate.per_minute_micros, plan.currency)
        words = [f"{paid_seconds} s of {rated.billed_seconds} s × {rate}"]
        if rated.connect_fee_micros:
            words.append(f"{money_words(rated.connect_fee_micros, plan.currency)} to connect")
        formula = charge_formula(rest, plan.tariff)
        steps = (*before, left, Step("Charge in millionths", formula, charge))
    return Explanation(", ".join([*words, KIND_WORDS[usage.kind], *tail]), steps, charge)


def explain_surcharge(
    rated: RatedLeg,
    plan: Plan,
    *,
    plan_version: int,
    receipts: Sequence[ReceiptRef] = (),
    forgiven_micros: int = 0,
) -> Explanation:
    """Why a dear destination costs something on top; `rated` is of `rate_surcharge`."""
    assert rated.rate is not None, "a surcharge has a rate"
    words = [
        f"{rated.billed_seconds} s × {rate_words(rated.rate.per_minute_micros, plan.currency)}",
        f"surcharge {rated.rate.label} on top of the call",
        f"plan {plan.name} v{plan_version}",
        *receipt_words(receipts),
    ]
    formula = charge_formula(rated, plan.tariff)
    steps = [Step("Charge in millionths", formula, rated.charge_micros)]
    charged = rated.charge_micros - forgiven_micros
    if forgiven_micros:
        past = money_words(forgiven_micros, plan.currency)
        words.append(f"{past} past zero is free under the plan")
        formula = f"{rated.charge_micros} - {forgiven_micros}"
        steps.append(Step("Less what lies past zero", formula, charged))
    return Explanation(", ".join(words), tuple(steps), charged)


def with_surcharge(leg: Explanation, surcharge: Explanation) -> Explanation:
    """A whole leg: what it cost, and what its destination cost on top."""
    both = leg.amount_micros + surcharge.amount_micros
    step = Step("Both together", f"{leg.amount_micros} + {surcharge.amount_micros}", both)
    words = f"{leg.words}; {surcharge.words}"
    return Explanation(words, (*leg.steps, *surcharge.steps, step), both)
