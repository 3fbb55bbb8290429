"""Who pays for whom, effective-dated."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    String,
    delete,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from billing.memberships import BillingChange
from gateway.store.base import Base, Scope, TenantId
from gateway.store.direct import execute, statement


class BillingMembershipRow(Base):
    """Whether a sub-account drew on its agency's money and minutes, from an instant on (S1-14)."""

    __tablename__ = "billing_membership"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    from_at: Mapped[dt.datetime] = mapped_column(primary_key=True)
    billing: Mapped[str] = mapped_column(String(16))  # own, agency_shared
    actor: Mapped[str]
    look_at: Mapped[dt.datetime | None]  # planned, and `account.billing` does not know of it yet

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_billing_membership_account",
        ),
        CheckConstraint("billing in ('own','agency_shared')", name="billing"),
        Index("ix_billing_membership_due", "look_at", postgresql_where="look_at is not null"),
    )


@dataclass(frozen=True, slots=True)
class Membership:
    from_at: dt.datetime
    shared: bool
    actor: str


def add(
    connection: Connection,
    scope: Scope,
    *,
    from_at: dt.datetime,
    billing: str,
    actor: str,
    look_at: dt.datetime | None,
) -> None:
    """The last word of an instant counts."""
    row = insert(BillingMembershipRow).values(
        tenant_id=scope.tenant_id,
        account_id=scope.account_id,
        from_at=from_at,
        billing=billing,
        actor=actor,
        look_at=look_at,
    )
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["tenant_id", "account_id", "from_at"],
            set_={"billing": billing, "actor": actor, "look_at": look_at},
        )
    )


# Asked for every batch of a client's legs; building it anew took longer than its answer.
_CHANGES = statement(
    """
select account_id, from_at, billing from billing_membership
 where tenant_id = :tenant_id and account_id = any(:account_ids)
 order by account_id, from_at
"""
)


def changes_of(connection: Connection, scope: Scope) -> tuple[BillingChange, ...]:
    """All of an account's, the earliest first."""
    return changes_of_each(connection, scope.tenant_id, [scope.account_id])[scope.account_id]


def changes_of_each(
    connection: Connection, tenant_id: uuid.UUID, account_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, tuple[BillingChange, ...]]:
    """By account, the earliest first; none is left out."""
    who = {"tenant_id": tenant_id, "account_ids": list(account_ids)}
    found: dict[uuid.UUID, tuple[BillingChange, ...]] = dict.fromkeys(account_ids, ())
    for account_id, from_at, billing in execute(connection, _CHANGES, who).fetchall():
        found[account_id] += (BillingChange(from_at, billing == "agency_shared"),)
    return found


def rows_after(connection: Connection, scope: Scope, at: dt.datetime) -> tuple[Membership, ...]:
    """Those that begin later, the earliest first."""
    rows = connection.execute(
        select(
            BillingMembershipRow.from_at, BillingMembershipRow.billing, BillingMembershipRow.actor
        )
        .where(
            BillingMembershipRow.tenant_id == scope.tenant_id,
            BillingMembershipRow.account_id == scope.account_id,
            BillingMembershipRow.from_at > at,
        )
        .order_by(BillingMembershipRow.from_at)
    )
    return tuple(Membership(row[0], row[1] == "agency_shared", row[2]) for row in rows)


def withdraw(connection: Connection, scope: Scope, *, after: dt.datetime) -> None:
    """They never began."""
    connection.execute(
        delete(BillingMembershipRow).where(
            BillingMembershipRow.tenant_id == scope.tenant_id,
            BillingMembershipRow.account_id == scope.account_id,
            BillingMembershipRow.from_at > after,
        )
    )


def attend(connection: Connection, scope: Scope, *, now: dt.datetime) -> bool:
    """Whether any that was planned began by now and nobody had looked at it."""
    found = connection.execute(
        update(BillingMembershipRow)
        .where(
            BillingMembershipRow.tenant_id == scope.tenant_id,
            BillingMembershipRow.account_id == scope.account_id,
            BillingMembershipRow.look_at <= now,
        )
        .values(look_at=None)
        .returning(BillingMembershipRow.from_at)
    )
    return bool(found.all())
