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

from gateway.store.base import Base, Key, Micros, TenantId


class LedgerAccountRow(Base):
    """A wallet of an account, or a house account of the tenant (owner = the root account).

    `balance_micros` is a cache, moved only in the transaction that inserts the postings;
    `ringledger ledger verify` recomputes it. A wallet's balance is what the customer still has.
    """

    __tablename__ = "ledger_account"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    owner_id: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(String(20))
    unit: Mapped[str] = mapped_column(String(8))  # "USD"; later "SECONDS"
    balance_micros: Mapped[Micros]

    __table_args__ = (UniqueConstraint("tenant_id", "owner_id", "kind", "unit"),)


class PostingRow(Base):
    """One transfer: `amount_micros` leaves `debit_id` and reaches `credit_id`.

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
    debit_id: Mapped[uuid.UUID]
    credit_id: Mapped[uuid.UUID]
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
        CheckConstraint("debit_id <> credit_id", name="two_sides"),
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
