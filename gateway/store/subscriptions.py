"""Access by month or year."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    Date,
    ForeignKeyConstraint,
    Index,
    String,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Key, Micros, Scope, TenantId, of_scope, scope_values


class SubscriptionRow(Base):
    """The access fee of an account; period `n` was posted as `access:<id>:<n>`."""

    __tablename__ = "subscription"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    plan_version_id: Mapped[uuid.UUID]
    term: Mapped[str] = mapped_column(String(8))  # month, year
    fee_micros: Mapped[Micros]
    time_zone: Mapped[str]  # of the account when it began: terms keep their midnights
    anchor_on: Mapped[dt.date] = mapped_column(Date)
    n: Mapped[int]  # the last term that was posted; -1 before the first
    ends_at: Mapped[dt.datetime]  # of the current period
    due_at: Mapped[dt.datetime]  # the end of the period, or the next try of a fee that waits
    renews: Mapped[bool]
    canceled_at: Mapped[dt.datetime | None]
    canceled_by: Mapped[str | None]
    cancel_effect: Mapped[str | None] = mapped_column(String(12))  # period_end, now
    ended_at: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_subscription_account",
        ),
        CheckConstraint("term in ('month','year')", name="term"),
        Index(
            "uq_subscription_open",
            "tenant_id",
            "account_id",
            unique=True,
            postgresql_where="ended_at is null",
        ),
        Index("ix_subscription_due", "due_at", postgresql_where="ended_at is null"),
    )


@dataclass(frozen=True, slots=True)
class StoredSubscription:
    """The access of an account; `n` is the last term that was posted, -1 before the first."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    plan_version_id: uuid.UUID
    term: str
    fee_micros: int
    time_zone: str
    anchor_on: dt.date
    n: int
    ends_at: dt.datetime
    due_at: dt.datetime
    renews: bool
    canceled_at: dt.datetime | None
    canceled_by: str | None
    cancel_effect: str | None
    ended_at: dt.datetime | None
    created_at: dt.datetime

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)

    @property
    def waits(self) -> bool:
        """A fee is not covered by the balance yet."""
        return self.ended_at is None and self.canceled_at is None and self.due_at > self.ends_at


_SUBSCRIPTIONS = select(
    *(getattr(SubscriptionRow, name) for name in StoredSubscription.__dataclass_fields__)
)


def add(connection: Connection, subscription: StoredSubscription) -> None:
    connection.execute(
        insert(SubscriptionRow).values(
            {name: getattr(subscription, name) for name in StoredSubscription.__dataclass_fields__}
        )
    )


_OPEN = _SUBSCRIPTIONS.where(*of_scope(SubscriptionRow), SubscriptionRow.ended_at.is_(None))


def open_of(connection: Connection, scope: Scope) -> StoredSubscription | None:
    """The one that has not ended; an account has one at the most."""
    row = connection.execute(_OPEN, scope_values(scope)).first()
    return None if row is None else StoredSubscription(*row)


_LAST = (
    _SUBSCRIPTIONS.where(*of_scope(SubscriptionRow))
    .order_by(SubscriptionRow.created_at.desc())
    .limit(1)
)


def last_of(connection: Connection, scope: Scope) -> StoredSubscription | None:
    """The newest, ended or not."""
    row = connection.execute(_LAST, scope_values(scope)).first()
    return None if row is None else StoredSubscription(*row)


def term_of(connection: Connection, tenant_id: uuid.UUID, subscription_id: uuid.UUID) -> str | None:
    """month or year; of any account of the tenant, because an agency pays for its clients."""
    return connection.scalar(
        select(SubscriptionRow.term).where(
            SubscriptionRow.tenant_id == tenant_id, SubscriptionRow.id == subscription_id
        )
    )


def change(
    connection: Connection, scope: Scope, subscription_id: uuid.UUID, values: dict[str, Any]
) -> None:
    connection.execute(
        update(SubscriptionRow)
        .where(
            SubscriptionRow.tenant_id == scope.tenant_id,
            SubscriptionRow.account_id == scope.account_id,
            SubscriptionRow.id == subscription_id,
        )
        .values(**values)
    )
