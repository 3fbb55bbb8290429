"""The rent of numbers, by the month in advance; the first number may be free for some days."""

from __future__ import annotations

import datetime as dt
import uuid

from billing.calendar import local_date
from billing.ledger import rental_posting
from billing.renewals import RenewalOutcome, renewal_outcome, renewal_shortfall
from billing.rentals import RentedNumber, rent, rent_key, rents_due
from billing.tariffs import Plan
from gateway.services import included_credit, plans
from gateway.services.ledger import Books
from gateway.services.plans import PlanVersion
from gateway.services.renewal_notices import RETRY_AFTER, announce, tell_unpaid
from gateway.store import accounts as account_store
from gateway.store import rentals as store
from gateway.store.base import Scope
from gateway.store.rentals import StoredRental
from gateway.uow import UnitOfWork
from routing.numbering import pretty


def free_until(
    uow: UnitOfWork, scope: Scope, version: PlanVersion, e164: str, zone: str
) -> dt.datetime | None:
    """Until when a number that is bought now costs nothing: the trial of the account's first one
    (S5-13), or the month that it has paid before it gave the number back (S2-05)."""
    paid_until = store.paid_until(uow.connection, scope, e164)
    if paid_until is not None and paid_until > uow.now:
        return paid_until
    rented = rent(
        uuid.UUID(int=0),
        version.plan.tariff,
        purchased_at=uow.now,
        zone=zone,
        numbers_bought_before=store.bought_ever(uow.connection, scope),
    )
    return rented.charged_from if rented.charged_from > uow.now else None


def begin(
    uow: UnitOfWork, opened: Books, did_id: uuid.UUID, trial_until: dt.datetime | None
) -> None:
    """A number was bought: its first month is due now, or when its trial ends."""
    due_at = trial_until or uow.now
    store.change(
        uow.connection,
        opened.scope,
        did_id,
        {"trial_until": trial_until, "rented_until": due_at, "rent_due_at": due_at},
    )
    if trial_until is not None:
        account_store.change(uow.connection, opened.scope, {"trial_used": True})
        announce(uow, opened.money.scope, rent_key(did_id, 1), trial_until)


def renew(uow: UnitOfWork, opened: Books, *, due_by: dt.datetime | None = None) -> bool:
    """Post the months that are due; whether one waits for money. A number is never given up for
    want of money by itself: where the plan drops what is not paid, its rent waits as well."""
    version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
    payer = plans.plan_version(uow.connection, opened.money.locked.plan_version_id).plan
    for stored in store.rented(uow.connection, opened.scope, due_by=due_by or uow.now):
        _renew_one(uow, opened, version, payer, stored)
    return store.has_waiting(uow.connection, opened.scope)


def _renew_one(
    uow: UnitOfWork, opened: Books, version: PlanVersion, payer: Plan, stored: StoredRental
) -> None:
    number = rented_number(stored, opened.locked.time_zone)
    values: dict[str, object] = {}
    amount, money = stored.rental_micros, opened.money
    for month in rents_due(number, posted=stored.rental_n - 1, now=uow.now):
        n = month.n + 1  # the posting's months count from 1
        own = included_credit.own_micros(uow, money)
        short = renewal_shortfall(amount, own, payer.credit_limit_micros)
        if renewal_outcome(short, payer.terms.renewal_without_balance) != RenewalOutcome.POST:
            values["rent_due_at"] = uow.now + RETRY_AFTER
            words = f"the rent of {pretty(stored.e164)}"
            tell_unpaid(uow, money, rent_key(stored.id, n), words, True)
            break
        if amount:
            money.post(
                lambda balance, n=n, month=month: rental_posting(  # type: ignore[misc]
                    stored.id,
                    n,
                    amount=amount,
                    unit=money.currency,
                    at=uow.now,
                    account_id=money.scope.account_id,
                    balance_before=balance,
                    description=f"Rent of {pretty(stored.e164)}, from {month.starts_on:%d %b %Y}",
                    plan_version_id=version.id,
                )
            )
        values = {"rental_n": n, "rented_until": month.ends_at, "rent_due_at": month.ends_at}
        announce(uow, money.scope, rent_key(stored.id, n + 1), month.ends_at)
    if values:
        store.change(uow.connection, opened.scope, stored.id, values)


def rented_number(stored: StoredRental, zone: str) -> RentedNumber:
    """As the rules know it."""
    charged_from = stored.trial_until or stored.bought_at
    return RentedNumber(
        id=stored.id, zone=zone, anchor=local_date(charged_from, zone), charged_from=charged_from
    )
