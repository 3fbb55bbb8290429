"""The carrier's list prices, in micros of a dollar a started minute, and the lines it billed.

US figures as published in 2026 (inbound local 0.0085, toll-free 0.0220, outbound 0.0140, Alaska
0.0900); the other countries are the sandbox's own invention.
"""

from dataclasses import dataclass

from gateway.sandbox.calls import Call
from gateway.sandbox.places import is_toll_free

INBOUND_LOCAL, INBOUND_TOLL_FREE = 8_500, 22_000
OUTBOUND_BY_PREFIX = {  # longest prefix wins
    "+1907": 90_000, "+1": 14_000, "+44": 15_800, "+49": 16_000, "+33": 15_500, "+353": 19_600,
    "+61": 25_200, "+52": 18_000,
}  # fmt: skip
OUTBOUND_ELSEWHERE = 60_000
OVER_IP = 4_000  # sip: and client: legs
MESSAGE_SEGMENT = 8_300
NUMBER_MONTH_LOCAL, NUMBER_MONTH_TOLL_FREE = 1_150_000, 2_150_000


@dataclass(frozen=True, slots=True)
class BilledLine:
    """One leg on the carrier's bill."""

    call_sid: str
    parent_call_sid: str
    direction: str
    from_: str
    to: str
    started_at: str
    seconds: int
    minutes: int
    rate_micros: int
    price_micros: int


def rate_micros(call: Call) -> int:
    if call.direction == "inbound":
        return INBOUND_TOLL_FREE if is_toll_free(call.to) else INBOUND_LOCAL
    if not call.to.startswith("+"):
        return OVER_IP
    matching = [prefix for prefix in OUTBOUND_BY_PREFIX if call.to.startswith(prefix)]
    return OUTBOUND_BY_PREFIX[max(matching, key=len)] if matching else OUTBOUND_ELSEWHERE


def billed_line(call: Call) -> BilledLine | None:
    """None where nothing is billed: only answered legs cost, by the started minute."""
    minutes = call.billed_minutes
    if not minutes:
        return None
    rate = rate_micros(call)
    return BilledLine(
        call_sid=call.sid,
        parent_call_sid=call.parent_call_sid,
        direction=call.direction,
        from_=call.from_,
        to=call.to,
        started_at=call.created_at.isoformat(),
        seconds=call.duration_seconds,
        minutes=minutes,
        rate_micros=rate,
        price_micros=rate * minutes,
    )


def price_text(micros: int) -> str:
    """Twilio's form: what was taken is negative, five places."""
    return f"-{micros // 1_000_000}.{micros % 1_000_000 // 10:05d}"
