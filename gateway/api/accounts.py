"""Accounts: opened by staff, looked after by their owners."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import for_anyone, for_ops, scope_of
from gateway.api.fields import Amount, Currency, Items, Listing, Money, money, money_or_none
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import accounts, contacts, included_credit, pages, vat_checks
from gateway.services.accounts import Account, AccountFlag, NewAccount
from gateway.services.errors import FieldError, Forbidden, Invalid
from gateway.services.principals import Principal
from gateway.uow import UnitOfWork


class AccountIn(Model):
    name: str
    plan: str = Field(description="Code of the plan; its newest version is taken.")
    billing_email: str
    currency: str = "USD"
    country: str = Field("US", description="ISO 3166 code.")
    time_zone: str = Field("America/New_York", description="IANA name.")
    parent: UUID | None = Field(None, description="The agency that this account belongs to.")
    billing: Literal["own", "agency_shared"] = "own"
    term: Literal["month", "year"] = Field("month", description="Of the access, if it has a fee.")
    needs_card: bool = Field(
        True, description="Where the plan is paid by card: service begins with the first one."
    )


class AccountChanges(Model):
    """What is left out stays as it is."""

    name: str | None = None
    billing_email: str | None = None
    country: str | None = None
    time_zone: str | None = None
    allowed_countries: list[str] | None = Field(
        None, description="Where calls may be forwarded to: ISO 3166 codes."
    )
    suspended_notice: str | None = Field(
        None, description="Said to callers while suspended; null: the call is refused unbilled."
    )
    low_balance: Amount | None = Field(None, description="Warn below this; null: never.")
    legal_name: str | None = Field(None, description="As on bills; empty: the name.")
    address: str | None = Field(None, description="As on bills, with line breaks.")
    vat_id: str | None = Field(
        None, description="Of the account's country; staff looks it up before tax is left out."
    )
    attach_statement: bool | None = Field(
        None,
        description="Mails about statements and receipts bring their PDF, with an e-invoice inside"
        " where one can be made.",
    )
    plan: str | None = Field(None, description="Staff only: move to this plan's newest version.")
    billing: Literal["own", "agency_shared"] | None = Field(
        None, description="Staff only: who pays for calls that begin from now on."
    )


class AccountOut(BaseModel):
    id: UUID
    name: str
    status: str = Field(description="active, suspended or closed.")
    currency: Currency
    balance: Money
    country: str
    time_zone: str
    plan: str
    plan_version: int
    plan_version_id: UUID
    billing_email: str
    billing_email_bounced_at: dt.datetime | None = Field(
        description="Since when mail there comes back; null once the address is changed."
    )
    billing_email_confirmed_at: dt.datetime | None = Field(
        description="When the link that is mailed there was opened; null: not yet."
    )
    legal_name: str
    address: str
    vat_id: str
    vat_id_checked_at: dt.datetime | None = Field(
        description="Null: tax is not left out on its strength."
    )
    attach_statement: bool
    billing: str
    parent: UUID | None
    allowed_countries: list[str]
    suspended_notice: str | None
    low_balance: Money | None
    created_at: dt.datetime
    suspended_at: dt.datetime | None


class IncludedCreditOut(BaseModel):
    """Credit that the access fee includes, in the billing cycle that runs: it is part of the
    balance, pays for calls and texts before the customer's own money, and for nothing else."""

    granted: Money
    used: Money
    left: Money
    starts_on: dt.date
    ends_on: dt.date = Field(description="The last day; what is left then expires.")


class VatIdStandingOut(BaseModel):
    """What the Union's register (VIES) last said of the VAT id. It decides nothing by itself, but
    where the operator lets its yes confirm an id."""

    answer: Literal["valid", "invalid", "unknown"] | None = Field(
        description="`unknown`: it could not be reached or could not say. Null: not asked yet."
    )
    answered_at: dt.datetime | None
    name: str = Field(description="Whose the id is, by the register; empty where it does not say.")
    identifier: str = Field(description="The register's consultation number, where it gave one.")
    words: str = Field(description="Why it is unknown.")
    ask_at: dt.datetime | None = Field(description="When it is asked next; null: not again.")
    withdrawn_at: dt.datetime | None = Field(
        description="When staff withdrew the confirmation; null once it is confirmed anew."
    )
    withdrawn_because: str | None


class AccountDetailOut(AccountOut):
    vat_id_standing: VatIdStandingOut | None = Field(description="Null: the account has no VAT id.")
    included_credit: IncludedCreditOut | None = Field(
        description="Of a client that shares its agency's billing: the agency's, if it is for both."
    )


class EmailLinkOut(BaseModel):
    sent_to: str


class AccountsOut(Items[AccountOut]):
    """A page of accounts."""


class AccountListing(Listing):
    query: str = Field("", max_length=120, description="Part of the name or the billing e-mail.")
    flag: AccountFlag | None = Field(
        None,
        description="Only those that need somebody: billing mail comes back, its address is not"
        " confirmed, or a VAT id is new.",
    )


@blueprint.post("/accounts")
@for_ops
@blueprint.input(AccountIn, arg_name="body")
@blueprint.output(AccountDetailOut, status_code=201)
def create_account(staff: Principal, body: AccountIn) -> AccountDetailOut:
    """Open an account (staff)"""
    new = NewAccount(
        name=body.name,
        billing_email=body.billing_email,
        plan_code=body.plan,
        currency=body.currency,
        country=body.country,
        time_zone=body.time_zone,
        parent_id=body.parent,
        billing=body.billing,
        term=body.term,
        needs_card=body.needs_card,
    )
    with runtime.current().units.begin() as uow:
        return account_detail(uow, accounts.create_account(uow, new, staff.name))


