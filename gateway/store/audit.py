"""Who did what: append-only."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Index, insert, select
from sqlalchemy.orm import Mapped

from gateway.store.base import Base, Key, Scope, TenantId, new_id


class AuditRow(Base):
    __tablename__ = "audit"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    at: Mapped[dt.datetime]
    actor: Mapped[str]  # "olga@…", "token rl_ab12…", "system"
    action: Mapped[str]  # "number.bought", "forwarding.published", …
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]

    __table_args__ = (Index("ix_audit_account", "tenant_id", "account_id", "id"),)


@dataclass(frozen=True, slots=True)
class AuditLine:
    id: uuid.UUID
    at: dt.datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


_ADD = insert(AuditRow)


def add(
    connection: Connection,
    scope: Scope,
    *,
    at: dt.datetime,
    actor: str,
    action: str,
    subject: str,
    detail: dict[str, Any],
) -> None:
    connection.execute(
        _ADD,
        {
            "tenant_id": scope.tenant_id,
            "id": new_id(),
            "account_id": scope.account_id,
            "at": at,
            "actor": actor,
            "action": action,
            "subject": subject,
            "detail": detail,
        },
    )


def newest(
    connection: Connection,
    scope: Scope,
    *,
    before: uuid.UUID | None,
    limit: int,
    action: str | None = None,
) -> tuple[AuditLine, ...]:
    found = (
        select(
            AuditRow.id,
            AuditRow.at,
            AuditRow.actor,
            AuditRow.action,
            AuditRow.subject,
            AuditRow.detail,
        )
        .where(AuditRow.tenant_id == scope.tenant_id, AuditRow.account_id == scope.account_id)
        .order_by(AuditRow.id.desc())
        .limit(limit)
    )
    if action is not None:
        found = found.where(AuditRow.action == action)
    if before is not None:
        found = found.where(AuditRow.id < before)
    return tuple(AuditLine(*row) for row in connection.execute(found))
