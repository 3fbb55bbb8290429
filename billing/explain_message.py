"""Why a text costs what it costs, in words and in a sum that anybody can repeat."""

from collections.abc import Sequence

from billing.explain import Explanation, ReceiptRef, Step, money_words, receipt_words
from billing.messages import (
    FAILED_STATUSES,
    MessagePrices,
    MessageUsage,
    RatedMessage,
)


def explain_message(
    usage: MessageUsage,
    rated: RatedMessage,
    prices: MessagePrices,
    *,
    currency: str,
    plan_name: str,
    plan_version: int,
    receipts: Sequence[ReceiptRef] = (),
    forgiven_micros: int = 0,
) -> Explanation:
    """`rated` must come from the same usage and prices; `forgiven_micros` is what the plan let
    go of an overrun."""
    parts = [
        _price_words(usage, rated, currency),
        _what(usage),
        f"plan {plan_name} v{plan_version}",
        *receipt_words(receipts),
    ]
    if forgiven_micros:
        parts.append(f"{money_words(forgiven_micros, currency)} past zero is free under the plan")
    return Explanation(
        words=", ".join(parts),
        steps=_steps(usage, rated, prices, forgiven_micros),
        amount_micros=rated.charge_micros - forgiven_micros,
    )


def _price_words(usage: MessageUsage, rated: RatedMessage, currency: str) -> str:
    price = money_words(rated.price_micros, currency)
    if rated.units:
        what = _counted(rated.units, rated.unit)
        to = f" to {rated.label}" if rated.label else ""
        return f"{what}{to} × {price}"
    if usage.status in FAILED_STATUSES:
        return f"not charged, the text was not delivered ({usage.status})"
    return f"not charged, the text was not sent ({usage.status})"


def _what(usage: MessageUsage) -> str:
    segments = _counted(usage.segments, "segment")
    if usage.direction == "inbound":
        return f"received text ({segments})"
    return f"sent text ({segments}, {usage.status})"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _steps(
    usage: MessageUsage, rated: RatedMessage, prices: MessagePrices, forgiven_micros: int
) -> tuple[Step, ...]:
    segments = Step("Segments, counted by the carrier", str(usage.segments), usage.segments)
    formula = f"{rated.units} × {rated.price_micros}"
    steps = [
        segments,
        Step(_UNIT_WORDS[rated.unit], _units(usage, rated), rated.units),
        Step("Charge in millionths", formula, rated.charge_micros),
    ]
    if forgiven_micros:
        formula = f"{rated.charge_micros} - {forgiven_micros}"
        left = rated.charge_micros - forgiven_micros
        steps.append(Step("Less what lies past zero", formula, left))
    return tuple(steps)


_UNIT_WORDS = {"segment": "Segments that are charged", "message": "Texts that are charged"}


def _units(usage: MessageUsage, rated: RatedMessage) -> str:
    if rated.units == 0:
        return "0"
    return str(usage.segments) if rated.unit == "segment" else f"min({usage.segments}, 1)"
