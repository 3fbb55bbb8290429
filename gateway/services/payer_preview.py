"""Before a client moves to its agency's billing, or away from it: what changes, from when, who
pays. Nothing is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from billing.calendar import local_date
from billing.memberships import BillingChange, shares_billing_at
from billing.packages import Bucket
from billing.pools import left_to
from gateway.services import included_credit, memberships, minutes, renewals
from gateway.services.errors import NotFound
from gateway.services.memberships import Billing
from gateway.store import accounts as account_store
from gateway.store import buckets
from gateway.store import clients as store
from gateway.store import memberships as membership_store
from gateway.store.accounts import Account
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

USAGE_DAYS = 30


@dataclass(frozen=True, slots=True)
class Fee:
    """The next of its kind, and whether the agency will pay it."""

    at: dt.datetime
    words: str
    amount_micros: int
    by_agency: bool


@dataclass(frozen=True, slots=True)
class PayerPreview:
    """`changes` as they would be written down; `usage_micros` is what calls and texts cost in the
    last 30 days, whoever paid. Minutes are those that a call could draw now: of the account's own,
    which always come first, and of the agency's that are for clients."""

    account: Account
    agency: Account
    shares_now: bool
    changes: tuple[BillingChange, ...]
    fees: tuple[Fee, ...]
    usage_micros: int
    own_seconds: int
    agency_seconds: int
    own_credit_micros: int
    agency_credit_micros: int


def preview(
    uow: UnitOfWork,
    scope: Scope,
    billing: Billing,
    *,
    first_on: dt.date | None,
    last_on: dt.date | None,
) -> PayerPreview:
    """Raises what `memberships.schedule` would."""
    changes = memberships.planned(uow, scope, billing, first_on=first_on, last_on=last_on)
    account = _account(uow, scope)
    assert account.parent_id is not None, "planned only for clients"
    agency = _account(uow, Scope(scope.tenant_id, account.parent_id))
    then = (*membership_store.changes_of(uow.connection, scope), *changes)
    own, shared = _minutes(uow, account, agency)
    first_day = local_date(uow.now, account.time_zone) - dt.timedelta(days=USAGE_DAYS)
    credit = included_credit.figures(uow, agency)
    return PayerPreview(
        account=account,
        agency=agency,
        shares_now=shares_billing_at(then[: len(then) - len(changes)], uow.now),
        changes=changes,
        fees=tuple(
            Fee(fee.at, fee.words, fee.amount_micros, shares_billing_at(then, max(fee.at, uow.now)))
            for fee in sorted(renewals.fees_coming(uow, scope), key=lambda fee: fee.at)
        ),
        usage_micros=store.usage_since(uow.connection, scope, first_day),
        own_seconds=left_to(own, account.id, uow.now),
        agency_seconds=left_to(shared, agency.id, uow.now),
        own_credit_micros=included_credit.left_micros(uow, scope, account.credit_turns_at),
        agency_credit_micros=credit.left_micros
        if credit is not None and included_credit.is_shared(uow, agency)
        else 0,
    )


def _account(uow: UnitOfWork, scope: Scope) -> Account:
    found = account_store.find(uow.connection, scope)
    if found is None:
        raise NotFound("account", scope.account_id)
    return found


def _minutes(
    uow: UnitOfWork, account: Account, agency: Account
) -> tuple[Sequence[Bucket], Sequence[Bucket]]:
    found = [
        minutes.bucket_of(uow, stored)
        for stored in buckets.open_of(uow.connection, account.tenant_id, [account.id, agency.id])
    ]
    shared = [bucket for bucket in found if bucket.scope == "agency_shared"]
    return found, shared
