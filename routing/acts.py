"""What a decision asks the carrier to do; the renderer turns each act into its verbs."""

from dataclasses import dataclass
from typing import Literal

TargetType = Literal["number", "sip", "client"]
RejectReason = Literal["busy", "rejected"]


@dataclass(frozen=True, slots=True)
class Target:
    """A phone that may ring: an E.164 number, a SIP address, or a softphone's name."""

    type: TargetType
    address: str
    ring_seconds: int = 20
    whisper: str = ""  # spoken to whoever answers, before the caller is heard
    confirm: bool = False  # only a pressed 1 takes the call: a mailbox cannot
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Dial:
    """Ring these together; the first to answer takes the call.

    `indexes` are the targets' places in their round, in the same order: a target that was left
    out keeps its number unused, so that (position, index) always names one line of the plan.
    """

    targets: tuple[Target, ...]
    indexes: tuple[int, ...]
    ring_seconds: int
    position: str  # the cursor of this round
    cursor: str  # where to go on when nobody took the call
    time_limit_seconds: int
    caller_id: str | None = None  # None: the caller's own number is shown


@dataclass(frozen=True, slots=True)
class Say:
    text: str


@dataclass(frozen=True, slots=True)
class Voicemail:
    say: str
    cursor: str  # the position of the step that took the message


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse without answering: unbilled, and therefore only ever the first act of a call."""

    reason: RejectReason


@dataclass(frozen=True, slots=True)
class Hangup:
    pass


Act = Dial | Say | Voicemail | Reject | Hangup
