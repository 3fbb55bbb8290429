"""Believable callers: who they are, when they call, how long they stay."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from gateway.sandbox.carrier import Carrier
from gateway.sandbox.clock import VirtualClock
from gateway.sandbox.people import CallerScript, talk_seconds
from gateway.sandbox.places import area_codes

# Calls by hour of the day in New York: quiet nights, a peak before and after lunch.
DAY_CURVE = (
    2, 1, 1, 1, 1, 2, 6, 18, 45, 80, 96, 100, 78, 82, 95, 92, 80, 60, 38, 28, 20, 12, 7, 4,
)  # fmt: skip
EASTERN_HOURS = -5
SPAM_SHARE, IMPATIENT_SHARE, WITHHELD_SHARE = 0.08, 0.08, 0.03
STORM_TALK_SECONDS_MAX = 45.0
CALLS_AT_ONCE_MAX = 5_000
TEXTS_PER_CALL = 0.3
TEXTS = (
    "Hi, are you open on Saturday?",
    "Thanks for the quick call back!",
    "Could you text me the address, please?",
    "I'd like to book an appointment for Tuesday morning, two people, if there is still a time "
    "before ten; otherwise any day this week is fine with us. We were at your place last year and "
    "liked it a lot.",
    "Is the blue one still available? 🙂",
    "STOP",
)
TEXT_WEIGHTS = (5, 4, 4, 2, 3, 1)
Progress = Callable[[int, int], None]  # ended so far, of how many


@dataclass(frozen=True, slots=True)
class Caller:
    from_: str
    script: CallerScript


@dataclass(frozen=True, slots=True)
class Text:
    from_: str
    body: str


@cache
def _codes(country: str) -> tuple[str, ...]:
    return tuple(code for code, place in area_codes().items() if place.country == country)


def draw_caller(rng: random.Random) -> Caller:
    """Mostly Americans, some Canadians and Britons; some robots, some who do not wait. Numbers are
    of the ranges kept for fiction, so that nobody's telephone is on the screen."""
    kind = rng.random()
    if kind < 0.03:
        from_ = f"+447700900{rng.randrange(1000):03d}"
    else:
        country = "CA" if kind < 0.12 else "US"
        from_ = f"+1{rng.choice(_codes(country))}55501{rng.randrange(100):02d}"
    temper = rng.random()
    talks: float | None = talk_seconds(rng)
    gives_up: float | None = None
    if temper < SPAM_SHARE:
        talks, gives_up = rng.uniform(1, 6), rng.uniform(12, 30)
    elif temper < SPAM_SHARE + IMPATIENT_SHARE:
        talks, gives_up = None, rng.uniform(6, 40)
    message = 0.0 if rng.random() < 0.4 else rng.uniform(5, 40)
    withheld = rng.random() < WITHHELD_SHARE
    script = CallerScript(
        gives_up, talks, presses=("1",), message_seconds=message, withheld=withheld
    )
    return Caller(from_, script)


def draw_text(rng: random.Random) -> Text:
    """Somebody believable who texts, of the same ranges."""
    from_ = f"+1{rng.choice(_codes('US'))}55501{rng.randrange(100):02d}"
    return Text(from_, rng.choices(TEXTS, TEXT_WEIGHTS)[0])


def lines_with_traffic(carrier: Carrier) -> list[str]:
    """The numbers that somebody answers for; the first bought are the most advertised."""
    return [e164 for e164, number in carrier.books.numbers.owned.items() if number.voice_url]


def place_one(carrier: Carrier, rng: random.Random, *, talks_at_most: float | None = None) -> str:
    """The SID of the call, or nothing where no number has a VoiceUrl yet."""
    lines = lines_with_traffic(carrier)
    if not lines:
        return ""
    to = rng.choices(lines, weights=[1 / (index + 1) for index in range(len(lines))])[0]
    caller = draw_caller(rng)
    script = caller.script
    if talks_at_most is not None and script.talks_seconds is not None:
        script = CallerScript(
            script.hangs_up_after_seconds,
            min(script.talks_seconds, talks_at_most),
            script.presses,
            min(script.message_seconds, talks_at_most),
            script.withheld,
        )
    return carrier.place_call(caller.from_, to, script)


