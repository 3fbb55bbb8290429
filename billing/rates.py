"""What a tariff charges for, and the look-up of the one rate that applies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from billing.messages import MessagePrices
from billing.money import MICROS, RoundingMode, round_ratio
from billing.prefixes import longest_prefix

ThresholdMode = Literal["all_or_nothing", "excess_only"]
LegKind = Literal["inbound", "forwarded", "transfer"]
TargetKind = Literal["number", "sip", "client"]

TrialScope = Literal["first_number", "every_number"]

LEG_KINDS: tuple[LegKind, ...] = ("inbound", "forwarded", "transfer")
NUMBER_TYPES = ("local", "mobile", "national", "toll-free")
NumberKey = tuple[str, str]
"""(ISO country, number type) of a number that we own."""

_MEMO_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Increment:
    """The first block and the blocks after it: 1/1, 60/60, 60/1, 30/6."""

    initial_seconds: int
    step_seconds: int


@dataclass(frozen=True, slots=True)
class Rounding:
    """How a leg's charge becomes a whole number of `quantum_micros`, once per leg."""

    mode: RoundingMode
    quantum_micros: int = 1

    def apply(self, numerator: int, denominator: int) -> int:
        """Micros of an exact ratio of micros."""
        quantum = self.quantum_micros
        return round_ratio(numerator, denominator * quantum, self.mode) * quantum


@dataclass(frozen=True, slots=True)
class Rate:
    """A price; `key` is what matched: a prefix ("1907"), "US/local", "sip" or "client"."""

    per_minute_micros: int
    label: str
    key: str


@dataclass(frozen=True, slots=True)
class BillableLegs:
    """Which metered time is charged; what is False is metered all the same.

    `ring_time` adds the ringing of a leg that was answered, from when the carrier began to dial
    it (a caller's own: from its first webhook); a leg nobody answered stays free.
    `ivr_time` is the part of an inbound leg in which nobody was on the other end (menus, our
    own voicemail): without it an inbound leg is charged on the answered legs' clock.
    """

    inbound: bool = True
    forwarded: bool = True
    transfer: bool = True
    ring_time: bool = False
    ivr_time: bool = True

    def includes(self, kind: LegKind) -> bool:
        if kind == "inbound":
            return self.inbound
        return self.forwarded if kind == "forwarded" else self.transfer


@dataclass(frozen=True, slots=True)
class RentalTrial:
    """Days of 24 hours that a number is free, and which numbers are (C11); 0 is no trial."""

    days: int
    scope: TrialScope


NO_TRIAL = RentalTrial(0, "first_number")


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices and the rules that turn seconds into money. Versioned, never edited."""

    increment: Increment
    free_until_seconds: int
    threshold_mode: ThresholdMode
    rounding: Rounding
    connect_fee_micros: int
    inbound: Mapping[NumberKey, Rate]
    outbound: Mapping[str, Rate]
    sip_rate: Rate | None
    client_rate: Rate | None
    billable_legs: BillableLegs
    rental: Mapping[NumberKey, int]
    rental_trial: RentalTrial = NO_TRIAL
    surcharges: Mapping[str, Rate] = field(default_factory=dict)
    sms: MessagePrices | None = None
    _lengths: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _memo: dict[str, Rate | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lengths = sorted({len(prefix) for prefix in self.outbound}, reverse=True)
        object.__setattr__(self, "_lengths", tuple(lengths))
        object.__setattr__(self, "_memo", {})

    def outbound_rate(self, e164: str) -> Rate | None:
        """The rate of the longest prefix; None means the destination has no price."""
        if not self._lengths or e164[:1] != "+":
            return None
        head = e164[1 : self._lengths[0] + 1]
        memo = self._memo
        if head in memo:
            return memo[head]
        if len(memo) >= _MEMO_MAX:
            memo.clear()
        rate = memo[head] = self._longest_prefix(head)
        return rate

    def _longest_prefix(self, digits: str) -> Rate | None:
        for length in self._lengths:
            rate = self.outbound.get(digits[:length])
            if rate is not None:
                return rate
        return None

    def inbound_rate(self, country: str, number_type: str) -> Rate | None:
        return self.inbound.get((country, number_type))

    def destination_rate(self, target_kind: TargetKind, address: str) -> Rate | None:
        if target_kind == "number":
            return self.outbound_rate(address)
        return self.sip_rate if target_kind == "sip" else self.client_rate

    def can_forward_to(self, target_kind: TargetKind, address: str) -> bool:
        """A destination needs a price only where the plan charges for forwarded legs."""
        if not self.billable_legs.forwarded:
            return True
        return self.destination_rate(target_kind, address) is not None

    def surcharge(self, e164: str) -> Rate | None:
        """What talk to a dear destination costs on top, on a line of its own (S2-18)."""
        return longest_prefix(self.surcharges, e164)

    def rental_per_month_micros(self, country: str, number_type: str) -> int | None:
        """None means that such a number is not for sale under this plan."""
        return self.rental.get((country, number_type))


SCALES = range(7)
"""Decimals of a currency unit that a charge may keep: 6 is the micro, 2 the cent."""


def quantum_micros(scale: int) -> int:
    """Micros in the smallest step of a charge kept to that many decimals."""
    return MICROS // int(10**scale)
