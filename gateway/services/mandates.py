"""Mandates for debits: kept by staff when the customer has signed, one in force per account."""

from __future__ import annotations

import datetime as dt

from billing.calendar import local_date
from billing.mandates import compact_iban, mandate_problems
from gateway.services import accounts, audit
from gateway.services.errors import Conflict, FieldError, Invalid
from gateway.store import ledger
from gateway.store import mandates as store
from gateway.store.base import Scope, new_id
from gateway.store.mandates import StoredMandate
from gateway.uow import UnitOfWork


def keep(
    uow: UnitOfWork,
    scope: Scope,
    *,
    reference: str,
    signed_on: dt.date,
    holder: str,
    iban: str,
    actor: str,
) -> StoredMandate:
    """Another one that is in force ends with this; the same one again changes nothing."""
    ledger.lock_books(uow.connection, scope)
    account = accounts.get_account(uow, scope)
    iban, holder = compact_iban(iban), holder.strip() or account.name
    problems = mandate_problems(
        reference=reference,
        signed_on=signed_on,
        holder=holder,
        iban=iban,
        today=local_date(uow.now, account.time_zone),
    )
    if problems:
        raise Invalid(FieldError(e.path, e.message) for e in problems)
    now = store.in_force(uow.connection, scope)
    told = (reference, signed_on, holder, iban)
    if now is not None and (now.reference, now.signed_on, now.holder, now.iban) == told:
        return now
    if store.is_given(uow.connection, scope.tenant_id, reference):
        raise Invalid.at("/reference", "this reference was given already: choose another one")
    store.end(uow.connection, scope, why=f"replaced by {reference}", at=uow.now)
    kept = StoredMandate(
        tenant_id=scope.tenant_id,
        id=new_id(),
        account_id=scope.account_id,
        reference=reference,
        signed_on=signed_on,
        holder=holder,
        iban=iban,
        created_at=uow.now,
        created_by=actor,
        ended_at=None,
        ended_why=None,
    )
    store.add(uow.connection, kept)
    audit.note(
        uow, scope, actor, "mandate.kept", reference,
        iban=kept.masked_iban, signed_on=signed_on.isoformat(),
    )  # fmt: skip
    return kept


def end(uow: UnitOfWork, scope: Scope, reason: str, actor: str) -> None:
    """Nothing more is collected under it; what a bank has been asked for already still comes."""
    if not reason.strip():
        raise Invalid.at("/reason", "Say why: the reason stands in the account's trail.")
    now = store.in_force(uow.connection, scope)
    if now is None:
        raise Conflict("There is no mandate in force.")
    store.end(uow.connection, scope, why=reason.strip(), at=uow.now)
    audit.note(uow, scope, actor, "mandate.ended", now.reference, reason=reason.strip())


def find(uow: UnitOfWork, scope: Scope) -> StoredMandate | None:
    """The one in force."""
    return store.in_force(uow.connection, scope)


def list_mandates(uow: UnitOfWork, scope: Scope) -> list[StoredMandate]:
    """Newest first, ended ones too."""
    return store.of_account(uow.connection, scope)
