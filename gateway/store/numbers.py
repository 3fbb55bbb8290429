"""DIDs: the tracking numbers that accounts rent, and who owned which call."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    UniqueConstraint,
    bindparam,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import E164, Base, Key, Micros, Scope, TenantId, of_scope, scope_values


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
    texts_to: Mapped[str] = mapped_column(server_default="")  # an e-mail address, or a phone
    rental_micros: Mapped[Micros]  # a month, as shown before the purchase
    bought_at: Mapped[dt.datetime]
    trial_until: Mapped[dt.datetime | None]  # free until then (S5-13)
    rental_n: Mapped[int] = mapped_column(server_default="0")  # the last month that was posted
    rented_until: Mapped[dt.datetime | None]  # paid or free until then; None: never charged
    rent_due_at: Mapped[dt.datetime | None]  # that instant, or the next try of a rent that waits
    release_requested_at: Mapped[dt.datetime | None]
    released_at: Mapped[dt.datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"], ["account.tenant_id", "account.id"], name="fk_did_account"
        ),
        CheckConstraint("status in ('active','suspended','releasing','released')", name="status"),
        CheckConstraint(r"e164 ~ '^\+[1-9][0-9]{6,14}$'", name="e164"),
        Index("ix_did_account", "tenant_id", "account_id", "id"),
        Index("ix_did_rental_due", "rent_due_at", postgresql_where="released_at is null"),
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


@dataclass(frozen=True, slots=True)
class Number:
    """A tracking number of an account."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    e164: str
    country: str
    number_type: str
    label: str
    source: str
    status: str
    carrier_sid: str | None
    forwarding_version_id: uuid.UUID | None
    texts_to: str  # who gets a copy of a text that comes in: nobody, an e-mail address, a phone
    rental_micros: int
    bought_at: dt.datetime
    release_requested_at: dt.datetime | None
    released_at: dt.datetime | None

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)


