"""Recordings: voicemails, kept with the call and played back from here."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import (
    Connection,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    func,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Scope, TenantId


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


def record(
    connection: Connection,
    scope: Scope,
    *,
    recording_sid: str,
    call_sid: str,
    kind: str,
    status: str,
    duration_seconds: int,
    now: dt.datetime,
) -> None:
    """Insert or complete; a later "in-progress" does not undo "completed"."""
    row = insert(RecordingRow).values(
        tenant_id=scope.tenant_id,
        recording_sid=recording_sid,
        account_id=scope.account_id,
        call_sid=call_sid,
        kind=kind,
        status=status,
        duration_seconds=duration_seconds,
        created_at=now,
    )
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["tenant_id", "recording_sid"],
            set_={
                "status": row.excluded.status,
                "duration_seconds": func.greatest(
                    RecordingRow.duration_seconds, row.excluded.duration_seconds
                ),
            },
            where=RecordingRow.status == "in-progress",
        )
    )


def keep_media(
    connection: Connection,
    tenant_id: uuid.UUID,
    recording_sid: str,
    *,
    media_type: str,
    media: bytes,
) -> None:
    connection.execute(
        update(RecordingRow)
        .where(RecordingRow.tenant_id == tenant_id, RecordingRow.recording_sid == recording_sid)
        .values(media_type=media_type, media=media)
    )
