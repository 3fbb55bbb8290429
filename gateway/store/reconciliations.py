"""What the nightly comparison with the carrier's own records found."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import Date, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, TenantId


class ReconciliationRow(Base):
    """One run over one UTC day of the carrier."""

    __tablename__ = "reconciliation"

    day: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    started_at: Mapped[dt.datetime]
    finished_at: Mapped[dt.datetime | None]
    legs_ours: Mapped[int]
    legs_theirs: Mapped[int]
    healed: Mapped[int]


class CarrierLegRow(Base):
    """A call or leg as the carrier's own records tell it; kept for some weeks, then dropped.

    Global: whose it is follows from the number that was called.
    """

    __tablename__ = "carrier_leg"

    sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    day: Mapped[dt.date] = mapped_column(Date)  # UTC, of its start by the carrier's clock
    parent_sid: Mapped[str | None] = mapped_column(String(34))
    from_address: Mapped[str]
    to_address: Mapped[str]
    status: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
    talk_seconds: Mapped[int | None]
    price_micros: Mapped[int | None]  # what it takes, positive; comes late

    __table_args__ = (Index("ix_carrier_leg_day", "day"),)


class DriftRow(Base):
    """One difference; found again the next night it is the same row."""

    __tablename__ = "drift"

    tenant_id: Mapped[TenantId]
    leg_sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    kind: Mapped[str] = mapped_column(String(24), primary_key=True)
    account_id: Mapped[uuid.UUID | None]
    day: Mapped[dt.date] = mapped_column(Date)
    detail: Mapped[dict[str, Any]]
    healed: Mapped[bool]
    found_at: Mapped[dt.datetime]

    __table_args__ = (Index("ix_drift_day", "day"),)
