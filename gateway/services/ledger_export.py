"""The whole ledger as text that proves itself: what `verify_ledger.py` reads, line by line.

That file describes the form and shares no code with this one.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from billing.ledger import ChainRow
from gateway.store import ledger

FORMAT = "ringledger-ledger/1"


def export(
    connection: Connection, *, exported_at: dt.datetime, tenant_id: uuid.UUID | None = None
) -> Iterator[bytes]:
    """One tenant's ledger or, without `tenant_id`, all of them; memory does not grow with it.

    `connection` should be REPEATABLE READ, so that lines and balances are of one moment.
    """
    written, digest = 0, sha256()
    for document in _documents(connection, tenant_id):
        line = _line(document)
        digest.update(line)
        written += 1
        yield line
    at = _instant(exported_at)
    digest.update(at.encode())
    yield _line({"exported_at": at, "lines": written, "sha256": digest.hexdigest()})


def _documents(connection: Connection, tenant_id: uuid.UUID | None) -> Iterator[dict[str, Any]]:
    yield {"format": FORMAT}
    chosen = [tenant_id] if tenant_id is not None else sorted(ledger.tenants(connection), key=str)
    for tenant in chosen:
        name = str(tenant)
        yield {"tenant": name, "tenant_sha256": sha256(name.encode()).hexdigest()}
        for row in ledger.chain_rows(connection, tenant):
            yield _posting(tenant, row)
        seq, head = ledger.head(connection, tenant)
        balances = ledger.cached_balances(connection, tenant)
        yield {
            "tenant": str(tenant),
            "lines": seq,
            "head": head.hex(),
            "balances": sorted([name, unit, amount] for (name, unit), amount in balances.items()),
        }


def _posting(tenant: uuid.UUID, row: ChainRow) -> dict[str, Any]:
    line = row.posting
    return {
        "tenant": str(tenant),
        "seq": row.seq,
        "hash": row.hash.hex(),
        "key": line.key,
        "kind": line.kind,
        "debit": line.debit,
        "credit": line.credit,
        "unit": line.unit,
        "amount": line.amount,
        "at": _instant(line.at),
        "account": str(line.account_id),
        "description": line.description,
        "balance_after": line.balance_after,
        "call_sid": line.call_sid,
        "leg_sid": line.leg_sid,
        "plan_version": _id(line.plan_version_id),
        "rate": line.rate_micros,
        "billed_seconds": line.billed_seconds,
        "receipt": _id(line.receipt_id),
        "reverses": line.reverses_key,
        "actor": line.actor,
        "reason": line.reason,
    }


def _line(document: dict[str, Any]) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return f"{text}\n".encode()


def _instant(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _id(id: uuid.UUID | None) -> str | None:
    return None if id is None else str(id)
