"""Settlement by card: what was used on a day is put on the card when the day is over (C7, S3-09).

Metering and postings stay immediate; a closed day only says what stretch of the ledger is asked
for together. Whether it was paid is read from the balance: payments cover the oldest day first,
whatever way they came.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from billing.calendar import billing_cycle
from billing.settling import (
    Bill,
    CarryOver,
    Locale,
    SettlementDay,
    bill_for,
    settle_key,
    settlement_of,
    settlements_due,
)
from billing.statements import anchor_day
from billing.terms import Terms
from gateway.services import included_credit, ledger, plans
from gateway.services.errors import NotFound
from gateway.store import credits, looks, statement_lines
from gateway.store import settling as store
from gateway.store.base import Scope
from gateway.store.looks import BilledAccount
from gateway.store.settling import StoredDay
from gateway.uow import UnitOfWork

# An account that comes to a plan with daily settlement is looked at so far back.
DAYS_BACK = dt.timedelta(days=31)


@dataclass(frozen=True, slots=True)
class CardDue:
    """An amount to be charged to the account's card, net of tax; `key` names it for ever, so that
    whoever charges twice under it charges once. `purpose` is "daily" or "statement"."""

    key: str
    purpose: str
    day: dt.date
    amount_micros: int
    currency: str


def accounts_due_for_card(uow: UnitOfWork, limit: int = 200) -> list[Scope]:
    """Accounts with a closed day that waits for its charge."""
    return store.accounts_due(uow.connection, limit=limit)


def due_for_card(uow: UnitOfWork, scope: Scope, now: dt.datetime) -> tuple[CardDue, ...]:
    """What the card of an account is to be charged now, the oldest day first; asking changes
    nothing that a second asking would change again.

    An amount that is here stays until the balance says that it is paid. A charge under its key
    may be on its way already: the caller looks for it by the key.
    """
    account = looks.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    if plans.plan_version(uow.connection, account.plan_version_id).plan.mode != "card_daily":
        return ()
    close_days(uow, scope, now)
    refreshed = looks.find(uow.connection, scope)
    assert refreshed is not None
    return unpaid_days(uow, refreshed)


def close_days(uow: UnitOfWork, scope: Scope, now: dt.datetime) -> int:
    """Close every day that is over, under the account's lock; how many."""
    with ledger.books(uow, scope) as opened:
        account = looks.find(uow.connection, scope)
        assert account is not None, "an account with books is there"
        plan = plans.plan_version(uow.connection, opened.locked.plan_version_id).plan
        if plan.mode != "card_daily":
            return 0
        terms = plan.terms
        place = Locale(account.time_zone, account.country)
        last = store.last_of(uow.connection, scope)
        note_payments(uow, account)
        owed = max(0, -_own_micros(uow, account))
        owed -= sum(due.amount_micros for due in unpaid_days(uow, account))
        closed = 0
        for day in _days(terms, account, last, place, now):
            last = _close(uow, account, terms, day, last, owed)
            owed -= last.billed_micros
            closed += 1
    return closed


def _days(
    terms: Terms,
    account: BilledAccount,
    last: StoredDay | None,
    place: Locale,
    now: dt.datetime,
) -> list[SettlementDay]:
    """A changed zone or mode never closes a day twice: what is left of it goes to the next."""
    anchor = anchor_day(terms.statement)
    if last is not None:
        after = last.ends_at
    else:
        after = max(account.created_at, now - DAYS_BACK)
        first = settlement_of(terms.settlement, after, place, anchor_day=anchor)
        after = first.starts_at if first else after
    found = settlements_due(terms.settlement, after, now, place, anchor_day=anchor)
    return [day for day in found if last is None or day.day > last.day]


