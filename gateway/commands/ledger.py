"""`ringledger ledger verify` and `export`, `settle` and `explain`: the books from a terminal."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.commands.common import find_account, json_option, open_runtime, show

if TYPE_CHECKING:
    from gateway.services.ledger import TenantProof

POSTING_ID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-([1-9][0-9]{0,18})")


@click.group()
def ledger() -> None:
    """The ledger of all tenants."""


@ledger.command()
@click.option("--account", "named", help="Only the tenant of this account (id or name).")
@json_option
def verify(named: str | None, as_json: bool) -> None:
    """Prove every chain and every balance; exit code 1 at the first line that does not hold."""
    from gateway import db
    from gateway.services import ledger as service

    runtime = open_runtime()
    tenant_id = None
    if named is not None:
        with runtime.units.read() as uow:
            tenant_id = find_account(uow, named).tenant_id
    # A long chain takes longer to read than any page may; one snapshot for all of it.
    engine = db.engine_for(runtime.settings.database_url, statement_timeout_ms=0)
    proofs = []
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        for proof in service.verify(connection, tenant_id):
            proofs.append(_document(proof))
            if not as_json:
                click.echo(_words(proof))
    proven = all(one["ok"] for one in proofs)
    lines = sum(one["lines"] for one in proofs)
    verdict = "Everything holds" if proven else "NOT PROVEN"
    show(
        {"ok": proven, "tenants": proofs},
        as_json,
        f"{verdict}: {len(proofs)} tenants, {lines} postings.",
    )
    sys.exit(0 if proven else 1)


@ledger.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--account", "named", help="Only the tenant of this account (id or name).")
@json_option
def export(file: Path, named: str | None, as_json: bool) -> None:
    """Write the ledger as JSON lines that prove themselves.

    `python3 verify_ledger.py FILE` checks every line, anywhere, without a database.
    """
    from gateway import db
    from gateway.services import ledger_export

    runtime = open_runtime()
    tenant_id = None
    if named is not None:
        with runtime.units.read() as uow:
            tenant_id = find_account(uow, named).tenant_id
    engine = db.engine_for(runtime.settings.database_url, statement_timeout_ms=0)
    lines = 0
    # Beside the file and then in its place: a half-written ledger never bears its name.
    partial = file.with_name(f"{file.name}.part")
    with (
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
        partial.open("wb") as out,
    ):
        for line in ledger_export.export(
            connection, exported_at=runtime.units.clock(), tenant_id=tenant_id
        ):
            out.write(line)
            lines += 1
    partial.replace(file)
    show(
        {"file": str(file), "lines": lines},
        as_json,
        f"{lines} lines written to {file}. Prove them: python3 verify_ledger.py {file}",
    )


@click.command()
@json_option
def settle(as_json: bool) -> None:
    """Charge every ended leg now, without waiting for a worker."""
    from gateway.services import settlement

    runtime = open_runtime()
    legs = 0
    while True:
        drained = settlement.drain(runtime.units)
        legs += drained.legs
        if not drained.legs:
            break
    show(
        {"legs": legs, "failed_accounts": drained.failed},
        as_json,
        f"{legs} legs settled."
        + (f" {drained.failed} accounts failed: see the log." if drained.failed else ""),
    )
    sys.exit(1 if drained.failed else 0)


@click.command()
@click.argument("posting")
@json_option
def explain(posting: str, as_json: bool) -> None:
    """Why a posting is what it is: in words, and in sums that anybody can repeat."""
    from sqlalchemy import select

    from billing.money import format_amount
    from gateway.services import statement
    from gateway.services.errors import NotFound
    from gateway.store.base import Scope
    from gateway.store.ledger import PostingRow

    named = POSTING_ID.fullmatch(posting)
    if named is None:
        raise click.BadParameter("write the id as the statement shows it: <tenant>-<number>")
    with open_runtime().units.read() as uow:
        row = uow.connection.execute(
            select(PostingRow.tenant_id, PostingRow.account_id).where(
                PostingRow.tenant_id == named[1], PostingRow.seq == int(named[2])
            )
        ).first()
        if row is None:
            raise NotFound("posting", posting)
        scope = Scope(row.tenant_id, row.account_id)
        line = statement.get_posting(uow, scope, posting)
        why = statement.explain(uow, scope, posting)
    figure = str if line.in_seconds else format_amount
    amount, left = figure(line.amount_micros), figure(line.balance_after_micros)
    show(
        {
            "id": posting,
            "words": why.words,
            "amount": amount,
            "currency": line.unit,
            "balance_after": left,
            "steps": [
                {"label": step.label, "formula": step.formula, "value": step.value}
                for step in why.steps
            ],
        },
        as_json,
        f"{line.at:%Y-%m-%d %H:%M:%S} UTC  {line.kind}  {amount} {line.unit}, {left} left",
        why.words,
        *(f"  {step.label}: {step.formula} = {step.value}" for step in why.steps),
    )


def _document(proof: "TenantProof") -> dict[str, Any]:
    report = proof.report
    return {
        "tenant": str(proof.tenant_id),
        "ok": report.ok,
        "lines": report.lines,
        "head": report.head.hex(),
        "fault": None
        if report.fault is None
        else {
            "kind": str(report.fault.kind),
            "seq": report.fault.seq,
            "words": report.fault.words,
        },
    }


def _words(proof: "TenantProof") -> str:
    report = proof.report
    if report.fault is None:
        return f"{proof.tenant_id}  {report.lines} postings hold, head {report.head.hex()[:16]}"
    return f"{proof.tenant_id}  FAULT: {report.fault.words}"
