"""Asynchronous callbacks on their way to the customer, and the faults that befall them."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.sandbox.clock import Scheduler
from gateway.sandbox.poster import Poster, Reply, Request

HELD_SECONDS_MAX = 30  # a callback held for the next one to overtake it leaves by then


@dataclass(frozen=True, slots=True)
class Callback:
    """`kind`: leg, status, recording, action, message. `about`: the parent call it tells of."""

    kind: str
    about: str
    url: str
    params: dict[str, str]
    at: datetime
    method: str = "POST"


Script = Callable[[Callback], list[float]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to tell the customer: what was sent and what came back."""

    callback: Callback
    reply: Reply


@dataclass
class Faults:
    """How often (0 to 1) callbacks are doubled, delayed, overtaken by the next one of the same
    call, or lost; drawn from the seed. A `script` decides alone where it is given: the seconds
    after which each copy is delivered, none for a lost one."""

    duplicate: float = 0.0
    delay: float = 0.0
    reorder: float = 0.0
    lose: float = 0.0
    seed: int = 1
    delay_seconds_max: float = 10.0
    script: Script | None = None
    _rng: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("duplicate", "delay", "reorder", "lose"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability: from 0 to 1, not {getattr(self, name)}")
        self._rng = random.Random(self.seed)

    def deliveries(self, callback: Callback) -> list[float]:
        if self.script is not None:
            return self.script(callback)
        if self._rng.random() < self.lose:
            return []
        copies = 2 if self._rng.random() < self.duplicate else 1
        return [
            self._rng.uniform(0.1, self.delay_seconds_max)
            if self._rng.random() < self.delay
            else 0.0
            for _copy in range(copies)
        ]

    def overtaken(self) -> bool:
        return self.script is None and self.reorder > 0 and self._rng.random() < self.reorder


class Courier:
    """Captures every callback, then delivers it as the faults have it. With `hold` set, callbacks
    are only captured: the test delivers them, in its own order, with `deliver`."""

    def __init__(
        self,
        scheduler: Scheduler,
        poster: Poster,
        *,
        hold: bool = False,
        kept_max: int | None = None,
    ) -> None:
        self.hold = hold
        self.faults = Faults()
        self.captured: deque[Callback] = deque(maxlen=kept_max)
        self.delivered: deque[Delivery] = deque(maxlen=kept_max)
        self._scheduler = scheduler
        self._poster = poster
        self._overtaken: dict[str, Callback] = {}

    def send(self, callback: Callback) -> None:
        self.captured.append(callback)
        if self.hold:
            return
        if callback.about not in self._overtaken and self.faults.overtaken():
            self._overtaken[callback.about] = callback
            self._scheduler.after(HELD_SECONDS_MAX, lambda: self._release(callback))
            return
        for seconds in self.faults.deliveries(callback):
            self._dispatch(callback, seconds)
        overtaken = self._overtaken.get(callback.about)
        if overtaken is not None:
            self._release(overtaken)

    def deliver(self, callback: Callback, **changes: str) -> Reply:
        """Post it now, here, whatever the faults say; `changes` replace fields of the form."""
        sent = replace(callback, params={**callback.params, **changes})
        reply = self._poster(Request(sent.url, sent.params, sent.method))
        self.delivered.append(Delivery(sent, reply))
        return reply

    def _dispatch(self, callback: Callback, seconds: float) -> None:
        def leave() -> None:
            self._scheduler.background(
                lambda: self._poster(Request(callback.url, callback.params, callback.method)),
                lambda reply: self.delivered.append(Delivery(callback, reply)),
            )

        if seconds > 0:
            self._scheduler.after(seconds, leave)
        else:
            leave()

    def _release(self, callback: Callback) -> None:
        """Unless the next one overtook it, and took it along, already."""
        if self._overtaken.get(callback.about) is callback:
            del self._overtaken[callback.about]
            self._dispatch(callback, 0)
