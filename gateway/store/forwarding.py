"""Published routing plans: immutable versions; a call keeps the one that decided it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    ForeignKeyConstraint,
    UniqueConstraint,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped

from gateway.store.base import Base, Key, Scope, TenantId, new_id
from gateway.store.numbers import DidRow


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


@dataclass(frozen=True, slots=True)
class ForwardingVersion:
    id: uuid.UUID
    did_id: uuid.UUID
    version: int
    document: dict[str, Any]
    published_at: dt.datetime
    published_by: str
    note: str


_VERSIONS = select(
    *(getattr(ForwardingVersionRow, name) for name in ForwardingVersion.__dataclass_fields__)
)


def in_force(
    connection: Connection, scope: Scope, did_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, ForwardingVersion]:
    """By number; a number without a published plan is absent."""
    rows = connection.execute(
        _VERSIONS.join(
            DidRow,
            (DidRow.tenant_id == ForwardingVersionRow.tenant_id)
            & (DidRow.forwarding_version_id == ForwardingVersionRow.id),
        ).where(
            DidRow.tenant_id == scope.tenant_id,
            DidRow.account_id == scope.account_id,
            DidRow.id.in_(did_ids),
        )
    )
    return {row.did_id: ForwardingVersion(*row) for row in rows}


def history(
    connection: Connection,
    tenant_id: uuid.UUID,
    did_id: uuid.UUID,
    *,
    before: int | None,
    limit: int,
) -> tuple[ForwardingVersion, ...]:
    """Newest first."""
    found = (
        _VERSIONS.where(
            ForwardingVersionRow.tenant_id == tenant_id, ForwardingVersionRow.did_id == did_id
        )
        .order_by(ForwardingVersionRow.version.desc())
        .limit(limit)
    )
    if before is not None:
        found = found.where(ForwardingVersionRow.version < before)
    return tuple(ForwardingVersion(*row) for row in connection.execute(found))


def find_version(
    connection: Connection, tenant_id: uuid.UUID, did_id: uuid.UUID, version: int
) -> ForwardingVersion | None:
    row = connection.execute(
        _VERSIONS.where(
            ForwardingVersionRow.tenant_id == tenant_id,
            ForwardingVersionRow.did_id == did_id,
            ForwardingVersionRow.version == version,
        )
    ).first()
    return None if row is None else ForwardingVersion(*row)


def publish(
    connection: Connection,
    scope: Scope,
    did_id: uuid.UUID,
    document: dict[str, Any],
    *,
    published_at: dt.datetime,
    published_by: str,
    note: str,
) -> ForwardingVersion | None:
    """Put the next version in force, the number's row locked meanwhile; None without a number."""
    locked = connection.execute(
        select(DidRow.id)
        .where(
            DidRow.tenant_id == scope.tenant_id,
            DidRow.account_id == scope.account_id,
            DidRow.id == did_id,
        )
        .with_for_update()
    ).first()
    if locked is None:
        return None
    newest = history(connection, scope.tenant_id, did_id, before=None, limit=1)
    version = ForwardingVersion(
        id=new_id(),
        did_id=did_id,
        version=newest[0].version + 1 if newest else 1,
        document=document,
        published_at=published_at,
        published_by=published_by,
        note=note,
    )
    connection.execute(
        insert(ForwardingVersionRow).values(tenant_id=scope.tenant_id, **asdict(version))
    )
    connection.execute(
        update(DidRow)
        .where(DidRow.tenant_id == scope.tenant_id, DidRow.id == did_id)
        .values(forwarding_version_id=version.id)
    )
    return version
