"""What a webhook costs, from a bare WSGI answer up to ours, all rungs in one run.

Every rung is served by the product's gunicorn.conf.py (two gthread workers), gets Twilio's form of
an incoming call with a valid signature and a CallSid of its own, and is measured in turn.
"""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from sqlalchemy import insert, text, update
from twilio.request_validator import RequestValidator

from benchmarks import load, rungs, traffic
from benchmarks.load import Load
from benchmarks.stage import Stage, stage
from benchmarks.table import print_table
from gateway.store.base import new_id
from gateway.store.forwarding import ForwardingVersionRow
from gateway.store.numbers import DidDirectoryRow, DidRow

ROOT: Final = Path(__file__).parent.parent
PUBLIC_URL: Final = "https://calls.example.com"
ACCOUNT_SID: Final = "AC" + "ab" * 16
AUTH_TOKEN: Final = secrets.token_hex(16)
ACCOUNTS: Final = 1_500
WARM_UP_ROUNDS: Final = 2
PLAIN: Final = "Flask + signature + SELECT + INSERT"
OURS: Final = "our incoming-call webhook"
OUR_LEG: Final = "our leg callback"
RUNGS: Final = {
    "bare WSGI": "benchmarks.rungs:bare",
    "Flask hello": "benchmarks.rungs:hello",
    "Flask + signature": "benchmarks.rungs:signed",
    "Flask + signature + SELECT": "benchmarks.rungs:selected",
    PLAIN: "benchmarks.rungs:inserted",
    OURS: "wsgi:app",
}
DOCUMENT: Final = {
    "pattern": "simultaneous",
    "targets": [
        {"type": "number", "address": "+14155550101"},
        {"type": "number", "address": "+14155550102"},
    ],
    "otherwise": {"pattern": "voicemail", "say": "Please leave a message."},
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--requests", type=int, default=ACCOUNTS, help="of each rung and round")
    options.add_argument("--seconds", type=float, default=10.0, help="at most, a rung and round")
    options.add_argument("--connections", type=int, default=8)
    options.add_argument("--only", help="rungs whose name contains this")
    asked = options.parse_args()
    with stage() as opened:
        numbers, tenant_id = furnish(opened)
        chosen = {n: app for n, app in RUNGS.items() if not asked.only or asked.only in n}
        with served(opened, chosen) as (ports, masters):
            measured: dict[str, list[Load]] = {}
            for nth in range(asked.rounds + WARM_UP_ROUNDS):
                hang_up(opened)
                for name, found in one_round(ports, numbers, tenant_id, asked):
                    if nth >= WARM_UP_ROUNDS:
                        measured.setdefault(name, []).append(found)
            memory = {name: worker_mb(master) for name, master in masters.items()}
    report(measured, memory)


def furnish(opened: Stage) -> tuple[list[str], uuid.UUID]:
    """Accounts with a number each, forwarded to two phones."""
    with opened.units.begin() as uow:
        connection = uow.connection
        rungs.NUMBERS.metadata.create_all(connection)
        tenants = traffic.open_accounts(uow, ACCOUNTS)
        dids = connection.execute(text("select tenant_id, id, e164 from did order by e164")).all()
        for tenant_id, did_id, e164 in dids:
            version = new_id()
            connection.execute(
                insert(ForwardingVersionRow).values(
                    tenant_id=tenant_id,
                    id=version,
                    did_id=did_id,
                    version=1,
                    document=DOCUMENT,
                    published_at=uow.now,
                    published_by="benchmark",
                    note="",
                )
            )
            connection.execute(
                update(DidRow).where(DidRow.id == did_id).values(forwarding_version_id=version)
            )
            connection.execute(
                insert(DidDirectoryRow).values(e164=e164, tenant_id=tenant_id, did_id=did_id)
            )
            connection.execute(insert(rungs.NUMBERS).values(e164=e164, forward_to="+14155550101"))
    with opened.units.engine.connect() as connection:
        traffic.calm(connection)
    return [did.e164 for did in dids], tenants[0]


def hang_up(opened: Stage) -> None:
    """No call is live when a round begins, so each is the only one of its account: where another
    is live, its use counts, and that is one more statement."""
    with opened.units.begin() as uow:
        uow.connection.execute(
            text("update call set ended_at = :now, check_at = null where ended_at is null"),
            {"now": uow.now},
        )
    with opened.units.engine.connect() as connection:
        traffic.calm(connection)


@contextmanager
def served(
    opened: Stage, chosen: dict[str, str]
) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    """Each rung on a port of its own, and its master's process id; who is not asked sleeps."""
    environment = {
        **os.environ,
        "DATABASE_URL": opened.database_url,
        "REDIS_URL": f"unix://{opened.home}/no-redis.sock",
        "PUBLIC_URL": PUBLIC_URL,
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "VAR_DIR": str(opened.home),
        "LOG_LEVEL": "WARNING",
    }
    ports = {name: _free_port() for name in chosen}
    servers = [
        subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", application],
            cwd=ROOT,
            env={**environment, "PORT": str(ports[name])},
            stdout=(opened.home / "gunicorn.log").open("ab"),
            stderr=subprocess.STDOUT,
        )
        for name, application in chosen.items()
    ]
    try:
        for port in ports.values():
            _wait_for(port, opened.home / "gunicorn.log")
        yield ports, dict(zip(chosen, (server.pid for server in servers), strict=True))
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, log: Path) -> None:
    for _ in range(200):
        try:
            if load.run(port, [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], connections=1, seconds=5):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing answers on port {port}:\n{log.read_text()[-2_000:]}")


