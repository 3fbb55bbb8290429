"""Accounts: a business, or an agency with sub-accounts under one tenant."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    Select,
    String,
    bindparam,
    cast,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Currency, Key, Scope, TenantId, scope_values
from gateway.store.ledger import LedgerAccountRow
from gateway.store.plans import PlanRow, PlanVersionRow


class AccountDirectoryRow(Base):
    """Account id -> tenant, for callers who know only the id (ops acting for an account)."""

    __tablename__ = "account_directory"

    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID]


class AccountRow(Base):
    __tablename__ = "account"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    parent_id: Mapped[uuid.UUID | None]
    name: Mapped[str]
    status: Mapped[str] = mapped_column(String(16))  # active, suspended, closed
    currency: Mapped[Currency]
    country: Mapped[str] = mapped_column(String(2))
    time_zone: Mapped[str]  # IANA
    plan_version_id: Mapped[uuid.UUID]  # the version in force; a call keeps the one it began with
    billing: Mapped[str] = mapped_column(String(16))  # own, agency_shared
    billing_email: Mapped[str]
    allowed_countries: Mapped[list[str]]  # ISO regions that calls may be forwarded to
    suspended_notice: Mapped[str | None]  # None: <Reject>; text: said to callers (and billed)
    low_balance_micros: Mapped[int | None]  # warn once per crossing
    created_at: Mapped[dt.datetime]
    suspended_at: Mapped[dt.datetime | None]
    settings: Mapped[dict[str, Any]]
    legal_name: Mapped[str] = mapped_column(server_default="")  # as on statements
    address: Mapped[str] = mapped_column(server_default="")
    vat_id: Mapped[str] = mapped_column(server_default="")
    vat_id_checked_at: Mapped[dt.datetime | None]
    trial_used: Mapped[bool] = mapped_column(server_default="false")  # once per account (S5-13)
    billing_email_bounced_at: Mapped[dt.datetime | None]
    billing_email_confirmed_at: Mapped[dt.datetime | None]  # by the link that was mailed there
    billing_email_nonce: Mapped[str | None]  # of the newest link, until it is used
    billing_email_link_at: Mapped[dt.datetime | None]  # when that link was made
    # Has, or may draw, seconds paid in advance: settlement asks for buckets of no other account.
    draws_minutes: Mapped[bool] = mapped_column(server_default="false")
    # Service is held back whatever the balance: "renewal" waits for money, "access" has ended.
    held: Mapped[str | None] = mapped_column(String(12))
    recharge_below_micros: Mapped[int | None]  # of a recharge rule that is on
    payment_notice: Mapped[str | None] = mapped_column(String(16))  # what pages say of the card
    # When statements, settlement days, arrears and slow alerts are looked at next.
    look_at: Mapped[dt.datetime] = mapped_column(server_default="2000-01-01 00:00:00+00")
    # A balance down at the first fires an alert, one above the second arms one again (or None).
    alert_low_micros: Mapped[int | None]
    alert_high_micros: Mapped[int | None]
    alerts_minutes: Mapped[bool] = mapped_column(server_default="false")  # some watch minutes
    attach_statement: Mapped[bool] = mapped_column(server_default="true")  # to its mail
    # When included credit ends and the next cycle's begins; None: there is none in the wallet.
    credit_turns_at: Mapped[dt.datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "parent_id"],
            ["account.tenant_id", "account.id"],
            name="fk_account_parent",
        ),
        CheckConstraint("status in ('active','suspended','closed')", name="status"),
        CheckConstraint("billing in ('own','agency_shared')", name="billing"),
        Index("ix_account_parent", "tenant_id", "parent_id"),
        Index("ix_account_look", "look_at"),
        Index("ix_account_bounced", "id", postgresql_where="billing_email_bounced_at is not null"),
        Index(
            "ix_account_unconfirmed", "id", postgresql_where="billing_email_confirmed_at is null"
        ),
        Index(
            "ix_account_vat_id_unchecked",
            "id",
            postgresql_where="vat_id <> '' and vat_id_checked_at is null",
        ),
    )


class AccountFlag(StrEnum):
    """What staff has to look at."""

    BOUNCED = "bounced"  # its billing mail comes back
    UNCONFIRMED = "unconfirmed"  # nobody opened the link that was mailed to its billing address
    VAT_ID = "vat_id"  # its VAT id waits to be looked up in the register


_FLAGGED = {
    AccountFlag.BOUNCED: AccountRow.billing_email_bounced_at.is_not(None),
    AccountFlag.UNCONFIRMED: AccountRow.billing_email_confirmed_at.is_(None),
    AccountFlag.VAT_ID: (AccountRow.vat_id != "") & AccountRow.vat_id_checked_at.is_(None),
}


@dataclass(frozen=True, slots=True)
class Account:
    """An account as people and programs see it, with its balance and the plan in force."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    parent_id: uuid.UUID | None
    name: str
    status: str
    currency: str
    country: str
    time_zone: str
    billing: str
    billing_email: str
    allowed_countries: tuple[str, ...]
    suspended_notice: str | None
    low_balance_micros: int | None
    created_at: dt.datetime
    suspended_at: dt.datetime | None
    settings: dict[str, Any]
    plan_version_id: uuid.UUID
    plan_code: str
    plan_name: str
    plan_version: int
    payment_notice: str | None
    balance_micros: int
    draws_minutes: bool
    held: str | None
    billing_email_bounced_at: dt.datetime | None
    billing_email_confirmed_at: dt.datetime | None
    legal_name: str
    address: str
    vat_id: str
    vat_id_checked_at: dt.datetime | None
    attach_statement: bool
    credit_turns_at: dt.datetime | None

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.id)


