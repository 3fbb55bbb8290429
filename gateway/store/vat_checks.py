"""VAT ids that a register is asked about, and what it answered: a row each time one is given."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    String,
    exists,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, aliased, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from gateway.store.base import Base, Key, Scope, TenantId, new_id
from gateway.store.leased_queue import LeasedQueue


class VatIdCheckRow(Base):
    __tablename__ = "vat_id_check"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    vat_id: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[dt.datetime]
    asked: Mapped[int]
    ask_at: Mapped[dt.datetime | None]  # None: the answer is final, or nobody waits for it now
    answer: Mapped[str | None] = mapped_column(String(8))  # None: not asked yet
    answered_at: Mapped[dt.datetime | None]
    requested_on: Mapped[str]  # as the register writes it
    identifier: Mapped[str]
    name: Mapped[str]
    words: Mapped[str]  # why it is unknown

    __table_args__ = (
        CheckConstraint("answer in ('valid','invalid','unknown')", name="answer"),
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_vat_id_check_account",
        ),
        Index("ix_vat_id_check_account", "tenant_id", "account_id", "id"),
        Index("ix_vat_id_check_due", "ask_at", postgresql_where="ask_at is not null"),
    )


@dataclass(frozen=True, slots=True)
class VatCheck:
    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    vat_id: str
    asked: int
    ask_at: dt.datetime | None
    answer: str | None  # valid, invalid, unknown
    answered_at: dt.datetime | None
    requested_on: str
    identifier: str
    name: str
    words: str

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)


_COLUMNS = tuple(getattr(VatIdCheckRow, name) for name in VatCheck.__dataclass_fields__)
_OPEN = VatIdCheckRow.ask_at.is_not(None)

due = LeasedQueue(VatIdCheckRow, "ask_at", VatCheck, news_for=_OPEN)


def begin(connection: Connection, scope: Scope, vat_id: str, *, now: dt.datetime) -> None:
    connection.execute(
        insert(VatIdCheckRow).values(
            tenant_id=scope.tenant_id,
            id=new_id(),
            account_id=scope.account_id,
            vat_id=vat_id,
            created_at=now,
            asked=0,
            ask_at=now,
            requested_on="",
            identifier="",
            name="",
            words="",
        )
    )


def end(connection: Connection, scope: Scope) -> None:
    """Nobody waits for an answer any more; one that is on its way is dropped."""
    connection.execute(update(VatIdCheckRow).where(*_of(scope), _OPEN).values(ask_at=None))


def newest(connection: Connection, scope: Scope) -> VatCheck | None:
    row = connection.execute(
        select(*_COLUMNS).where(*_of(scope)).order_by(VatIdCheckRow.id.desc()).limit(1)
    ).first()
    return None if row is None else VatCheck(*row)


def last_answer(connection: Connection, scope: Scope, vat_id: str) -> VatCheck | None:
    """Since the account had another id."""
    later = aliased(VatIdCheckRow)
    had_another = exists().where(
        later.tenant_id == VatIdCheckRow.tenant_id,
        later.account_id == VatIdCheckRow.account_id,
        later.id > VatIdCheckRow.id,
        later.vat_id != vat_id,
    )
    row = connection.execute(
        select(*_COLUMNS)
        .where(
            *_of(scope),
            VatIdCheckRow.vat_id == vat_id,
            VatIdCheckRow.answer.is_not(None),
            ~had_another,
        )
        .order_by(VatIdCheckRow.id.desc())
        .limit(1)
    ).first()
    return None if row is None else VatCheck(*row)


def lock_open(connection: Connection, check: VatCheck) -> VatCheck | None:
    row = connection.execute(
        select(*_COLUMNS)
        .where(VatIdCheckRow.tenant_id == check.tenant_id, VatIdCheckRow.id == check.id, _OPEN)
        .with_for_update()
    ).first()
    return None if row is None else VatCheck(*row)


def change(connection: Connection, check: VatCheck, values: dict[str, Any]) -> None:
    connection.execute(
        update(VatIdCheckRow)
        .where(VatIdCheckRow.tenant_id == check.tenant_id, VatIdCheckRow.id == check.id)
        .values(**values)
    )


def _of(scope: Scope) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (
        VatIdCheckRow.tenant_id == scope.tenant_id,
        VatIdCheckRow.account_id == scope.account_id,
    )
