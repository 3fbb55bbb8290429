"""Do the pages of a large account cost more than those of a small one?

Two accounts with thirty days behind them, ten thousand and a million calls, both on ten numbers.
Their owners ask for the same pages of the same application in turn.
"""

from __future__ import annotations

import argparse
import statistics
import time
import uuid
from typing import Final

from flask.testing import FlaskClient

from benchmarks import traffic
from benchmarks.stage import Stage, stage
from benchmarks.table import print_table
from gateway import bootstrap
from gateway.app import create_app
from gateway.config import load_settings
from gateway.services import logins
from gateway.store.base import Scope

SMALL: Final = 10_000
LARGE: Final = 1_000_000
DIDS: Final = 10
DAYS: Final = 30
PASSWORD: Final = "seven slow brown horses"
PAGES: Final = {
    "overview": "/",
    "call list": "/calls",
    "call list, missed only": "/calls?status=missed",
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--large", type=int, default=LARGE)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--requests", type=int, default=30, help="of each page and round")
    asked = options.parse_args()
    with stage() as opened:
        accounts = {size: grow(opened, size, nth) for nth, size in enumerate((SMALL, asked.large))}
        with opened.units.engine.connect() as connection:
            traffic.calm(connection)
        people = {size: log_in(opened, tenant_id) for size, tenant_id in accounts.items()}
        report(measure(people, asked.rounds, asked.requests), asked.large)


def grow(opened: Stage, calls: int, nth: int) -> uuid.UUID:
    with opened.units.begin() as uow:
        [tenant_id] = traffic.open_accounts(uow, 1, dids=DIDS, offset=nth * 1_000)
        traffic.finish_calls(
            uow,
            [tenant_id],
            calls,
            round="growth",
            seconds_apart=DAYS * 86_400 / calls,
            settled=True,
        )
        traffic.roll_up(uow, tenant_id)
        logins.create_login(
            uow,
            email=email_of(tenant_id),
            password=PASSWORD,
            name="Olga",
            role="owner",
            scope=Scope(tenant_id, tenant_id),
            actor="benchmark",
        )
    return tenant_id


def email_of(tenant_id: uuid.UUID) -> str:
    return f"{tenant_id.hex}@example.com"


def log_in(opened: Stage, tenant_id: uuid.UUID) -> FlaskClient:
    settings = load_settings(
        {
            "DATABASE_URL": opened.database_url,
            "REDIS_URL": f"unix://{opened.home}/no-redis.sock",
            "VAR_DIR": str(opened.home),
            "LOG_LEVEL": "ERROR",
        }
    )
    app = create_app(bootstrap.build_runtime(settings))
    app.config["WTF_CSRF_ENABLED"] = False  # the log-in form is not what is measured
    client = app.test_client()
    answer = client.post("/login", data={"email": email_of(tenant_id), "password": PASSWORD})
    assert answer.status_code == 303 or answer.status_code == 302, answer.status
    return client


def measure(
    people: dict[int, FlaskClient], rounds: int, requests: int
) -> dict[str, dict[int, list[float]]]:
    """Milliseconds of each page and size, every round's median."""
    found: dict[str, dict[int, list[float]]] = {}
    for nth in range(rounds + 1):
        for name, path in PAGES.items():
            taken: dict[int, list[float]] = {size: [] for size in people}
            for _ in range(requests):
                for size, client in people.items():
                    began = time.perf_counter()
                    answer = client.get(path)
                    taken[size].append((time.perf_counter() - began) * 1_000)
                    assert answer.status_code == 200, answer.status
            if nth:  # the first round warms up
                for size, times in taken.items():
                    sizes = found.setdefault(name, {})
                    sizes.setdefault(size, []).append(statistics.median(times))
    return found


def report(found: dict[str, dict[int, list[float]]], large: int) -> None:
    rows = []
    for name, sizes in found.items():
        small_ms, large_ms = (statistics.median(sizes[size]) for size in (SMALL, large))
        ratio = f"{large_ms / small_ms:.2f}"
        rows.append((name, f"{small_ms:.1f}", f"{large_ms:.1f}", ratio))
    print_table(
        ("page", f"ms at {SMALL:,} calls", f"ms at {large:,} calls", "ratio (goal 1.5)"), rows
    )


if __name__ == "__main__":
    main()
