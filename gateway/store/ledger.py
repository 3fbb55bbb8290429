"""The ledger: accounts, postings, and each tenant's chain."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    bindparam,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from billing.ledger import GENESIS, ChainRow, Posting, PostingKind, chain_hash, wallet
from gateway.store.base import Base, Micros, Scope, TenantId
from gateway.store.direct import execute, statement


class LedgerAccountRow(Base):
    """A ledger account in one unit, by its name in `billing.postings`: "wallet:<account hex>"
    for what a customer still has, "revenue", "cash", … for the tenant's house accounts.

    `balance_micros` is a cache, moved only in the transaction that inserts the postings;
    `ringledger ledger verify` recomputes it.
    """

    __tablename__ = "ledger_account"

    tenant_id: Mapped[TenantId]
    name: Mapped[str] = mapped_column(primary_key=True)
    unit: Mapped[str] = mapped_column(String(8), primary_key=True)  # "USD"; later "SECONDS"
    balance_micros: Mapped[Micros]


class PostingRow(Base):
    """One transfer: `amount_micros` leaves `debit` and reaches `credit`.

    The primary key is the chain: `seq` has no gaps within a tenant and `hash` covers the row and
    its predecessor's hash. The database refuses UPDATE, DELETE and TRUNCATE (migration 0001).
    No foreign key to the two sides: four row checks a leg would cost more than the posting itself;
    `ledger verify` names a posting whose side does not exist.
    """

    __tablename__ = "posting"

    tenant_id: Mapped[TenantId]
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    key: Mapped[str]
    kind: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[uuid.UUID]  # whose statement shows it
    debit: Mapped[str]  # names of ledger accounts
    credit: Mapped[str]
    unit: Mapped[str] = mapped_column(String(8))
    amount_micros: Mapped[Micros]
    balance_after_micros: Mapped[int | None] = mapped_column(BigInteger)  # of the wallet it moved
    at: Mapped[dt.datetime]
    description: Mapped[str]
    call_sid: Mapped[str | None]
    leg_sid: Mapped[str | None]
    plan_version_id: Mapped[uuid.UUID | None]
    rate_micros: Mapped[int | None] = mapped_column(BigInteger)
    billed_seconds: Mapped[int | None]
    receipt_id: Mapped[uuid.UUID | None]
    reverses_key: Mapped[str | None]
    actor: Mapped[str | None]
    reason: Mapped[str | None]
    hash: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        CheckConstraint("amount_micros > 0", name="positive"),
        CheckConstraint("debit <> credit", name="two_sides"),
        Index(
            "ix_posting_statement",
            "tenant_id",
            "account_id",
            "seq",
            postgresql_where="balance_after_micros is not null",
        ),
        Index(
            "ix_posting_credit",
            "tenant_id",
            "account_id",
            "seq",
            postgresql_where="kind in ('topup','adjustment','reversal','vat','refund')",
        ),
    )


class ChainHeadRow(Base):
    """The last link of a tenant's chain; its row lock orders all postings of the tenant."""

    __tablename__ = "chain_head"

    tenant_id: Mapped[TenantId]
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


@dataclass(frozen=True, slots=True)
class LockedBooks:
    """One account's wallet and its tenant's chain, locked until the transaction ends."""

    status: str
    currency: str
    plan_version_id: uuid.UUID
    time_zone: str
    low_balance_micros: int | None
    parent_id: uuid.UUID | None
    draws_minutes: bool  # else there is no bucket to look for
    held: str | None  # service waits for something else than the balance
    recharge_below_micros: int | None
    alert_low_micros: int | None  # see `gateway.services.alerts`
    alert_high_micros: int | None
    alerts_minutes: bool
    credit_turns_at: dt.datetime | None  # None: no included credit lies in the wallet
    balance_micros: int
    seq: int
    hash: bytes


_LOCK = """
select a.id, a.status, a.currency, a.plan_version_id, a.time_zone, a.low_balance_micros,
       a.parent_id, a.draws_minutes, a.held, a.recharge_below_micros, a.alert_low_micros,
       a.alert_high_micros, a.alerts_minutes, a.credit_turns_at, w.balance_micros, h.seq, h.hash
  from account as a
  join ledger_account as w on w.tenant_id = a.tenant_id and w.unit = a.currency
                          and w.name = 'wallet:' || replace(a.id::text, '-', '')
  join chain_head as h on h.tenant_id = a.tenant_id
 where a.tenant_id = :tenant_id and a.id = any(:account_ids)
   for update of a, w, h
"""
_LOCK_OR_WAIT = statement(_LOCK)
_LOCK_OR_SKIP = statement(_LOCK + " skip locked")


