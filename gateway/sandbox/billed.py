"""The carrier's own record of what it billed: one line a leg, for reconciliation."""

from dataclasses import asdict

from gateway.sandbox.calls import Call
from gateway.sandbox.rates import BilledLine, billed_line
from gateway.sandbox.store import Store

OPENING_BALANCE_MICROS = 10_000_000_000


class Bill:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._lines = {
            document["call_sid"]: BilledLine(**document) for document in store.load("billed")
        }
        self._other_micros: int = sum(document["micros"] for document in store.load("charge"))

    def add(self, call: Call) -> BilledLine | None:
        """None where the leg is not billed. A leg is billed once, however often it is asked."""
        if call.sid in self._lines:
            return self._lines[call.sid]
        line = billed_line(call)
        if line is not None:
            self._lines[call.sid] = line
            self._store.save("billed", call.sid, asdict(line))
        return line

    def charge(self, sid: str, micros: int) -> None:
        """What is no call: a number's month, a message."""
        self._other_micros += micros
        self._store.save("charge", sid, {"micros": micros})

    def lines(self) -> list[BilledLine]:
        return list(self._lines.values())

    def minutes(self) -> int:
        return sum(line.minutes for line in self._lines.values())

    def calls_micros(self) -> int:
        return sum(line.price_micros for line in self._lines.values())

    def balance_micros(self) -> int:
        """What is left on the account at the carrier."""
        return OPENING_BALANCE_MICROS - self._other_micros - self.calls_micros()
