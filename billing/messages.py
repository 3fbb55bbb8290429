"""What a text message costs: inbound flat, outbound by the longest prefix (C19)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from billing.prefixes import longest_prefix

MessageUnit = Literal["segment", "message"]
Direction = Literal["inbound", "outbound"]


class MessageStatus(StrEnum):
    """MessageStatus in the carrier's words: twilio.com/docs/messaging/api/message-resource.

    Ours are `draft` (not yet at the carrier), `refused` (the carrier never took it) and `lost`
    (the answer was lost, and the carrier knows of no such text).
    """

    DRAFT = "draft"
    REFUSED = "refused"
    LOST = "lost"
    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    CANCELED = "canceled"
    FAILED = "failed"
    UNDELIVERED = "undelivered"
    PARTIALLY_DELIVERED = "partially_delivered"
    DELIVERED = "delivered"
    READ = "read"
    RECEIVING = "receiving"
    RECEIVED = "received"


FAILED_STATUSES = frozenset({MessageStatus.UNDELIVERED, MessageStatus.FAILED})
NEVER_SENT = frozenset(
    {MessageStatus.DRAFT, MessageStatus.REFUSED, MessageStatus.LOST, MessageStatus.CANCELED}
)
"""Nothing left the carrier: free under every plan."""

CARRIERS_OF_OUTBOUND = frozenset(MessageStatus) - {
    MessageStatus.DRAFT,
    MessageStatus.REFUSED,
    MessageStatus.LOST,
    MessageStatus.RECEIVING,
    MessageStatus.RECEIVED,
}
"""What the carrier may say of a text that we sent."""

_RANKS = {status: rank for rank, status in enumerate(MessageStatus)}
_FIRST_FINAL = _RANKS[MessageStatus.CANCELED]


def message_rank(status: MessageStatus) -> int:
    """Later news has the higher rank, so that callbacks may come in any order, and twice. What
    the carrier says outranks what we concluded without it."""
    return _RANKS[status]


def is_final(status: MessageStatus) -> bool:
    """The carrier has nothing more to say that a charge would wait for."""
    return _RANKS[status] >= _FIRST_FINAL and status != MessageStatus.RECEIVING


@dataclass(frozen=True, slots=True)
class MessageRate:
    """A price per segment or per message; `key` is the prefix that matched."""

    price_micros: int
    label: str
    key: str


@dataclass(frozen=True, slots=True)
class MessagePrices:
    """What a plan takes for messages; those that failed only where it says so: `failed` never
    left the carrier, `undelivered` did.

    `unit` is that of outbound messages. A price of inbound messages is for each, however long
    (S5-04), unless `inbound_unit` says otherwise, as the carrier's own prices do.
    """

    inbound_flat_micros: int
    outbound: Mapping[str, MessageRate]
    unit: MessageUnit
    charge_failed: bool
    inbound_unit: MessageUnit = "message"
    charge_undelivered: bool = False

    def takes(self, status: MessageStatus) -> bool:
        """Whether an outbound message that ended so is charged at all (S5-03)."""
        if status == MessageStatus.FAILED:
            return self.charge_failed
        if status == MessageStatus.UNDELIVERED:
            return self.charge_undelivered
        return status not in NEVER_SENT

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
    """What a message costs: `units` (messages or segments) at `price_micros` each. `label` names
    the price, and is empty for an inbound one."""

    units: int
    price_micros: int
    charge_micros: int
    unit: MessageUnit
    label: str = ""


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
    """Inbound is flat per message (S5-04); outbound goes by the unit (S5-07)."""
    if usage.direction == "inbound":
        return _rated(usage.segments, prices.inbound_flat_micros, prices.inbound_unit)
    rate = may_send(usage.to, prices)
    if isinstance(rate, MessageRefused):
        return rate
    segments = usage.segments if prices.takes(usage.status) else 0
    return _rated(segments, rate.price_micros, prices.unit, rate.label)


def _rated(segments: int, price_micros: int, unit: MessageUnit, label: str = "") -> RatedMessage:
    """No segments, no charge: a failed message is no unit at all."""
    units = segments if unit == "segment" else min(segments, 1)
    return RatedMessage(units, price_micros, units * price_micros, unit, label)