def lock_books(connection: Connection, scope: Scope) -> LockedBooks | None:
    """Account, wallet, chain: every writer of money takes the three in this order. The wallet too,
    or a statement that waited would answer the balance of before its wait.

    None when there is no such account.
    """
    locked = _lock(connection, _LOCK_OR_WAIT, scope.tenant_id, [scope.account_id])
    return locked.get(scope.account_id)


def lock_free_books(
    connection: Connection, tenant_id: uuid.UUID, account_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, LockedBooks]:
    """By account, those of one tenant that nobody else holds; waits for none, so that a drain never
    stands in another's way. All have the same place in the chain."""
    return _lock(connection, _LOCK_OR_SKIP, tenant_id, account_ids)


def _lock(
    connection: Connection, how: str, tenant_id: uuid.UUID, account_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, LockedBooks]:
    wanted = {"tenant_id": tenant_id, "account_ids": list(account_ids)}
    rows = execute(connection, how, wanted).fetchall()
    return {id: LockedBooks(*books) for id, *books in rows}


LINES_PER_WRITE = 200  # to the socket at once; each write costs a round of the driver's loop

# COPY, because a posting costs a third of what the same row costs through arrays, on both sides
# of the socket (benchmarks/README.md).
_COPY = """
copy posting (tenant_id, seq, hash, key, kind, account_id, debit, credit, unit, amount_micros,
              balance_after_micros, at, description, call_sid, leg_sid, plan_version_id,
              rate_micros, billed_seconds, receipt_id, reverses_key, actor, reason)
from stdin
"""

_MOVE = statement(
    """
with moved as (
  insert into ledger_account as a (tenant_id, name, unit, balance_micros)
  select :tenant_id, *
    from unnest(cast(:names as text[]), cast(:units as text[]), cast(:deltas as bigint[]))
  on conflict (tenant_id, name, unit)
  do update set balance_micros = a.balance_micros + excluded.balance_micros
)
update chain_head set seq = :last_seq, hash = :last_hash where tenant_id = :tenant_id
"""
)


def append(
    connection: Connection,
    tenant_id: uuid.UUID,
    postings: Sequence[Posting],
    *,
    after_seq: int,
    after_hash: bytes,
) -> None:
    """Write lines behind the locked head, move the balances, move the head.

    The caller holds `lock_books`; a key that exists already is an error here (unique constraint)
    and must have been looked for under that lock.
    """
    seq, link = after_seq, after_hash
    deltas: dict[tuple[str, str], int] = {}
    tenant = tenant_id.hex
    written = {posting.at: posting.at.isoformat() for posting in postings}
    with connection.connection.cursor().copy(_COPY) as copy:
        for first in range(0, len(postings), LINES_PER_WRITE):
            lines = []
            for posting in postings[first : first + LINES_PER_WRITE]:
                seq += 1
                link = chain_hash(link, seq, posting)
                lines.append(_line(tenant, seq, link, posting, written[posting.at]))
                debit, credit = (posting.debit, posting.unit), (posting.credit, posting.unit)
                deltas[debit] = deltas.get(debit, 0) - posting.amount
                deltas[credit] = deltas.get(credit, 0) + posting.amount
            copy.write("".join(lines))
    execute(
        connection,
        _MOVE,
        {
            "tenant_id": tenant_id,
            "names": [name for name, _ in deltas],
            "units": [unit for _, unit in deltas],
            "deltas": list(deltas.values()),
            "last_seq": seq,
            "last_hash": link,
        },
    )