@dataclass(frozen=True, slots=True)
class NumberOrder:
    """An intent to buy; `state` as in `NumberOrderRow`."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    e164: str
    label: str
    source: str
    state: str
    error: str | None
    did_id: uuid.UUID | None
    idempotency_key: str
    actor: str
    created_at: dt.datetime

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)


_NUMBERS = select(*(getattr(DidRow, name) for name in Number.__dataclass_fields__))
_ORDERS = select(*(getattr(NumberOrderRow, name) for name in NumberOrder.__dataclass_fields__))
OPEN_STATES = ("pending", "unknown")


_ONE = _NUMBERS.where(*of_scope(DidRow), DidRow.id == bindparam("did_id"))


def find(connection: Connection, scope: Scope, did_id: uuid.UUID) -> Number | None:
    row = connection.execute(_ONE, {**scope_values(scope), "did_id": did_id}).first()
    return None if row is None else Number(*row)


def e164_of(
    connection: Connection, scope: Scope, ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, str]:
    rows = connection.execute(
        select(DidRow.id, DidRow.e164).where(
            DidRow.tenant_id == scope.tenant_id,
            DidRow.account_id == scope.account_id,
            DidRow.id.in_(list(ids)),
        )
    )
    return {row.id: row.e164 for row in rows}


def place_of(
    connection: Connection, tenant_id: uuid.UUID, did_id: uuid.UUID
) -> tuple[str, str] | None:
    """Country and type; of any account of the tenant, because an agency pays for its clients."""
    row = connection.execute(
        select(DidRow.country, DidRow.number_type).where(
            DidRow.tenant_id == tenant_id, DidRow.id == did_id
        )
    ).first()
    return None if row is None else (row.country, row.number_type)


def of_account(
    connection: Connection,
    scope: Scope,
    *,
    search: str = "",
    before: uuid.UUID | None = None,
    limit: int | None = None,
) -> tuple[Number, ...]:
    """Newest first; released ones are history and left out."""
    found = (
        _NUMBERS.where(
            DidRow.tenant_id == scope.tenant_id,
            DidRow.account_id == scope.account_id,
            DidRow.status != "released",
        )
        .order_by(DidRow.id.desc())
        .limit(limit)
    )
    if before is not None:
        found = found.where(DidRow.id < before)
    if search:
        words = [
            DidRow.label.icontains(search, autoescape=True),
            DidRow.source.icontains(search, autoescape=True),
        ]
        digits = "".join(filter(str.isdigit, search))
        if digits and not any(map(str.isalpha, search)):
            words.append(DidRow.e164.contains(digits))
        found = found.where(or_(*words))
    return tuple(Number(*row) for row in connection.execute(found))


def add(connection: Connection, **values: Any) -> None:
    """The row and its line in the directory; an IntegrityError if the number is ours already."""
    connection.execute(insert(DidRow).values(**values))
    connection.execute(
        insert(DidDirectoryRow).values(
            e164=values["e164"], tenant_id=values["tenant_id"], did_id=values["id"]
        )
    )


def change(connection: Connection, scope: Scope, did_id: uuid.UUID, values: dict[str, Any]) -> None:
    connection.execute(
        update(DidRow)
        .where(
            DidRow.tenant_id == scope.tenant_id,
            DidRow.account_id == scope.account_id,
            DidRow.id == did_id,
        )
        .values(**values)
    )


def add_order(connection: Connection, order: NumberOrder) -> NumberOrder:
    """The order itself, or the first one under the same key."""
    connection.execute(
        insert(NumberOrderRow)
        .values({name: getattr(order, name) for name in NumberOrder.__dataclass_fields__})
        .on_conflict_do_nothing()
    )
    first = find_order(connection, order.scope, order.idempotency_key)
    assert first is not None, "it was just inserted, or stood there before"
    return first


def find_order(connection: Connection, scope: Scope, idempotency_key: str) -> NumberOrder | None:
    row = connection.execute(
        _ORDERS.where(
            NumberOrderRow.tenant_id == scope.tenant_id,
            NumberOrderRow.account_id == scope.account_id,
            NumberOrderRow.idempotency_key == idempotency_key,
        )
    ).first()
    return None if row is None else NumberOrder(*row)


def lock_order(connection: Connection, tenant_id: uuid.UUID, order_id: uuid.UUID) -> NumberOrder:
    return NumberOrder(
        *connection.execute(
            _ORDERS.where(
                NumberOrderRow.tenant_id == tenant_id, NumberOrderRow.id == order_id
            ).with_for_update()
        ).one()
    )


def open_orders(connection: Connection, scope: Scope) -> tuple[NumberOrder, ...]:
    """An account's orders of which it is not known yet how they end."""
    rows = connection.execute(
        _ORDERS.where(
            NumberOrderRow.tenant_id == scope.tenant_id,
            NumberOrderRow.account_id == scope.account_id,
            NumberOrderRow.state.in_(OPEN_STATES),
        )
    )
    return tuple(NumberOrder(*row) for row in rows)


_STALE = (
    _ORDERS.where(
        NumberOrderRow.state.in_(OPEN_STATES), NumberOrderRow.created_at < bindparam("older_than")
    )
    .order_by(NumberOrderRow.created_at)
    .limit(bindparam("at_most", type_=Integer))
)


def stale_orders(
    connection: Connection, *, older_than: dt.datetime, limit: int
) -> tuple[NumberOrder, ...]:
    """Of all tenants: what a crash or a lost answer left open."""
    rows = connection.execute(_STALE, {"older_than": older_than, "at_most": limit})
    return tuple(NumberOrder(*row) for row in rows)


def close_order(
    connection: Connection,
    order: NumberOrder,
    state: str,
    *,
    now: dt.datetime,
    did_id: uuid.UUID | None = None,
    error: str | None = None,
) -> None:
    """Or leave it open as `unknown`."""
    connection.execute(
        update(NumberOrderRow)
        .where(
            NumberOrderRow.tenant_id == order.tenant_id,
            NumberOrderRow.id == order.id,
            NumberOrderRow.state.in_(OPEN_STATES),
        )
        .values(
            state=state,
            error=error,
            did_id=did_id,
            resolved_at=None if state in OPEN_STATES else now,
        )
    )
