"""One imagined call, played through a plan: the path, the documents, the legs and their price.

Pure. The clock of the imagined call only decides durations; what is decided, rendered and rated
comes from the functions that the webhooks and the settlement use.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from billing import lifecycle
from billing.lifecycle import AccountStatus
from billing.metering import LegStatus, LegUsage
from billing.rates import Rate, Tariff
from billing.rating import RatedLeg, TalkRates, carrier_cost, first_block_cost, rate_leg
from billing.surcharges import find_surcharge, rate_surcharge
from billing.tariffs import Plan
from gateway.links import CallLinks
from gateway.services import exposure
from routing.acts import Dial, Reject, Say, Target, Voicemail
from routing.decisions import Decision, TraceLine, after_dial, decide
from routing.facts import CallFacts
from routing.plans import plan_targets
from routing.steps import Step
from routing.twiml import render

SAMPLE_CALL_SID = "CA" + "0" * 32
WORDS_PER_SECOND = 2.5  # a synthetic voice, unhurried
WHISPER_SECONDS = 8  # how long whoever declines listens before hanging up
# A plan cannot ring for longer (routing.plans), so this ends only a mistake of ours.
DOCUMENTS_MAX = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """A phone that picks up. `takes`: presses 1 where the plan asks for it."""

    address: str
    after_seconds: int = 6
    talk_seconds: int = 60
    takes: bool = True


@dataclass(frozen=True, slots=True)
class Scenario:
    """`caller` is E.164; None withheld its number. Phones that are not in `answers` ring out."""

    at: dt.datetime
    caller: str | None
    answers: tuple[Answer, ...] = ()
    message_seconds: int = 20  # what is spoken on a voicemail

    def answer_of(self, target: Target) -> Answer | None:
        return next((a for a in self.answers if a.address == target.address), None)


@dataclass(frozen=True, slots=True)
class Line:
    """The number that is called."""

    e164: str
    country: str
    number_type: str
    links: CallLinks
    own_numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Terms:
    """The account's plan and money at this moment, and what the carrier takes (None: unknown)."""

    plan: Plan
    carrier: Tariff | None
    balance_micros: int
    status: str
    number_status: str


@dataclass(frozen=True, slots=True)
class PreviewStep:
    """One document that the carrier would get, `after_seconds` into the call."""

    after_seconds: int
    trace: tuple[TraceLine, ...]
    twiml: str


@dataclass(frozen=True, slots=True)
class PreviewLeg:
    """`charge_micros` is ours, `cost_micros` the carrier's (None: no carrier tariff)."""

    kind: str  # inbound, forwarded
    target_kind: str  # did, number, sip, client
    to: str
    status: LegStatus
    ring_seconds: int
    talk_seconds: int
    rated: RatedLeg
    surcharge: RatedLeg | None
    cost_micros: int | None

    @property
    def surcharge_micros(self) -> int:
        return self.surcharge.charge_micros if self.surcharge else 0

    @property
    def charge_micros(self) -> int:
        """Both lines of the leg."""
        return self.rated.charge_micros + self.surcharge_micros


@dataclass(frozen=True, slots=True)
class DearTarget:
    """A phone that costs more than the leg to it: said before anybody forwards there (S2-18)."""

    address: str
    surcharge: Rate


@dataclass(frozen=True, slots=True)
class Preview:
    """`refusal` is why the gate would send this call away right now; the path is shown all the
    same. `cheapest` and `dearest` span whoever might answer, talking as long as asked."""

    refusal: str | None
    path: tuple[TraceLine, ...]
    steps: tuple[PreviewStep, ...]
    legs: tuple[PreviewLeg, ...]
    outcome: str  # talked, voicemail, rejected, missed
    duration_seconds: int
    currency: str
    total_micros: int
    cost_micros: int | None
    cheapest_micros: int
    dearest_micros: int
    dear_targets: tuple[DearTarget, ...] = ()

    @property
    def margin_micros(self) -> int | None:
        return None if self.cost_micros is None else self.total_micros - self.cost_micros


