"""A thousand clients that draw one agency's minutes, next to a thousand accounts with their own.

All have the same calls, and two workers settle them at once. Both meet the first half of the
minutes from a pool and the rest in money; the agency's clients share one pool, one wallet and one
chain. The sums are then checked to the second and to the micro.
"""

from __future__ import annotations

import argparse
import statistics
import uuid

from sqlalchemy import text

from benchmarks import traffic
from benchmarks.settle import CORES, check_nothing_due, drain, server_seconds
from benchmarks.stage import Stage, stage
from benchmarks.table import print_table
from billing.catalogue import load_catalogue
from gateway.services import accounts, ledger, plans
from gateway.services.accounts import NewAccount
from gateway.store import numbers
from gateway.store.base import Scope, new_id
from gateway.uow import UnitOfWork

GOAL = 0.5
MINUTES_A_CALL = 9  # of both legs together, on average


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--accounts", type=int, default=1_000)
    options.add_argument("--calls", type=int, default=40, help="an account and round")
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args()
    with stage() as opened:
        minutes = asked.calls * asked.rounds * MINUTES_A_CALL // 2
        ways = {
            "separate": separate(opened, asked.accounts, minutes),
            "shared": agency(opened, asked.accounts, minutes),
        }
        figures = measure(opened, ways, asked.calls, asked.rounds)
        report(figures)
        for name, ids in ways.items():
            prove(opened, name, ids)


def plan(minutes: int, scope: str) -> dict[str, object]:
    return load_catalogue()["payg"] | {
        "name": f"{minutes} minutes",
        "pool": {"minutes": minutes, "scope": scope},
        "exhaustion": "charge_plan_rate",
    }


def separate(opened: Stage, count: int, minutes: int) -> list[uuid.UUID]:
    """Accounts, each a tenant with a pool of its own."""
    with opened.units.begin() as uow:
        plans.publish_plan(uow, "own_minutes", plan(minutes, "account"), "benchmark")
    return [open_account(opened, nth, plan_code="own_minutes") for nth in range(count)]


def agency(opened: Stage, count: int, minutes: int) -> list[uuid.UUID]:
    """Clients on the shared billing of one agency, whose pool is as large as all those."""
    with opened.units.begin() as uow:
        shared = plan(minutes * count, "agency_shared")
        plans.publish_plan(uow, "shared_minutes", shared, "benchmark")
    parent_id = open_account(opened, count, plan_code="shared_minutes")
    return [
        open_account(
            opened, count + 1 + nth, plan_code="payg", parent_id=parent_id, billing="agency_shared"
        )
        for nth in range(count)
    ]


def open_account(opened: Stage, nth: int, **more: object) -> uuid.UUID:
    """With a number, and more money than it can use."""
    with opened.units.begin() as uow:
        account = accounts.create_account(
            uow,
            NewAccount(name=f"Account {nth}", billing_email="a@example.com", **more),  # type: ignore[arg-type]
            "benchmark",
        )
        ledger.top_up(
            uow,
            account.scope,
            amount_micros=ledger.AMOUNT_MAX_MICROS,
            method="manual",
            reason="never runs out",
            actor="benchmark",
            idempotency_key="begin",
        )
        _number(uow, account.scope, nth)
    return account.id


def _number(uow: UnitOfWork, scope: Scope, nth: int) -> None:
    numbers.add(
        uow.connection,
        tenant_id=scope.tenant_id,
        id=new_id(),
        account_id=scope.account_id,
        e164=f"+1415{2_000_000 + nth}",
        country="US",
        number_type="local",
        label="Front desk",
        source="Google Ads",
        status="active",
        carrier_sid=None,
        forwarding_version_id=None,
        rental_micros=0,
        bought_at=uow.now,
        release_requested_at=None,
        released_at=None,
    )


def measure(
    opened: Stage, ways: dict[str, list[uuid.UUID]], calls: int, rounds: int
) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {}
    for nth in range(rounds):
        for name, ids in ways.items():
            with opened.units.begin() as uow:
                legs = traffic.finish_calls(uow, ids, calls, round=str(nth), seconds_apart=0.001)
            with opened.units.engine.connect() as connection:
                traffic.calm(connection)
            before = server_seconds(opened)
            seconds, workers_seconds = drain(opened.database_url)
            spent = server_seconds(opened) - before + workers_seconds
            figures.setdefault(name, []).append(legs / seconds)
            figures.setdefault(f"{name}, by processor time", []).append(CORES * legs / spent)
            check_nothing_due(opened.units)
        print({name: round(values[-1]) for name, values in figures.items()}, flush=True)
    return figures


def report(figures: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(values) for name, values in figures.items()}
    print_table(
        ("way", "legs/s", "rounds"),
        [
            (name, f"{medians[name]:,.0f}", " / ".join(f"{value:,.0f}" for value in values))
            for name, values in figures.items()
        ],
    )
    for suffix in ("", ", by processor time"):
        ratio = medians[f"shared{suffix}"] / medians[f"separate{suffix}"]
        print(f"shared / separate{suffix}: {ratio:.2f} (goal {GOAL})")


_SUMS = text(
    """
select coalesce(sum(l.billed_seconds), 0)::bigint as billed,
       coalesce(sum(l.charge_micros), 0)::bigint as charged,
       (select coalesce(sum(amount_micros), 0)::bigint from posting
         where tenant_id = any(:tenants) and kind = 'draw') as drawn,
       (select coalesce(sum(billed_seconds), 0)::bigint from posting
         where tenant_id = any(:tenants) and kind = 'usage') as paid_seconds,
       (select coalesce(sum(amount_micros), 0)::bigint from posting
         where tenant_id = any(:tenants) and kind = 'usage') as paid,
       (select coalesce(sum(amount_micros), 0)::bigint from posting
         where tenant_id = any(:tenants) and kind = 'issue') as issued,
       (select coalesce(sum(balance_micros), 0)::bigint from ledger_account
         where tenant_id = any(:tenants) and name like 'pool:%') as remaining
  from leg as l where l.tenant_id = any(:tenants) and l.account_id = any(:ids)
"""
)


def prove(opened: Stage, name: str, ids: list[uuid.UUID]) -> None:
    """No second is drawn twice or lost, no micro is charged beside the ledger, each chain holds."""
    with opened.units.read() as uow:
        tenants = list(
            uow.connection.scalars(
                text("select distinct tenant_id from account where id = any(:ids)"), {"ids": ids}
            )
        )
        sums = uow.connection.execute(_SUMS, {"tenants": tenants, "ids": ids}).one()
        assert sums.drawn + sums.paid_seconds == sums.billed, sums
        assert sums.issued == sums.drawn + sums.remaining, sums
        assert sums.paid == sums.charged, sums
        for tenant_id in tenants:
            for proof in ledger.verify(uow.connection, tenant_id):
                assert proof.report.ok, proof.report.fault
    print(
        f"{name}: {sums.drawn:,} of {sums.billed:,} s from minutes, {sums.remaining:,} s left, "
        f"{sums.paid / 1e6:,.6f} charged; all chains hold",
        flush=True,
    )


if __name__ == "__main__":
    main()
