"""Debits: statements that a bank was asked to collect, and what it said of each."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    Date,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    func,
    select,
    text,
    update,
)
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store import credits
from gateway.store.accounts import AccountRow
from gateway.store.base import Base, Currency, Key, Micros, Scope, TenantId

OPEN = ("submitted", "collected")


class DebitRunRow(Base):
    """One file for the operator's own bank, so of no tenant; made from its debits, then kept."""

    __tablename__ = "debit_run"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    created_at: Mapped[dt.datetime]
    created_by: Mapped[str]
    content: Mapped[bytes | None] = mapped_column(LargeBinary)


class DebitRow(Base):
    """A statement is collected once: an open debit of it bars another. `credited_key` is the line
    that brought the money."""

    __tablename__ = "debit"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    run_id: Mapped[uuid.UUID]
    statement_id: Mapped[uuid.UUID]
    label: Mapped[str] = mapped_column(String(24))  # of the statement
    mandate_id: Mapped[uuid.UUID]
    end_to_end_id: Mapped[str] = mapped_column(String(35))
    currency: Mapped[Currency]
    amount_micros: Mapped[Micros]  # with its tax
    collect_on: Mapped[dt.date] = mapped_column(Date)
    state: Mapped[str] = mapped_column(String(10))  # submitted, collected, returned, canceled
    why: Mapped[str]  # what the bank, or a person, said
    credited_key: Mapped[str | None]
    created_at: Mapped[dt.datetime]
    changed_at: Mapped[dt.datetime]

    __table_args__ = (
        UniqueConstraint("tenant_id", "end_to_end_id"),
        ForeignKeyConstraint(
            ["tenant_id", "account_id"], ["account.tenant_id", "account.id"],
            name="fk_debit_account",
        ),
        CheckConstraint(
            "state in ('submitted','collected','returned','canceled')", name="state"
        ),
        CheckConstraint("amount_micros > 0", name="positive"),
        Index(
            "ix_debit_open", "tenant_id", "statement_id", unique=True,
            postgresql_where="state in ('submitted','collected')",
        ),
        Index("ix_debit_end_to_end", "end_to_end_id"),
        Index("ix_debit_run", "run_id"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """`count` and `amount_micros` are those of its debits that were not canceled; `is_written`: the
    bank's file was made, and stays as it is."""

    id: uuid.UUID
    created_at: dt.datetime
    created_by: str
    count: int
    amount_micros: int
    submitted: int
    collected: int
    returned: int
    is_written: bool


@dataclass(frozen=True, slots=True)
class Debit:
    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    run_id: uuid.UUID
    statement_id: uuid.UUID
    label: str
    mandate_id: uuid.UUID
    end_to_end_id: str
    currency: str
    amount_micros: int
    collect_on: dt.date
    state: str
    why: str
    credited_key: str | None
    created_at: dt.datetime
    changed_at: dt.datetime

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)


@dataclass(frozen=True, slots=True)
class NamedDebit:
    """A debit beside the name of its account, for staff."""

    debit: Debit
    account_name: str


@dataclass(frozen=True, slots=True)
class Unpaid:
    """A statement that may be collected, by its place in the list of what falls due."""

    due_on: dt.date
    account_name: str
    statement_id: uuid.UUID
    tenant_id: uuid.UUID
    account_id: uuid.UUID

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)


_COLUMNS = [getattr(DebitRow, name) for name in Debit.__slots__]


def add_run(connection: Connection, run_id: uuid.UUID, *, by: str, at: dt.datetime) -> None:
    values = {"id": run_id, "created_at": at, "created_by": by, "content": None}
    connection.execute(plain_insert(DebitRunRow).values(values))


def remove_run(connection: Connection, run_id: uuid.UUID) -> None:
    """One that found nothing to collect."""
    table = DebitRunRow.__table__
    connection.execute(table.delete().where(table.c.id == run_id))  # type: ignore[attr-defined]


def add(connection: Connection, debit: Debit) -> bool:
    """False where the statement is being collected already."""
    values = {name: getattr(debit, name) for name in Debit.__slots__}
    added = connection.execute(
        insert(DebitRow).values(values).on_conflict_do_nothing().returning(DebitRow.id)
    )
    return added.first() is not None


def attempts(connection: Connection, tenant_id: uuid.UUID, statement_id: uuid.UUID) -> int:
    return (
        connection.scalar(
            select(func.count())
            .select_from(DebitRow)
            .where(DebitRow.tenant_id == tenant_id, DebitRow.statement_id == statement_id)
        )
        or 0
    )


def underway(
    connection: Connection, scope: Scope, *, states: Collection[str], since: dt.date
) -> set[uuid.UUID]:
    """Statements of the account with a debit in one of these states, collected since then."""
    rows = connection.scalars(
        select(DebitRow.statement_id).where(
            DebitRow.tenant_id == scope.tenant_id,
            DebitRow.account_id == scope.account_id,
            DebitRow.state.in_(list(states)),
            DebitRow.collect_on >= since,
        )
    )
    return set(rows)


