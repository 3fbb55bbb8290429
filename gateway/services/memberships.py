"""Who pays for a client: itself or its agency, from an instant on; no past call changes payer.

What is to come is written down beside what was, so that settlement and pools, which ask for the
instant at which a call began, need no clock to have looked. `account.billing`, what gates and
pages read, follows when renewals look at the account: within seconds of the instant.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from billing.memberships import (
    SETTLES_WITHIN,
    BillingChange,
    NotPlannable,
    plan_stretch,
    shares_billing_at,
    to_come,
)
from gateway.services import audit, ledger
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.services.ledger import Books
from gateway.store import accounts as account_store
from gateway.store import memberships as store
from gateway.store.accounts import Account
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

Billing = Literal["own", "agency_shared"]
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A change of who pays that is written down and has not begun."""

    from_at: dt.datetime
    billing: Billing
    actor: str


def set_billing(uow: UnitOfWork, scope: Scope, billing: Billing, actor: str) -> bool:
    """From now on; calls that run keep the payer they began with (S1-14). False if it was so.
    What was planned for later stays planned."""
    with ledger.books(uow, scope) as opened:
        _agency_of(uow, opened.scope, opened.currency)
        shared = billing == "agency_shared"
        if shares_billing_at(store.changes_of(uow.connection, scope), uow.now) == shared:
            return False
        _begin(uow, scope, billing, actor)
    audit.note(uow, scope, actor, "account.billing_changed", scope.account_id, billing=billing)
    return True


def _begin(uow: UnitOfWork, scope: Scope, billing: Billing, actor: str) -> None:
    store.add(uow.connection, scope, from_at=uow.now, billing=billing, actor=actor, look_at=None)
    account_store.change(uow.connection, scope, {"billing": billing, "draws_minutes": True})


def _agency_of(uow: UnitOfWork, scope: Scope, currency: str) -> Account:
    account = account_store.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    if account.parent_id is None:
        raise Invalid.at("/billing", "an account without an agency pays by itself: write own")
    agency = account_store.find(uow.connection, Scope(scope.tenant_id, account.parent_id))
    assert agency is not None, "a parent stays in its tenant"
    if agency.currency != currency:
        raise Invalid.at("/billing", f"the agency pays in {agency.currency}: write own")
    return agency


def planned(
    uow: UnitOfWork,
    scope: Scope,
    billing: Billing,
    *,
    first_on: dt.date | None,
    last_on: dt.date | None,
) -> tuple[BillingChange, ...]:
    """The changes that `schedule` would write down, or the error that it would raise."""
    account = account_store.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    _agency_of(uow, scope, account.currency)
    changes = store.changes_of(uow.connection, scope)
    if to_come(changes, uow.now):
        raise Conflict("A change of who pays is planned already: cancel it first.")
    try:
        return plan_stretch(
            billing == "agency_shared",
            shared_now=shares_billing_at(changes, uow.now),
            first_on=first_on,
            last_on=last_on,
            zone=account.time_zone,
            now=uow.now,
        )
    except NotPlannable as refusal:
        field = "billing" if refusal.field == "shared" else refusal.field
        raise Invalid.at(f"/{field}", str(refusal)) from None


def schedule(
    uow: UnitOfWork,
    scope: Scope,
    billing: Billing,
    *,
    first_on: dt.date | None,
    last_on: dt.date | None,
    actor: str,
) -> tuple[Upcoming, ...]:
    """A stretch of days, in the account's zone as it is now: `last_on` belongs to it. One stretch
    is planned at a time. Without a first day it begins at once."""
    with ledger.books(uow, scope):
        for change in planned(uow, scope, billing, first_on=first_on, last_on=last_on):
            then: Billing = "agency_shared" if change.shared else "own"
            if change.from_at == uow.now:
                _begin(uow, scope, then, actor)
                continue
            store.add(
                uow.connection,
                scope,
                from_at=change.from_at,
                billing=then,
                actor=actor,
                look_at=change.from_at,
            )
        account_store.change(uow.connection, scope, {"draws_minutes": True})
    audit.note(
        uow,
        scope,
        actor,
        "account.billing_planned",
        scope.account_id,
        billing=billing,
        first_on=None if first_on is None else first_on.isoformat(),
        last_on=None if last_on is None else last_on.isoformat(),
    )
    return upcoming(uow, scope)


def upcoming(uow: UnitOfWork, scope: Scope) -> tuple[Upcoming, ...]:
    return tuple(
        Upcoming(row.from_at, "agency_shared" if row.shared else "own", row.actor)
        for row in store.rows_after(uow.connection, scope, uow.now)
    )


def cancel(uow: UnitOfWork, scope: Scope, actor: str) -> None:
    """What has not begun does not come; what has begun goes on without its end.

    Too late within a minute of the instant: a settlement could have gone by it.
    """
    with ledger.books(uow, scope):
        coming = upcoming(uow, scope)
        if not coming:
            raise Conflict("No change of who pays is planned.")
        if coming[0].from_at <= uow.now + SETTLES_WITHIN:
            raise Conflict("It begins within a minute: wait for that, then change it back.")
        store.withdraw(uow.connection, scope, after=uow.now)
    audit.note(uow, scope, actor, "account.billing_plan_canceled", scope.account_id)


def apply_due(uow: UnitOfWork, opened: Books) -> None:
    """What begins by now: gates and pages are told."""
    scope = opened.scope
    if not store.attend(uow.connection, scope, now=uow.now):
        return
    shared = shares_billing_at(store.changes_of(uow.connection, scope), uow.now)
    billing: Billing = "agency_shared" if shared else "own"
    account_store.change(uow.connection, scope, {"billing": billing})
    audit.note(uow, scope, SYSTEM, "account.billing_changed", scope.account_id, billing=billing)
