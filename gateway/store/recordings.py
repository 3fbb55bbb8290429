"""Recordings: voicemails, kept with the call and played back from here."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, TenantId


class RecordingRow(Base):
    """`media` is fetched once from the carrier by a worker; None until then."""

    __tablename__ = "recording"

    tenant_id: Mapped[TenantId]
    recording_sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    account_id: Mapped[uuid.UUID]
    call_sid: Mapped[str]
    kind: Mapped[str] = mapped_column(String(16))  # voicemail
    duration_seconds: Mapped[int | None]
    status: Mapped[str] = mapped_column(String(16))  # in-progress, completed, absent, failed
    media_type: Mapped[str | None]
    media: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[dt.datetime]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "call_sid"], ["call.tenant_id", "call.call_sid"], name="fk_recording_call"
        ),
        Index("ix_recording_call", "tenant_id", "call_sid"),
    )