def play(step: Step, line: Line, terms: Terms, scenario: Scenario) -> Preview:
    call = _Call(step, line, terms, scenario)
    call.run()
    legs = call.rated_legs()
    costs = [leg.cost_micros for leg in legs]
    totals = [_total(legs), *_totals_by_answer(step, line, terms, scenario)]
    return Preview(
        refusal=_refusal(step, line, terms),
        path=tuple(note for part in call.steps for note in part.trace),
        steps=tuple(call.steps),
        legs=legs,
        outcome=call.outcome,
        duration_seconds=call.seconds,
        currency=terms.plan.currency,
        total_micros=_total(legs),
        cost_micros=None if terms.carrier is None else sum(cost or 0 for cost in costs),
        cheapest_micros=min(totals),
        dearest_micros=max(totals),
        dear_targets=dear_targets(step, terms.plan.tariff),
    )


def dear_targets(step: Step, tariff: Tariff) -> tuple[DearTarget, ...]:
    """Each phone of a plan once, in the order of the plan."""
    targets = dict.fromkeys((target.type, target.address) for _, target in plan_targets(step))
    found = (
        (address, find_surcharge(exposure.outbound(kind, address, 0), tariff))
        for kind, address in targets
    )
    return tuple(DearTarget(address, rate) for address, rate in found if rate is not None)


def _totals_by_answer(step: Step, line: Line, terms: Terms, scenario: Scenario) -> Iterator[int]:
    """What the call would cost if nobody answered, and if each phone in turn did so alone."""
    talk = max((answer.talk_seconds for answer in scenario.answers), default=60)
    addresses = dict.fromkeys(target.address for _, target in plan_targets(step))
    for answers in [(), *((Answer(address, talk_seconds=talk),) for address in addresses)]:
        call = _Call(step, line, terms, replace(scenario, answers=answers))
        call.run(rendering=False)
        yield _total(call.rated_legs())


def _total(legs: Sequence[PreviewLeg]) -> int:
    return sum(leg.charge_micros for leg in legs)


def _refusal(step: Step, line: Line, terms: Terms) -> str | None:
    if terms.number_status != "active":
        return f"The number is {terms.number_status}."
    verdict = lifecycle.may_start_call(
        terms.balance_micros,
        AccountStatus(terms.status),
        terms.plan,
        first_block_micros=first_block_cost(_rates(step, line, terms.plan), terms.plan.tariff),
    )
    return verdict.words if isinstance(verdict, lifecycle.Refused) else None


def _rates(step: Step, line: Line, plan: Plan) -> TalkRates:
    """As for a real call."""
    targets = (target for _, target in plan_targets(step))
    return exposure.of_call(line.country, line.number_type, targets, plan.tariff)


@dataclass(slots=True)
class _Leg:
    target: Target
    status: LegStatus
    ring_seconds: int
    talk_seconds: int = 0


