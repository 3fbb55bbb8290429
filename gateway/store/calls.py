"""Calls: one row per CallSid of a call that reached one of our numbers."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, TenantId


class CallRow(Base):
    """The account, plan version and routing version are those of the moment it began (F5, E12)."""

    __tablename__ = "call"

    tenant_id: Mapped[TenantId]
    call_sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    account_id: Mapped[uuid.UUID]
    did_id: Mapped[uuid.UUID]
    plan_version_id: Mapped[uuid.UUID]
    forwarding_version_id: Mapped[uuid.UUID | None]
    source: Mapped[str]
    from_number: Mapped[str | None]  # E.164; None when withheld
    from_raw: Mapped[str]
    from_country: Mapped[str]
    from_state: Mapped[str]
    from_city: Mapped[str]
    from_postal_code: Mapped[str]
    to_number: Mapped[str]
    status: Mapped[str] = mapped_column(String(16))  # ringing, in-progress, or Twilio's final word
    refused: Mapped[str | None]  # why the gate sent it away: no_balance, suspended, …
    won_leg_sid: Mapped[str | None]  # the leg that was bridged
    voicemail: Mapped[bool]
    started_at: Mapped[dt.datetime]
    answered_at: Mapped[dt.datetime | None]  # first bridged or confirmed, by the carrier's clock
    ended_at: Mapped[dt.datetime | None]
    counted: Mapped[bool]  # its answer is in the daily rollup
    check_at: Mapped[dt.datetime | None]  # when to ask the carrier by REST; None when closed
    checks: Mapped[int]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"], ["account.tenant_id", "account.id"], name="fk_call_account"
        ),
        Index("ix_call_account_started", "tenant_id", "account_id", "started_at", "call_sid"),
        Index("ix_call_did_started", "tenant_id", "did_id", "started_at", "call_sid"),
        Index("ix_call_live", "tenant_id", "account_id", postgresql_where="ended_at is null"),
        Index("ix_call_check", "check_at", postgresql_where="check_at is not null"),
    )