_NULL = r"\N"
_SPECIAL = re.compile(r"[\\\t\n\r]").search
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def _line(tenant: str, seq: int, link: bytes, posting: Posting, at: str) -> str:
    """A posting as COPY reads it (text format), in the order of `_COPY`; ids are bare hex. The
    driver's own way, value by value, takes half as long again."""
    (key, kind, debit, credit, amount, _, account_id, unit, description, balance_after, call_sid,
     leg_sid, version, rate, billed, receipt, reverses_key, actor, reason) = posting  # fmt: skip
    return (
        f"{tenant}\t{seq}\t\\\\x{link.hex()}\t{_copied(key)}\t{kind}\t{account_id.hex}\t"
        f"{debit}\t{credit}\t{unit}\t{amount}\t"
        f"{_NULL if balance_after is None else balance_after}\t{at}\t{_copied(description)}\t"
        f"{_copied(call_sid)}\t{_copied(leg_sid)}\t"
        f"{_NULL if version is None else version.hex}\t"
        f"{_NULL if rate is None else rate}\t{_NULL if billed is None else billed}\t"
        f"{_NULL if receipt is None else receipt.hex}\t"
        f"{_copied(reverses_key)}\t{_copied(actor)}\t{_copied(reason)}\n"
    )


def _copied(value: str | None) -> str:
    if value is None:
        return _NULL
    return value if _SPECIAL(value) is None else value.translate(_ESCAPES)


def keys_taken(connection: Connection, tenant_id: uuid.UUID, keys: Sequence[str]) -> frozenset[str]:
    return frozenset(
        connection.scalars(
            select(PostingRow.key).where(
                PostingRow.tenant_id == tenant_id, PostingRow.key.in_(list(keys))
            )
        )
    )


def chain_rows(connection: Connection, tenant_id: uuid.UUID) -> Iterator[ChainRow]:
    """A tenant's whole chain in order, streamed: memory does not grow with it."""
    rows = connection.execution_options(yield_per=2_000).execute(
        select(PostingRow).where(PostingRow.tenant_id == tenant_id).order_by(PostingRow.seq)
    )
    previous = GENESIS
    for row in rows:
        yield ChainRow(row.seq, previous, row.hash, posting_of(row))
        previous = row.hash


def posting_of(row: Any) -> Posting:
    """A stored line as the value that was hashed."""
    return Posting(
        key=row.key,
        kind=PostingKind(row.kind),
        debit=row.debit,
        credit=row.credit,
        amount=row.amount_micros,
        at=row.at,
        account_id=row.account_id,
        unit=row.unit,
        description=row.description,
        balance_after=row.balance_after_micros,
        call_sid=row.call_sid,
        leg_sid=row.leg_sid,
        plan_version_id=row.plan_version_id,
        rate_micros=row.rate_micros,
        billed_seconds=row.billed_seconds,
        receipt_id=row.receipt_id,
        reverses_key=row.reverses_key,
        actor=row.actor,
        reason=row.reason,
    )


def head(connection: Connection, tenant_id: uuid.UUID) -> tuple[int, bytes]:
    row = connection.execute(
        select(ChainHeadRow.seq, ChainHeadRow.hash).where(ChainHeadRow.tenant_id == tenant_id)
    ).one()
    return row.seq, row.hash


def cached_balances(connection: Connection, tenant_id: uuid.UUID) -> dict[tuple[str, str], int]:
    rows = connection.execute(
        select(LedgerAccountRow.name, LedgerAccountRow.unit, LedgerAccountRow.balance_micros).where(
            LedgerAccountRow.tenant_id == tenant_id
        )
    )
    return {(row.name, row.unit): row.balance_micros for row in rows}


def open_chain(connection: Connection, tenant_id: uuid.UUID) -> None:
    """The first link of a new tenant."""
    connection.execute(
        insert(ChainHeadRow)
        .values(tenant_id=tenant_id, seq=0, hash=GENESIS)
        .on_conflict_do_nothing()
    )


def open_wallet(connection: Connection, scope: Scope, unit: str) -> None:
    connection.execute(
        insert(LedgerAccountRow)
        .values(
            tenant_id=scope.tenant_id, name=wallet(scope.account_id), unit=unit, balance_micros=0
        )
        .on_conflict_do_nothing()
    )


def tenants(connection: Connection) -> list[uuid.UUID]:
    return list(connection.scalars(select(ChainHeadRow.tenant_id).order_by(ChainHeadRow.tenant_id)))


_POSTING = select(PostingRow).where(
    PostingRow.tenant_id == bindparam("tenant_id"), PostingRow.key == bindparam("key")
)


def find_posting(connection: Connection, tenant_id: uuid.UUID, key: str) -> Posting | None:
    row = connection.execute(_POSTING, {"tenant_id": tenant_id, "key": key}).first()
    return None if row is None else posting_of(row)