def one_round(
    ports: dict[str, int], numbers: list[str], tenant_id: uuid.UUID, asked: argparse.Namespace
) -> Iterator[tuple[str, Load]]:
    how = {"connections": asked.connections, "seconds": asked.seconds}
    validator = RequestValidator(AUTH_TOKEN)
    for name, port in ports.items():
        sids = [f"CA{secrets.token_hex(16)}" for _ in range(asked.requests)]
        incoming = [
            _request(validator, "/webhooks/twilio/voice", _incoming(sid, numbers[n % len(numbers)]))
            for n, sid in enumerate(sids)
        ]
        yield name, _measured(name, port, incoming, how, b"<Dial")
        if name == OURS:
            # The tenant's own calls, opened above; each leg is new to us and ends at once.
            opened = sids[: asked.requests : len(numbers)]
            callbacks = [
                _request(
                    validator,
                    f"/webhooks/twilio/calls/{tenant_id.hex}/{opened[n % len(opened)]}/leg"
                    "?at=%21&n=0",
                    _leg_end(f"CA{secrets.token_hex(16)}", opened[n % len(opened)]),
                )
                for n in range(asked.requests)
            ]
            yield OUR_LEG, _measured(OUR_LEG, port, callbacks, how, b" 204 ")


def _measured(
    name: str, port: int, requests: list[bytes], how: dict[str, float], expected: bytes
) -> Load:
    found = load.run(
        port,
        requests,
        connections=int(how["connections"]),
        seconds=how["seconds"],
        expected=expected,
    )
    assert found.refused == 0, f"{name}: {found.refused} of {len(found.latencies)} refused"
    return found


def _incoming(call_sid: str, to: str) -> dict[str, str]:
    """The fields of a US voice webhook: twilio.com/docs/voice/twiml#request-parameters."""
    place = {"City": "NEW YORK", "State": "NY", "Zip": "10001", "Country": "US"}
    return {
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
        "CallSid": call_sid,
        "CallStatus": "ringing",
        "CallToken": "%7B%22parentCallInfoToken%22%3A%22" + "e" * 80 + "%22%7D",
        "Called": to,
        "Caller": "+12125550199",
        "Direction": "inbound",
        "From": "+12125550199",
        "StirVerstat": "TN-Validation-Passed-A",
        "To": to,
        **{f"From{name}": value for name, value in place.items()},
        **{f"Caller{name}": value for name, value in place.items()},
        **{f"To{name}": value for name, value in place.items()},
        **{f"Called{name}": value for name, value in place.items()},
    }


def _leg_end(leg_sid: str, parent_sid: str) -> dict[str, str]:
    return {
        **_incoming(leg_sid, "+14155550101"),
        "ParentCallSid": parent_sid,
        "CallStatus": "completed",
        "CallDuration": "83",
        "Duration": "2",
        "Direction": "outbound-dial",
        "SequenceNumber": "3",
        "CallbackSource": "call-progress-events",
        "Timestamp": "Sun, 22 Nov 2026 12:00:00 +0000",
    }


def _request(validator: RequestValidator, path: str, form: dict[str, str]) -> bytes:
    body = urlencode(form)
    signature = validator.compute_signature(PUBLIC_URL + path, form)
    return (
        f"POST {path} HTTP/1.1\r\nHost: calls.example.com\r\n"
        "User-Agent: TwilioProxy/1.1\r\nAccept: */*\r\nCache-Control: max-age=259200\r\n"
        f"X-Twilio-Signature: {signature}\r\n"
        f"I-Twilio-Idempotency-Token: {secrets.token_hex(18)}\r\n"
        "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def worker_mb(master: int) -> float:
    """The larger worker's proportional share of memory: pages that both share count by halves."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    rollups = (Path(f"/proc/{child}/smaps_rollup").read_text() for child in children)
    return max(int(rollup.split("\nPss:")[1].split()[0]) / 1024 for rollup in rollups)


def report(measured: dict[str, list[Load]], memory: dict[str, float]) -> None:
    rates = {n: statistics.median(one.rate for one in runs) for n, runs in measured.items()}
    p50 = {n: _median_ms(runs, 0.50) for n, runs in measured.items()}
    p99 = {n: _median_ms(runs, 0.99) for n, runs in measured.items()}
    rows = [
        (
            name,
            f"{rates[name]:,.0f}",
            f"{p50[name]:.1f}",
            f"{p99[name]:.1f}",
            f"{rates[name] / rates[PLAIN]:.2f}" if PLAIN in rates else "",
            f"{memory[name]:.0f}" if name in memory else "",
        )
        for name in measured
    ]
    print_table(("rung", "req/s", "p50 ms", "p99 ms", "of plain", "MB a worker"), rows)
    if PLAIN in rates and OURS in rates:
        print(f"incoming call / plain: {rates[OURS] / rates[PLAIN]:.2f} (goal 0.6)")
        print(f"p99 of incoming call / plain: {p99[OURS] / p99[PLAIN]:.2f} (goal at most 2)")
        print(f"memory a worker: {memory[OURS]:.0f} MB (goal at most 120)")


def _median_ms(runs: list[Load], share: float) -> float:
    return statistics.median(one.percentile_ms(share) for one in runs)


if __name__ == "__main__":
    main()
