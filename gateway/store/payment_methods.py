"""Cards kept at the payment provider, and the visits to its page that bring new ones."""

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
    UniqueConstraint,
    and_,
    bindparam,
    case,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Key, Scope, TenantId
from gateway.store.leased_queue import LeasedQueue


class PaymentMethodRow(Base):
    """A card at the payment provider: its token, never its number."""

    __tablename__ = "payment_method"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    provider: Mapped[str] = mapped_column(String(16))  # sandbox, stripe
    customer_ref: Mapped[str]
    method_ref: Mapped[str]
    kind: Mapped[str] = mapped_column(String(8))  # card, sepa
    brand: Mapped[str]
    last4: Mapped[str] = mapped_column(String(4))
    expires: Mapped[str] = mapped_column(String(7))  # "2027-05"; empty for a bank account
    role: Mapped[str] = mapped_column(String(8))  # default, backup, other
    added_at: Mapped[dt.datetime]
    added_by: Mapped[str]
    removed_at: Mapped[dt.datetime | None]

    __table_args__ = (
        UniqueConstraint("tenant_id", "account_id", "method_ref"),
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_payment_method_account",
        ),
        CheckConstraint("role in ('default','backup','other')", name="role"),
        Index(
            "uq_payment_method_role",
            "tenant_id",
            "account_id",
            "role",
            unique=True,
            postgresql_where="removed_at is null and role in ('default','backup')",
        ),
    )


class CardSetupRow(Base):
    """A visit to the provider's card page, committed before anybody is sent there."""

    __tablename__ = "card_setup"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    customer_ref: Mapped[str | None]
    session_ref: Mapped[str | None]
    state: Mapped[str] = mapped_column(String(8))  # open, done, gone
    payment_method_id: Mapped[uuid.UUID | None]
    actor: Mapped[str]
    created_at: Mapped[dt.datetime]
    asked: Mapped[int]
    ask_at: Mapped[dt.datetime | None]  # when the clock asks what became of it

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_card_setup_account",
        ),
        CheckConstraint("state in ('open','done','gone')", name="state"),
        Index("ix_card_setup_due", "ask_at", postgresql_where="ask_at is not null"),
    )


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """A card as its owner sees it; `expires` is "2027-05"."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    provider: str
    customer_ref: str
    method_ref: str
    kind: str
    brand: str
    last4: str
    expires: str
    role: str
    added_at: dt.datetime
    added_by: str
    removed_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class CardSetup:
    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    customer_ref: str | None
    session_ref: str | None
    state: str
    payment_method_id: uuid.UUID | None
    actor: str
    created_at: dt.datetime
    asked: int

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)


METHOD = tuple(getattr(PaymentMethodRow, name) for name in PaymentMethod.__dataclass_fields__)
_SETUP = tuple(getattr(CardSetupRow, name) for name in CardSetup.__dataclass_fields__)
visits = LeasedQueue(CardSetupRow, "ask_at", CardSetup, news_for=CardSetupRow.state == "open")
_ROLE_ORDER = case({"default": 0, "backup": 1}, value=PaymentMethodRow.role, else_=2)


# Written out once: each step of a charge asks for its card.
_OF_ACCOUNT = select(*METHOD).where(
    PaymentMethodRow.tenant_id == bindparam("tenant_id"),
    PaymentMethodRow.account_id == bindparam("account_id"),
)
_KEPT = _OF_ACCOUNT.where(PaymentMethodRow.removed_at.is_(None)).order_by(
    _ROLE_ORDER, PaymentMethodRow.id
)
_ONE = _OF_ACCOUNT.where(PaymentMethodRow.id == bindparam("method_id"))


def _of(scope: Scope) -> Any:
    return and_(
        PaymentMethodRow.tenant_id == scope.tenant_id,
        PaymentMethodRow.account_id == scope.account_id,
    )


def kept(connection: Connection, scope: Scope) -> tuple[PaymentMethod, ...]:
    """Those that may be charged: the default first, then the backup, then by age."""
    rows = connection.execute(_KEPT, {"tenant_id": scope.tenant_id, "account_id": scope.account_id})
    return tuple(PaymentMethod(*row) for row in rows)


def find(connection: Connection, scope: Scope, method_id: uuid.UUID) -> PaymentMethod | None:
    """Removed ones too: a charge of last month still names its card."""
    row = connection.execute(
        _ONE,
        {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "method_id": method_id},
    ).first()
    return None if row is None else PaymentMethod(*row)


def find_by_ref(connection: Connection, scope: Scope, method_ref: str) -> PaymentMethod | None:
    row = connection.execute(
        select(*METHOD).where(_of(scope), PaymentMethodRow.method_ref == method_ref)
    ).first()
    return None if row is None else PaymentMethod(*row)


def add(connection: Connection, **values: Any) -> None:
    """A card that was removed and comes back under the same reference is kept again."""
    again = {key: values[key] for key in ("role", "expires", "added_at", "added_by")}
    connection.execute(
        insert(PaymentMethodRow)
        .values(**values, removed_at=None)
        .on_conflict_do_update(
            index_elements=["tenant_id", "account_id", "method_ref"],
            set_={**again, "removed_at": None},
        )
    )


def change(connection: Connection, scope: Scope, method_id: uuid.UUID, **values: object) -> None:
    connection.execute(
        update(PaymentMethodRow)
        .where(_of(scope), PaymentMethodRow.id == method_id)
        .values(**values)
    )


def clear_role(connection: Connection, scope: Scope, role: str) -> None:
    connection.execute(
        update(PaymentMethodRow)
        .where(_of(scope), PaymentMethodRow.role == role, PaymentMethodRow.removed_at.is_(None))
        .values(role="other")
    )


def latest_customer(connection: Connection, scope: Scope, provider: str) -> str | None:
    """The provider's name for this account, from a card or from an earlier visit."""
    known = connection.scalar(
        select(PaymentMethodRow.customer_ref)
        .where(_of(scope), PaymentMethodRow.provider == provider)
        .order_by(PaymentMethodRow.id.desc())
        .limit(1)
    )
    return known or connection.scalar(
        select(CardSetupRow.customer_ref)
        .where(
            CardSetupRow.tenant_id == scope.tenant_id,
            CardSetupRow.account_id == scope.account_id,
            CardSetupRow.customer_ref.is_not(None),
        )
        .order_by(CardSetupRow.id.desc())
        .limit(1)
    )


def add_setup(connection: Connection, setup: CardSetup) -> None:
    values = {name: getattr(setup, name) for name in CardSetup.__dataclass_fields__}
    connection.execute(insert(CardSetupRow).values(**values, ask_at=None))


def find_setup(
    connection: Connection, tenant_id: uuid.UUID, setup_id: uuid.UUID, *, lock: bool = False
) -> CardSetup | None:
    found = select(*_SETUP).where(CardSetupRow.tenant_id == tenant_id, CardSetupRow.id == setup_id)
    row = connection.execute(found.with_for_update() if lock else found).first()
    return None if row is None else CardSetup(*row)


def change_setup(connection: Connection, setup: CardSetup, **values: object) -> None:
    connection.execute(
        update(CardSetupRow)
        .where(CardSetupRow.tenant_id == setup.tenant_id, CardSetupRow.id == setup.id)
        .values(**values)
    )