def _close(
    uow: UnitOfWork,
    account: BilledAccount,
    terms: Terms,
    day: SettlementDay,
    last: StoredDay | None,
    owed_micros: int,
) -> StoredDay:
    """Never asks for more than the account owes and was not asked for before (`owed_micros`)."""
    scope = account.scope
    after_seq = (
        last.last_seq
        if last
        else statement_lines.last_seq_before(
            uow.connection, scope, after_seq=0, ends_at=day.starts_at
        )
    )
    last_seq = statement_lines.last_seq_before(
        uow.connection, scope, after_seq=after_seq, ends_at=day.ends_at
    )
    used = _used_micros(uow, scope, after_seq, last_seq)
    carried = last.used_micros + last.carried_micros if last and last.state == "carried" else 0
    found = bill_for(
        used,
        carried_micros=carried,
        minimum_micros=terms.settlement_minimum_micros,
        last=account.status == "closed" or _ends_cycle(terms, day, account.time_zone),
    )
    billed, state = 0, "nothing"
    if isinstance(found, Bill):
        billed = max(0, min(found.amount_micros, owed_micros))
        state = "due" if billed else "nothing"
    elif isinstance(found, CarryOver):
        state = "carried"
    closed = StoredDay(
        day=day.day,
        starts_at=last.ends_at if last else day.starts_at,
        ends_at=day.ends_at,
        first_seq=after_seq + 1,
        last_seq=last_seq,
        used_micros=used,
        carried_micros=carried,
        billed_micros=billed,
        state=state,
    )
    store.close(uow.connection, scope, closed, currency=account.currency, now=uow.now)
    return closed


def _ends_cycle(terms: Terms, day: SettlementDay, zone: str) -> bool:
    """A rest that is too little is asked for at the end of the cycle nevertheless."""
    last_moment = day.ends_at - day.ends_at.resolution
    cycle = billing_cycle(anchor_day(terms.statement), last_moment, zone)
    return day.ends_at >= cycle.ends_at


def unpaid_days(uow: UnitOfWork, account: BilledAccount) -> tuple[CardDue, ...]:
    """Billed days that the payments since do not cover, the oldest first, each with its rest."""
    scope = account.scope
    due = store.due_of(uow.connection, scope)
    if not due:
        return ()
    last = store.last_of(uow.connection, scope)
    assert last is not None, "a day that is due is a day"
    head = credits.head_seq(uow.connection, scope.tenant_id)
    unbilled = _used_micros(uow, scope, last.last_seq, head)
    if last.state == "carried":
        unbilled += last.used_micros + last.carried_micros
    owed = max(0, -_own_micros(uow, account) - unbilled)
    covered = max(0, sum(day.billed_micros for day in due) - owed)
    found = []
    for day in due:
        taken = min(covered, day.billed_micros)
        covered -= taken
        if taken < day.billed_micros:
            found.append(
                CardDue(
                    settle_key(scope.account_id, day.day),
                    "daily",
                    day.day,
                    day.billed_micros - taken,
                    account.currency,
                )
            )
    return tuple(found)


def _used_micros(uow: UnitOfWork, scope: Scope, after_seq: int, last_seq: int) -> int:
    """What was charged, less what included credit paid of it: no card pays that again."""
    charged = credits.charged_between(uow.connection, scope, after_seq=after_seq, last_seq=last_seq)
    included = included_credit.between(uow, scope, after_seq=after_seq, last_seq=last_seq)
    return charged - included.drawn_micros


def _own_micros(uow: UnitOfWork, account: BilledAccount) -> int:
    """Included credit covers no fee: a fee below it is owed."""
    left = included_credit.left_micros(uow, account.scope, account.credit_turns_at)
    return account.balance_micros - left


def note_payments(uow: UnitOfWork, account: BilledAccount) -> None:
    """Days that the balance covers by now are paid, and are asked for no more."""
    unpaid = {due.day for due in unpaid_days(uow, account)}
    for day in store.due_of(uow.connection, account.scope):
        if day.day not in unpaid:
            store.mark_paid(uow.connection, account.scope, day.day, uow.now)
