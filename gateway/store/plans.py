"""Plans and the carrier's own tariff: reference data, versioned, never edited."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKey,
    Index,
    Select,
    String,
    UniqueConstraint,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, aliased, mapped_column

from gateway.store.base import Base, new_id


class PlanRow(Base):
    __tablename__ = "plan"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)  # "payg": stable, in URLs and commands
    kind: Mapped[str] = mapped_column(String(8))  # retail: what we charge; carrier: what we pay
    created_at: Mapped[dt.datetime]

    __table_args__ = (CheckConstraint("kind in ('retail','carrier')", name="kind"),)


class PlanVersionRow(Base):
    """One published document. The database refuses UPDATE and DELETE (migration 0001)."""

    __tablename__ = "plan_version"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    plan_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("plan.id"))
    version: Mapped[int]
    document: Mapped[dict[str, Any]]
    published_at: Mapped[dt.datetime]
    published_by: Mapped[str]

    __table_args__ = (UniqueConstraint("plan_id", "version"),)


class PlanPublicationRow(Base):
    """A document that becomes the next version of its plan on a date; checked when it was saved.

    Until then it may be called off; the clock publishes it, once.
    """

    __tablename__ = "plan_publication"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    code: Mapped[str]
    kind: Mapped[str] = mapped_column(String(8))  # as of a plan
    document: Mapped[dict[str, Any]]
    from_at: Mapped[dt.datetime]
    moves_accounts: Mapped[bool]  # those on an older version of the plan move along
    state: Mapped[str] = mapped_column(String(12))  # waiting, published, canceled
    created_at: Mapped[dt.datetime]
    created_by: Mapped[str]
    decided_at: Mapped[dt.datetime | None]
    decided_by: Mapped[str | None]
    plan_version_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("plan_version.id"))

    __table_args__ = (
        CheckConstraint("kind in ('retail','carrier')", name="kind"),
        CheckConstraint("state in ('waiting','published','canceled')", name="state"),
        Index("ix_plan_publication_due", "from_at", postgresql_where="state = 'waiting'"),
    )


@dataclass(frozen=True, slots=True)
class StoredPlanVersion:
    id: uuid.UUID
    plan_id: uuid.UUID
    code: str
    kind: str
    version: int
    document: dict[str, Any]
    published_at: dt.datetime
    published_by: str


def lock_or_add(connection: Connection, code: str, kind: str, now: dt.datetime) -> uuid.UUID | None:
    """The plan's id, its row locked; None where the code belongs to a plan of the other kind."""
    connection.execute(
        insert(PlanRow)
        .values(id=new_id(), code=code, kind=kind, created_at=now)
        .on_conflict_do_nothing()
    )
    row = connection.execute(
        select(PlanRow.id, PlanRow.kind).where(PlanRow.code == code).with_for_update()
    ).one()
    return row.id if row.kind == kind else None


def add_version(
    connection: Connection,
    plan_id: uuid.UUID,
    version: int,
    document: dict[str, Any],
    *,
    published_at: dt.datetime,
    published_by: str,
) -> uuid.UUID:
    id = new_id()
    connection.execute(
        insert(PlanVersionRow).values(
            id=id,
            plan_id=plan_id,
            version=version,
            document=document,
            published_at=published_at,
            published_by=published_by,
        )
    )
    return id


def _versions() -> Select[Any]:
    return select(
        PlanVersionRow.id,
        PlanRow.id,
        PlanRow.code,
        PlanRow.kind,
        PlanVersionRow.version,
        PlanVersionRow.document,
        PlanVersionRow.published_at,
        PlanVersionRow.published_by,
    ).join(PlanRow, PlanRow.id == PlanVersionRow.plan_id)


def _latest() -> Select[Any]:
    other = aliased(PlanVersionRow)
    newest = (
        select(func.max(other.version))
        .where(other.plan_id == PlanVersionRow.plan_id)
        .scalar_subquery()
    )
    return _versions().where(PlanVersionRow.version == newest)


# Asked for in every drain: describing them anew took as long as their answers.
_VERSION = _versions().where(PlanVersionRow.id == bindparam("id"))
_LATEST_OF = _latest().where(PlanRow.code == bindparam("code"))
_LATEST_OF_KIND = _latest().where(PlanRow.kind == bindparam("kind")).order_by(PlanRow.code)


def find_version(connection: Connection, id: uuid.UUID) -> StoredPlanVersion | None:
    row = connection.execute(_VERSION, {"id": id}).first()
    return None if row is None else StoredPlanVersion(*row)


def latest_of(connection: Connection, code: str) -> StoredPlanVersion | None:
    row = connection.execute(_LATEST_OF, {"code": code}).first()
    return None if row is None else StoredPlanVersion(*row)


def latest_of_kind(connection: Connection, kind: str) -> tuple[StoredPlanVersion, ...]:
    """The newest version of each plan, by code."""
    rows = connection.execute(_LATEST_OF_KIND, {"kind": kind})
    return tuple(StoredPlanVersion(*row) for row in rows)


def all_versions(connection: Connection, code: str) -> tuple[StoredPlanVersion, ...]:
    rows = connection.execute(
        _versions().where(PlanRow.code == code).order_by(PlanVersionRow.version.desc())
    )
    return tuple(StoredPlanVersion(*row) for row in rows)
