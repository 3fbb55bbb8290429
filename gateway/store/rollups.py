"""Daily rollups: what dashboards read instead of raw legs; kept by the settle transaction."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import Date
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Micros, Seconds, TenantId


class DailyUsageRow(Base):
    """Sums over one local day of the account (a call belongs to the day it started, S2-06)."""

    __tablename__ = "daily_usage"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    did_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int]
    answered: Mapped[int]
    talk_seconds: Mapped[Seconds]  # inbound legs
    forwarded_seconds: Mapped[Seconds]
    billed_seconds: Mapped[Seconds]
    charge_micros: Mapped[Micros]
    cost_micros: Mapped[Micros]
