"""Money of a card payment that goes back to its card: ordered first, then what became of it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    and_,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from billing.vat import VatSplit
from gateway.store.accounts import AccountRow
from gateway.store.base import Base, Currency, Key, Micros, Scope, TenantId
from gateway.store.leased_queue import LeasedQueue

PENDING, DONE, FAILED = "pending", "ok", "failed"


class RefundRow(Base):
    """Committed with its lines before the provider is asked; its id is the idempotency key."""

    __tablename__ = "refund"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    charge_id: Mapped[uuid.UUID]
    net_micros: Mapped[Micros]  # what the wallet loses
    vat_micros: Mapped[Micros]
    vat_formula: Mapped[str]
    currency: Mapped[Currency]
    state: Mapped[str] = mapped_column(String(16))
    provider_ref: Mapped[str | None]
    why: Mapped[str]  # what the provider said where it gave nothing back
    reason: Mapped[str]
    actor: Mapped[str]
    idempotency_key: Mapped[str]
    asked: Mapped[int]
    ask_at: Mapped[dt.datetime | None]  # when the clock looks at it
    created_at: Mapped[dt.datetime]
    resolved_at: Mapped[dt.datetime | None]

    __table_args__ = (
        UniqueConstraint("tenant_id", "account_id", "idempotency_key"),
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_refund_account",
        ),
        ForeignKeyConstraint(
            ["tenant_id", "charge_id"], ["charge.tenant_id", "charge.id"], name="fk_refund_charge"
        ),
        CheckConstraint("net_micros > 0 and vat_micros >= 0", name="positive"),
        CheckConstraint("state in ('pending','ok','failed')", name="state"),
        Index("ix_refund_charge", "tenant_id", "charge_id"),
        Index("ix_refund_due", "ask_at", postgresql_where="ask_at is not null"),
        Index("ix_refund_watched", "created_at", postgresql_where="state <> 'ok'"),
    )


@dataclass(frozen=True, slots=True)
class Refund:
    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    charge_id: uuid.UUID
    net_micros: int
    vat_micros: int
    vat_formula: str
    currency: str
    state: str
    provider_ref: str | None
    why: str
    reason: str
    actor: str
    idempotency_key: str
    asked: int
    created_at: dt.datetime
    resolved_at: dt.datetime | None

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)

    @property
    def gross_micros(self) -> int:
        """What the card gets."""
        return self.net_micros + self.vat_micros


@dataclass(frozen=True, slots=True)
class WatchedRefund:
    """A refund beside the name of its account, for staff."""

    refund: Refund
    account_name: str


_REFUND = tuple(getattr(RefundRow, name) for name in Refund.__dataclass_fields__)

# Also one that was done, which may come back later.
queue = LeasedQueue(RefundRow, "ask_at", Refund, news_for=RefundRow.state != FAILED)


def _of(scope: Scope) -> Any:
    return and_(RefundRow.tenant_id == scope.tenant_id, RefundRow.account_id == scope.account_id)


def add(connection: Connection, refund: Refund, *, ask_at: dt.datetime | None) -> None:
    values = {name: getattr(refund, name) for name in Refund.__dataclass_fields__}
    connection.execute(insert(RefundRow).values(**values, ask_at=ask_at))


def find(
    connection: Connection, scope: Scope, refund_id: uuid.UUID, *, lock: bool = False
) -> Refund | None:
    found = select(*_REFUND).where(_of(scope), RefundRow.id == refund_id)
    row = connection.execute(found.with_for_update() if lock else found).first()
    return None if row is None else Refund(*row)


def find_by_key(connection: Connection, scope: Scope, idempotency_key: str) -> Refund | None:
    row = connection.execute(
        select(*_REFUND).where(_of(scope), RefundRow.idempotency_key == idempotency_key)
    ).first()
    return None if row is None else Refund(*row)


def change(connection: Connection, refund: Refund, **values: object) -> None:
    connection.execute(
        update(RefundRow)
        .where(RefundRow.tenant_id == refund.tenant_id, RefundRow.id == refund.id)
        .values(**values)
    )


def of_charges(
    connection: Connection, scope: Scope, charge_ids: Collection[uuid.UUID]
) -> list[Refund]:
    """Oldest first."""
    rows = connection.execute(
        select(*_REFUND)
        .where(_of(scope), RefundRow.charge_id.in_(charge_ids))
        .order_by(RefundRow.id)
    )
    return [Refund(*row) for row in rows]


def of_charge(connection: Connection, scope: Scope, charge_id: uuid.UUID) -> list[Refund]:
    return of_charges(connection, scope, [charge_id])


def given_back(connection: Connection, scope: Scope, charge_id: uuid.UUID) -> VatSplit:
    """What refunds took of a charge so far, also those whose end is not known yet."""
    row = connection.execute(
        select(
            func.coalesce(func.sum(RefundRow.net_micros), 0),
            func.coalesce(func.sum(RefundRow.vat_micros), 0),
        ).where(_of(scope), RefundRow.charge_id == charge_id, RefundRow.state != FAILED)
    ).one()
    return VatSplit(int(row[0]), int(row[1]))


def watched(connection: Connection, *, since: dt.datetime, limit: int) -> list[WatchedRefund]:
    """Of all tenants, for staff, newest first: without an end, or failed since then."""
    rows = connection.execute(
        select(*_REFUND, AccountRow.name)
        .join(
            AccountRow,
            and_(
                AccountRow.tenant_id == RefundRow.tenant_id, AccountRow.id == RefundRow.account_id
            ),
        )
        .where(
            RefundRow.state != DONE, or_(RefundRow.state == PENDING, RefundRow.resolved_at >= since)
        )
        .order_by(RefundRow.created_at.desc())
        .limit(limit)
    )
    return [WatchedRefund(Refund(*row[:-1]), row[-1]) for row in rows]


def charge_of(
    connection: Connection, tenant_id: uuid.UUID, refund_id: uuid.UUID
) -> uuid.UUID | None:
    return connection.scalar(
        select(RefundRow.charge_id).where(
            RefundRow.tenant_id == tenant_id, RefundRow.id == refund_id
        )
    )
