"""Debits: due statements are collected by a file for the bank, and paid when its own file says so.

A run is a file for the bank. Each of its debits is intended in a transaction of its own before
there is a file, and a statement with an open debit is not collected again; so a run that dies half
way leaves a run with fewer debits, not two of one. Money moves only by what the bank tells: once
when it came, and back when it was returned.
"""

from __future__ import annotations

import datetime as dt
import uuid
from functools import partial

from billing.calendar import local_date
from billing.credits import payment_in
from billing.invoices import asked_for
from billing.ledger import reverse
from billing.mandates import (
    CURRENCY,
    Mandate,
    collection_day,
    debits_in,
    end_to_end_id,
    ends_mandate,
    masked_iban,
    return_words,
)
from billing.money import format_amount
from billing.postings import Posting, reversal_key
from billing.settling import Locale
from billing.transfers import Returned, Transfer
from gateway.config import Settings
from gateway.services import accounts, arrears, audit, ledger, reversals, statements
from gateway.services.accounts import Account
from gateway.services.errors import Conflict, Invalid, NotFound, SellerIncomplete
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
from gateway.store.base import new_id
from gateway.store.debits import Debit, Run
from gateway.store.mandates import StoredMandate
from gateway.store.statements import StoredStatement
from gateway.uow import UnitOfWork, UnitsOfWork

METHOD = "debit"
RETURNED = "debit_returned"
MEDIA_TYPE = "application/xml"
RUNS_SHOWN = 20
AHEAD = dt.timedelta(days=7)
"""How far ahead a run looks when nobody says: a bank wants a file some days before."""


# Intending.


def prepare(
    units: UnitsOfWork, settings: Settings, actor: str, until: dt.date | None = None
) -> Run | None:
    """A run of every statement that falls due until then and has a mandate; None where there is
    none. A second run right after it finds nothing."""
    _check_seller(settings)
    with units.begin() as uow:
        run_id = new_id()
        store.add_run(uow.connection, run_id, by=actor, at=uow.now)
        found = mandates.all_in_force(uow.connection)
    for mandate in found:
        units.retrying(partial(_intend, mandate=mandate, run_id=run_id, until=until))
    with units.begin() as uow:
        if not store.of_run(uow.connection, run_id):
            store.remove_run(uow.connection, run_id)
            return None
        audit.note(uow, None, actor, "debits.prepared", str(run_id))
    with units.read() as uow:
        return next(run for run in runs(uow) if run.id == run_id)


def _check_seller(settings: Settings) -> None:
    # Not at the top: the libraries of the bank's file are for whoever writes one.
    from gateway.papers.debits import settings_missing

    missing = settings_missing(statements.seller_of(settings))
    if missing:
        raise SellerIncomplete("Debits", missing)


def _intend(
    uow: UnitOfWork, *, mandate: StoredMandate, run_id: uuid.UUID, until: dt.date | None
) -> None:
    """Under the account's lock: what is paid meanwhile is not collected."""
    scope = mandate.scope
    ledger_store.lock_books(uow.connection, scope)
    account = accounts.get_account(uow, scope)
    if mandates.in_force(uow.connection, scope) != mandate or account.currency != CURRENCY:
        return
    today = local_date(uow.now, account.time_zone)
    taken = store.underway(uow.connection, scope, states=store.OPEN, since=dt.date.min)
    for statement, part in arrears.open_statements(uow, scope):
        due = statement.due_on
        if due is not None and due <= (until or today + AHEAD) and statement.id not in taken:
            store.add(uow.connection, _debit(uow, statement, part, mandate, account, run_id, today))


def _debit(
    uow: UnitOfWork,
    statement: StoredStatement,
    part_micros: int,
    mandate: StoredMandate,
    account: Account,
    run_id: uuid.UUID,
    today: dt.date,
) -> Debit:
    assert statement.due_on is not None, "only what is due is collected"
    earlier = store.attempts(uow.connection, statement.tenant_id, statement.id)
    place = Locale(account.time_zone, account.country)
    return Debit(
        tenant_id=statement.tenant_id,
        id=new_id(),
        account_id=statement.account_id,
        run_id=run_id,
        statement_id=statement.id,
        label=statement.label,
        mandate_id=mandate.id,
        end_to_end_id=end_to_end_id(statement.label, earlier + 1),
        currency=statement.currency,
        amount_micros=asked_for(part_micros, statement.tax, statement.currency),
        collect_on=collection_day(statement.due_on, today, place),
        state="submitted",
        why="",
        credited_key=None,
        created_at=uow.now,
        changed_at=uow.now,
    )


