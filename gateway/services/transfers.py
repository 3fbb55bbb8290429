"""Bank transfers: a file of the bank becomes credits, once; what is unclear waits for a person.

Each transfer is taken in a transaction of its own, and its row is what makes it count once,
however often and by whomever its file is imported.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial
from typing import Literal

from billing.credits import payment_in
from billing.money import format_amount
from billing.statement_numbers import StatementNumber, numbers_in
from billing.transfers import (
    Matches,
    Payment,
    Transfer,
    TransfersInvalid,
    match_transfers,
    parse_camt053,
    parse_csv,
    parse_csv_returns,
    parse_returns,
    transfer_key,
)
from gateway.services import accounts, arrears, audit, credit_receipts, debits, ledger, returns
from gateway.services.errors import Conflict, FieldError, Invalid, NotFound
from gateway.services.pages import (
    LIMIT_DEFAULT,
    Page,
    clamp,
    cut,
    decode_cursor,
    encode_cursor,
    uuid_of,
)
from gateway.store import transfers as store
from gateway.store.accounts import tax_facts
from gateway.store.base import new_id
from gateway.store.statements import StoredStatement
from gateway.store.transfers import StoredTransfer
from gateway.uow import UnitOfWork, UnitsOfWork

Format = Literal["camt053", "csv"]
METHOD = "transfer"
WHY = {
    "no_number": "The payer wrote no number of a statement.",
    "not_open": "The statement that was named is not open.",
    "other_currency": "It came in another currency than the statement's.",
    "several": "Several statements were named, and the amount is not their sum.",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the transfers of a file; `known` were imported before, `returned` are debits
    that a bank took back, and those that it took back from nobody we know are unmatched too."""

    credited: int
    unmatched: int
    known: int
    returned: int


def format_of(text: str) -> Format:
    """By the first sign: XML begins with one that no CSV does."""
    return "camt053" if text.lstrip("\ufeff \t\r\n").startswith("<") else "csv"


def import_file(units: UnitsOfWork, text: str, actor: str) -> Imported:
    """Take every transfer of a file, or none where it cannot be read."""
    try:
        if format_of(text) == "camt053":
            found, went_back = parse_camt053(text), parse_returns(text)
        else:
            found, went_back = parse_csv(text), parse_csv_returns(text)
    except TransfersInvalid as invalid:
        raise Invalid(FieldError(e.path, e.message) for e in invalid.errors) from None
    counts = {"credited": 0, "unmatched": 0, "known": 0, "returned": 0}
    for transfer in found:
        counts[units.retrying(partial(take, transfer=transfer, actor=actor))] += 1
    for back in went_back:
        counts[units.retrying(partial(returns.take, returned=back, actor=actor))] += 1
    return Imported(**counts)


def take(uow: UnitOfWork, transfer: Transfer, actor: str) -> str:
    """Credit one transfer, or leave it for people: "credited", "unmatched" or "known"."""
    row = StoredTransfer(
        id=new_id(),
        bank_id=transfer.bank_id,
        booked_on=transfer.booked_on,
        amount_micros=transfer.amount_micros,
        currency=transfer.currency,
        reference=transfer.reference,
        payer=transfer.payer,
        state="unmatched",
        why="",
        credits=(),
        imported_at=uow.now,
        imported_by=actor,
        decided_at=None,
        decided_by=None,
    )
    if not store.add(uow.connection, row):
        return "known"
    debit = debits.named(uow, transfer)
    if debit is not None:
        store.decide(
            uow.connection,
            row.id,
            state="credited",
            why=f"collected as debit {debit.end_to_end_id}",
            credits=[debits.collect(uow, debit, transfer, actor)],
            at=uow.now,
            by=actor,
        )
        return "credited"
    matches, named = _match(uow, transfer)
    if not matches.payments:
        why = matches.unmatched[0].why if matches.unmatched else "no_number"
        store.decide(uow.connection, row.id, state="unmatched", why=WHY[why], credits=[])
        return "unmatched"
    credits = [
        _credit(uow, named[payment.invoice.number], payment, actor)
        for payment in sorted(matches.payments, key=lambda p: p.invoice.account_id)
    ]
    store.decide(
        uow.connection,
        row.id,
        state="credited",
        why="matched by its reference",
        credits=credits,
        at=uow.now,
        by=actor,
    )
    return "credited"


