"""The paper of a receipt, the same whenever it is asked for."""

from __future__ import annotations

from gateway.config import Settings
from gateway.services.errors import NotFound
from gateway.services.statement_files import seller_of
from gateway.store import credit_receipts as store
from gateway.store.base import Scope
from gateway.uow import UnitsOfWork


def file_name(key: str) -> str:
    """As the paper of that line is called where it is saved."""
    kind, _, id = key.rpartition(":")
    return f"{'credit-note' if kind == 'refund' else 'receipt'}-{id}.pdf"


def pdf(units: UnitsOfWork, scope: Scope, key: str, settings: Settings) -> bytes:
    """Of the credit, or the refund, whose line has that key; made when first asked for, then
    kept."""
    with units.read() as uow:
        found = store.find(uow.connection, scope, key)
    if found is None:
        raise NotFound("receipt", key)
    document, kept = found
    if kept is not None:
        return kept
    # Not at the top: fonts and images cost every process 25 MB and a third of a second.
    from gateway.papers.receipt import render

    made = render(document, seller_of(settings))
    with units.begin() as uow:
        store.keep_pdf(uow.connection, scope, key, made)
    return made