@dataclass(frozen=True, slots=True)
class TaxFacts:
    """What decides how an account is taxed, now."""

    country: str
    time_zone: str
    vat_id: str
    business_id_checked: bool


_TAX_FACTS = select(
    AccountRow.country,
    AccountRow.time_zone,
    AccountRow.vat_id,
    AccountRow.vat_id_checked_at.is_not(None) & (AccountRow.vat_id != ""),
).where(AccountRow.tenant_id == bindparam("tenant_id"), AccountRow.id == bindparam("account_id"))


def tax_facts(connection: Connection, scope: Scope) -> TaxFacts:
    return TaxFacts(*connection.execute(_TAX_FACTS, scope_values(scope)).one())


def add(connection: Connection, **values: Any) -> None:
    """The row and its line in the directory."""
    connection.execute(insert(AccountRow).values(**values))
    connection.execute(
        insert(AccountDirectoryRow).values(account_id=values["id"], tenant_id=values["tenant_id"])
    )


def find_tenant(connection: Connection, account_id: uuid.UUID) -> uuid.UUID | None:
    return connection.scalar(
        select(AccountDirectoryRow.tenant_id).where(AccountDirectoryRow.account_id == account_id)
    )


def names(connection: Connection, account_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    rows = connection.execute(
        select(AccountRow.id, AccountRow.name)
        .join(
            AccountDirectoryRow,
            (AccountDirectoryRow.tenant_id == AccountRow.tenant_id)
            & (AccountDirectoryRow.account_id == AccountRow.id),
        )
        .where(AccountDirectoryRow.account_id.in_(list(account_ids)))
    )
    return {row.id: row.name for row in rows}


def find(connection: Connection, scope: Scope) -> Account | None:
    values = {"tenant_id": scope.tenant_id, "account_id": scope.account_id}
    row = connection.execute(_one(), values).first()
    return None if row is None else _account(row)


_SHARING = (
    select(AccountRow.tenant_id, AccountRow.id)
    .where(
        AccountRow.tenant_id == bindparam("tenant_id"),
        AccountRow.parent_id == bindparam("account_id"),
        AccountRow.billing == "agency_shared",
    )
    .order_by(AccountRow.name, AccountRow.id)
)
_HELD = _SHARING.where(AccountRow.held.is_not(None))


def sharing_clients(connection: Connection, agency: Scope) -> tuple[Scope, ...]:
    """The sub-accounts whose bills an agency pays now."""
    return tuple(Scope(*row) for row in connection.execute(_SHARING, scope_values(agency)))


def held_clients(connection: Connection, agency: Scope) -> tuple[Scope, ...]:
    """Those of them whose service waits for something."""
    return tuple(Scope(*row) for row in connection.execute(_HELD, scope_values(agency)))


def newest(
    connection: Connection,
    *,
    before: uuid.UUID | None,
    limit: int,
    name_contains: str,
    flag: AccountFlag | None = None,
) -> tuple[Account, ...]:
    """Of all tenants: for staff. Newest first, by id; `flag`: those alone that need somebody."""
    found = _accounts().order_by(AccountRow.id.desc()).limit(limit)
    if before is not None:
        found = found.where(AccountRow.id < before)
    if flag is not None:
        found = found.where(_FLAGGED[flag])
    if name_contains:
        found = found.where(
            or_(
                AccountRow.name.icontains(name_contains, autoescape=True),
                AccountRow.billing_email.icontains(name_contains, autoescape=True),
            )
        )
    return tuple(_account(row) for row in connection.execute(found))


@dataclass(frozen=True, slots=True)
class EmailLink:
    """Of the newest link to confirm an account's billing address; no `nonce`: none is open."""

    email: str
    nonce: str | None
    made_at: dt.datetime | None
    confirmed_at: dt.datetime | None
    bounced_at: dt.datetime | None


def lock_email_link(connection: Connection, scope: Scope) -> EmailLink | None:
    row = connection.execute(
        select(
            AccountRow.billing_email,
            AccountRow.billing_email_nonce,
            AccountRow.billing_email_link_at,
            AccountRow.billing_email_confirmed_at,
            AccountRow.billing_email_bounced_at,
        )
        .where(AccountRow.tenant_id == scope.tenant_id, AccountRow.id == scope.account_id)
        .with_for_update()
    ).first()
    return None if row is None else EmailLink(*row)


def lock(connection: Connection, scope: Scope) -> None:
    """Nobody else changes the row before this transaction ends."""
    connection.execute(
        select(AccountRow.id)
        .where(AccountRow.tenant_id == scope.tenant_id, AccountRow.id == scope.account_id)
        .with_for_update(key_share=True)
    )


def change(connection: Connection, scope: Scope, values: dict[str, Any]) -> None:
    connection.execute(
        update(AccountRow)
        .where(AccountRow.tenant_id == scope.tenant_id, AccountRow.id == scope.account_id)
        .values(**values)
    )


@cache
def _one() -> Select[*tuple[Any, ...]]:
    """Made once: describing its thirty columns costs more than running it."""
    return _accounts().where(
        AccountRow.tenant_id == bindparam("tenant_id"), AccountRow.id == bindparam("account_id")
    )


def _accounts() -> Select[*tuple[Any, ...]]:
    row = AccountRow
    return (
        select(
            row.tenant_id,
            row.id,
            row.parent_id,
            row.name,
            row.status,
            row.currency,
            row.country,
            row.time_zone,
            row.billing,
            row.billing_email,
            row.allowed_countries,
            row.suspended_notice,
            row.low_balance_micros,
            row.created_at,
            row.suspended_at,
            row.settings,
            row.plan_version_id,
            PlanRow.code,
            PlanVersionRow.document["name"].astext,
            PlanVersionRow.version,
            row.payment_notice,
            LedgerAccountRow.balance_micros,
            row.draws_minutes,
            row.held,
            row.billing_email_bounced_at,
            row.billing_email_confirmed_at,
            row.legal_name,
            row.address,
            row.vat_id,
            row.vat_id_checked_at,
            row.attach_statement,
            row.credit_turns_at,
        )
        .join(PlanVersionRow, PlanVersionRow.id == row.plan_version_id)
        .join(PlanRow, PlanRow.id == PlanVersionRow.plan_id)
        .join(
            LedgerAccountRow,
            (LedgerAccountRow.tenant_id == row.tenant_id)
            & (LedgerAccountRow.unit == row.currency)
            & (
                LedgerAccountRow.name
                == func.concat("wallet:", func.replace(cast(row.id, String), "-", ""))
            ),
        )
    )


def _account(row: Any) -> Account:
    values = list(row)
    values[10] = tuple(values[10])
    return Account(*values)
