"""Runs of debits: what falls due and has a mandate becomes a file for the bank.

Each debit of a run is intended in a transaction of its own before there is a file, and a statement
with an open debit is not collected again; so a run that dies half way leaves a run with fewer
debits, not two of one. What becomes of them is told by `gateway.services.debits`.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from billing.calendar import local_date
from billing.invoices import asked_for
from billing.mandates import CURRENCY, Mandate, collection_day, end_to_end_id
from billing.settling import Locale
from gateway.config import Settings
from gateway.services import accounts, arrears, audit, statement_files
from gateway.services.accounts import Account
from gateway.services.errors import Conflict, NotFound, SellerIncomplete
from gateway.services.pages import (
    LIMIT_DEFAULT,
    Page,
    clamp,
    cut,
    decode_cursor,
    encode_cursor,
)
from gateway.store import debits as store
from gateway.store import ledger as ledger_store
from gateway.store import mandates
from gateway.store.base import Scope, new_id
from gateway.store.debits import Debit, Run, Unpaid
from gateway.store.mandates import StoredMandate
from gateway.store.statements import StoredStatement
from gateway.uow import UnitOfWork, UnitsOfWork

MEDIA_TYPE = "application/xml"
RUNS_SHOWN = 20
ZONES_AHEAD = dt.timedelta(days=1)  # of UTC, at most
AHEAD = dt.timedelta(days=7)
"""How far ahead a run looks when nobody says: a bank wants a file some days before."""


@dataclass(frozen=True, slots=True)
class Due:
    """A statement that the next run would collect; `amount_micros` has its tax in it."""

    account: Account
    statement: StoredStatement
    mandate: StoredMandate
    amount_micros: int
    collect_on: dt.date


@dataclass(frozen=True, slots=True)
class Coming:
    """What a customer's bank account will be debited with. `asked`: the bank has been asked."""

    statement_id: uuid.UUID
    label: str
    amount_micros: int
    currency: str
    collect_on: dt.date
    iban: str
    asked: bool


def due(
    uow: UnitOfWork,
    until: dt.date | None = None,
    *,
    after: str | None = None,
    limit: int = LIMIT_DEFAULT,
) -> Page[Due]:
    """Of all accounts, what falls due until then, the soonest first, then by the account's name;
    for staff."""
    limit = clamp(limit)
    behind = decode_cursor(after, _place) if after else None
    latest = until or (uow.now + AHEAD + ZONES_AHEAD).date()
    found = store.unpaid(
        uow.connection, currency=CURRENCY, until=latest, after=behind, limit=limit + 1
    )
    page = cut(
        found, limit, lambda one: encode_cursor(one.due_on, one.statement_id, one.account_name)
    )
    return Page(tuple(_of(uow, page.items, until)), page.next)


def _place(parts: list[str]) -> tuple[dt.date, str, uuid.UUID]:
    due_on, statement_id, *name = parts
    return dt.date.fromisoformat(due_on), "\n".join(name), uuid.UUID(statement_id)


def _of(uow: UnitOfWork, unpaid: Sequence[Unpaid], until: dt.date | None) -> Iterator[Due]:
    """What a run would collect of these, in their order."""
    under: dict[Scope, dict[uuid.UUID, Due]] = {}
    for one in unpaid:
        if one.scope not in under:
            mandate = mandates.in_force(uow.connection, one.scope)
            dues = _due_under(uow, mandate, until) if mandate else ()
            under[one.scope] = {due.statement.id: due for due in dues}
        if due := under[one.scope].get(one.statement_id):
            yield due


def coming(uow: UnitOfWork, scope: Scope) -> tuple[Coming, ...]:
    """For its customer, the soonest first: what the bank was asked for, then what it will be."""
    asked = []
    for debit in store.of_account(uow.connection, scope, state="submitted"):
        mandate = mandates.find(uow.connection, scope, debit.mandate_id)
        assert mandate is not None, "a debit is of a mandate"
        asked.append(
            Coming(
                debit.statement_id,
                debit.label,
                debit.amount_micros,
                debit.currency,
                debit.collect_on,
                mandate.masked_iban,
                asked=True,
            )
        )
    now = mandates.in_force(uow.connection, scope)
    planned = [
        Coming(
            one.statement.id,
            one.statement.label,
            one.amount_micros,
            one.statement.currency,
            one.collect_on,
            one.mandate.masked_iban,
            asked=False,
        )
        for one in (_due_under(uow, now, dt.date.max) if now else ())
    ]
    return tuple(sorted([*asked, *planned], key=lambda one: one.collect_on))


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


def settings_missing(settings: Settings) -> tuple[str, ...]:
    """Names of the settings without which no bank takes a file."""
    # Not at the top: the libraries of the bank's file are for whoever writes one.
    from gateway.papers.debits import settings_missing

    return settings_missing(statement_files.seller_of(settings))


def _check_seller(settings: Settings) -> None:
    missing = settings_missing(settings)
    if missing:
        raise SellerIncomplete("Debits", missing)


def _due_under(uow: UnitOfWork, mandate: StoredMandate, until: dt.date | None) -> Iterator[Due]:
    """What is open, falls due until then (None: within `AHEAD`), and is not being collected."""
    scope = mandate.scope
    account = accounts.get_account(uow, scope)
    if account.currency != CURRENCY:
        return
    today = local_date(uow.now, account.time_zone)
    place = Locale(account.time_zone, account.country)
    taken = store.underway(uow.connection, scope, states=store.OPEN, since=dt.date.min)
    for statement, part in arrears.open_statements(uow, scope):
        due_on = statement.due_on
        if due_on is not None and due_on <= (until or today + AHEAD) and statement.id not in taken:
            amount = asked_for(part, statement.tax, statement.currency)
            yield Due(account, statement, mandate, amount, collection_day(due_on, today, place))


def _intend(
    uow: UnitOfWork, *, mandate: StoredMandate, run_id: uuid.UUID, until: dt.date | None
) -> None:
    """Under the account's lock: what is paid meanwhile is not collected."""
    ledger_store.lock_books(uow.connection, mandate.scope)
    if mandates.in_force(uow.connection, mandate.scope) != mandate:
        return
    for one in _due_under(uow, mandate, until):
        store.add(uow.connection, _debit(uow, one, run_id))


def _debit(uow: UnitOfWork, due: Due, run_id: uuid.UUID) -> Debit:
    statement = due.statement
    earlier = store.attempts(uow.connection, statement.tenant_id, statement.id)
    return Debit(
        tenant_id=statement.tenant_id,
        id=new_id(),
        account_id=statement.account_id,
        run_id=run_id,
        statement_id=statement.id,
        label=statement.label,
        mandate_id=due.mandate.id,
        end_to_end_id=end_to_end_id(statement.label, earlier + 1),
        currency=statement.currency,
        amount_micros=due.amount_micros,
        collect_on=due.collect_on,
        state="submitted",
        why="",
        credited_key=None,
        created_at=uow.now,
        changed_at=uow.now,
    )


def file(units: UnitsOfWork, settings: Settings, run_id: uuid.UUID) -> bytes:
    """The bank's file of a run: made when it is first asked for, the same for ever after."""
    _check_seller(settings)
    # Not at the top: see `settings_missing`.
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
                by = mandates.find(uow.connection, debit.scope, debit.mandate_id)
                assert by is not None, "a debit is of a mandate"
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
        content = pain008(orders, statement_files.seller_of(settings))
        store.keep_file(uow.connection, run_id, content)
        return content


def runs(uow: UnitOfWork) -> list[Run]:
    """The newest, for staff."""
    return store.runs(uow.connection, limit=RUNS_SHOWN)
