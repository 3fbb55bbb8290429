"""Published routing plans: immutable versions; a call keeps the one that decided it."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import Connection, ForeignKeyConstraint, UniqueConstraint, select
from sqlalchemy.orm import Mapped

from gateway.store.base import Base, Key, TenantId


class ForwardingVersionRow(Base):
    """The database refuses UPDATE and DELETE (migration 0001)."""

    __tablename__ = "forwarding_version"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    did_id: Mapped[uuid.UUID]
    version: Mapped[int]
    document: Mapped[dict[str, Any]]
    published_at: Mapped[dt.datetime]
    published_by: Mapped[str]
    note: Mapped[str]

    __table_args__ = (
        UniqueConstraint("tenant_id", "did_id", "version"),
        ForeignKeyConstraint(
            ["tenant_id", "did_id"], ["did.tenant_id", "did.id"], name="fk_forwarding_version_did"
        ),
    )


def document_of(
    connection: Connection, tenant_id: uuid.UUID, version_id: uuid.UUID
) -> dict[str, Any] | None:
    return connection.scalar(
        select(ForwardingVersionRow.document).where(
            ForwardingVersionRow.tenant_id == tenant_id, ForwardingVersionRow.id == version_id
        )
    )
