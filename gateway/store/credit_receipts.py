"""What the receipt of each credit says, frozen when it was posted; and its paper."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, ForeignKeyConstraint, LargeBinary, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Scope, TenantId, scope_values


class CreditReceiptRow(Base):
    __tablename__ = "credit_receipt"

    tenant_id: Mapped[TenantId]
    key: Mapped[str] = mapped_column(primary_key=True)  # of the posting that it is about
    account_id: Mapped[uuid.UUID]
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    issued_at: Mapped[dt.datetime]
    pdf: Mapped[bytes | None] = mapped_column(LargeBinary)  # kept as first made

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_credit_receipt_account",
        ),
    )


_ADD = insert(CreditReceiptRow)


def add(
    connection: Connection, scope: Scope, key: str, document: dict[str, Any], now: dt.datetime
) -> None:
    connection.execute(
        _ADD,
        {
            **scope_values(scope),
            "key": key,
            "document": document,
            "issued_at": now,
        },
    )


def find(
    connection: Connection, scope: Scope, key: str
) -> tuple[dict[str, Any], bytes | None] | None:
    """The document, and the paper once it was made."""
    row = connection.execute(
        select(CreditReceiptRow.document, CreditReceiptRow.pdf).where(
            *_of(scope), CreditReceiptRow.key == key
        )
    ).first()
    return None if row is None else (row.document, row.pdf)


def keep_pdf(connection: Connection, scope: Scope, key: str, pdf: bytes) -> None:
    """The first one stays."""
    connection.execute(
        update(CreditReceiptRow)
        .where(*_of(scope), CreditReceiptRow.key == key, CreditReceiptRow.pdf.is_(None))
        .values(pdf=pdf)
    )


def known(connection: Connection, scope: Scope, keys: Collection[str]) -> frozenset[str]:
    """Those of the postings that have a receipt."""
    if not keys:
        return frozenset()
    return frozenset(
        connection.scalars(
            select(CreditReceiptRow.key).where(*_of(scope), CreditReceiptRow.key.in_(keys))
        )
    )


def _of(scope: Scope) -> tuple[Any, Any]:
    return (
        CreditReceiptRow.tenant_id == scope.tenant_id,
        CreditReceiptRow.account_id == scope.account_id,
    )
