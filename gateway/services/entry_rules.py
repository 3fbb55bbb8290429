"""The rule behind a line that no talk and no text caused: found by the line's own key."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Protocol, cast

from billing.explain import Explanation
from billing.explain_entries import (
    explain_access,
    explain_change,
    explain_expiry,
    explain_included,
    explain_issue,
    explain_package,
    explain_payment,
    explain_refund,
    explain_rent,
)
from billing.minor_units import quantum_micros
from billing.postings import PostingKind
from billing.terms import Term
from gateway.services import plans
from gateway.store import buckets, charges, numbers, packages, refunds, subscriptions
from gateway.store.base import Scope
from gateway.uow import UnitOfWork


class Line(Protocol):
    """What of a statement's line says where its rule is."""

    @property
    def key(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def amount_micros(self) -> int: ...
    @property
    def unit(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def plan_version_id(self) -> uuid.UUID | None: ...
    @property
    def reason(self) -> str | None: ...


def explain(uow: UnitOfWork, scope: Scope, line: Line) -> Explanation | None:
    """None for a line that a person made, and where its rule cannot be found any more."""
    rule = _RULES.get(line.kind)
    return None if rule is None else rule(uow, scope, line)


def _rent(uow: UnitOfWork, scope: Scope, line: Line) -> Explanation | None:
    _rent_word, did_id, month = line.key.split(":")
    found = numbers.place_of(uow.connection, scope.tenant_id, uuid.UUID(did_id))
    if found is None or line.plan_version_id is None:
        return None
    version = plans.plan_version(uow.connection, line.plan_version_id)
    country, number_type = found
    return explain_rent(
        abs(line.amount_micros),
        description=line.description,
        month=int(month),
        country=country,
        number_type=number_type,
        plan=version.plan,
        plan_version=version.version,
    )


def _access(uow: UnitOfWork, scope: Scope, line: Line) -> Explanation | None:
    _access_word, subscription_id, n = line.key.split(":")
    term = subscriptions.term_of(uow.connection, scope.tenant_id, uuid.UUID(subscription_id))
    if term is None or line.plan_version_id is None:
        return None
    version = plans.plan_version(uow.connection, line.plan_version_id)
    return explain_access(
        abs(line.amount_micros),
        description=line.description,
        term=cast(Term, term),
        n=int(n),
        plan=version.plan,
        plan_version=version.version,
    )


def _change(uow: UnitOfWork, scope: Scope, line: Line) -> Explanation | None:
    if line.reason is None or line.plan_version_id is None:
        return None
    version = plans.plan_version(uow.connection, line.plan_version_id)
    return explain_change(
        abs(line.amount_micros),
        description=line.description,
        formula=line.reason,
        plan=version.plan,
        plan_version=version.version,
    )


def _package(uow: UnitOfWork, scope: Scope, line: Line) -> Explanation | None:
    _package_word, package_id, _n = line.key.split(":")
    stored = packages.find(uow.connection, scope, uuid.UUID(package_id))
    if stored is None:
        return None
    version = plans.plan_version(uow.connection, stored.plan_version_id)
    offer = version.plan.terms.find_package(stored.code)
    assert offer is not None, "a version that sold a package never changes"
    return explain_package(
        abs(line.amount_micros),
        description=line.description,
        offer=offer,
        plan=version.plan,
        plan_version=version.version,
    )


def _issue(uow: UnitOfWork, scope: Scope, line: Line) -> Explanation | None:
    """What was carried over has no rule but the remainder of the month before."""
    word, bucket_id = line.key.split(":")
    bucket = _bucket(uow, scope, bucket_id)
    if word != "issue" or bucket is None:
        return None
    version = plans.plan_version(uow.connection, bucket.plan_version_id)
    terms = version.plan.terms
    given = terms.find_package(bucket.offer_code) if bucket.offer_code else terms.allowance
    assert given is not None, "a version that gave minutes never changes"
    return explain_issue(
        line.amount_micros,
        description=line.description,
        minutes=given.minutes,
        plan=version.plan,
        plan_version=version.version,
        formula=line.reason,
    )


def _expiry(uow: UnitOfWork, scope: Scope, line: Line) -> Explanation | None:
    bucket = _bucket(uow, scope, line.key.split(":")[1])
    if bucket is None:
        return None
    expired = abs(line.amount_micros)
    filled, gone = buckets.moved(uow.connection, scope.tenant_id, [bucket.id])[bucket.id]
    return explain_expiry(
        expired,
        filled_seconds=filled,
        used_seconds=filled - gone,
        carried_seconds=gone - expired,
    )


def _bucket(uow: UnitOfWork, scope: Scope, bucket_id: str) -> buckets.StoredBucket | None:
    found = buckets.find_all(uow.connection, scope.tenant_id, [uuid.UUID(bucket_id)])
    return found[0] if found else None


def _included(uow: UnitOfWork, scope: Scope, line: Line) -> Explanation | None:
    """The sum was written down with the line: it stands whatever is corrected later."""
    if line.reason is None or line.plan_version_id is None:
        return None
    version = plans.plan_version(uow.connection, line.plan_version_id)
    return explain_included(
        abs(line.amount_micros),
        description=line.description,
        formula=line.reason,
        expires=line.kind == PostingKind.CREDIT_EXPIRY,
        plan=version.plan,
        plan_version=version.version,
    )


def _payment(uow: UnitOfWork, scope: Scope, line: Line) -> Explanation | None:
    """A top-up that a card paid; a transfer and one by hand are as large as somebody said."""
    charge = charges.find(uow.connection, scope, uuid.UUID(line.key.split(":")[1]))
    if charge is None or charge.net_micros != line.amount_micros:
        return None  # the bank took another amount than was asked for
    return explain_payment(
        charge.net_micros,
        description=line.description,
        vat_micros=charge.vat_micros,
        rate_basis_points=charge.vat_basis_points,
        quantum_micros=quantum_micros(charge.currency),
        note=charge.vat_note,
        currency=charge.currency,
    )


def _refund(uow: UnitOfWork, scope: Scope, line: Line) -> Explanation | None:
    found = refunds.find(uow.connection, scope, uuid.UUID(line.key.split(":")[1]))
    charge = None if found is None else charges.find(uow.connection, scope, found.charge_id)
    if found is None or charge is None:
        return None
    return explain_refund(
        found.net_micros,
        description=line.description,
        vat_micros=found.vat_micros,
        vat_formula=found.vat_formula,
        note=charge.vat_note,
        of=f"the payment of {charge.created_at:%Y-%m-%d}",
        reason=found.reason,
        currency=found.currency,
    )


_RULES: dict[str, Callable[[UnitOfWork, Scope, Line], Explanation | None]] = {
    PostingKind.RENTAL: _rent,
    PostingKind.ACCESS_FEE: _access,
    PostingKind.PLAN_CHANGE: _change,
    PostingKind.PACKAGE: _package,
    PostingKind.ISSUE: _issue,
    PostingKind.EXPIRE: _expiry,
    PostingKind.TOPUP: _payment,
    PostingKind.REFUND: _refund,
    PostingKind.INCLUDED_CREDIT: _included,
    PostingKind.CREDIT_EXPIRY: _included,
}
