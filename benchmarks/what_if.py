"""What would a million legs have cost under another plan? Seconds, and what memory grows by.

One account's legs are settled first. Then its month is replayed under its own plan, which must
come to exactly what was charged, under another tariff, and under a plan with a pool, where each
price depends on the legs before it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import time

from benchmarks import traffic
from benchmarks.stage import Stage, stage, utc_now
from benchmarks.table import print_table
from billing.money import format_amount
from gateway.services import plans, settlement, what_if
from gateway.store.base import Scope

DIDS = 10
DAYS = 30
OTHERS = ("started_minute", "command_center_large")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=400_000, help="2.5 legs each")
    asked = options.parse_args()
    with stage() as opened:
        report(measure(opened, prepare(opened, asked.calls)))


def prepare(opened: Stage, calls: int) -> Scope:
    with opened.units.begin() as uow:
        [tenant_id] = traffic.open_accounts(uow, 1, dids=DIDS)
    with opened.units.begin() as uow:
        traffic.finish_calls(
            uow, [tenant_id], calls, round="0", seconds_apart=DAYS * 86_400 / calls
        )
    with opened.units.engine.connect() as connection:
        traffic.calm(connection)
    began = time.perf_counter()
    drained = settlement.drain(opened.units, budget_seconds=7_200)
    assert drained.failed == 0, drained
    print(f"settled {drained.legs:,} legs in {time.perf_counter() - began:,.0f} s", flush=True)
    with opened.units.engine.connect() as connection:
        traffic.calm(connection)
    return Scope(tenant_id, tenant_id)


def measure(opened: Stage, scope: Scope) -> list[tuple[str, ...]]:
    now = utc_now()
    since, until = now - dt.timedelta(days=DAYS + 2), now + dt.timedelta(days=1)
    rows = []
    for code in (None, *OTHERS):
        before = _memory_mb()
        with opened.units.read() as uow:
            version = None if code is None else plans.get_plan(uow, code)
            began = time.perf_counter()
            found = what_if.what_if(uow, scope, since=since, until=until, version=version)
            seconds = time.perf_counter() - began
        difference = found.calls.difference_micros
        assert code is not None or difference == found.differing_legs == 0, found
        rows.append(
            (
                code or "its own",
                f"{found.calls.items:,}",
                f"{seconds:,.1f}",
                f"{found.calls.items / seconds:,.0f}",
                format_amount(difference),
                f"{before:,.0f}",
                f"{_memory_mb():,.0f}",
            )
        )
    return rows


def report(rows: list[tuple[str, ...]]) -> None:
    head = ("under", "legs", "seconds", "legs/s", "difference", "MB before", "peak MB after")
    print_table(head, rows)


def _memory_mb() -> float:
    """The most this process ever held: it never falls, so a flat one is really flat."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


if __name__ == "__main__":
    main()
