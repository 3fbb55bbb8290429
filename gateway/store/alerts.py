"""Alerts at thresholds: armed, fired once per crossing, armed again when it rises."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Key, TenantId


class AlertRow(Base):
    __tablename__ = "alert"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    measure: Mapped[str] = mapped_column(String(8))  # money, minutes, days
    threshold: Mapped[int] = mapped_column(BigInteger)  # micros, seconds, days
    channels: Mapped[list[str]]  # email, webhook, in_app
    armed: Mapped[bool]
    fired_at: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_alert_account",
        ),
        CheckConstraint("measure in ('money','minutes','days')", name="measure"),
        Index("ix_alert_account", "tenant_id", "account_id"),
    )


class AlertSettingRow(Base):
    """One per account, from the day its thresholds were first set: by the plan, or by people."""

    __tablename__ = "alert_setting"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    hook_url: Mapped[str]  # empty: no webhook
    hook_secret: Mapped[str]  # signs what is posted there
    changed_at: Mapped[dt.datetime]
    changed_by: Mapped[str]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_alert_setting_account",
        ),
    )
