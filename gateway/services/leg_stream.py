"""Settled legs beside the lines of the ledger: two streams, and each leg at its first line.

All lines of a settlement bear its instant and stand together, so what is read ahead are the legs of
one: as many as a transaction takes, however long the period.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Iterator

from gateway.store.replay import SettledLeg


class LegStream:
    """Of an account, or of a family that was settled together, in the order of their settlement."""

    def __init__(self, stream: Iterator[SettledLeg]) -> None:
        self._stream = stream
        self._next = next(stream, None)
        self._ahead: OrderedDict[str, SettledLeg] = OrderedDict()  # read, and not given away
        self._gone: set[str] = set()  # given away, of the settlement `_at`
        self._at: dt.datetime | None = None

    @property
    def are_over(self) -> bool:
        return self._next is None and not self._ahead

    @property
    def held(self) -> int:
        """How many legs, or names of legs, are in memory."""
        return len(self._ahead) + len(self._gone)

    def move_to(self, at: dt.datetime) -> bool:
        """To the lines of an instant; False where they are those of the last."""
        if at == self._at:
            return False
        self._at = at
        self._gone.clear()
        return True

    def not_after(self, at: dt.datetime) -> Iterator[SettledLeg]:
        """Those whose lines, had they any, would have come by now."""
        while (leg := self._first()) is not None and leg.settled_at <= at:
            yield self._give(leg)

    def has(self, leg_sid: str) -> bool:
        """Whether a line is of one of these legs; reads as far as to its instant."""
        assert self._at is not None
        while self._next is not None and self._next.settled_at <= self._at:
            self._read()
        return leg_sid in self._ahead or leg_sid in self._gone

    def up_to(self, leg_sid: str) -> Iterator[SettledLeg]:
        """The leg and all before it; none where it was given away."""
        while leg_sid in self._ahead:
            leg = self._first()
            assert leg is not None, "it is ahead"
            yield self._give(leg)

    def rest(self) -> Iterator[SettledLeg]:
        while (leg := self._first()) is not None:
            yield self._give(leg)

    def _first(self) -> SettledLeg | None:
        return next(iter(self._ahead.values())) if self._ahead else self._next

    def _read(self) -> None:
        assert self._next is not None
        self._ahead[self._next.leg_sid] = self._next
        self._next = next(self._stream, None)

    def _give(self, leg: SettledLeg) -> SettledLeg:
        if self._ahead:
            del self._ahead[leg.leg_sid]
        else:
            self._next = next(self._stream, None)
        if leg.settled_at == self._at:
            self._gone.add(leg.leg_sid)
        return leg
