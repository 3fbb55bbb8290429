"""First answers to requests that spend or buy, so that a repeated request gets the same one."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, Row, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Scope, TenantId


class IdempotencyRow(Base):
    """`request_hash` tells a repeated request from another one under the same key (409)."""

    __tablename__ = "idempotency"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None]  # None while the first request is still under way
    body: Mapped[dict[str, Any] | None]
    created_at: Mapped[dt.datetime]


def claim(
    connection: Connection, scope: Scope, key: str, request_hash: bytes, now: dt.datetime
) -> Row[*tuple[Any, ...]]:
    """The row of this key: the one that was there, or a new one. Insert-first, so that of two
    requests at once the second waits for the first."""
    connection.execute(
        insert(IdempotencyRow)
        .values(
            tenant_id=scope.tenant_id,
            account_id=scope.account_id,
            key=key,
            request_hash=request_hash,
            created_at=now,
        )
        .on_conflict_do_nothing()
    )
    return connection.execute(
        select(IdempotencyRow.request_hash, IdempotencyRow.status, IdempotencyRow.body).where(
            *_named(scope, key)
        )
    ).one()


def keep(connection: Connection, scope: Scope, key: str, status: int, body: dict[str, Any]) -> None:
    connection.execute(
        update(IdempotencyRow)
        .where(*_named(scope, key), IdempotencyRow.status.is_(None))
        .values(status=status, body=body)
    )


def _named(scope: Scope, key: str) -> tuple[ColumnElement[bool], ...]:
    return (
        IdempotencyRow.tenant_id == scope.tenant_id,
        IdempotencyRow.account_id == scope.account_id,
        IdempotencyRow.key == key,
    )