@dataclass(slots=True)
class _Call:
    """The imagined call's clock and what has happened on it so far."""

    step: Step
    line: Line
    terms: Terms
    scenario: Scenario
    seconds: int = 0
    answered_at: int | None = None  # when the caller's leg began to be billed
    outcome: str = "missed"
    steps: list[PreviewStep] = field(default_factory=list)
    legs: list[_Leg] = field(default_factory=list)

    def run(self, *, rendering: bool = True) -> None:
        situation = {
            "own_numbers": self.line.own_numbers,
            "time_limit_seconds": self._time_limit(),
        }
        caller = self.scenario.caller
        facts = CallFacts(
            call_sid=SAMPLE_CALL_SID,
            caller=caller,
            caller_raw=caller or "anonymous",
            called=self.line.e164,
            started_at=self.scenario.at,
        )
        decision = decide(self.step, facts, self.scenario.at, **situation)  # type: ignore[arg-type]
        for _ in range(DOCUMENTS_MAX):
            if rendering:
                document = render(decision, self.line.links)
                self.steps.append(PreviewStep(self.seconds, decision.trace, document))
            dial = self._perform(decision)
            if dial is None:
                return
            status, bridged = self._ring(dial)
            now = self.scenario.at + dt.timedelta(seconds=self.seconds)
            decision = after_dial(
                self.step,
                facts,
                now,
                dial.cursor,
                status,
                bridged,
                **situation,  # type: ignore[arg-type]
            )
        raise AssertionError("a plan that never ends was published")

    def rated_legs(self) -> tuple[PreviewLeg, ...]:
        bridged = sum(leg.talk_seconds for leg in self.legs)
        answered = self.answered_at is not None
        talk = self.seconds - self.answered_at if self.answered_at is not None else 0
        caller = LegUsage(
            kind="inbound",
            status=LegStatus.COMPLETED if answered else LegStatus.NO_ANSWER,
            talk_seconds=talk,
            ring_seconds=self.answered_at if self.answered_at is not None else self.seconds,
            bridged_seconds=bridged,
            number_country=self.line.country,
            number_type=self.line.number_type,
        )
        return (
            self._rated(caller, "did", self.line.e164),
            *(self._rated(_usage(leg), leg.target.type, leg.target.address) for leg in self.legs),
        )

    def _rated(self, usage: LegUsage, target_kind: str, to: str) -> PreviewLeg:
        carrier = self.terms.carrier
        return PreviewLeg(
            kind=usage.kind,
            target_kind=target_kind,
            to=to,
            status=usage.status,
            ring_seconds=usage.ring_seconds,
            talk_seconds=usage.talk_seconds,
            rated=rate_leg(usage, self.terms.plan.tariff),
            surcharge=rate_surcharge(usage, self.terms.plan.tariff),
            cost_micros=None if carrier is None else carrier_cost(usage, carrier).charge_micros,
        )

    def _time_limit(self) -> int:
        return lifecycle.dial_time_limit(
            self.terms.plan,
            self.terms.balance_micros,
            _rates(self.step, self.line, self.terms.plan),
        )

    def _perform(self, decision: Decision) -> Dial | None:
        """What happens before anybody rings; the dial that the call then waits for."""
        for act in decision.acts:
            match act:
                case Say():
                    self._answer()
                    self.seconds += _speech_seconds(act.text)
                case Voicemail():
                    self._answer()
                    self.seconds += _speech_seconds(act.say) + self.scenario.message_seconds
                    self.outcome = "voicemail"
                case Reject():
                    self.outcome = "rejected"
        return decision.dial

    def _ring(self, dial: Dial) -> tuple[str, bool]:
        """Play one round; DialCallStatus and DialBridged as the carrier would report them."""
        ringing = [(target, self.scenario.answer_of(target)) for target in dial.targets]
        answers = [
            (answer.after_seconds, place, target, answer)
            for place, (target, answer) in enumerate(ringing)
            if answer is not None and answer.after_seconds < dial.ring_seconds
        ]
        takers = [entry for entry in answers if entry[3].takes or not entry[2].confirm]
        winner = min(takers, default=None, key=lambda entry: entry[:2])
        ends_after = winner[0] if winner else dial.ring_seconds
        if winner is None and len(answers) == len(ringing):
            ends_after = max(entry[0] for entry in answers) + WHISPER_SECONDS
        declined = {entry[1]: entry for entry in answers if entry not in takers}
        for place, (target, _) in enumerate(ringing):
            if winner is not None and place == winner[1]:
                talk = min(winner[3].talk_seconds, dial.time_limit_seconds)
                self.legs.append(_Leg(target, LegStatus.COMPLETED, winner[0], talk))
            elif place in declined and declined[place][0] < ends_after:
                after = declined[place][0]
                talk = min(WHISPER_SECONDS, ends_after - after)
                self.legs.append(_Leg(target, LegStatus.COMPLETED, after, talk))
            else:
                status = LegStatus.CANCELED if winner else LegStatus.NO_ANSWER
                self.legs.append(_Leg(target, status, ends_after))
        self.seconds += ends_after
        if winner is None:
            return ("completed" if len(declined) == len(ringing) else "no-answer"), False
        self._answer()
        self.seconds += min(winner[3].talk_seconds, dial.time_limit_seconds)
        self.outcome = "talked"
        return "completed", True

    def _answer(self) -> None:
        if self.answered_at is None:
            self.answered_at = self.seconds


def _usage(leg: _Leg) -> LegUsage:
    return LegUsage(
        kind="forwarded",
        status=leg.status,
        talk_seconds=leg.talk_seconds,
        ring_seconds=leg.ring_seconds,
        target_kind=leg.target.type,
        target_address=leg.target.address,
    )


def _speech_seconds(text: str) -> int:
    return max(1, round(len(text.split()) / WORDS_PER_SECOND))
