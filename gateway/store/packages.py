"""Packages of minutes as they were bought; their seconds are in buckets."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Date,
    ForeignKeyConstraint,
    Index,
    Select,
    UniqueConstraint,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Key, Scope, TenantId, of_scope, scope_values


class PackageRow(Base):
    """One bought package; period `n` counts its renewals. Each period has a bucket of its own."""

    __tablename__ = "package"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]  # who bought it; an agency's serves its shared sub-accounts
    code: Mapped[str]  # of the offer; with its plan version it says size, price and what draws it
    plan_version_id: Mapped[uuid.UUID]
    purchased_at: Mapped[dt.datetime]
    purchased_by: Mapped[str]  # the name at that time: survives deletion and renaming (S1-09)
    time_zone: Mapped[str]  # of the account when it was bought: its months keep their midnights
    anchor_on: Mapped[dt.date] = mapped_column(Date)  # local day of the purchase
    n: Mapped[int]  # the current period
    starts_at: Mapped[dt.datetime]
    ends_at: Mapped[dt.datetime]
    due_at: Mapped[dt.datetime]  # the end of the period, or the next try of a renewal that waits
    renews: Mapped[bool]
    stopped_at: Mapped[dt.datetime | None]
    stopped_by: Mapped[str | None]
    expired_at: Mapped[dt.datetime | None]
    idempotency_key: Mapped[str]

    __table_args__ = (
        UniqueConstraint("tenant_id", "account_id", "idempotency_key"),
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_package_account",
        ),
        Index("ix_package_account", "tenant_id", "account_id", "id"),
        Index("ix_package_due", "due_at", postgresql_where="expired_at is null"),
    )


@dataclass(frozen=True, slots=True)
class StoredPackage:
    """A package of an account; `due_at` is the end of its period unless a renewal waits."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    code: str
    plan_version_id: uuid.UUID
    purchased_at: dt.datetime
    purchased_by: str
    time_zone: str
    anchor_on: dt.date
    n: int
    starts_at: dt.datetime
    ends_at: dt.datetime
    due_at: dt.datetime
    renews: bool
    stopped_at: dt.datetime | None
    stopped_by: str | None
    expired_at: dt.datetime | None
    idempotency_key: str

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)


_PACKAGES = select(*(getattr(PackageRow, name) for name in StoredPackage.__dataclass_fields__))


def add(connection: Connection, package: StoredPackage) -> None:
    connection.execute(
        insert(PackageRow).values(
            {name: getattr(package, name) for name in StoredPackage.__dataclass_fields__}
        )
    )


def find(connection: Connection, scope: Scope, package_id: uuid.UUID) -> StoredPackage | None:
    row = connection.execute(_of(scope).where(PackageRow.id == package_id)).first()
    return None if row is None else StoredPackage(*row)


def find_by_key(connection: Connection, scope: Scope, key: str) -> StoredPackage | None:
    row = connection.execute(_of(scope).where(PackageRow.idempotency_key == key)).first()
    return None if row is None else StoredPackage(*row)


def of_account(
    connection: Connection, scope: Scope, *, before: uuid.UUID | None, limit: int
) -> tuple[StoredPackage, ...]:
    """Newest first, ended ones too."""
    found = _of(scope).order_by(PackageRow.id.desc()).limit(limit)
    if before is not None:
        found = found.where(PackageRow.id < before)
    return tuple(StoredPackage(*row) for row in connection.execute(found))


_RUNNING = _PACKAGES.where(*of_scope(PackageRow), PackageRow.expired_at.is_(None)).order_by(
    PackageRow.id
)


def running(connection: Connection, scope: Scope) -> tuple[StoredPackage, ...]:
    """Those that have not ended, the earliest purchase first."""
    return tuple(StoredPackage(*row) for row in connection.execute(_RUNNING, scope_values(scope)))


def change(
    connection: Connection, scope: Scope, package_id: uuid.UUID, values: dict[str, Any]
) -> None:
    connection.execute(
        update(PackageRow)
        .where(
            PackageRow.tenant_id == scope.tenant_id,
            PackageRow.account_id == scope.account_id,
            PackageRow.id == package_id,
        )
        .values(**values)
    )


def _of(scope: Scope) -> Select[*tuple[Any, ...]]:
    return _PACKAGES.where(
        PackageRow.tenant_id == scope.tenant_id, PackageRow.account_id == scope.account_id
    )
