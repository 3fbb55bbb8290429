"""M04: a ledger that leaves the house proves itself, to a program that shares no code with us."""

import ast
import hashlib
import io
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from billing.ledger import chain_bytes
from gateway.services import ledger, ledger_export
from gateway.services.accounts import Account
from gateway.store import ledger as store
from gateway.uow import UnitsOfWork
from tests.services.conftest import NOON
from tests.services.history import MOBILE, History, Target

VERIFIER = Path(__file__).parents[2] / "verify_ledger.py"


@pytest.fixture
def lines(units: UnitsOfWork, acme: Account, bolt: Account) -> list[bytes]:
    """What Acme and Bolt did, exported: top-ups, a conversation, a correction with odd words."""
    for account in (acme, bolt):
        with units.begin() as uow:
            ledger.top_up(
                uow,
                account.scope,
                amount_micros=50_000_000,
                method="manual",
                reason="First payment",
                actor="olga",
                idempotency_key="first",
            )
    history = History(units, acme)
    number = history.number("+14155550100")
    history.call(number, Target(MOBILE, talk=83))
    with units.begin() as uow:
        ledger.adjust(
            uow,
            acme.scope,
            amount_micros=-1,
            reason='Zürich\n7:seven – \U0001f4de "quoted" -',
            actor="olga",
            idempotency_key="odd",
        )
    with units.read() as uow:
        return list(ledger_export.export(uow.connection, exported_at=NOON))


def verify(tmp_path: Path, lines: list[bytes]) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "ledger.jsonl"
    file.write_bytes(b"".join(lines))
    # -I: nothing of this project can be imported, -S: nor any installed package.
    return subprocess.run(
        [sys.executable, "-I", "-S", str(VERIFIER), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_m04_an_export_is_proven_without_us(
    tmp_path: Path, units: UnitsOfWork, acme: Account, lines: list[bytes]
) -> None:
    proven = verify(tmp_path, lines)
    assert proven.returncode == 0, proven.stdout
    with units.read() as uow:
        ours = {str(proof.tenant_id): proof.report for proof in ledger.verify(uow.connection)}
    for tenant, report in ours.items():
        said = f"{tenant}  {report.lines} postings hold, head {report.head.hex()}"
        assert said in proven.stdout, "both verifiers come to the same lines and the same head"
    assert "2 tenants" in proven.stdout.splitlines()[-1]


def test_m04_one_tenants_ledger_can_leave_alone(
    tmp_path: Path, units: UnitsOfWork, acme: Account, bolt: Account, lines: list[bytes]
) -> None:
    with units.read() as uow:
        only = list(
            ledger_export.export(uow.connection, exported_at=NOON, tenant_id=acme.tenant_id)
        )
    assert verify(tmp_path, only).returncode == 0
    assert str(bolt.tenant_id).encode() not in b"".join(only)


def _load() -> dict[str, object]:
    names: dict[str, object] = {"__name__": "verify_ledger"}
    exec(compile(VERIFIER.read_text(), str(VERIFIER), "exec"), names)
    return names


def _first_wrong(names: dict[str, object], data: bytes) -> int | None:
    try:
        names["verify"](io.BytesIO(data))  # type: ignore[operator]
    except Exception as wrong:
        assert type(wrong).__name__ == "Wrong", repr(wrong)
        return int(wrong.number)  # type: ignore[attr-defined]
    return None


def test_m04_one_flipped_byte_anywhere_names_its_line(lines: list[bytes]) -> None:
    names, data = _load(), b"".join(lines)
    assert _first_wrong(names, data) is None
    rng = random.Random(4)
    ends = [sum(map(len, lines[: n + 1])) for n in range(len(lines))]
    chosen = {end - 1 for end in ends} | set(rng.sample(range(len(data)), 1_500))
    for at in sorted(chosen):
        flipped = bytearray(data)
        flipped[at] ^= 1 << rng.randrange(8)
        expected = next(n for n, end in enumerate(ends, 1) if at < end)
        found = _first_wrong(names, bytes(flipped))
        assert found == expected, f"byte {at} of line {expected}: {found}"


@pytest.mark.parametrize("what", ["left out", "twice", "swapped"])
def test_m04_no_line_can_be_left_out_doubled_or_moved(lines: list[bytes], what: str) -> None:
    names = _load()
    for n in range(len(lines)):
        forged = list(lines)
        if what == "left out":
            del forged[n]
        elif what == "twice":
            forged.insert(n, forged[n])
        elif n + 1 < len(lines):
            forged[n], forged[n + 1] = forged[n + 1], forged[n]
        else:
            continue
        assert _first_wrong(names, b"".join(forged)) is not None, f"line {n + 1} {what}"


def _sealed(documents: list[dict[str, object]]) -> bytes:
    """Documents as a forger writes them who knows the form and closes the file correctly."""
    data = b"".join(
        json.dumps(d, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() + b"\n"
        for d in documents
    )
    at = "2026-03-04T17:00:00.000000Z"
    digest = hashlib.sha256(data + at.encode()).hexdigest()
    end = {"exported_at": at, "lines": len(documents), "sha256": digest}
    return data + json.dumps(end, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def test_m04_a_forger_who_closes_the_file_anew_is_named_the_line(lines: list[bytes]) -> None:
    names = _load()
    documents = [json.loads(line) for line in lines[:-1]]
    assert _first_wrong(names, _sealed(documents)) is None
    charge = next(n for n, d in enumerate(documents) if d.get("kind") == "usage")
    for field, value in (("amount", 1), ("billed_seconds", 1), ("reason", "x"), ("at", None)):
        forged = [dict(d) for d in documents]
        forged[charge][field] = value or "2026-03-04T15:00:00.000001Z"
        assert _first_wrong(names, _sealed(forged)) == charge + 1, field
    closing = next(n for n, d in enumerate(documents) if "balances" in d)
    forged = [dict(d) for d in documents]
    forged[closing]["balances"] = [
        [name, unit, balance + 1] for name, unit, balance in documents[closing]["balances"]
    ]
    assert _first_wrong(names, _sealed(forged)) == closing + 1


def test_m04_the_verifier_hashes_as_the_ledger_does(units: UnitsOfWork, lines: list[bytes]) -> None:
    """The two hands agree on the text of each line, byte for byte."""
    names = _load()
    with units.read() as uow:
        rows = [
            row
            for tenant in sorted(store.tenants(uow.connection), key=str)
            for row in store.chain_rows(uow.connection, tenant)
        ]
    written = [line for line in map(json.loads, lines) if "seq" in line]
    assert len(rows) == len(written)
    for row, line in zip(rows, written, strict=True):
        text = names["hashed_text"](row.prev_hash.hex(), line)  # type: ignore[operator]
        assert text.encode() == chain_bytes(row.prev_hash, row.seq, row.posting)


def test_m04_the_verifier_needs_the_standard_library_only() -> None:
    tree = ast.parse(VERIFIER.read_text())
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    assert imported <= sys.stdlib_module_names


def test_m04_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    missing = subprocess.run(
        [sys.executable, str(VERIFIER), str(tmp_path / "nothing.jsonl")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert missing.returncode == 2 and "cannot be read" in missing.stderr
    assert verify(tmp_path, []).returncode == 1
