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
    and_,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Key, Scope, TenantId, of_scope, scope_values


class PlanChangeRow(Base):
    """An account moves to another plan version from an instant on; asked for, then decided.

    An automatic one is ordered by settlement when the minutes are used up, under an id that
    follows from cycle and plan, and may be held until what it waits for is there.
    """

    __tablename__ = "plan_change"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    plan_version_id: Mapped[uuid.UUID]
    term: Mapped[str | None] = mapped_column(String(8))  # month, year; None: the one it has
    effective_at: Mapped[dt.datetime]
    state: Mapped[str] = mapped_column(String(12))  # requested, scheduled, held, applied, canceled
    requested_by: Mapped[str]
    decided_by: Mapped[str | None]
    note: Mapped[str]  # by who asked; of one that is held: why, and what helps
    created_at: Mapped[dt.datetime]
    decided_at: Mapped[dt.datetime | None]
    automatic: Mapped[bool] = mapped_column(server_default="false")

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_plan_change_account",
        ),
        CheckConstraint(
            "state in ('requested','scheduled','held','applied','canceled')", name="state"
        ),
        Index("ix_plan_change_account", "tenant_id", "account_id", "id"),
        Index("ix_plan_change_due", "effective_at", postgresql_where="state = 'scheduled'"),
    )


@dataclass(frozen=True, slots=True)
class PlanChange:
    """`state`: requested, scheduled, held, applied, canceled. `term`: month, year, or as it is."""

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
    automatic: bool = False

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)


_CHANGES = select(*(getattr(PlanChangeRow, name) for name in PlanChange.__dataclass_fields__))
OPEN_STATES = ("requested", "scheduled", "held")
SYSTEM = "system"
"""Who decides about automatic changes; what it called off it may order again."""


def add(connection: Connection, change: PlanChange) -> None:
    connection.execute(
        insert(PlanChangeRow).values(
            {name: getattr(change, name) for name in PlanChange.__dataclass_fields__}
        )
    )


def order(connection: Connection, change: PlanChange) -> bool:
    """An automatic change, once for its id; False where it was ordered before. One that was called
    off because nothing was to do is taken up again; one that people called off is not."""
    values = {name: getattr(change, name) for name in PlanChange.__dataclass_fields__}
    ordered = (
        postgresql_insert(PlanChangeRow)
        .values(values)
        .on_conflict_do_update(
            index_elements=["tenant_id", "id"],
            set_={n: values[n] for n in ("plan_version_id", "effective_at", "state", "note")},
            where=and_(PlanChangeRow.state == "canceled", PlanChangeRow.decided_by == SYSTEM),
        )
        .returning(PlanChangeRow.id)
    )
    return connection.scalar(ordered) is not None


def open_of(connection: Connection, scope: Scope) -> PlanChange | None:
    """The one that waits for a decision, for its day or for money. People have one at the most;
    without it, the automatic one."""
    row = connection.execute(
        _CHANGES.where(
            PlanChangeRow.tenant_id == scope.tenant_id,
            PlanChangeRow.account_id == scope.account_id,
            PlanChangeRow.state.in_(OPEN_STATES),
        )
        .order_by(PlanChangeRow.automatic)
        .limit(1)
    ).first()
    return None if row is None else PlanChange(*row)


def applied_by_itself(connection: Connection, scope: Scope) -> tuple[PlanChange, ...]:
    """Automatic changes that took effect, the oldest first; `decided_at` is when."""
    rows = connection.execute(
        _CHANGES.where(
            PlanChangeRow.tenant_id == scope.tenant_id,
            PlanChangeRow.account_id == scope.account_id,
            PlanChangeRow.state == "applied",
            PlanChangeRow.automatic,
        ).order_by(PlanChangeRow.decided_at)
    )
    return tuple(PlanChange(*row) for row in rows)


def wake(connection: Connection, scope: Scope, *, now: dt.datetime) -> None:
    """Automatic changes that are held are tried again."""
    connection.execute(
        update(PlanChangeRow)
        .where(
            PlanChangeRow.tenant_id == scope.tenant_id,
            PlanChangeRow.account_id == scope.account_id,
            PlanChangeRow.automatic,
            PlanChangeRow.state == "held",
        )
        .values(state="scheduled", effective_at=now)
    )


def call_off(connection: Connection, scope: Scope, *, now: dt.datetime) -> None:
    """Automatic changes that are open: another plan, or another cycle, has made them needless."""
    connection.execute(
        update(PlanChangeRow)
        .where(
            PlanChangeRow.tenant_id == scope.tenant_id,
            PlanChangeRow.account_id == scope.account_id,
            PlanChangeRow.automatic,
            PlanChangeRow.state.in_(OPEN_STATES),
        )
        .values(state="canceled", decided_by=SYSTEM, decided_at=now)
    )


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
        _CHANGES.where(PlanChangeRow.state.in_(OPEN_STATES))
        .order_by(PlanChangeRow.created_at, PlanChangeRow.id)
        .limit(limit)
    )
    return tuple(PlanChange(*row) for row in rows)


_DUE = _CHANGES.where(
    *of_scope(PlanChangeRow),
    PlanChangeRow.state == "scheduled",
    PlanChangeRow.effective_at <= bindparam("now"),
    PlanChangeRow.automatic == bindparam("is_automatic"),
).order_by(PlanChangeRow.effective_at, PlanChangeRow.id)


def due(
    connection: Connection, scope: Scope, *, now: dt.datetime, automatic: bool
) -> tuple[PlanChange, ...]:
    values = {**scope_values(scope), "now": now, "is_automatic": automatic}
    rows = connection.execute(_DUE, values)
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