@blueprint.get("/accounts")
@for_ops
@blueprint.input(AccountListing, location="query", arg_name="query")
@blueprint.output(AccountsOut)
def list_accounts(staff: Principal, query: AccountListing) -> object:
    """List accounts, newest first (staff)"""
    after = pages.decode_cursor(query.after, pages.uuid_of) if query.after else None
    with runtime.current().units.read() as uow:
        found = accounts.list_accounts(
            uow, after=after, limit=query.limit, query=query.query, flag=query.flag
        )
    return {
        "items": [account_out(account) for account in found],
        "next": pages.encode_cursor(found[-1].id) if len(found) == query.limit else None,
    }


@blueprint.get("/accounts/<uuid:account_id>")
@for_anyone
@blueprint.output(AccountDetailOut)
def get_account(principal: Principal, account_id: UUID) -> AccountDetailOut:
    """One account"""
    scope = scope_of(principal, account_id)
    with runtime.current().units.read() as uow:
        return account_detail(uow, accounts.get_account(uow, scope))


@blueprint.patch("/accounts/<uuid:account_id>")
@for_anyone
@blueprint.input(AccountChanges, arg_name="body")
@blueprint.output(AccountDetailOut)
def update_account(
    principal: Principal, account_id: UUID, body: AccountChanges
) -> AccountDetailOut:
    """Change an account"""
    scope = scope_of(principal, account_id)
    if "plan" in body.model_fields_set and not principal.is_ops:
        raise Forbidden("Only staff may change the plan: ask the operator.")
    if "billing" in body.model_fields_set and not principal.is_ops:
        raise Forbidden("Only staff may change who pays: ask the operator.")
    with runtime.current().units.begin() as uow:
        try:
            changed = accounts.update_account(uow, scope, _changes(body), principal.name)
            return account_detail(uow, changed)
        except Invalid as refusal:
            raise Invalid(_as_sent(refusal.errors)) from None


@blueprint.post("/accounts/<uuid:account_id>/email-link")
@for_anyone
@blueprint.output(EmailLinkOut, status_code=202)
def send_email_link(principal: Principal, account_id: UUID) -> EmailLinkOut:
    """Mail the link that confirms the billing address once more

    One goes out by itself when the account is opened and when its address changes. Two minutes lie
    between two of them, and there are five a day; 409 until then, and where it is confirmed.
    """
    scope = scope_of(principal, account_id)
    with runtime.current().units.begin() as uow:
        return EmailLinkOut(sent_to=contacts.send_again(uow, scope, principal.name))


_NAMES = {"low_balance": "low_balance_micros", "plan": "plan_code"}


def _changes(body: AccountChanges) -> dict[str, Any]:
    return {_NAMES.get(name, name): getattr(body, name) for name in body.model_fields_set}


def _as_sent(errors: tuple[FieldError, ...]) -> list[FieldError]:
    """With the names of the API's fields, not of the service's."""
    sent = {f"/{inner}": f"/{outer}" for outer, inner in _NAMES.items()}
    return [FieldError(sent.get(e.path, e.path), e.message, e.code) for e in errors]


def account_detail(uow: UnitOfWork, account: Account) -> AccountDetailOut:
    seen = included_credit.figures(uow, account)
    credit = None
    if seen is not None:
        credit = IncludedCreditOut(
            granted=money(seen.granted_micros),
            used=money(seen.used_micros),
            left=money(seen.left_micros),
            starts_on=seen.cycle_starts_on,
            ends_on=seen.last_day,
        )
    return AccountDetailOut(
        **account_out(account).model_dump(),
        included_credit=credit,
        vat_id_standing=_standing(uow, account),
    )


def _standing(uow: UnitOfWork, account: Account) -> VatIdStandingOut | None:
    found = vat_checks.standing(uow, runtime.current().settings, account)
    if found is None:
        return None
    said, withdrawn = found.answer, found.withdrawn
    return VatIdStandingOut(
        answer=said.answer if said else None,  # type: ignore[arg-type]  # as the table's check says
        answered_at=said.answered_at if said else None,
        name=said.name if said else "",
        identifier=said.identifier if said else "",
        words=said.words if said else "",
        ask_at=found.ask_at,
        withdrawn_at=withdrawn.at if withdrawn else None,
        withdrawn_because=withdrawn.detail["reason"] if withdrawn else None,
    )


def account_out(account: Account) -> AccountOut:
    return AccountOut(
        id=account.id,
        name=account.name,
        status=account.status,
        currency=account.currency,
        balance=money(account.balance_micros),
        country=account.country,
        time_zone=account.time_zone,
        plan=account.plan_code,
        plan_version=account.plan_version,
        plan_version_id=account.plan_version_id,
        billing_email=account.billing_email,
        billing_email_bounced_at=account.billing_email_bounced_at,
        billing_email_confirmed_at=account.billing_email_confirmed_at,
        legal_name=account.legal_name,
        address=account.address,
        vat_id=account.vat_id,
        vat_id_checked_at=account.vat_id_checked_at,
        attach_statement=account.attach_statement,
        billing=account.billing,
        parent=account.parent_id,
        allowed_countries=list(account.allowed_countries),
        suspended_notice=account.suspended_notice,
        low_balance=money_or_none(account.low_balance_micros),
        created_at=account.created_at,
        suspended_at=account.suspended_at,
    )
