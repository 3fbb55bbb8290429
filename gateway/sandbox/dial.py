"""<Dial>: who rings, who wins, how long they talk. twilio.com/docs/voice/twiml/dial"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.sandbox.calls import Call, Status, new_sid
from gateway.sandbox.errors import TwimlError
from gateway.sandbox.legs import HungUp, Leg, ring_own_number, ring_person
from gateway.sandbox.people import Behaviour
from gateway.sandbox.poster import Request
from gateway.sandbox.recordings import Recording
from gateway.sandbox.tasks import Signal, Steps, Wait, at_the_end
from gateway.sandbox.twiml import Verb, integer

if TYPE_CHECKING:
    from gateway.sandbox.interpreter import Session

NOUNS_MAX = 10
RING_BUFFER_SECONDS = 5  # Twilio adds it to every timeout
TIME_LIMIT_DEFAULT, TIME_LIMIT_MAX = 14_400, 86_400
EVENTS = ("initiated", "ringing", "answered", "completed")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a Dial went: `last` is the winner, or the last leg that was tried."""

    last: Call | None
    bridged: bool
    status: Status
    recording: Recording | None = None

    def params(self, recording_url: Callable[[Recording], str]) -> dict[str, str]:
        params = {
            "DialCallStatus": self.status.value,
            "DialBridged": "true" if self.bridged else "false",
        }
        if self.last is not None:
            params["DialCallSid"] = self.last.sid
            if self.last.answered_at is not None:
                params["DialCallDuration"] = str(self.last.duration_seconds)
        if self.recording is not None:
            params["RecordingUrl"] = recording_url(self.recording)
            params["RecordingSid"] = self.recording.sid
            params["RecordingDuration"] = str(self.recording.duration_seconds)
        return params


