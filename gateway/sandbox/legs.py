"""A leg while it lives: its progress, told as it happens, and the person at its far end."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.sandbox.calls import Call, Status
from gateway.sandbox.exchange import Exchange
from gateway.sandbox.params import progress_params
from gateway.sandbox.people import Behaviour, Outcome
from gateway.sandbox.tasks import Signal, Steps, Task, pause

if TYPE_CHECKING:
    from gateway.sandbox.interpreter import Session

RINGING_AFTER_SECONDS = 1.0  # from the dial to the far end's first ring
HOPS_MAX = 5  # numbers forwarded to each other: the network gives up


class HungUp(Exception):
    """The line went dead. `unanswered` is the status of a call that nobody had answered."""

    def __init__(self, unanswered: Status = Status.NO_ANSWER) -> None:
        super().__init__(unanswered)
        self.unanswered = unanswered


class Leg:
    """Every change is saved, told to the status callback if it was asked for, and final when over:
    `answer` and `end` do nothing the second time."""

    def __init__(self, exchange: Exchange, call: Call) -> None:
        self.call = call
        self.answered = Signal()
        self.ended = Signal()
        self.hang_up: Callable[[Status], None] = self.end
        self.session: Session | None = None  # where documents run on it
        self._exchange = exchange
        self._limit_seconds: float | None = None
        exchange.books.live[call.sid] = self
        exchange.add(call)

    @property
    def over(self) -> bool:
        return self.call.over

    @property
    def is_answered(self) -> bool:
        return self.call.status is Status.IN_PROGRESS

    def initiated(self) -> None:
        self._tell("initiated")

    def ringing(self) -> None:
        if self.call.status is Status.QUEUED:
            self.call.status = Status.RINGING
            self._exchange.save(self.call)
            self._tell("ringing")

    def answer(self) -> None:
        if self.over or self.is_answered:
            return
        self.call.status = Status.IN_PROGRESS
        self.call.answered_at = self._exchange.scheduler.now()
        self._exchange.save(self.call)
        self._tell("answered")
        if self._limit_seconds is not None:
            self.limit(self._limit_seconds)
        self.answered.fire()

    def end(self, status: Status) -> None:
        """`status` is what it is called where nobody had answered; answered is always completed."""
        if self.over:
            return
        self.call.status = Status.COMPLETED if self.is_answered else status
        self.call.ended_at = self._exchange.scheduler.now()
        self._exchange.books.live.pop(self.call.sid, None)
        self._exchange.settle(self.call)
        self._exchange.save(self.call)
        self._tell("completed")
        self.ended.fire()

    def limit(self, seconds: float) -> None:
        """The call ends so long after its answer: the TimeLimit of the REST API."""
        self._limit_seconds = seconds
        if self.call.answered_at is None:
            return
        ends_at = self.call.answered_at + timedelta(seconds=seconds)

        def cut() -> None:
            if not self.over and self._limit_seconds == seconds:
                self.hang_up(Status.COMPLETED)

        self._exchange.scheduler.at(max(ends_at, self._exchange.scheduler.now()), cut)

    def _tell(self, event: str) -> None:
        tell_progress(self._exchange, self.call, event)


def tell_progress(exchange: Exchange, call: Call, event: str) -> None:
    """Only events that were asked for are sent, and only what is sent takes a SequenceNumber."""
    if not call.status_callback or event not in call.status_callback_events:
        return
    params = progress_params(call, event, exchange.scheduler.now())
    call.events_sent += 1
    kind = "status" if call.direction == "inbound" else "leg"
    exchange.tell(kind, call, call.status_callback, params, call.status_callback_method)
    exchange.save(call)


def ring_person(exchange: Exchange, leg: Leg, behaviour: Behaviour) -> None:
    """Somebody's telephone: rings, and is answered or not. Ringing ends with the leg."""
    Task(exchange.scheduler, _person(leg, behaviour))


def _person(leg: Leg, behaviour: Behaviour) -> Steps[None]:
    leg.initiated()
    if behaviour.outcome in (Outcome.FAILED, Outcome.BUSY):
        yield from pause(RINGING_AFTER_SECONDS)
        failed = behaviour.outcome is Outcome.FAILED
        leg.end(Status.FAILED if failed else Status.BUSY)
        return
    yield from pause(min(RINGING_AFTER_SECONDS, behaviour.answers_after_seconds))
    leg.ringing()
    if behaviour.outcome is Outcome.NO_ANSWER:
        return
    yield from pause(max(0.0, behaviour.answers_after_seconds - RINGING_AFTER_SECONDS))
    if behaviour.outcome is Outcome.REJECTS:
        leg.end(Status.BUSY)
    else:
        leg.answer()


def ring_own_number(exchange: Exchange, leg: Leg, *, forwarded_from: str) -> None:
    """A number of this carrier was dialled: the call comes in again, as a new inbound call."""
    call = leg.call
    leg.initiated()
    if call.hops >= HOPS_MAX:
        exchange.warn(call, 13224, f"{call.to} was forwarded {HOPS_MAX} times")
        leg.end(Status.FAILED)
        return
    leg.ringing()
    inbound = exchange.open_inbound(
        from_=call.from_, to=call.to, forwarded_from=forwarded_from, hops=call.hops + 1
    )
    inbound.leg.answered.then(leg.answer)
    inbound.leg.ended.then(lambda: leg.end(inbound.leg.call.status))
    leg.ended.then(lambda: inbound.hang_up(Status.NO_ANSWER))
