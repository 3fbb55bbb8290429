"""Simulations that were asked for over HTTP, and how far they are."""

import itertools
import logging
import threading
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.sandbox.carrier import Carrier
from gateway.sandbox.errors import CarrierError
from gateway.sandbox.traffic import (
    CALLS_AT_ONCE_MAX,
    lines_with_traffic,
    simulate_day,
    simulate_storm,
)

log = logging.getLogger(__name__)


@dataclass
class Simulation:
    """`state`: running, done, failed."""

    id: int
    kind: str
    total: int
    ended: int = 0
    state: str = "running"

    def progress(self, ended: int, total: int) -> None:
        self.ended = ended
        if ended >= total:
            self.state = "done"


@dataclass
class Simulations:
    carrier: Carrier
    by_id: dict[int, Simulation] = field(default_factory=dict)
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def start(self, kind: str, calls: int, over_seconds: float, seed: int | None) -> Simulation:
        if not 1 <= calls <= CALLS_AT_ONCE_MAX:
            raise CarrierError(400, 20001, f"calls is from 1 to {CALLS_AT_ONCE_MAX}, not {calls}")
        if not lines_with_traffic(self.carrier):
            raise CarrierError(400, 20001, "No number has a VoiceUrl yet: buy a number first")
        simulation = Simulation(next(self._ids), kind, calls)
        self.by_id[simulation.id] = simulation
        if kind == "storm":
            simulate_storm(self.carrier, calls, over_seconds, simulation.progress, seed=seed)
        elif kind == "day":
            threading.Thread(
                target=self._day, args=(simulation, seed), name="sandbox-day", daemon=True
            ).start()
        else:
            raise CarrierError(400, 20001, f"kind is day or storm, not {kind!r}")
        return simulation

    def get(self, simulation_id: int) -> Simulation:
        if simulation_id not in self.by_id:
            raise CarrierError(404, 20404, f"There is no simulation {simulation_id}")
        return self.by_id[simulation_id]

    def _day(self, simulation: Simulation, seed: int | None) -> None:
        try:
            simulate_day(self.carrier, simulation.total, simulation.progress, seed=seed)
        except Exception:  # the thread's last line: whoever polls must not wait for ever
            simulation.state = "failed"
            log.exception("the simulated day failed")


def simulation_document(simulation: Simulation) -> dict[str, Any]:
    return asdict(simulation)
