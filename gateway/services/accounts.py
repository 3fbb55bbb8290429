"""Accounts: opened with a wallet and a place in the directory, changed, and looked up."""

import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from phonenumbers import country_code_for_region

from billing.terms import Term
from billing.vat_ids import InvalidVatId, is_in_vies, parse_vat_id
from gateway.services import audit, card_first, contacts, memberships, plans, renewals
from gateway.services.errors import Conflict, FieldError, Invalid, NotFound
from gateway.services.plans import PlanVersion
from gateway.store import accounts, ledger, vat_checks
from gateway.store.accounts import Account, AccountFlag
from gateway.store.base import Scope, new_id
from gateway.uow import UnitOfWork
from routing.hours import is_time_zone

__all__ = [
    "Account",
    "AccountFlag",
    "NewAccount",
    "confirm_vat_id",
    "create_account",
    "find_named",
    "find_scope",
    "get_account",
    "list_accounts",
    "names",
    "update_account",
    "withdraw_vat_id",
]

NAME_LENGTH_MAX = 120
NOTICE_LENGTH_MAX = 500
LIMIT_MAX = 200
COUNTRY = re.compile(r"[A-Z]{2}")
# Not RFC 5322: it keeps out what no mail server takes, and anything that could end a header.
EMAIL = re.compile(r"[^\s@<>(),;:\"\\]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
EMAIL_LENGTH_MAX = 254
BILLED_LENGTH_MAX = {"legal_name": 120, "address": 300, "vat_id": 20}
EVIDENCE_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    name: str
    billing_email: str
    plan_code: str
    currency: str = "USD"
    country: str = "US"
    time_zone: str = "America/New_York"
    parent_id: uuid.UUID | None = None
    billing: Literal["own", "agency_shared"] = "own"
    term: Term = "month"  # of the access, where the plan has a fee for it
    email_is_confirmed: bool = False  # True: whoever opens it knows that it is theirs
    needs_card: bool = True  # where the plan is paid by card; False: paid by other means


def create_account(uow: UnitOfWork, new: NewAccount, actor: str) -> Account:
    """Open an account with an empty wallet on the newest version of its plan.

    A sub-account joins the tenant of its agency; everybody else is a tenant of their own.
    """
    errors = [
        error
        for name in ("name", "billing_email", "country", "time_zone")
        if (error := _complaint(name, getattr(new, name)))
    ]
    version = _version_on_sale(uow, new.plan_code, new.currency, errors)
    if version is not None and version.plan.terms.access_fee.for_term(new.term) is None:
        errors.append(FieldError("/term", f"{new.plan_code} is sold by the month only"))
    tenant_id = _tenant_of_parent(uow, new, errors)
    if new.billing == "agency_shared" and new.parent_id is None:
        errors.append(FieldError("/billing", 'needs an agency: write "own", or name the parent'))
    if errors or version is None:
        raise Invalid(errors)
    id = new_id()
    scope = Scope(tenant_id or id, id)
    ledger.open_chain(uow.connection, scope.tenant_id)
    ledger.open_wallet(uow.connection, scope, new.currency)
    accounts.add(
        uow.connection,
        tenant_id=scope.tenant_id,
        id=id,
        parent_id=new.parent_id,
        name=new.name.strip(),
        status="active",
        currency=new.currency,
        country=new.country,
        time_zone=new.time_zone,
        plan_version_id=version.id,
        billing="own",
        billing_email=new.billing_email,
        billing_email_confirmed_at=uow.now if new.email_is_confirmed else None,
        allowed_countries=list(version.plan.allowed_countries),
        suspended_notice=None,
        low_balance_micros=None,
        created_at=uow.now,
        suspended_at=None,
        settings={},
    )
    audit.note(uow, scope, actor, "account.created", id, name=new.name, plan=version.plan_code)
    if new.billing == "agency_shared":
        memberships.set_billing(uow, scope, new.billing, actor)
    renewals.begin(uow, scope, new.term)
    if new.needs_card:
        card_first.begin(uow, scope)
    if not new.email_is_confirmed:
        contacts.address_set(uow, scope)
    return get_account(uow, scope)


def get_account(uow: UnitOfWork, scope: Scope) -> Account:
    found = accounts.find(uow.connection, scope)
    if found is None:
        raise NotFound("account", scope.account_id)
    return found


def find_scope(uow: UnitOfWork, account_id: uuid.UUID) -> Scope | None:
    """For staff, who know an account by its id alone."""
    tenant_id = accounts.find_tenant(uow.connection, account_id)
    return None if tenant_id is None else Scope(tenant_id, account_id)


def find_named(uow: UnitOfWork, named: str) -> Account:
    """For staff: by id, or by a name that only one account has, whatever its case. Raises
    `NotFound`, and `Conflict` where several are called so."""
    try:
        scope = find_scope(uow, uuid.UUID(named.strip()))
    except ValueError:
        wanted = named.strip().lower()
        alike = list_accounts(uow, query=named.strip(), limit=200)
        found = [account for account in alike if account.name.lower() == wanted]
        if len(found) > 1:
            words = f"{len(found)} accounts are called {named!a}: name one by its id."
            raise Conflict(words) from None
        scope = found[0].scope if found else None
    if scope is None:
        raise NotFound("account", named)
    return get_account(uow, scope)


def names(uow: UnitOfWork, account_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Of all tenants, for staff."""
    return accounts.names(uow.connection, account_ids) if account_ids else {}


def list_accounts(
    uow: UnitOfWork,
    *,
    after: uuid.UUID | None = None,
    limit: int = 50,
    query: str = "",
    flag: AccountFlag | None = None,
) -> tuple[Account, ...]:
    """Of all tenants, for staff; newest first; `after` is the id of the last one seen. `flag`:
    those alone whose billing mail comes back or whose address nobody has confirmed (S2-14), or
    whose VAT id is to be checked."""
    return accounts.newest(
        uow.connection,
        before=after,
        limit=min(max(limit, 1), LIMIT_MAX),
        name_contains=query.strip(),
        flag=flag,
    )


def update_account(
    uow: UnitOfWork, scope: Scope, changes: Mapping[str, Any], actor: str
) -> Account:
    """Change what is named: name, billing_email, time_zone, country, allowed_countries,
    suspended_notice (None: callers are refused unbilled), low_balance_micros (None: no warning),
    legal_name, address and vat_id as on bills, attach_statement (papers come with
    their mails), and, by staff only (the edge sees to that): plan_code, which moves it to that
    plan's newest version, and billing, which says who pays from now on.
    """
    account = get_account(uow, scope)
    errors: list[FieldError] = []
    values: dict[str, Any] = {}
    moves_to: PlanVersion | None = None
    for name, value in changes.items():
        if name == "billing":
            if value not in ("own", "agency_shared"):
                errors.append(FieldError("/billing", 'write "own" or "agency_shared"'))
            else:
                memberships.set_billing(uow, scope, value, actor)
            continue
        if name == "plan_code":
            moves_to = _version_on_sale(uow, str(value), account.currency, errors)
            continue
        complaint = _complaint(name, value)
        if complaint is not None:
            errors.append(complaint)
        else:
            values[name] = _stored(name, value)
    if not errors:
        errors += _check_vat_id(account, values)
    if errors:
        raise Invalid(errors)
    if moves_to is not None:
        renewals.change_plan(uow, scope, moves_to, actor)
    if values:
        accounts.change(uow.connection, scope, values | _follow_ups(account, values))
        if values.get("billing_email", account.billing_email) != account.billing_email:
            contacts.address_set(uow, scope)
        _look_up(uow, account, values)
    if values or moves_to is not None:
        audit.note(
            uow,
            scope,
            actor,
            "account.changed",
            account.id,
            **{k: _shown(changes[k]) for k in changes},
        )
    return get_account(uow, scope)


def note_bounce(uow: UnitOfWork, scope: Scope, email: str, words: str) -> None:
    """The billing address takes no mail: a banner says so until it is changed (S2-14)."""
    account = get_account(uow, scope)
    if account.billing_email == email:
        accounts.change(uow.connection, scope, {"billing_email_bounced_at": uow.now})
        audit.note(uow, scope, "system", "email.bounced", email, words=words)


def confirm_vat_id(uow: UnitOfWork, scope: Scope, evidence: str, actor: str) -> Account:
    """Somebody of staff has found the id in the register, under this customer's name; `evidence`
    is what the register answered, such as its consultation number. From now on tax is left out
    where the law says so; a new id, or another country, has to be looked up again."""
    account = get_account(uow, scope)
    if not account.vat_id:
        raise Conflict("The account has no VAT id: its owner writes it under Billing, Statements.")
    if not 1 <= len(evidence.strip()) <= EVIDENCE_LENGTH_MAX:
        words = f"write what the register answered, in at most {EVIDENCE_LENGTH_MAX} characters"
        raise Invalid.at("/evidence", words)
    accounts.change(uow.connection, scope, {"vat_id_checked_at": uow.now})
    vat_checks.end(uow.connection, scope)
    audit.note(uow, scope, actor, "vat_id.checked", account.vat_id, evidence=evidence.strip())
    return get_account(uow, scope)


def withdraw_vat_id(uow: UnitOfWork, scope: Scope, reason: str, actor: str) -> Account:
    """The id is not theirs after all: from now on tax is charged, until somebody of staff confirms
    it. No register does by itself. What is issued stays as it is."""
    account = get_account(uow, scope)
    if account.vat_id_checked_at is None:
        raise Conflict("No VAT id of this account is confirmed: look at its page again.")
    if not 1 <= len(reason.strip()) <= EVIDENCE_LENGTH_MAX:
        raise Invalid.at("/reason", f"say why, in at most {EVIDENCE_LENGTH_MAX} characters")
    accounts.change(uow.connection, scope, {"vat_id_checked_at": None})
    audit.note(uow, scope, actor, "vat_id.withdrawn", account.vat_id, reason=reason.strip())
    return get_account(uow, scope)


def is_country(code: object) -> bool:
    return (
        isinstance(code, str)
        and COUNTRY.fullmatch(code) is not None
        and country_code_for_region(code) != 0
    )


def is_email(text: object) -> bool:
    return (
        isinstance(text, str)
        and len(text) <= EMAIL_LENGTH_MAX
        and EMAIL.fullmatch(text) is not None
    )


def _complaint(name: str, value: Any) -> FieldError | None:
    """What is wrong with one field, or None."""
    words = ""
    match name:
        case "name":
            if not isinstance(value, str) or not 1 <= len(value.strip()) <= NAME_LENGTH_MAX:
                words = f"write a name of 1 to {NAME_LENGTH_MAX} characters"
        case "billing_email":
            words = "" if is_email(value) else "write an e-mail address, such as ann@example.com"
        case "country":
            words = "" if is_country(value) else "write the ISO 3166 code, such as US"
        case "time_zone":
            named = isinstance(value, str) and is_time_zone(value)
            words = "" if named else "write an IANA zone, such as America/New_York"
        case "allowed_countries":
            if not isinstance(value, list | tuple) or not value:
                words = "list at least one country, such as US"
            else:
                for index, code in enumerate(value):
                    if not is_country(code):
                        return FieldError(
                            f"/allowed_countries/{index}", "write the ISO 3166 code, such as US"
                        )
        case "suspended_notice":
            if value is not None and not (
                isinstance(value, str) and len(value) <= NOTICE_LENGTH_MAX
            ):
                words = f"write at most {NOTICE_LENGTH_MAX} characters, or leave it empty"
        case "low_balance_micros":
            if value is not None and not (type(value) is int and 0 <= value < 10**15):
                words = "write an amount of 0 or more, or leave it empty"
        case "legal_name" | "address" | "vat_id":
            most = BILLED_LENGTH_MAX[name]
            if not isinstance(value, str) or len(value) > most or not _is_printable(value):
                words = f"write at most {most} characters, or leave it empty"
        case "attach_statement":
            words = "" if isinstance(value, bool) else "write true or false"
        case _:
            words = "this cannot be changed here: leave it out"
    return FieldError(f"/{name}", words) if words else None


def _stored(name: str, value: Any) -> Any:
    if name == "allowed_countries":
        return sorted(set(value))
    return (value.strip() or None) if name == "suspended_notice" and value else value


def _is_printable(text: str) -> bool:
    """Lines of printed text: what a bill can show."""
    return all(line.isprintable() for line in text.splitlines())


def _check_vat_id(account: Account, values: dict[str, Any]) -> Iterator[FieldError]:
    """The id and the country belong together; where either changes, both are looked at."""
    country = values.get("country", account.country)
    vat_id = values.get("vat_id", account.vat_id)
    if not vat_id or (vat_id, country) == (account.vat_id, account.country):
        return
    try:
        parsed = parse_vat_id(vat_id, country)
    except InvalidVatId as refusal:
        if "vat_id" in values:
            yield FieldError("/vat_id", str(refusal))
        else:
            yield FieldError("/country", f"{vat_id} is no VAT id of {country}: change it as well")
        return
    if "vat_id" in values:
        values["vat_id"] = parsed


def _follow_ups(account: Account, values: Mapping[str, Any]) -> dict[str, Any]:
    """A new address has not bounced yet; a new VAT id, or one in another country, is unchecked."""
    found: dict[str, Any] = {}
    if values.get("billing_email", account.billing_email) != account.billing_email:
        found["billing_email_bounced_at"] = None
    if _billed(account, values) != (account.vat_id, account.country):
        found["vat_id_checked_at"] = None
    return found


def _billed(account: Account, values: Mapping[str, Any]) -> tuple[str, str]:
    return values.get("vat_id", account.vat_id), values.get("country", account.country)


def _look_up(uow: UnitOfWork, account: Account, values: Mapping[str, Any]) -> None:
    """Another id is to be asked about, and no longer the one before."""
    vat_id, country = _billed(account, values)
    if (vat_id, country) == (account.vat_id, account.country):
        return
    vat_checks.end(uow.connection, account.scope)
    if vat_id and is_in_vies(vat_id, country):
        vat_checks.begin(uow.connection, account.scope, vat_id, now=uow.now)


def _shown(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _version_on_sale(
    uow: UnitOfWork, code: str, currency: str, errors: list[FieldError]
) -> PlanVersion | None:
    try:
        version = plans.get_plan(uow, code)
    except NotFound:
        version = None
    if version is None or version.kind != "retail":
        on_sale = ", ".join(plan.plan_code for plan in plans.list_plans(uow))
        errors.append(FieldError("/plan", f"write one of: {on_sale or 'none is published yet'}"))
        return None
    if version.plan.currency != currency:
        errors.append(
            FieldError("/currency", f"{code} is priced in {version.plan.currency}: write that")
        )
        return None
    return version


def _tenant_of_parent(
    uow: UnitOfWork, new: NewAccount, errors: list[FieldError]
) -> uuid.UUID | None:
    if new.parent_id is None:
        return None
    scope = find_scope(uow, new.parent_id)
    if scope is None:
        errors.append(FieldError("/parent", "there is no such account: leave it out, or check it"))
        return None
    if scope.tenant_id != scope.account_id:
        errors.append(FieldError("/parent", "is a sub-account itself: name its agency"))
    return scope.tenant_id
