"""How many ended legs a second are settled: rated, posted, chained, the balance moved.

Against the plainest way to do it: one transaction a leg, written for pgbench. Both in one run.

On a machine that others use too, legs per second say little. So the drain also reports the
processor time of a leg, workers and server together, as the legs that two cores would settle.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import statistics
import subprocess
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from benchmarks import traffic
from benchmarks.stage import Stage, stage, utc_now
from benchmarks.table import print_table
from gateway import db
from gateway.services import ledger, settlement
from gateway.store import settlement as due
from gateway.uow import UnitsOfWork

WORKERS: Final = 2
CORES: Final = 2
# A worker that finds nothing ends its job; the clock's next ring brings another. The ring comes
# after seconds, so this is the impatient end of it.
WAIT_FOR_THE_RING: Final = 0.05
ACCOUNTS: Final = 1_000
CALLS_AN_ACCOUNT: Final = 80  # 200,000 legs over all accounts
PGBENCH_CLIENTS: Final = (1, 2, 4)

PLAIN_TABLES = """
create table plain_balance (account int primary key, balance bigint not null);
create table plain_posting (
  id bigint generated always as identity primary key, key text not null unique,
  account int not null, amount bigint not null, call_sid text, at timestamptz not null);
insert into plain_balance select n, 1000000000000 from generate_series(1, 1000) as n;
"""
# Two postings and the balance, as DESIGN has them, without rating, chain or marks on the leg.
PLAIN_LEG = """
\\set account random(1, 1000)
\\set amount random(1, 500000)
\\set leg random(1, 9000000000000000)
begin;
update plain_balance set balance = balance - :amount where account = :account;
insert into plain_posting (key, account, amount, call_sid, at)
  values ('usage:' || :leg::bigint, :account, - :amount::bigint, 'CA' || :leg::bigint, now());
insert into plain_posting (key, account, amount, call_sid, at)
  values ('cost:' || :leg::bigint, :account, :amount, 'CA' || :leg::bigint, now());
commit;
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--pgbench-seconds", type=int, default=5)
    options.add_argument("--only", choices=("spread", "hot", "pgbench"))
    asked = options.parse_args()
    with stage() as opened:
        figures = measure(opened, asked.rounds, asked.pgbench_seconds, asked.only)
        report({name: statistics.median(values) for name, values in figures.items()}, figures)
        if asked.only is None:
            prove(opened)


def measure(
    opened: Stage, rounds: int, pgbench_seconds: int, only: str | None
) -> dict[str, list[float]]:
    units = opened.units
    with units.begin() as uow:
        many = traffic.open_accounts(uow, ACCOUNTS)
        hot = traffic.open_accounts(uow, 1, offset=1_000_000)
        uow.connection.execute(text(PLAIN_TABLES))
    figures: dict[str, list[float]] = {}
    for nth in range(rounds):
        if only in (None, "pgbench"):
            for clients in PGBENCH_CLIENTS:
                name = f"pgbench, one transaction a leg, {clients} clients"
                rate = _pgbench(opened, clients, pgbench_seconds)
                figures.setdefault(name, []).append(rate)
        for name, ids, calls in (
            ("spread", many, CALLS_AN_ACCOUNT),
            ("hot", hot, ACCOUNTS * CALLS_AN_ACCOUNT),
        ):
            if only not in (None, name):
                continue
            with units.begin() as uow:
                legs = traffic.finish_calls(uow, ids, calls, round=str(nth), seconds_apart=1)
            with units.engine.connect() as connection:
                traffic.calm(connection)
            before = server_seconds(opened)
            seconds, workers_seconds = drain(opened.database_url)
            spent = server_seconds(opened) - before + workers_seconds
            figures.setdefault(name, []).append(legs / seconds)
            figures.setdefault(f"{name}, by processor time", []).append(CORES * legs / spent)
            check_nothing_due(units)
        print({name: round(values[-1]) for name, values in figures.items()}, flush=True)
    return figures


def _pgbench(opened: Stage, clients: int, seconds: int) -> float:
    script = opened.home / "leg.sql"
    script.write_text(PLAIN_LEG)
    done = subprocess.run(
        [
            str(opened.programs / "pgbench"),
            *("--no-vacuum", "--protocol=prepared", f"--file={script}"),
            *(f"--client={clients}", f"--jobs={min(clients, 2)}", f"--time={seconds}"),
            opened.libpq,
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = re.search(r"tps = ([0-9.]+) \(without", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


def drain(database_url: str) -> tuple[float, float]:
    """Seconds until both workers have found nothing left to do, and their processor seconds."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(WORKERS + 1)
    used = context.Array("d", WORKERS)
    workers = [
        context.Process(target=_worker, args=(database_url, start, used, nth))
        for nth in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    start.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - began
    assert all(worker.exitcode == 0 for worker in workers), "a worker failed"
    return seconds, sum(used[nth] for nth in range(WORKERS))


def _worker(database_url: str, start: Barrier, used: Any, nth: int) -> None:
    units = UnitsOfWork(db.engine_for(database_url), utc_now)
    with units.read() as uow:
        uow.connection.execute(text("select 1"))
    start.wait()
    began = time.process_time()
    while True:
        drained = settlement.drain(units, budget_seconds=600)
        assert drained.failed == 0, drained
        with units.read() as uow:
            if not due.any_due(uow.connection):
                break  # what the other worker holds is passed over, and due until it is done
        if not drained.legs:
            time.sleep(WAIT_FOR_THE_RING)
    used[nth] = time.process_time() - began


def server_seconds(opened: Stage) -> float:
    """Processor time of the server and of all that it forked, the ended ones included."""
    postmaster = int((opened.home / "postgres" / "postmaster.pid").read_text().split()[0])
    ticks = 0
    for process in (postmaster, *_children(postmaster)):
        # utime, stime, and both of children that were waited for: man 5 proc, fields 14 to 17.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:15]
        ticks += sum(map(int, fields))
    return ticks / os.sysconf("SC_CLK_TCK")


def _children(process: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def check_nothing_due(units: UnitsOfWork) -> None:
    with units.read() as uow:
        due = uow.connection.scalar(
            text("select count(*) from leg where ended_at is not null and settled_at is null")
        )
    assert due == 0, f"{due} legs were left"


def report(medians: dict[str, float], figures: dict[str, list[float]]) -> None:
    rows = [
        (name, f"{median:,.0f}", " / ".join(f"{value:,.0f}" for value in figures[name]))
        for name, median in medians.items()
    ]
    print_table(("way", "legs/s", "rounds"), rows)
    plain = [rate for name, rate in medians.items() if name.startswith("pgbench")]
    if plain and "spread" in medians:
        print(f"our drain / best pgbench: {medians['spread'] / max(plain):.1f} (goal 3)")
    if "hot" in medians and "spread" in medians:
        print(f"hot / spread: {medians['hot'] / medians['spread']:.2f} (goal 1)")


def prove(opened: Stage) -> None:
    """Speed of a wrong ledger is worth nothing: the hot chain is walked once."""
    with opened.units.read() as uow:
        largest = uow.connection.scalar(
            text("select tenant_id from chain_head order by seq desc limit 1")
        )
        for proof in ledger.verify(uow.connection, largest):
            assert proof.report.ok, proof.report.fault
            print(f"hot chain verified: {proof.report.lines:,} postings")


if __name__ == "__main__":
    main()
