"""Who calls and who answers: the human beings, and the machines that answer for them."""

import hashlib
import itertools
import math
import random
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    ANSWERS = "answers"
    MACHINE = "machine"  # a voicemail box picks up; nobody presses a digit
    BUSY = "busy"
    REJECTS = "rejects"
    NO_ANSWER = "no-answer"
    FAILED = "failed"  # not a working number


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens at an address that is called. `presses` are the digits for each Gather, in turn;
    an empty entry presses nothing. `talks_seconds` counts from the moment the two sides hear each
    other; None: never hangs up first."""

    outcome: Outcome = Outcome.ANSWERS
    answers_after_seconds: float = 5
    talks_seconds: float | None = 60
    presses: tuple[str, ...] = ("1",)

    @property
    def picks_up(self) -> bool:
        return self.outcome in (Outcome.ANSWERS, Outcome.MACHINE)


@dataclass(frozen=True, slots=True)
class CallerScript:
    """What the caller does. `hangs_up_after_seconds` counts from the call's beginning,
    `talks_seconds` from the moment somebody is reached. `message_seconds` is how long they speak
    into a voicemail box before they hang up; 0 says nothing and waits."""

    hangs_up_after_seconds: float | None = None
    talks_seconds: float | None = None
    presses: tuple[str, ...] = ()
    message_seconds: float = 8
    withheld: bool = False
    forwarded_from: str = ""
    stir: str | None = None  # None: as the carrier would attest it


class People:
    """Behaviour by address: as told, or drawn once for every call from the seed, the address and
    how often it was called."""

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        self._told: dict[str, Behaviour] = {}
        self._calls: defaultdict[str, itertools.count[int]] = defaultdict(itertools.count)

    def tell(self, address: str, behaviour: Behaviour) -> None:
        self._told[address] = behaviour

    def forget(self, address: str) -> None:
        self._told.pop(address, None)

    def told(self) -> dict[str, Behaviour]:
        return dict(self._told)

    def behaviour(self, address: str) -> Behaviour:
        return self._told.get(address) or self._drawn(address)

    def _drawn(self, address: str) -> Behaviour:
        rng = seeded(self._seed, address, next(self._calls[address]))
        outcome = rng.choices(
            [Outcome.ANSWERS, Outcome.NO_ANSWER, Outcome.BUSY, Outcome.MACHINE, Outcome.REJECTS,
             Outcome.FAILED],
            weights=[74, 12, 6, 5, 2, 1],
        )[0]  # fmt: skip
        if outcome is Outcome.MACHINE:
            return Behaviour(outcome, rng.uniform(15, 24), rng.uniform(4, 25), presses=())
        return Behaviour(outcome, rng.uniform(3, 17), talk_seconds(rng))


def talk_seconds(rng: random.Random) -> float:
    """Log-normal with a median of 95 s: most calls are short, a few are very long."""
    return min(3600.0, max(3.0, rng.lognormvariate(math.log(95), 0.9)))


def seeded(*parts: object) -> random.Random:
    """The same parts draw the same numbers in every process (`hash` does not)."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return random.Random(digest)
