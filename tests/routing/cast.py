"""The cast of the routing tests: Acme's phones, its tracking number, callers, links."""

from datetime import UTC, datetime
from typing import Any

from routing.facts import CallFacts
from routing.plans import PlanContext, Step, parse_plan

TRACKING = "+14155550199"  # Acme's own number, as called
FRONT_DESK = "+14155550101"
MOBILE = "+14155550102"
NEVADAN = "+17025551212"
LONDONER = "+442079460000"
MONDAY_NOON_NEW_YORK = datetime(2026, 7, 6, 16, 0, tzinfo=UTC)
SUNDAY_NOON_NEW_YORK = datetime(2026, 7, 5, 16, 0, tzinfo=UTC)

VOICEMAIL = {"pattern": "voicemail", "say": "Please leave a message."}
BUSY = {"pattern": "reject", "reason": "busy"}


def acme(**changes: Any) -> PlanContext:
    """What Acme may dial: the US and Canada, and a rate for everything."""
    terms: dict[str, Any] = {
        "own_numbers": frozenset({TRACKING}),
        "allowed_countries": frozenset({"US", "CA"}),
        "has_rate": lambda kind, address: True,
    }
    return PlanContext(**terms | changes)


def plan(document: object) -> Step:
    return parse_plan(document, acme())


def phone(address: str = FRONT_DESK, **fields: Any) -> dict[str, Any]:
    return {"type": "number", "address": address, **fields}


def ring(*targets: dict[str, Any], pattern: str = "simultaneous", **fields: Any) -> dict[str, Any]:
    return {"pattern": pattern, "targets": list(targets) or [phone()], **fields}


def say(text: str) -> dict[str, Any]:
    return {"pattern": "say", "text": text}


def call_from(caller: str | None, **facts: Any) -> CallFacts:
    return CallFacts(call_sid="CA" + "0" * 32, caller=caller, called=TRACKING, **facts)


class Links:
    """URLs as an edge would make them, with what a URL brings to escape."""

    base = "https://ringledger.example/webhooks/twilio/calls/aa/CA1"

    def action(self, cursor: str) -> str:
        return f"{self.base}/dialled?at={cursor}&v=1#rc=5&rp=5xx,ct,rt"

    def leg(self, position: str, index: int) -> str:
        return f"{self.base}/legs?at={position}&index={index}#rc=5&rp=5xx,ct,rt"

    def whisper(self, position: str, index: int) -> str:
        return f"{self.base}/whisper?at={position}&index={index}"

    def recording(self) -> str:
        return f"{self.base}/recording#rc=5"

    def voicemail_done(self) -> str:
        return f"{self.base}/voicemail"
