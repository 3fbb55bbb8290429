"""Mandates: whose bank account may be debited, by which signature."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import (
    Connection,
    Date,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from billing.mandates import masked_iban
from gateway.store.base import Base, Key, Scope, TenantId


class MandateRow(Base):
    """One in force per account; a reference is given once, also after its mandate has ended."""

    __tablename__ = "mandate"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    reference: Mapped[str] = mapped_column(String(35))
    signed_on: Mapped[dt.date] = mapped_column(Date)
    holder: Mapped[str] = mapped_column(String(70))
    iban: Mapped[str] = mapped_column(String(34))
    created_at: Mapped[dt.datetime]
    created_by: Mapped[str]
    ended_at: Mapped[dt.datetime | None]
    ended_why: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("tenant_id", "reference"),
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_mandate_account",
        ),
        Index(
            "ix_mandate_in_force",
            "tenant_id",
            "account_id",
            unique=True,
            postgresql_where="ended_at is null",
        ),
    )


@dataclass(frozen=True, slots=True)
class StoredMandate:
    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    reference: str
    signed_on: dt.date
    holder: str
    iban: str
    created_at: dt.datetime
    created_by: str
    ended_at: dt.datetime | None
    ended_why: str | None

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)

    @property
    def masked_iban(self) -> str:
        return masked_iban(self.iban)


_COLUMNS = [getattr(MandateRow, name) for name in StoredMandate.__slots__]


def in_force(connection: Connection, scope: Scope) -> StoredMandate | None:
    row = connection.execute(
        select(*_COLUMNS).where(
            MandateRow.tenant_id == scope.tenant_id,
            MandateRow.account_id == scope.account_id,
            MandateRow.ended_at.is_(None),
        )
    ).first()
    return None if row is None else StoredMandate(*row)


def find(connection: Connection, scope: Scope, mandate_id: uuid.UUID) -> StoredMandate | None:
    row = connection.execute(
        select(*_COLUMNS).where(
            MandateRow.tenant_id == scope.tenant_id,
            MandateRow.account_id == scope.account_id,
            MandateRow.id == mandate_id,
        )
    ).first()
    return None if row is None else StoredMandate(*row)


def of_account(connection: Connection, scope: Scope) -> list[StoredMandate]:
    """Newest first, ended ones too."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(MandateRow.tenant_id == scope.tenant_id, MandateRow.account_id == scope.account_id)
        .order_by(MandateRow.id.desc())
    )
    return [StoredMandate(*row) for row in rows]


def all_in_force(connection: Connection) -> list[StoredMandate]:
    """Of all tenants, the oldest first."""
    rows = connection.execute(
        select(*_COLUMNS).where(MandateRow.ended_at.is_(None)).order_by(MandateRow.id)
    )
    return [StoredMandate(*row) for row in rows]


def is_given(connection: Connection, tenant_id: uuid.UUID, reference: str) -> bool:
    return (
        connection.scalar(
            select(MandateRow.id).where(
                MandateRow.tenant_id == tenant_id, MandateRow.reference == reference
            )
        )
        is not None
    )


def add(connection: Connection, mandate: StoredMandate) -> None:
    values = {name: getattr(mandate, name) for name in StoredMandate.__slots__}
    connection.execute(insert(MandateRow).values(values))


def end(connection: Connection, scope: Scope, *, why: str, at: dt.datetime) -> None:
    """The one in force, if there is one."""
    connection.execute(
        update(MandateRow)
        .where(
            MandateRow.tenant_id == scope.tenant_id,
            MandateRow.account_id == scope.account_id,
            MandateRow.ended_at.is_(None),
        )
        .values(ended_at=at, ended_why=why)
    )