# Payments cover what is oldest first: what lies before a statement that is paid is paid as well, so
# that of each account few statements are looked at.
_WALLET = "'wallet:' || replace(a.id::text, '-', '')"
_CREDITED = credits.credited_behind(
    tenant_id="a.tenant_id", account_id="a.id", wallet=_WALLET, seq="c.last_seq"
)
_UNPAID = text(
    f"""
select s.due_on, a.name, s.id, s.tenant_id, s.account_id
  from mandate as m
  join account as a on a.tenant_id = m.tenant_id and a.id = m.account_id
  left join lateral (
       select c.starts_on from statement as c
        where c.tenant_id = m.tenant_id and c.account_id = m.account_id and c.owed_micros > 0
          and c.owed_micros <= {_CREDITED}
        order by c.starts_on desc limit 1) as paid on true
  join statement as s on s.tenant_id = m.tenant_id and s.account_id = m.account_id
                     and (paid.starts_on is null or s.starts_on > paid.starts_on)
 where m.ended_at is null and a.currency = :currency
   and s.owed_micros > 0 and s.due_on <= :until
   and (cast(:due_on as date) is null
        or (s.due_on, a.name, s.id) > (:due_on, cast(:name as text), cast(:id as uuid)))
   and not exists (select 1 from debit as d
                    where d.tenant_id = s.tenant_id and d.statement_id = s.id
                      and d.state in ('submitted','collected'))
 order by s.due_on, a.name, s.id limit :limit
"""
)


def unpaid(
    connection: Connection,
    *,
    currency: str,
    until: dt.date,
    after: tuple[dt.date, str, uuid.UUID] | None,
    limit: int,
) -> list[Unpaid]:
    """Of all tenants, under a mandate and not being collected: by due date, the account's name and
    the statement's id. `after` is the place of the last one seen. Where a later statement asks for
    no more than an earlier one that is open, it is here too."""
    due_on, name, id = after or (None, None, None)
    values = {"currency": currency, "until": until, "limit": limit}
    rows = connection.execute(_UNPAID, values | {"due_on": due_on, "name": name, "id": id})
    return [Unpaid(*row) for row in rows]


def lock(connection: Connection, scope: Scope, debit_id: uuid.UUID) -> Debit | None:
    row = connection.execute(
        select(*_COLUMNS)
        .where(
            DebitRow.tenant_id == scope.tenant_id,
            DebitRow.account_id == scope.account_id,
            DebitRow.id == debit_id,
        )
        .with_for_update()
    ).first()
    return None if row is None else Debit(*row)


def find(connection: Connection, debit_id: uuid.UUID) -> Debit | None:
    """Of whichever tenant; for staff."""
    row = connection.execute(select(*_COLUMNS).where(DebitRow.id == debit_id)).first()
    return None if row is None else Debit(*row)


def with_ids(connection: Connection, end_to_end_ids: Collection[str]) -> list[Debit]:
    """Of whichever tenants: what the bank handed back."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(DebitRow.end_to_end_id.in_(list(end_to_end_ids)))
        .order_by(DebitRow.id)
    )
    return [Debit(*row) for row in rows]


def change(
    connection: Connection,
    debit: Debit,
    *,
    state: str,
    why: str,
    at: dt.datetime,
    credited_key: str | None = None,
) -> None:
    connection.execute(
        update(DebitRow)
        .where(DebitRow.tenant_id == debit.tenant_id, DebitRow.id == debit.id)
        .values(
            state=state,
            why=why,
            changed_at=at,
            credited_key=credited_key or debit.credited_key,
        )
    )


def of_run(connection: Connection, run_id: uuid.UUID) -> list[Debit]:
    rows = connection.execute(
        select(*_COLUMNS).where(DebitRow.run_id == run_id).order_by(DebitRow.id)
    )
    return [Debit(*row) for row in rows]


def of_account(connection: Connection, scope: Scope, *, state: str) -> list[Debit]:
    rows = connection.execute(
        select(*_COLUMNS)
        .where(
            DebitRow.tenant_id == scope.tenant_id,
            DebitRow.account_id == scope.account_id,
            DebitRow.state == state,
        )
        .order_by(DebitRow.id)
    )
    return [Debit(*row) for row in rows]


def newest(
    connection: Connection, *, before: uuid.UUID | None, state: str | None, limit: int
) -> list[NamedDebit]:
    """Of all tenants, newest first; for staff."""
    query = (
        select(*_COLUMNS, AccountRow.name)
        .join(
            AccountRow,
            (AccountRow.tenant_id == DebitRow.tenant_id) & (AccountRow.id == DebitRow.account_id),
        )
        .order_by(DebitRow.id.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(DebitRow.state == state)
    if before is not None:
        query = query.where(DebitRow.id < before)
    return [NamedDebit(Debit(*row[:-1]), row[-1]) for row in connection.execute(query)]


def runs(connection: Connection, *, limit: int) -> list[Run]:
    """Newest first."""
    live = (DebitRow.run_id == DebitRunRow.id) & (DebitRow.state != "canceled")
    rows = connection.execute(
        select(
            DebitRunRow.id,
            DebitRunRow.created_at,
            DebitRunRow.created_by,
            func.count(DebitRow.id),
            func.coalesce(func.sum(DebitRow.amount_micros), 0).cast(BigInteger),
            *(
                func.count(DebitRow.id).filter(DebitRow.state == state)
                for state in ("submitted", "collected", "returned")
            ),
            DebitRunRow.content.is_not(None),
        )
        .outerjoin(DebitRow, live)
        .group_by(DebitRunRow.id)
        .order_by(DebitRunRow.id.desc())
        .limit(limit)
    )
    return [Run(*tuple(row)) for row in rows]


def run_file(connection: Connection, run_id: uuid.UUID) -> tuple[bool, bytes | None]:
    """Whether there is such a run, and its file once it was made."""
    row = connection.execute(
        select(DebitRunRow.content).where(DebitRunRow.id == run_id).with_for_update()
    ).first()
    return (False, None) if row is None else (True, row.content)


def keep_file(connection: Connection, run_id: uuid.UUID, content: bytes) -> None:
    connection.execute(update(DebitRunRow).where(DebitRunRow.id == run_id).values(content=content))
