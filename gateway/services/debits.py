"""Debits that a bank was asked for: paid when its own file says so, undone when it says that they
went back.

Money moves only by what the bank tells, or a person where it is silent: once when it came, and back
when it was returned. `gateway.services.debit_runs` asks the bank.
"""

from __future__ import annotations

import uuid

from billing.credits import payment_in
from billing.mandates import debits_in, ends_mandate, return_words
from billing.money import format_amount
from billing.transfers import Returned, Transfer
from gateway.services import audit, ledger, reversals
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.services.pages import (
    LIMIT_DEFAULT,
    Page,
    clamp,
    cut,
    decode_cursor,
    encode_cursor,
    uuid_of,
)
from gateway.store import debits as store
from gateway.store import ledger as ledger_store
from gateway.store import looks, mandates, outbox
from gateway.store import statements as statement_store
from gateway.store.debits import Debit, NamedDebit
from gateway.store.mandates import StoredMandate
from gateway.uow import UnitOfWork

METHOD = "debit"
RETURNED = "debit_returned"


# What the bank says.


def named(uow: UnitOfWork, transfer: Transfer) -> Debit | None:
    """The debit that this money is of: named by our id, still open, exactly its amount."""
    ids = debits_in(transfer.reference)
    found = store.with_ids(uow.connection, ids) if ids else []
    for seen in found:
        ledger_store.lock_books(uow.connection, seen.scope)  # so that two files pay it once
        debit = store.lock(uow.connection, seen.scope, seen.id)
        assert debit is not None, "a debit stays"
        money = (debit.amount_micros, debit.currency)
        if debit.state == "submitted" and money == (transfer.amount_micros, transfer.currency):
            return debit
    return None


def collect(uow: UnitOfWork, debit: Debit, transfer: Transfer, actor: str) -> dict[str, str]:
    """The bank has it: credited once, whatever tells of it again."""
    _credit(uow, debit, f"bank's file of {transfer.booked_on.isoformat()}", actor)
    return {
        "account_id": str(debit.account_id),
        "statement": debit.label,
        "amount": format_amount(debit.amount_micros),
    }


def _credit(uow: UnitOfWork, debit: Debit, why: str, actor: str) -> None:
    statement = statement_store.find(uow.connection, debit.scope, debit.statement_id)
    assert statement is not None, "a debit is of a statement"
    paid = payment_in(debit.amount_micros, statement.tax, debit.currency)
    top_up = ledger.top_up(
        uow,
        debit.scope,
        amount_micros=paid.net_micros,
        method=METHOD,
        reason=f"Debit {debit.end_to_end_id} for {debit.label}",
        actor=actor,
        idempotency_key=f"debit:{debit.id}",
        payment=paid,
    )
    store.change(
        uow.connection, debit, state="collected", why=why, at=uow.now,
        credited_key=str(top_up.id),
    )  # fmt: skip


def named_by_return(uow: UnitOfWork, returned: Returned) -> Debit | None:
    """The debit that went back, locked: one that is open, else one that is not any more."""
    ids = debits_in(returned.references)
    found = []
    for seen in store.with_ids(uow.connection, ids) if ids else ():
        ledger_store.lock_books(uow.connection, seen.scope)
        debit = store.lock(uow.connection, seen.scope, seen.id)
        assert debit is not None, "a debit stays"
        found.append(debit)
    return min(found, key=lambda debit: debit.state not in store.OPEN, default=None)


def take_back(uow: UnitOfWork, debit: Debit, returned: Returned, actor: str) -> None:
    """`debit` is locked and open."""
    _take_back(uow, debit, returned.reason, return_words(returned.reason), actor)


def _take_back(uow: UnitOfWork, debit: Debit, code: str, words: str, actor: str) -> None:
    """The credit is undone by lines of its own, the statement is open again, and the ladder of
    arrears is looked at now. A mandate that is of no use any more ends with it."""
    scope = debit.scope
    if debit.state == "collected":
        with ledger.books(uow, scope) as opened:
            key = f"topup:{debit.credited_key}"
            credit = ledger_store.find_posting(uow.connection, debit.tenant_id, key)
            assert credit is not None, "what was collected was credited"
            reversals.post_reversal(uow, opened, credit, reason=words, actor=actor)
    store.change(uow.connection, debit, state="returned", why=words, at=uow.now)
    if ends_mandate(code) and _mandate(uow, debit).ended_at is None:
        mandates.end(uow.connection, scope, why=words, at=uow.now)
    audit.note(uow, scope, actor, "debit.returned", debit.end_to_end_id, words=words)
    outbox.add(
        uow.connection,
        scope,
        queue="notify",
        kind=RETURNED,
        key=f"{RETURNED}:{debit.id}",
        payload={
            "label": debit.label,
            "amount": format_amount(debit.amount_micros),
            "currency": debit.currency,
            "words": words,
            "iban": _mandate(uow, debit).masked_iban,
        },
        now=uow.now,
    )
    looks.look_again(uow.connection, scope, uow.now)


# What people say, where the bank's file does not.


def decide(uow: UnitOfWork, debit_id: uuid.UUID, deed: str, reason: str, actor: str) -> Debit:
    """`deed` is "cancel" (the bank was never asked), "collected" or "returned"."""
    if not reason.strip():
        raise Invalid.at("/reason", "Say why: the reason stays with the debit.")
    found = store.find(uow.connection, debit_id)
    if found is None:
        raise NotFound("debit", debit_id)
    ledger_store.lock_books(uow.connection, found.scope)
    debit = store.lock(uow.connection, found.scope, debit_id)
    assert debit is not None, "a debit stays"
    if deed == "returned" and debit.state in store.OPEN:
        _take_back(uow, debit, "", reason.strip(), actor)
    elif deed == "collected" and debit.state == "submitted":
        _credit(uow, debit, reason.strip(), actor)
    elif deed == "cancel" and debit.state == "submitted":
        store.change(uow.connection, debit, state="canceled", why=reason.strip(), at=uow.now)
        looks.look_again(uow.connection, debit.scope, uow.now)
    else:
        raise Conflict(f"This debit is {debit.state}: that cannot be said of it any more.")
    audit.note(uow, debit.scope, actor, f"debit.{deed}", debit.end_to_end_id, reason=reason.strip())
    done = store.find(uow.connection, debit_id)
    assert done is not None
    return done


def list_debits(
    uow: UnitOfWork,
    after: str | None = None,
    limit: int = LIMIT_DEFAULT,
    *,
    state: str | None = None,
) -> Page[NamedDebit]:
    """Of all accounts, newest first; for staff."""
    limit = clamp(limit)
    before = decode_cursor(after, uuid_of) if after else None
    found = store.newest(uow.connection, before=before, state=state, limit=limit + 1)
    return cut(found, limit, lambda one: encode_cursor(one.debit.id))


def _mandate(uow: UnitOfWork, debit: Debit) -> StoredMandate:
    found = mandates.find(uow.connection, debit.scope, debit.mandate_id)
    assert found is not None, "a debit is of a mandate"
    return found
