"""Whose money an account spends: its own, or its agency's while it shares its billing (C15)."""

from __future__ import annotations

import datetime as dt

from billing.memberships import shares_billing_at
from billing.postings import Posting
from gateway.services.ledger import Books
from gateway.store import ledger, memberships
from gateway.store.base import Scope
from gateway.store.ledger import LockedBooks
from gateway.uow import UnitOfWork


def agency_of(uow: UnitOfWork, scope: Scope, locked: LockedBooks, at: dt.datetime) -> Scope | None:
    """The agency that pays for what an account has at an instant; None: it pays by itself."""
    if locked.parent_id is None:
        return None
    if not shares_billing_at(memberships.changes_of(uow.connection, scope), at):
        return None
    return Scope(scope.tenant_id, locked.parent_id)


def join(uow: UnitOfWork, opened: Books) -> None:
    """Take the agency's books beside the account's, where it pays now; both are written at once.

    The account's lock holds the tenant's chain already, so somebody who waits for that with the
    agency's lock in hand is a deadlock: the database ends one of the two, and it is run again.
    """
    agency = agency_of(uow, opened.scope, opened.locked, uow.now)
    if agency is not None:
        locked = ledger.lock_books(uow.connection, agency)
        assert locked is not None, "a parent stays in its tenant"
        opened.payer = Books(agency, locked, locked.balance_micros)


def take(uow: UnitOfWork, agency: Scope, journal: list[Posting] | None = None) -> Books | None:
    """The agency's books for a drain, which never waits for them: None means later. `journal`: that
    of the books beside which they are written."""
    locked = ledger.lock_free_books(uow.connection, agency.tenant_id, [agency.account_id])
    found = locked.get(agency.account_id)
    if found is None:
        return None
    return Books(agency, found, found.balance_micros, [] if journal is None else journal)
