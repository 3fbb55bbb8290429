"""What happens to a call now: a pure function of the plan, the facts, the moment and the cursor.

A cursor is `<JSON pointer of a step>!<round>`, as in `/otherwise!1`. It travels in the URL that
the carrier asks when a dial is over, so that no state is kept between the two requests, and a
branch once chosen (night fell meanwhile) is not chosen anew.

The webhook, the preview and the tests all call the same two functions.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from routing.acts import Act, Dial, Hangup, Reject, Say, Target, Voicemail
from routing.describe import phone_words
from routing.facts import TIME_LIMIT_SECONDS_MAX, CallFacts, Situation
from routing.plans import find_step
from routing.speech import SORRY
from routing.steps import Choose, Finish, Ring, Speak, Step

# DialCallStatus of a call that two people talked on: twilio.com/docs/voice/twiml/dial
TALKED_STATUSES: Final = frozenset({"completed", "answered"})

_CURSOR: Final = re.compile(r"((?:/[^!/]*)*)!([0-9]{1,4})")


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One thing that was found or done, with the JSON pointer of the step that did it."""

    path: str
    words: str


@dataclass(frozen=True, slots=True)
class Decision:
    acts: tuple[Act, ...]
    trace: tuple[TraceLine, ...]

    @property
    def dial(self) -> Dial | None:
        """The dial that the call now waits for, if there is one: always the last act."""
        last = self.acts[-1] if self.acts else None
        return last if isinstance(last, Dial) else None


def decide(
    plan: Step,
    facts: CallFacts,
    now: datetime,
    cursor: str = "",
    *,
    own_numbers: frozenset[str] = frozenset(),
    time_limit_seconds: int = TIME_LIMIT_SECONDS_MAX,
    caller_id: str | None = None,
) -> Decision:
    """Go through the plan from the cursor (empty: its beginning) to the next thing that waits.

    A target among `own_numbers` is left out, since the number may have been bought after the plan
    was published. A cursor that names no step of this plan ends the call with an apology.
    """
    situation = Situation(
        facts=facts,
        now=now,
        own_numbers=own_numbers,
        time_limit_seconds=time_limit_seconds,
        caller_id=caller_id,
    )
    walked = _Walk(situation, first=not cursor)
    pointer, index = parse_cursor(cursor) if cursor else ("", 0)
    walked.go(find_step(plan, pointer), pointer, index)
    return Decision(tuple(walked.acts), tuple(walked.trace))


def after_dial(
    plan: Step,
    facts: CallFacts,
    now: datetime,
    cursor: str,
    dial_status: str,
    bridged: bool | None,
    *,
    caller_gone: bool = False,
    own_numbers: frozenset[str] = frozenset(),
    time_limit_seconds: int = TIME_LIMIT_SECONDS_MAX,
    caller_id: str | None = None,
) -> Decision:
    """A dial is over: end the call if people talked or the caller left, else go on at the cursor.

    `bridged` is DialBridged where the carrier sent it: a phone that answered the whisper and
    declined is completed and yet nobody talked. `caller_gone`: the parent call has ended.
    """
    pointer = parse_cursor(cursor)[0]
    talked = bridged if bridged is not None else dial_status in TALKED_STATUSES
    if talked or caller_gone:
        words = "They talked; the call is over." if talked else "The caller hung up."
        return Decision((Hangup(),), (TraceLine(pointer, words),))
    went_on = decide(
        plan,
        facts,
        now,
        cursor,
        own_numbers=own_numbers,
        time_limit_seconds=time_limit_seconds,
        caller_id=caller_id,
    )
    why = TraceLine(pointer, f"{_MISSED.get(dial_status, 'Nobody took the call')}.")
    return Decision(went_on.acts, (why, *went_on.trace))


def foresee(
    plan: Step,
    facts: CallFacts,
    now: datetime,
    answers: Callable[[Target], bool],
    *,
    own_numbers: frozenset[str] = frozenset(),
) -> tuple[Decision, ...]:
    """The whole call, if those phones answer: one decision per document the carrier would get."""
    decisions = [decide(plan, facts, now, own_numbers=own_numbers)]
    while (dial := decisions[-1].dial) is not None:
        taken = any(answers(target) for target in dial.targets)
        status = "completed" if taken else "no-answer"
        decisions.append(
            after_dial(plan, facts, now, dial.cursor, status, taken, own_numbers=own_numbers)
        )
    return tuple(decisions)


