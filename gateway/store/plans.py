"""Plans and the carrier's own tariff: reference data, versioned, never edited."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base


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