def file(units: UnitsOfWork, settings: Settings, run_id: uuid.UUID) -> bytes:
    """The bank's file of a run: made when it is first asked for, the same for ever after."""
    _check_seller(settings)
    # Not at the top: see `_check_seller`.
    from gateway.papers.debits import Order, pain008

    with units.begin() as uow:
        known, content = store.run_file(uow.connection, run_id)
        if not known:
            raise NotFound("run", run_id)
        if content is not None:
            return content
        orders = []
        for debit in store.of_run(uow.connection, run_id):
            if debit.state == "submitted":
                by = _mandate(uow, debit)
                orders.append(
                    Order(
                        Mandate(by.reference, by.signed_on, by.holder, by.iban),
                        debit.end_to_end_id,
                        debit.amount_micros,
                        debit.collect_on,
                        f"Invoice {debit.label}",
                    )
                )
        if not orders:
            raise Conflict("Every debit of this run was canceled: there is nothing to send.")
        content = pain008(orders, statements.seller_of(settings))
        store.keep_file(uow.connection, run_id, content)
        return content


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


def take_back(uow: UnitOfWork, *, returned: Returned, actor: str) -> bool:
    """A return in the bank's file. False where it is of no debit of ours, or known already."""
    for seen in store.with_ids(uow.connection, debits_in(returned.references)):
        ledger_store.lock_books(uow.connection, seen.scope)
        debit = store.lock(uow.connection, seen.scope, seen.id)
        if debit is not None and debit.state in store.OPEN:
            _take_back(uow, debit, returned.reason, return_words(returned.reason), actor)
            return True
    return False


def _take_back(uow: UnitOfWork, debit: Debit, code: str, words: str, actor: str) -> None:
    """The credit is undone by lines of its own, the statement is open again, and the ladder of
    arrears is looked at now. A mandate that is of no use any more ends with it."""
    scope = debit.scope
    if debit.state == "collected":
        with ledger.books(uow, scope) as opened:
            for original in _credited(uow, debit):
                if original.owned is None:
                    opened.post(partial(_undo_tax, original, words, actor, uow.now))
                else:
                    reversals.post_reversal(uow, opened, original, reason=words, actor=actor)
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
            "iban": masked_iban(_mandate(uow, debit).iban),
        },
        now=uow.now,
    )
    looks.look_again(uow.connection, scope, uow.now)


def _credited(uow: UnitOfWork, debit: Debit) -> list[Posting]:
    """The credit, and the tax that came with it."""
    keys = (f"topup:{debit.credited_key}", f"vat:{debit.credited_key}")
    found = (ledger_store.find_posting(uow.connection, debit.tenant_id, key) for key in keys)
    return [posting for posting in found if posting is not None]


def _undo_tax(original: Posting, words: str, actor: str, at: dt.datetime, _balance: int) -> Posting:
    return reverse(
        original,
        key=reversal_key(original.key),
        reason=words,
        actor=actor,
        at=at,
        balance_after=None,
    )


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


def runs(uow: UnitOfWork) -> list[Run]:
    """The newest, for staff."""
    return store.runs(uow.connection, limit=RUNS_SHOWN)


def list_debits(
    uow: UnitOfWork,
    after: str | None = None,
    limit: int = LIMIT_DEFAULT,
    *,
    state: str | None = None,
) -> Page[Debit]:
    """Of all accounts, newest first; for staff."""
    limit = clamp(limit)
    before = decode_cursor(after, uuid_of) if after else None
    found = store.newest(uow.connection, before=before, state=state, limit=limit + 1)
    return cut(found, limit, lambda debit: encode_cursor(debit.id))


def _mandate(uow: UnitOfWork, debit: Debit) -> StoredMandate:
    found = mandates.find(uow.connection, debit.scope, debit.mandate_id)
    assert found is not None, "a debit is of a mandate"
    return found
