"""Top-ups: money that came in, one row a credit."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    String,
    UniqueConstraint,
    select,
)
from sqlalchemy import insert as sql_insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Key, Micros, Scope, TenantId


class TopUpRow(Base):
    __tablename__ = "top_up"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    amount_micros: Mapped[Micros]
    method: Mapped[str] = mapped_column(String(8))  # manual, card
    reason: Mapped[str]
    actor: Mapped[str]
    idempotency_key: Mapped[str]
    created_at: Mapped[dt.datetime]

    __table_args__ = (
        UniqueConstraint("tenant_id", "account_id", "idempotency_key"),
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_top_up_account",
        ),
        CheckConstraint("amount_micros > 0", name="positive"),
    )


@dataclass(frozen=True, slots=True)
class Credited:
    id: uuid.UUID
    amount_micros: int


def find(connection: Connection, scope: Scope, idempotency_key: str) -> Credited | None:
    row = connection.execute(
        select(TopUpRow.id, TopUpRow.amount_micros).where(
            TopUpRow.tenant_id == scope.tenant_id,
            TopUpRow.account_id == scope.account_id,
            TopUpRow.idempotency_key == idempotency_key,
        )
    ).first()
    return None if row is None else Credited(row.id, row.amount_micros)


_ADD = sql_insert(TopUpRow)


def insert(
    connection: Connection,
    scope: Scope,
    *,
    top_up_id: uuid.UUID,
    amount_micros: int,
    method: str,
    reason: str,
    actor: str,
    idempotency_key: str,
    now: dt.datetime,
) -> None:
    connection.execute(
        _ADD,
        {
            "tenant_id": scope.tenant_id,
            "id": top_up_id,
            "account_id": scope.account_id,
            "amount_micros": amount_micros,
            "method": method,
            "reason": reason,
            "actor": actor,
            "idempotency_key": idempotency_key,
            "created_at": now,
        },
    )