def _match(
    uow: UnitOfWork, transfer: Transfer
) -> tuple[Matches, dict[StatementNumber, StoredStatement]]:
    labels = {str(number) for number in numbers_in(transfer.reference)}
    found = list(arrears.open_invoices(uow, labels)) if labels else []
    matches = match_transfers([transfer], [invoice for _, invoice in found])
    return matches, {invoice.number: statement for statement, invoice in found}


def _credit(
    uow: UnitOfWork, statement: StoredStatement, payment: Payment, actor: str
) -> dict[str, str]:
    transfer, number = payment.transfer, str(payment.invoice.number)
    taxed = payment_in(payment.amount_micros, statement.tax, transfer.currency)
    ledger.top_up(
        uow,
        statement.scope,
        amount_micros=taxed.net_micros,
        method=METHOD,
        reason=f"Bank transfer of {transfer.booked_on.isoformat()} for {number}",
        actor=actor,
        idempotency_key=f"{transfer_key(transfer)}:{number}",
        payment=taxed,
    )
    return {
        "account_id": str(statement.account_id),
        "statement": number,
        "amount": format_amount(payment.amount_micros),
    }


def assign(
    uow: UnitOfWork,
    transfer_id: uuid.UUID,
    account_id: uuid.UUID,
    reason: str,
    actor: str,
    *,
    seller_country: str,
) -> StoredTransfer:
    """A person says whose money it is: the account is credited, less the tax that is in it."""
    row = _unmatched(uow, transfer_id, reason)
    if row.amount_micros < 0:
        raise Conflict("This money went back: say so of its debit, on the page of debits.")
    scope = accounts.find_scope(uow, account_id)
    if scope is None:
        raise Invalid.at("/account", "There is no such account: copy its id from its page.")
    account = accounts.get_account(uow, scope)
    if account.currency != row.currency:
        raise Conflict(f"The account keeps {account.currency}, and {row.currency} came.")
    tax = credit_receipts.treatment(tax_facts(uow.connection, scope), seller_country, uow.now)
    taxed = payment_in(row.amount_micros, tax, row.currency)
    ledger.top_up(
        uow,
        scope,
        amount_micros=taxed.net_micros,
        method=METHOD,
        reason=f"Bank transfer of {row.booked_on.isoformat()}: {reason.strip()}",
        actor=actor,
        idempotency_key=f"transfer:{row.bank_id}",
        payment=taxed,
    )
    credit = {
        "account_id": str(account_id),
        "statement": "",
        "amount": format_amount(row.amount_micros),
    }
    store.decide(
        uow.connection,
        row.id,
        state="credited",
        why=reason.strip(),
        credits=[credit],
        at=uow.now,
        by=actor,
    )
    return get_transfer(uow, transfer_id)


def dismiss(uow: UnitOfWork, transfer_id: uuid.UUID, reason: str, actor: str) -> StoredTransfer:
    """A person says that it is no customer's payment: nothing is credited."""
    row = _unmatched(uow, transfer_id, reason)
    store.decide(
        uow.connection,
        row.id,
        state="dismissed",
        why=reason.strip(),
        credits=[],
        at=uow.now,
        by=actor,
    )
    audit.note(
        uow,
        None,
        actor,
        "transfer.dismissed",
        row.bank_id,
        amount=f"{format_amount(row.amount_micros)} {row.currency}",
        reason=reason.strip(),
    )
    return get_transfer(uow, transfer_id)


def get_transfer(uow: UnitOfWork, transfer_id: uuid.UUID) -> StoredTransfer:
    found = store.find(uow.connection, transfer_id)
    if found is None:
        raise NotFound("transfer", transfer_id)
    return found


def list_transfers(
    uow: UnitOfWork,
    after: str | None = None,
    limit: int = LIMIT_DEFAULT,
    *,
    unmatched: bool = False,
) -> Page[StoredTransfer]:
    """Newest import first; for staff."""
    limit = clamp(limit)
    before = decode_cursor(after, uuid_of) if after else None
    found = store.newest(uow.connection, before=before, unmatched=unmatched, limit=limit + 1)
    return cut(found, limit, lambda row: encode_cursor(row.id))


def _unmatched(uow: UnitOfWork, transfer_id: uuid.UUID, reason: str) -> StoredTransfer:
    if not reason.strip():
        raise Invalid.at("/reason", "Say why: the reason stays with the transfer.")
    row = store.find(uow.connection, transfer_id, lock=True)
    if row is None:
        raise NotFound("transfer", transfer_id)
    if row.state != "unmatched":
        raise Conflict("Somebody has decided about this transfer already.")
    return row
