"""Moves of an account to another plan: asked for, then scheduled or turned down, then applied."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    String,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Key, Scope, TenantId


class PlanChangeRow(Base):
    """An account moves to another plan version from an instant on; asked for, then decided."""

    __tablename__ = "plan_change"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    plan_version_id: Mapped[uuid.UUID]
    term: Mapped[str | None] = mapped_column(String(8))  # month, year; None: the one it has
    effective_at: Mapped[dt.datetime]
    state: Mapped[str] = mapped_column(String(12))  # requested, scheduled, applied, canceled
    requested_by: Mapped[str]
    decided_by: Mapped[str | None]
    note: Mapped[str]
    created_at: Mapped[dt.datetime]
    decided_at: Mapped[dt.datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_plan_change_account",
        ),
        CheckConstraint("state in ('requested','scheduled','applied','canceled')", name="state"),
        Index("ix_plan_change_account", "tenant_id", "account_id", "id"),
        Index("ix_plan_change_due", "effective_at", postgresql_where="state = 'scheduled'"),
    )


@dataclass(frozen=True, slots=True)
class PlanChange:
    """`state`: requested, scheduled, applied, canceled. `term`: month, year, or as it is."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    plan_version_id: uuid.UUID
    term: str | None
    effective_at: dt.datetime
    state: str
    requested_by: str
    decided_by: str | None
    note: str
    created_at: dt.datetime
    decided_at: dt.datetime | None

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)


_CHANGES = select(*(getattr(PlanChangeRow, name) for name in PlanChange.__dataclass_fields__))
OPEN_STATES = ("requested", "scheduled")


def add(connection: Connection, change: PlanChange) -> None:
    connection.execute(
        insert(PlanChangeRow).values(
            {name: getattr(change, name) for name in PlanChange.__dataclass_fields__}
        )
    )


def of_account(connection: Connection, scope: Scope, *, limit: int) -> tuple[PlanChange, ...]:
    """Newest first."""
    rows = connection.execute(
        _CHANGES.where(
            PlanChangeRow.tenant_id == scope.tenant_id,
            PlanChangeRow.account_id == scope.account_id,
        )
        .order_by(PlanChangeRow.id.desc())
        .limit(limit)
    )
    return tuple(PlanChange(*row) for row in rows)


def open_of(connection: Connection, scope: Scope) -> PlanChange | None:
    """The one that waits for a decision or for its day; an account has one at the most."""
    row = connection.execute(
        _CHANGES.where(
            PlanChangeRow.tenant_id == scope.tenant_id,
            PlanChangeRow.account_id == scope.account_id,
            PlanChangeRow.state.in_(OPEN_STATES),
        )
    ).first()
    return None if row is None else PlanChange(*row)


def find(connection: Connection, scope: Scope, change_id: uuid.UUID) -> PlanChange | None:
    row = connection.execute(
        _CHANGES.where(
            PlanChangeRow.tenant_id == scope.tenant_id,
            PlanChangeRow.account_id == scope.account_id,
            PlanChangeRow.id == change_id,
        )
    ).first()
    return None if row is None else PlanChange(*row)


def waiting(connection: Connection, *, limit: int) -> tuple[PlanChange, ...]:
    """Of all tenants, for staff: asked for or scheduled, the oldest first."""
    rows = connection.execute(
        _CHANGES.where(PlanChangeRow.state.in_(OPEN_STATES)).order_by(PlanChangeRow.id).limit(limit)
    )
    return tuple(PlanChange(*row) for row in rows)


def due(connection: Connection, scope: Scope, *, now: dt.datetime) -> tuple[PlanChange, ...]:
    rows = connection.execute(
        _CHANGES.where(
            PlanChangeRow.tenant_id == scope.tenant_id,
            PlanChangeRow.account_id == scope.account_id,
            PlanChangeRow.state == "scheduled",
            PlanChangeRow.effective_at <= now,
        ).order_by(PlanChangeRow.effective_at, PlanChangeRow.id)
    )
    return tuple(PlanChange(*row) for row in rows)


def decide(
    connection: Connection, scope: Scope, change_id: uuid.UUID, values: dict[str, Any]
) -> None:
    connection.execute(
        update(PlanChangeRow)
        .where(
            PlanChangeRow.tenant_id == scope.tenant_id,
            PlanChangeRow.account_id == scope.account_id,
            PlanChangeRow.id == change_id,
        )
        .values(**values)
    )
