"""What is known when a call must be decided: the carrier's facts, and our own situation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

# Twilio's own default, and its most without an account feature: twilio.com/docs/voice/twiml/dial
TIME_LIMIT_SECONDS_MAX: Final = 14_400


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """An incoming call as the carrier told it; text it did not send is empty."""

    call_sid: str
    caller: str | None  # E.164; None when withheld, or when the caller has no number
    caller_raw: str = ""  # From exactly as sent, for people
    called: str  # the tracking number, E.164
    country: str = ""  # FromCountry and the next three: best effort, often empty
    state: str = ""
    city: str = ""
    postal_code: str = ""
    stir: str = ""  # StirVerstat
    forwarded_from: str = ""
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The facts of a call together with the moment and with what is ours."""

    facts: CallFacts
    now: datetime  # aware UTC
    own_numbers: frozenset[str] = frozenset()
    time_limit_seconds: int = TIME_LIMIT_SECONDS_MAX
    caller_id: str | None = None
