"""DIDs: the tracking numbers that accounts rent, and who owned which call."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    bindparam,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import E164, Base, Key, Micros, TenantId


class DidDirectoryRow(Base):
    """E.164 -> tenant: the one lookup a webhook makes before it knows whose call it is."""

    __tablename__ = "did_directory"

    e164: Mapped[E164] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID]
    did_id: Mapped[uuid.UUID]


class DidRow(Base):
    __tablename__ = "did"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    e164: Mapped[E164]
    country: Mapped[str] = mapped_column(String(2))
    number_type: Mapped[str] = mapped_column(String(16))  # local, toll-free, mobile
    label: Mapped[str]
    source: Mapped[str]  # the advertising source that this number stands for
    status: Mapped[str] = mapped_column(String(16))  # active, suspended, releasing, released
    carrier_sid: Mapped[str | None]
    forwarding_version_id: Mapped[uuid.UUID | None]
    rental_micros: Mapped[Micros]  # a month, as shown before the purchase
    bought_at: Mapped[dt.datetime]
    release_requested_at: Mapped[dt.datetime | None]
    released_at: Mapped[dt.datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"], ["account.tenant_id", "account.id"], name="fk_did_account"
        ),
        CheckConstraint("status in ('active','suspended','releasing','released')", name="status"),
        CheckConstraint(r"e164 ~ '^\+[1-9][0-9]{6,14}$'", name="e164"),
        Index("ix_did_account", "tenant_id", "account_id", "id"),
    )


class NumberOrderRow(Base):
    """The intent to buy, committed before the carrier is asked (RELIABILITY R8).

    `unknown`: the carrier's answer was lost; resolved by listing its numbers by FriendlyName,
    which carries this row's id, never by buying again.
    """

    __tablename__ = "number_order"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    e164: Mapped[E164]
    label: Mapped[str]
    source: Mapped[str]
    state: Mapped[str] = mapped_column(String(16))  # pending, unknown, bought, failed
    error: Mapped[str | None]
    did_id: Mapped[uuid.UUID | None]
    idempotency_key: Mapped[str]
    actor: Mapped[str]
    created_at: Mapped[dt.datetime]
    resolved_at: Mapped[dt.datetime | None]

    __table_args__ = (
        UniqueConstraint("tenant_id", "account_id", "idempotency_key"),
        CheckConstraint("state in ('pending','unknown','bought','failed')", name="state"),
        Index("ix_number_order_open", "state", postgresql_where="state in ('pending','unknown')"),
    )


@dataclass(frozen=True, slots=True)
class DidOwner:
    tenant_id: uuid.UUID
    did_id: uuid.UUID


_OWNER_OF = select(DidDirectoryRow.tenant_id, DidDirectoryRow.did_id).where(
    DidDirectoryRow.e164 == bindparam("e164")
)
_OURS = select(DidDirectoryRow.e164).where(
    DidDirectoryRow.e164.in_(bindparam("numbers", expanding=True))
)


def owner_of(connection: Connection, e164: str) -> DidOwner | None:
    """Whose tracking number this is; the only look-up of a webhook outside one tenant."""
    row = connection.execute(_OWNER_OF, {"e164": e164}).first()
    return None if row is None else DidOwner(row.tenant_id, row.did_id)


def ours_among(connection: Connection, numbers: Sequence[str]) -> frozenset[str]:
    """Those of `numbers` that are tracking numbers of any tenant: forwarding there would loop."""
    if not numbers:
        return frozenset()
    return frozenset(connection.scalars(_OURS, {"numbers": list(numbers)}))
