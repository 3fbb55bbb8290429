"""The ledger: accounts, postings, and each tenant's chain."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Micros, TenantId


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
    )


class ChainHeadRow(Base):
    """The last link of a tenant's chain; its row lock orders all postings of the tenant."""

    __tablename__ = "chain_head"

    tenant_id: Mapped[TenantId]
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