@dataclass
class Traffic:
    """Calls at random on the live clock, so many a minute, and some texts; 0 is none."""

    carrier: Carrier
    calls_per_minute: float = 0.0
    _rng: random.Random = field(default_factory=random.Random)
    _turn: int = 0  # a new rate makes the timers of the old one void

    def set_rate(self, calls_per_minute: float) -> None:
        with self.carrier.scheduler.lock:
            self.calls_per_minute = calls_per_minute
            self._turn += 1
            self._plan(self._turn)

    def _plan(self, turn: int) -> None:
        if self.calls_per_minute <= 0:
            return

        def call() -> None:
            if turn == self._turn:
                place_one(self.carrier, self._rng)
                if self._rng.random() < TEXTS_PER_CALL:
                    self._text()
                self._plan(turn)

        self.carrier.scheduler.after(self._rng.expovariate(self.calls_per_minute / 60), call)

    def _text(self) -> None:
        lines = lines_with_traffic(self.carrier)
        if lines:
            text = draw_text(self._rng)
            self.carrier.receive_message(text.from_, self._rng.choice(lines), text.body)


def simulate_day(
    carrier: Carrier, calls: int, progress: Progress, *, seed: int | None = None
) -> int:
    """A day of calls up to an hour ago, in virtual time, posted as fast as they are answered.
    Answers how many calls ended; every callback carries the simulated time."""
    rng = random.Random(seed)
    end = carrier.clock.now() - timedelta(hours=1)
    start = end - timedelta(hours=23)
    clock = VirtualClock(start)
    day = Carrier(
        carrier.account_sid,
        carrier.auth_token,
        clock,
        carrier.poster,
        base_url=carrier.exchange.base_url,
        kept_max=carrier.captured.maxlen,
        books=carrier.books,
        people=carrier.people,
    )
    day.faults = carrier.faults
    count = _Count(calls, progress)
    for at in sorted(_moment(rng, start) for _call in range(calls)):
        day.scheduler.at(at, lambda: count.watch(day, place_one(day, rng)))
    while count.ended < calls and clock.now() < end + timedelta(hours=12):
        day.run_for(600)
    day.run_until_idle()
    return count.ended


def simulate_storm(
    carrier: Carrier,
    calls: int,
    over_seconds: float,
    progress: Progress,
    *,
    seed: int | None = None,
) -> "_Count":
    """Many short calls at once, on the live clock. Returns at once; the count tells the rest."""
    rng = random.Random(seed)
    count = _Count(calls, progress)
    for _call in range(calls):
        carrier.scheduler.after(
            rng.uniform(0, over_seconds),
            lambda: count.watch(
                carrier,
                place_one(carrier, rng, talks_at_most=rng.uniform(2, STORM_TALK_SECONDS_MAX)),
            ),
        )
    return count


def _moment(rng: random.Random, start: datetime) -> datetime:
    """An instant of the 23 hours from `start`, as likely as its hour is busy."""
    hours = [start + timedelta(hours=hour) for hour in range(23)]
    weights = [DAY_CURVE[(at.hour + EASTERN_HOURS) % 24] for at in hours]
    return rng.choices(hours, weights)[0] + timedelta(seconds=rng.uniform(0, 3600))


@dataclass
class _Count:
    total: int
    progress: Progress
    placed: int = 0
    ended: int = 0

    def watch(self, carrier: Carrier, sid: str) -> None:
        self.placed += 1
        leg = carrier.books.live.get(sid)
        if leg is None:
            self._over()
        else:
            leg.ended.then(self._over)

    def _over(self) -> None:
        self.ended += 1
        self.progress(self.ended, self.total)
