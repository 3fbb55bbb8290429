"""Accounts in arrears, and how far up the ladder each has been sent."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    ForeignKeyConstraint,
    Index,
    delete,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from billing.dunning import Delivery, DunningState, NoticeSent
from gateway.store.base import Base, Scope, TenantId, of_scope, scope_values


class DunningRow(Base):
    """`billing.dunning.DunningState` of one account; none in good standing."""

    __tablename__ = "dunning"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    overdue_on: Mapped[dt.date] = mapped_column(Date)
    paused_on: Mapped[dt.date | None] = mapped_column(Date)
    paused_days: Mapped[int]
    notices: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)  # day, channel, delivery
    suspended: Mapped[bool]
    due_for_release: Mapped[bool]
    changed_at: Mapped[dt.datetime]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_dunning_account",
        ),
        Index("ix_dunning_overdue", "overdue_on"),
    )


_ONE = select(DunningRow.__table__).where(*of_scope(DunningRow))


def find(connection: Connection, scope: Scope) -> DunningState | None:
    row = connection.execute(_ONE, scope_values(scope)).first()
    return None if row is None else _state(row)


def put(connection: Connection, scope: Scope, state: DunningState, *, now: dt.datetime) -> None:
    values = {
        "overdue_on": state.overdue_on,
        "paused_on": state.paused_on,
        "paused_days": state.paused_days,
        "notices": [
            {"day": sent.day, "channel": sent.channel, "delivery": sent.delivery.value}
            for sent in state.notices
        ],
        "suspended": state.suspended,
        "due_for_release": state.due_for_release,
        "changed_at": now,
    }
    connection.execute(
        insert(DunningRow)
        .values(tenant_id=scope.tenant_id, account_id=scope.account_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id", "account_id"], set_=values)
    )


def remove(connection: Connection, scope: Scope) -> None:
    connection.execute(delete(DunningRow).where(*_of(scope)))


@dataclass(frozen=True, slots=True)
class Overdue:
    """A line of the queue that staff works through."""

    scope: Scope
    name: str
    currency: str
    status: str
    balance_micros: int
    numbers: int
    state: DunningState


_QUEUE = text(
    """
select d.*, a.name, a.currency, a.status, w.balance_micros,
       (select count(*) from did as n where n.tenant_id = a.tenant_id and n.account_id = a.id
                                        and n.released_at is null) as numbers
  from dunning as d
  join account as a on a.tenant_id = d.tenant_id and a.id = d.account_id
  join ledger_account as w on w.tenant_id = a.tenant_id and w.unit = a.currency
                          and w.name = 'wallet:' || replace(a.id::text, '-', '')
 where (d.overdue_on, d.account_id) > (:overdue_on, :account_id)
   and (d.due_for_release or not :release_only)
 order by d.overdue_on, d.account_id
 limit :limit
"""
)


def queue(
    connection: Connection,
    *,
    after: tuple[dt.date, uuid.UUID] | None,
    release_only: bool,
    limit: int,
) -> list[Overdue]:
    """Accounts in arrears, of all tenants, the longest first."""
    overdue_on, account_id = after or (dt.date(1970, 1, 1), uuid.UUID(int=0))
    rows = connection.execute(
        _QUEUE,
        {
            "overdue_on": overdue_on,
            "account_id": account_id,
            "release_only": release_only,
            "limit": limit,
        },
    )
    return [
        Overdue(
            Scope(row.tenant_id, row.account_id),
            row.name,
            row.currency,
            row.status,
            row.balance_micros,
            row.numbers,
            _state(row),
        )
        for row in rows
    ]


def _state(row: Any) -> DunningState:
    return DunningState(
        overdue_on=row.overdue_on,
        paused_on=row.paused_on,
        paused_days=row.paused_days,
        notices=tuple(
            NoticeSent(sent["day"], sent["channel"], Delivery(sent["delivery"]))
            for sent in row.notices
        ),
        suspended=row.suspended,
        due_for_release=row.due_for_release,
    )


def _of(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return DunningRow.tenant_id == scope.tenant_id, DunningRow.account_id == scope.account_id