def target_at(plan: Step, position: str, index: int) -> Target | None:
    """The phone that a leg's URL names; None where the plan has no such line."""
    step = find_step(plan, parse_cursor(position)[0])
    targets = step.targets() if step else ()
    return targets[index][1] if 0 <= index < len(targets) else None


def parse_cursor(cursor: str) -> tuple[str, int]:
    """The step's pointer and the round; a pointer that no plan has for anything malformed."""
    found = _CURSOR.fullmatch(cursor)
    return (found[1], int(found[2])) if found else ("/nowhere", 0)


_MISSED: Final = {
    "no-answer": "Nobody answered",
    "busy": "The line was busy",
    "failed": "The phone could not be reached",
    "canceled": "The dial was canceled",
    "completed": "Whoever answered did not take the call",
}


class _Walk:
    """One way through the tree, collecting acts until something waits or the call ends."""

    def __init__(self, situation: Situation, *, first: bool) -> None:
        self.situation = situation
        self.first = first  # nothing has been done to this call yet
        self.acts: list[Act] = []
        self.trace: list[TraceLine] = []

    def go(self, step: Step | None, pointer: str, index: int) -> None:
        if step is None:
            self._note(pointer, "The plan has no such step: the call ends.")
        while step is not None:
            move = step.move(self.situation, f"{pointer}!{index}")
            match move:
                case Ring():
                    if self._ring(move, pointer, index):
                        return
                case Choose():
                    self._note(pointer, move.words)
                case Speak():
                    self.acts.append(move.act)
                    self._note(pointer, "Says its text.")
                case Finish():
                    self._finish(move.act, pointer)
                    return
            branches = {branch.pointer: branch.step for branch in step.branches()}
            step = branches.get(move.branch)
            if step is not None:
                pointer, index = pointer + move.branch, 0
        self._end(pointer)

    def _ring(self, move: Ring, pointer: str, index: int) -> bool:
        """Whether somebody rings; False when the rounds are used up."""
        own = self.situation.own_numbers
        for number, turn in enumerate(move.rounds[index:], start=index):
            rung = []
            for place, target in zip(turn.indexes, turn.targets, strict=True):
                if target.type == "number" and target.address in own:
                    where = f"{pointer}/targets/{place}"
                    self._note(where, f"Skips {phone_words(target)}: it is our own number.")
                else:
                    rung.append((place, target))
            if not rung:
                continue
            phones = " and ".join(phone_words(target) for _, target in rung)
            self._note(pointer, f"Rings {phones} for {turn.ring_seconds} s.")
            self.acts.append(
                Dial(
                    targets=tuple(target for _, target in rung),
                    indexes=tuple(place for place, _ in rung),
                    ring_seconds=turn.ring_seconds,
                    position=f"{pointer}!{number}",
                    cursor=f"{pointer}!{number + 1}",
                    time_limit_seconds=self.situation.time_limit_seconds,
                    caller_id=self._caller_id(),
                )
            )
            return True
        return False

    def _caller_id(self) -> str | None:
        """Ours where the caller has no number: an owned number is always allowed (13214)."""
        facts = self.situation.facts
        if self.situation.caller_id is None and facts.caller is None:
            return facts.called
        return self.situation.caller_id

    def _finish(self, act: Voicemail | Reject, pointer: str) -> None:
        if isinstance(act, Voicemail):
            self.acts.append(act)
            self._note(pointer, "Takes a message.")
        elif self.first and not self.acts:
            self.acts.append(act)
            self._note(pointer, f"Refuses the call ({act.reason}), unbilled.")
        else:
            self.acts.append(Hangup())
            self._note(pointer, "Too late to refuse: the call just ends.")

    def _end(self, pointer: str) -> None:
        """The plan has no more to say; whoever was told nothing yet hears an apology."""
        if not self.acts:
            self.acts.append(Say(SORRY))
            self._note(pointer, "Nothing is left: an apology, and the call ends.")
        self.acts.append(Hangup())

    def _note(self, path: str, words: str) -> None:
        self.trace.append(TraceLine(path, words))


__all__ = [
    "Act",
    "CallFacts",
    "Decision",
    "Dial",
    "Hangup",
    "Reject",
    "Say",
    "Situation",
    "Target",
    "TraceLine",
    "Voicemail",
    "after_dial",
    "decide",
    "foresee",
    "parse_cursor",
    "target_at",
]