class Dial:
    """One <Dial> on one parent call. The caller hanging up ends every child, then goes on up."""

    def __init__(self, session: "Session", verb: Verb) -> None:
        self._session = session
        self._exchange = session.exchange
        self._verb = verb
        self._legs: list[Leg] = []
        self._winner: Leg | None = None
        self._recording: Recording | None = None
        self._bell = Signal()
        self._behaviours: dict[str, Behaviour] = {}

    def run(self) -> Steps[Outcome]:
        nouns = self._nouns()
        together = [[noun] for noun in nouns] if self._verb.flag("sequential") else [nouns]
        record = self._verb.get("record")
        with at_the_end(self._clear):
            if "ringing" in record:
                self._record()
            for group in together:
                yield from self._ring(group)
                if self._winner is not None:
                    break
            if self._winner is not None:
                if "answer" in record or record == "true":
                    self._record()
                yield from self._talk(self._winner)
        return self._outcome()

    def _record(self) -> None:
        channels = 2 if self._verb.get("record").endswith("-dual") else 1
        self._recording = self._session.start_recording(self._verb, "DialVerb", channels)

    def _clear(self) -> None:
        for leg in self._legs:
            leg.end(Status.CANCELED)
        if self._recording is not None:
            self._session.stop_recording(self._verb, self._recording)

    def _nouns(self) -> list[Verb]:
        nouns = list(self._verb.children)
        if self._verb.text and not nouns:  # <Dial>+14155550100</Dial>
            nouns = [Verb("Number", text=self._verb.text)]
        if len(nouns) > NOUNS_MAX:
            raise TwimlError(12200, f"<Dial> rings {len(nouns)} at once; {NOUNS_MAX} is the most")
        return nouns

    def _ring(self, group: list[Verb]) -> Steps[None]:
        timeout = integer(
            self._verb, "timeout", self._session.warn, low=5, high=600, default=30, code=13212
        )
        give_up_at = self._exchange.scheduler.now() + timedelta(
            seconds=timeout + RING_BUFFER_SECONDS
        )
        legs = [leg for noun in group if (leg := self._dial(noun)) is not None]
        while self._winner is None and not all(leg.over for leg in legs):
            left = (give_up_at - self._exchange.scheduler.now()).total_seconds()
            if left <= 0:
                for leg in legs:
                    if not leg.is_answered:
                        leg.end(Status.NO_ANSWER)
            if all(leg.over for leg in legs):
                break
            self._bell = Signal()
            yield Wait(self._bell, left if left > 0 else None)
        for leg in legs:
            if leg is not self._winner:
                leg.end(Status.CANCELED)

    def _dial(self, noun: Verb) -> Leg | None:
        address = noun.text if noun.name != "Client" else f"client:{noun.text}"
        if noun.name == "Number" and not _callable(address):
            self._session.warn(13223, f"{address!r} is not a telephone number")
            return None
        parent = self._session.leg.call
        call = Call(
            sid=new_sid("CA"),
            account_sid=parent.account_sid,
            from_=self._caller_id(),
            to=address,
            direction="outbound-dial",
            status=Status.QUEUED,
            created_at=self._exchange.scheduler.now(),
            parent_call_sid=parent.sid,
            status_callback=self._session.absolute(noun.get("statusCallback")),
            status_callback_method=noun.get("statusCallbackMethod", "POST"),
            status_callback_events=_events(noun, self._session.warn),
            hops=parent.hops,
        )
        leg = Leg(self._exchange, call)
        self._legs.append(leg)
        leg.answered.then(lambda: self._screen(leg, noun))
        leg.ended.then(self._ring_bell)
        if address in self._exchange.books.numbers.owned:
            ring_own_number(self._exchange, leg, forwarded_from=parent.to)
        else:
            behaviour = self._exchange.people.behaviour(address)
            self._behaviours[call.sid] = behaviour
            ring_person(self._exchange, leg, behaviour)
        return leg

    def _caller_id(self) -> str:
        """The caller's own number unless the document names one that this account may show."""
        parent = self._session.leg.call
        asked = self._verb.get("callerId")
        if not asked:
            return parent.from_
        if asked in (parent.to, parent.from_) or asked in self._exchange.books.numbers.owned:
            return asked
        self._session.warn(13214, f"callerId {asked!r} is neither owned nor part of this call")
        return parent.from_

    def _screen(self, leg: Leg, noun: Verb) -> None:
        """With a `url`, the callee first hears a document of their own; whoever is through it
        first wins, and the other telephones ring on until then."""
        if not noun.get("url"):
            self._bridge(leg)
            return
        request = Request(self._session.absolute(noun.get("url")), {}, noun.get("method", "POST"))
        behaviour = self._behaviours.get(leg.call.sid, Behaviour(presses=()))
        self._session.screen(leg, request, behaviour, lambda: self._bridge(leg))

    def _bridge(self, leg: Leg) -> None:
        if self._winner is None and leg.is_answered:
            self._winner = leg
        self._ring_bell()

    def _ring_bell(self) -> None:
        self._bell.fire()

    def _talk(self, winner: Leg) -> Steps[None]:
        self._session.leg.answer()
        limit = integer(
            self._verb, "timeLimit", self._session.warn,
            low=1, high=TIME_LIMIT_MAX, default=TIME_LIMIT_DEFAULT, code=13216,
        )  # fmt: skip
        callee = self._behaviours.get(winner.call.sid, Behaviour(talks_seconds=None)).talks_seconds
        caller = self._session.person.talks_seconds
        until_callee = limit if callee is None else min(callee, limit)
        if caller is not None and caller < until_callee:
            over = yield Wait(winner.ended, caller)
            if not over:
                raise HungUp
        else:
            yield Wait(winner.ended, until_callee)
        winner.end(Status.COMPLETED)

    def _outcome(self) -> Outcome:
        recording = self._recording
        if self._winner is not None:
            return Outcome(self._winner.call, True, Status.COMPLETED, recording)
        tried = [leg.call for leg in self._legs]
        if not tried:
            return Outcome(None, False, Status.FAILED, recording)
        # An answered leg that declined says completed, although nobody was connected.
        for status in (Status.COMPLETED, Status.BUSY, Status.NO_ANSWER):
            for call in reversed(tried):
                if call.status is status:
                    return Outcome(call, False, status, recording)
        return Outcome(tried[-1], False, tried[-1].status, recording)


def _events(noun: Verb, warn: Callable[[int, str], None]) -> tuple[str, ...]:
    asked = tuple(noun.get("statusCallbackEvent", "completed").split())
    for event in asked:
        if event not in EVENTS:
            warn(12200, f"statusCallbackEvent {event!r} is none of {' '.join(EVENTS)}")
    return tuple(event for event in asked if event in EVENTS)


def _callable(address: str) -> bool:
    digits = address.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()) or not 7 <= len(digits) <= 15:
        return False
    return not address.startswith("+1") or len(address) == 12
