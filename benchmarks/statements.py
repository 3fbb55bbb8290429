"""Month end: a statement for every account, with its figures checked line by line.

Accounts with settled legs are made first; then one worker looks at all of them on the second of
the next month. Reported: statements a second, and what the process's memory grew by.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import time

from sqlalchemy import text

from benchmarks import traffic
from benchmarks.stage import Stage, stage, utc_now
from benchmarks.table import print_table
from gateway.services import ledger, looks, settlement, statement_files
from gateway.store import statements as store
from gateway.store.base import Scope
from gateway.uow import UnitsOfWork

ACCOUNTS_AT_ONCE = 500


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--accounts", type=int, default=10_000)
    options.add_argument("--calls", type=int, default=40, help="an account; 2.5 legs each")
    asked = options.parse_args()
    with stage() as opened:
        legs = prepare(opened, asked.accounts, asked.calls)
        measure(opened, asked.accounts, legs)
        check(opened)


def prepare(opened: Stage, accounts: int, calls: int) -> int:
    legs = 0
    for first in range(0, accounts, ACCOUNTS_AT_ONCE):
        count = min(ACCOUNTS_AT_ONCE, accounts - first)
        with opened.units.begin() as uow:
            ids = traffic.open_accounts(uow, count, offset=first)
        with opened.units.begin() as uow:
            legs += traffic.finish_calls(uow, ids, calls, round="0", seconds_apart=1)
    with opened.units.engine.connect() as connection:
        traffic.calm(connection)
    began = time.perf_counter()
    drained = settlement.drain(opened.units, budget_seconds=3_600)
    assert drained.failed == 0, drained
    print(f"settled {drained.legs:,} legs in {time.perf_counter() - began:,.0f} s", flush=True)
    with opened.units.engine.connect() as connection:
        traffic.calm(connection)
    return legs


def next_month() -> dt.datetime:
    today = utc_now()
    return (today.replace(day=1) + dt.timedelta(days=32)).replace(day=2)


def measure(opened: Stage, accounts: int, legs: int) -> None:
    at = next_month()
    units = UnitsOfWork(opened.units.engine, lambda: at)
    looks.look(units, _one(opened), "US")  # modules, connections and plans are there now
    before = _memory_mb()
    began = time.perf_counter()
    looked = looks.drain(units, "US", budget_seconds=3_600)
    seconds = time.perf_counter() - began
    assert looked >= accounts - 1, looked
    print_table(
        ("accounts", "legs", "seconds", "statements/s", "memory before, MB", "peak after, MB"),
        [
            (
                f"{accounts:,}",
                f"{legs:,}",
                f"{seconds:,.1f}",
                f"{accounts / seconds:,.0f}",
                f"{before:,.0f}",
                f"{_memory_mb():,.0f}",
            )
        ],
    )


def check(opened: Stage) -> None:
    """Every account has one, and together they are the ledger."""
    with opened.units.read() as uow:
        row = uow.connection.execute(
            text(
                "select count(*), sum(charges_micros)::bigint, (select sum(amount_micros)::bigint"
                " from posting where kind = 'usage') from statement"
            )
        ).one()
        assert row[1] == row[2], f"statements say {row[1]}, the ledger {row[2]}"
        scope = _one(opened)
        proofs = list(ledger.verify(uow.connection, scope.tenant_id))
        assert all(proof.report.ok for proof in proofs)
        last = store.last_of(uow.connection, scope)
    assert last is not None
    began = time.perf_counter()
    rows = sum(1 for _ in statement_files.leg_rows(opened.units, scope, last.id)) - 1
    print(f"{row[0]:,} statements; the CSV of one: {rows} legs in", end=" ")
    print(f"{(time.perf_counter() - began) * 1_000:,.0f} ms")


def _one(opened: Stage) -> Scope:
    with opened.units.read() as uow:
        row = uow.connection.execute(text("select tenant_id, id from account limit 1")).one()
    return Scope(row.tenant_id, row.id)


def _memory_mb() -> float:
    """The most this process ever held: it never falls, so a flat one is really flat."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


if __name__ == "__main__":
    main()
