"""API tokens: only their SHA-256 is kept."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from sqlalchemy import (
    CheckConstraint,
    Connection,
    Index,
    LargeBinary,
    String,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Scope


class ApiTokenRow(Base):
    """Global, keyed by hash. An `ops` token belongs to no tenant and names the account it acts
    for in the header `Ringledger-Account`."""

    __tablename__ = "api_token"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    prefix: Mapped[str] = mapped_column(String(12))  # shown in lists, so that people can tell them
    name: Mapped[str]
    role: Mapped[str] = mapped_column(String(8))  # account, ops
    tenant_id: Mapped[uuid.UUID | None]
    account_id: Mapped[uuid.UUID | None]
    created_by: Mapped[str]
    created_at: Mapped[dt.datetime]
    last_used_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]

    __table_args__ = (
        CheckConstraint("role in ('account','ops')", name="role"),
        Index("ix_api_token_account", "account_id", "id"),
    )


@dataclass(frozen=True, slots=True)
class ApiToken:
    """What may be shown of a token; its text is shown once, when it is issued."""

    id: uuid.UUID
    prefix: str
    name: str
    role: str
    tenant_id: uuid.UUID | None
    account_id: uuid.UUID | None
    created_by: str
    created_at: dt.datetime
    last_used_at: dt.datetime | None
    revoked_at: dt.datetime | None

    @property
    def scope(self) -> Scope | None:
        if self.tenant_id is None or self.account_id is None:
            return None
        return Scope(self.tenant_id, self.account_id)


def add(connection: Connection, token_hash: bytes, token: ApiToken) -> None:
    connection.execute(
        insert(ApiTokenRow).values(
            token_hash=token_hash, **{name: getattr(token, name) for name in _NAMES}
        )
    )


def find_by_hash(connection: Connection, token_hash: bytes) -> ApiToken | None:
    row = connection.execute(_SHOWN.where(ApiTokenRow.token_hash == token_hash)).first()
    return None if row is None else ApiToken(*row)


def used(connection: Connection, id: uuid.UUID, at: dt.datetime) -> None:
    connection.execute(update(ApiTokenRow).where(ApiTokenRow.id == id).values(last_used_at=at))


def of_account(connection: Connection, account_id: uuid.UUID | None) -> tuple[ApiToken, ...]:
    """Newest first, revoked ones included; None: the tokens of staff."""
    rows = connection.execute(
        _SHOWN.where(ApiTokenRow.account_id.is_not_distinct_from(account_id)).order_by(
            ApiTokenRow.id.desc()
        )
    )
    return tuple(ApiToken(*row) for row in rows)


def revoke(
    connection: Connection, id: uuid.UUID, account_id: uuid.UUID | None, at: dt.datetime
) -> ApiToken | None:
    """None when this account has no such token; a second revocation keeps the first instant."""
    row = connection.execute(
        update(ApiTokenRow)
        .where(ApiTokenRow.id == id, ApiTokenRow.account_id.is_not_distinct_from(account_id))
        .values(revoked_at=func.coalesce(ApiTokenRow.revoked_at, at))
        .returning(*_SHOWN.selected_columns)
    ).first()
    return None if row is None else ApiToken(*row)


_NAMES = tuple(ApiToken.__dataclass_fields__)
_SHOWN = select(*(getattr(ApiTokenRow, name) for name in _NAMES))
