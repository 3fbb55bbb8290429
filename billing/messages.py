"""What a text message costs: inbound flat, outbound by the longest prefix (C19)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from billing.prefixes import longest_prefix

MessageUnit = Literal["segment", "message"]
Direction = Literal["inbound", "outbound"]


class MessageStatus(StrEnum):
    """MessageStatus in the carrier's words: twilio.com/docs/messaging/api/message-resource."""

    RECEIVED = "received"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"


FAILED_STATUSES = frozenset({MessageStatus.UNDELIVERED, MessageStatus.FAILED})


@dataclass(frozen=True, slots=True)
class MessageRate:
    """A price per segment or per message; `key` is the prefix that matched."""

    price_micros: int
    label: str
    key: str


@dataclass(frozen=True, slots=True)
class MessagePrices:
    """What a plan takes for messages; failed ones only where `charge_failed` says so."""

    inbound_flat_micros: int
    outbound: Mapping[str, MessageRate]
    unit: MessageUnit
    charge_failed: bool

    def outbound_rate(self, e164: str) -> MessageRate | None:
        """The longest prefix; None means that no message may go there (S5-05)."""
        return longest_prefix(self.outbound, e164)


@dataclass(frozen=True, slots=True)
class MessageUsage:
    """A message as the carrier tells it; `segments` is its NumSegments, `to` the far end."""

    direction: Direction
    status: MessageStatus
    segments: int
    to: str = ""


@dataclass(frozen=True, slots=True)
class RatedMessage:
    """What a message costs: `units` (messages or segments) at `price_micros` each."""

    units: int
    price_micros: int
    charge_micros: int
    unit: MessageUnit


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """The message may not be sent; `words` are for the business."""

    words: str


def may_send(to: str, prices: MessagePrices | None) -> MessageRate | MessageRefused:
    """The price of a message that is about to be sent; without one it is refused, never free."""
    if prices is None:
        return MessageRefused("The plan sells no messages.")
    rate = prices.outbound_rate(to)
    return rate or MessageRefused(f"There is no price for messages to {to}: ask for one first.")


def rate_message(usage: MessageUsage, prices: MessagePrices) -> RatedMessage | MessageRefused:
    """Inbound is flat per message however long it is (S5-04); outbound goes by the unit."""
    if usage.direction == "inbound":
        return RatedMessage(1, prices.inbound_flat_micros, prices.inbound_flat_micros, "message")
    rate = may_send(usage.to, prices)
    if isinstance(rate, MessageRefused):
        return rate
    failed = usage.status in FAILED_STATUSES and not prices.charge_failed
    units = 0 if failed else usage.segments if prices.unit == "segment" else 1
    charge = units * rate.price_micros
    return RatedMessage(units, rate.price_micros, charge, prices.unit)
