"""The whole product in real processes and real time, with the demo's accounts and short calls; and
the comparison that every story about it ends with: the carrier's own record of what it carried must
be on our books to the cent, within half a minute.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from gateway.config import Settings, load_settings
from gateway.demo_cast import MOBILE, OFFICE
from gateway.services import ledger

REPOSITORY = Path(__file__).resolve().parents[1]
STAND_IN = REPOSITORY / "tests" / "launch" / "stand_in.py"
START_SECONDS = 60.0
RECOVERY_SECONDS = 30.0
CALLS_A_SECOND = 5
PER_MINUTE_MICROS = 50_000  # both legs, on the plan that Acme has


@dataclass
class Product:
    settings: Settings
    process: subprocess.Popen[bytes]
    output: Path
    placed: list[str] = field(default_factory=list)

    def carrier(self, method: str, path: str, **body: Any) -> Any:
        answer = requests.request(
            method,
            f"http://127.0.0.1:{self.settings.sandbox_port}/sandbox/{path}",
            json=body or None,
            auth=(self.settings.twilio_account_sid, self.settings.twilio_auth_token),
            timeout=10,
        )
        answer.raise_for_status()
        return answer.json()

    def line(self) -> str:
        """Acme's front desk: rings two phones at once."""
        ((number,),) = self.ask("select e164 from did where label = 'Front desk'")
        return str(number)

    def ask(self, query: str) -> list[Any]:
        with self.connection() as connection:
            return list(connection.execute(text(query)))

    @contextlib.contextmanager
    def connection(self) -> Iterator[Any]:
        engine = create_engine(self.settings.database_url, poolclass=NullPool)
        with engine.connect() as connection:
            yield connection

    def pids(self, words: str, below: int | None = None) -> list[int]:
        """Processes under this product whose command line has these words, or whose name they
        are."""
        found, waiting = [], [self.process.pid if below is None else below]
        while waiting:
            for child in children(waiting.pop()):
                waiting.append(child)
                with contextlib.suppress(OSError):
                    line = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ")
                    name = Path(f"/proc/{child}/comm").read_text().strip()
                    if words in line.decode(errors="replace") or words == name:
                        found.append(child)
        return found

    def web_worker(self) -> int:
        """A gunicorn worker, not its master."""
        return next(pid for pid in self.pids("web") if children(pid) == [])

    @contextlib.contextmanager
    def traffic(self, seconds: float) -> Iterator[None]:
        """Short calls all the while: the block's deed happens in the middle of them."""
        line = self.line()
        stop = time.monotonic() + seconds

        def place() -> None:
            while time.monotonic() < stop:
                self.placed.append(self.carrier("POST", "calls", to=line, caller={})["call_sid"])
                time.sleep(1 / CALLS_A_SECOND)

        thread = threading.Thread(target=place)
        thread.start()
        time.sleep(seconds / 3)
        try:
            yield
        finally:
            thread.join()


def children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def soon(check: Callable[[], bool], seconds: float) -> bool:
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        with contextlib.suppress(DBAPIError, requests.RequestException):
            if check():
                return True
        time.sleep(0.25)
    return False


@contextlib.contextmanager
def running(folder: Path, **servers: str) -> Iterator[Product]:
    """Started in a folder of its own, on `servers` (DATABASE_URL, REDIS_URL) or embedded ones."""
    own = {
        "VAR_DIR": str(folder / "var"),
        "PORT": str(free_port()),
        "SANDBOX_PORT": str(free_port()),
        "SANDBOX_TRAFFIC": "0",
        "WEB_CONCURRENCY": "2",
        **servers,
    }
    strange = ("DATABASE_URL", "REDIS_URL", "PUBLIC_URL", "TWILIO_ACCOUNT_SID", "TWILIO_API_URL")
    output = folder / "output"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, str(STAND_IN), "demo"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            cwd=folder, start_new_session=True,
            env={**{k: v for k, v in os.environ.items() if k not in strange}, **own,
                 "PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip
    product = Product(load_settings(own), process, output)
    try:
        assert soon(lambda: "is ready" in output.read_text(), START_SECONDS), output.read_text()
        for phone, seconds in ((OFFICE, 1.0), (MOBILE, 30.0)):
            product.carrier(
                "PUT", f"people/{phone}", outcome="answers", answers_after_seconds=seconds,
                talks_seconds=2.0,
            )  # fmt: skip
        yield product
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


BOOKS = """
select leg_sid, kind, status, talk_seconds, charge_micros, settled_at is not null as settled
  from leg
"""
DOUBLE = "select count(*) - count(distinct leg_sid) from posting where kind = 'usage'"


def differences(product: Product) -> dict[str, str]:
    """Between the carrier's record and our books: none is the only good answer."""
    found = {}
    books = {row.leg_sid: row for row in product.ask(BOOKS)}
    record = product.carrier("GET", "calls?limit=1000")["calls"]
    assert len(record) < 1000
    for call in record:
        sid, leg = call["sid"], books.get(call["sid"])
        talked = int(call["duration"] or 0)
        if leg is None:
            found[sid] = f"{call['direction']} {call['status']} {talked} s is not on our books"
        elif call["end_time"] is None or not leg.settled:
            found[sid] = f"not settled: {leg}"
        elif (leg.talk_seconds, leg.charge_micros) != (talked, talked * PER_MINUTE_MICROS // 60):
            found[sid] = f"the carrier says {talked} s, we say {leg}"
    return found


def whole(product: Product) -> None:
    """Every cent, within the time that is promised."""
    left: dict[str, str] = {}

    def same() -> bool:
        left.clear()
        left.update(differences(product))
        return not left

    assert soon(same, RECOVERY_SECONDS), left
    assert product.ask(DOUBLE) == [(0,)]
    with product.connection() as connection:
        for proof in ledger.verify(connection):
            assert proof.report.ok, proof.report.fault
    assert len(product.placed) > 5


def killed(product: Product, pids: list[int], number: signal.Signals = signal.SIGKILL) -> None:
    assert pids, product.output.read_text()
    for pid in pids:
        os.kill(pid, number)
