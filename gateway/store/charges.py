"""Charges of cards: the intent first, then what became of it."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    Select,
    String,
    UniqueConstraint,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.accounts import AccountRow
from gateway.store.base import Base, Currency, Key, Micros, Scope, TenantId, scope_values
from gateway.store.leased_queue import LeasedQueue
from gateway.store.payment_methods import METHOD, PaymentMethod, PaymentMethodRow

OPEN = "state in ('pending','unknown','requires_action')"
AUTOMATIC, BY_HAND = "recharge", "topup"


class ChargeRow(Base):
    """The intent to charge, committed before the provider is asked; its id is the provider's
    idempotency key. `unknown`: the answer was lost; resolved by asking, never by charging again.
    """

    __tablename__ = "charge"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    purpose: Mapped[str] = mapped_column(String(12))  # recharge, topup, daily, statement, access
    payment_method_id: Mapped[uuid.UUID]
    net_micros: Mapped[Micros]  # what the wallet gets
    vat_micros: Mapped[Micros]
    vat_basis_points: Mapped[int]
    vat_note: Mapped[str]
    currency: Mapped[Currency]
    state: Mapped[str] = mapped_column(String(16))
    provider_ref: Mapped[str | None]
    action_url: Mapped[str | None]  # where the payer confirms (3-D Secure)
    action_until: Mapped[dt.datetime | None]
    decline_code: Mapped[str | None]
    credited_micros: Mapped[int | None] = mapped_column(BigInteger)  # what the wallet did get
    submitted_at: Mapped[dt.datetime | None]
    asked: Mapped[int]
    ask_at: Mapped[dt.datetime | None]  # when the clock looks at it
    flag: Mapped[str | None] = mapped_column(String(12))  # disputed, refunded: staff looks
    refunded_micros: Mapped[int | None] = mapped_column(BigInteger)  # at the provider without us
    refunds_seen_micros: Mapped[Micros] = mapped_column(server_default="0")  # of it, by staff
    refunds_ask_at: Mapped[dt.datetime | None]  # when the provider is asked what went back
    dispute_ref: Mapped[str | None]  # of the provider, the last one that raised a flag
    idempotency_key: Mapped[str]
    actor: Mapped[str]
    created_at: Mapped[dt.datetime]
    resolved_at: Mapped[dt.datetime | None]

    __table_args__ = (
        UniqueConstraint("tenant_id", "account_id", "idempotency_key"),
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_charge_account",
        ),
        CheckConstraint("net_micros > 0 and vat_micros >= 0", name="positive"),
        CheckConstraint(
            "state in ('pending','unknown','requires_action','ok','failed')", name="state"
        ),
        Index("uq_charge_open", "tenant_id", "account_id", unique=True, postgresql_where=OPEN),
        Index("ix_charge_due", "ask_at", postgresql_where="ask_at is not null"),
        Index(
            "ix_charge_refunds_due",
            "refunds_ask_at",
            postgresql_where="refunds_ask_at is not null",
        ),
        Index("ix_charge_account", "tenant_id", "account_id", "id"),
        Index("ix_charge_created", "created_at"),
        Index("ix_charge_id", "id"),
        Index("ix_charge_provider_ref", "provider_ref"),
        Index("ix_charge_watched", "id", postgresql_where=f"{OPEN} or flag is not null"),
    )


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge as it stands. `gross_micros` is what the card pays."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    account_id: uuid.UUID
    purpose: str
    payment_method_id: uuid.UUID
    net_micros: int
    vat_micros: int
    vat_basis_points: int
    vat_note: str
    currency: str
    state: str
    provider_ref: str | None
    action_url: str | None
    action_until: dt.datetime | None
    decline_code: str | None
    credited_micros: int | None
    submitted_at: dt.datetime | None
    asked: int
    flag: str | None
    idempotency_key: str
    actor: str
    created_at: dt.datetime
    resolved_at: dt.datetime | None

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, self.account_id)

    @property
    def gross_micros(self) -> int:
        return self.net_micros + self.vat_micros


@dataclass(frozen=True, slots=True)
class WatchedCharge:
    """A charge beside the name of its account, for staff."""

    charge: Charge
    account_name: str


_CHARGE = tuple(getattr(ChargeRow, name) for name in Charge.__dataclass_fields__)
_IS_OPEN = ChargeRow.state.in_(("pending", "unknown", "requires_action"))

# One that was credited needs no look; one that failed does, for money that came after all.
queue = LeasedQueue(ChargeRow, "ask_at", Charge, news_for=ChargeRow.state != "ok")
# Something of it went back, perhaps before its own end was known here.
refunds = LeasedQueue(
    ChargeRow, "refunds_ask_at", Charge, news_for=ChargeRow.provider_ref.is_not(None)
)


# Written out once: to build and compare such a statement costs more than the server takes for it.
_MINE = (
    ChargeRow.tenant_id == bindparam("tenant_id"),
    ChargeRow.account_id == bindparam("account_id"),
)
_OF_ACCOUNT = select(*_CHARGE).where(*_MINE)
_ONE = _OF_ACCOUNT.where(ChargeRow.id == bindparam("charge_id"))
_LOCKED = _ONE.with_for_update()
_LOCKED_WITH_CARD = (
    select(*_CHARGE, *METHOD)
    .join(
        PaymentMethodRow,
        and_(
            PaymentMethodRow.tenant_id == ChargeRow.tenant_id,
            PaymentMethodRow.id == ChargeRow.payment_method_id,
        ),
        isouter=True,
    )
    .where(*_MINE, ChargeRow.id == bindparam("charge_id"))
    .with_for_update(of=ChargeRow)
)
_BY_KEY = _OF_ACCOUNT.where(ChargeRow.idempotency_key == bindparam("key"))
_OPEN_ONE = _OF_ACCOUNT.where(_IS_OPEN)
_ADD = insert(ChargeRow)
_CHANGE = (
    update(ChargeRow)
    .where(ChargeRow.tenant_id == bindparam("of_tenant"), ChargeRow.id == bindparam("of_charge"))
    .returning(*_CHARGE)
)
_SINCE = _OF_ACCOUNT.where(ChargeRow.created_at >= bindparam("at")).order_by(ChargeRow.id)
_AUTOMATIC_SINCE = (
    select(func.count())
    .select_from(ChargeRow)
    .where(
        ChargeRow.created_at >= bindparam("at"),
        ChargeRow.created_at < bindparam("until"),
        ChargeRow.purpose == AUTOMATIC,
    )
)


def _of(scope: Scope) -> Any:
    return and_(ChargeRow.tenant_id == scope.tenant_id, ChargeRow.account_id == scope.account_id)


def _first(
    connection: Connection, statement: Select[*tuple[Any, ...]], scope: Scope, **values: object
) -> Charge | None:
    row = connection.execute(statement, {**scope_values(scope), **values}).first()
    return None if row is None else Charge(*row)


def add(connection: Connection, charge: Charge, *, ask_at: dt.datetime) -> None:
    """A second open charge of the account violates `uq_charge_open`, whoever writes it."""
    values = {name: getattr(charge, name) for name in Charge.__dataclass_fields__}
    connection.execute(_ADD, {**values, "ask_at": ask_at})


def find(connection: Connection, scope: Scope, charge_id: uuid.UUID) -> Charge | None:
    return _first(connection, _ONE, scope, charge_id=charge_id)


def find_by_key(connection: Connection, scope: Scope, idempotency_key: str) -> Charge | None:
    return _first(connection, _BY_KEY, scope, key=idempotency_key)


def find_open(connection: Connection, scope: Scope) -> Charge | None:
    return _first(connection, _OPEN_ONE, scope)


def lock(connection: Connection, scope: Scope, charge_id: uuid.UUID) -> Charge | None:
    return _first(connection, _LOCKED, scope, charge_id=charge_id)


def lock_with_card(
    connection: Connection, scope: Scope, charge_id: uuid.UUID
) -> tuple[Charge, PaymentMethod | None] | None:
    """The card, which is not locked, comes with it: each step of a charge wants both."""
    values = {**scope_values(scope), "charge_id": charge_id}
    row = connection.execute(_LOCKED_WITH_CARD, values).first()
    if row is None:
        return None
    charge, card = row[: len(_CHARGE)], row[len(_CHARGE) :]
    return Charge(*charge), PaymentMethod(*card) if card[0] else None


def change(connection: Connection, charge: Charge, **values: object) -> Charge:
    """The charge as it then stands."""
    named = {"of_tenant": charge.tenant_id, "of_charge": charge.id, **values}
    return Charge(*connection.execute(_CHANGE, named).one())


def newest(
    connection: Connection, scope: Scope, *, before: uuid.UUID | None, limit: int
) -> list[Charge]:
    found = select(*_CHARGE).where(_of(scope)).order_by(ChargeRow.id.desc()).limit(limit)
    if before is not None:
        found = found.where(ChargeRow.id < before)
    return [Charge(*row) for row in connection.execute(found)]


def since(connection: Connection, scope: Scope, at: dt.datetime) -> list[Charge]:
    """What the caps and the brake count, oldest first."""
    rows = connection.execute(_SINCE, {**scope_values(scope), "at": at})
    return [Charge(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class DeclinedCharge:
    payment_method_id: uuid.UUID
    code: str
    at: dt.datetime


_SUCCEEDED = (
    select(ChargeRow.payment_method_id, func.max(ChargeRow.id.cast(String)).label("last"))
    .where(*_MINE, ChargeRow.state == "ok")
    .group_by(ChargeRow.payment_method_id)
    .subquery()
)
_DECLINES = (
    select(ChargeRow.payment_method_id, ChargeRow.decline_code, ChargeRow.resolved_at)
    .join(_SUCCEEDED, _SUCCEEDED.c.payment_method_id == ChargeRow.payment_method_id, isouter=True)
    .where(
        *_MINE,
        ChargeRow.state == "failed",
        ChargeRow.decline_code.is_not(None),
        or_(_SUCCEEDED.c.last.is_(None), ChargeRow.id.cast(String) > _SUCCEEDED.c.last),
    )
    .order_by(ChargeRow.id)
)


def declines(connection: Connection, scope: Scope) -> list[DeclinedCharge]:
    """Those of each card since its last success, oldest first."""
    rows = connection.execute(_DECLINES, scope_values(scope))
    return [DeclinedCharge(row[0], row[1] or "", row[2]) for row in rows if row[2]]


def automatic_since(connection: Connection, at: dt.datetime, until: dt.datetime) -> int:
    """Automatic charges of the whole system whose intents were written in a stretch of time."""
    return connection.scalar(_AUTOMATIC_SINCE, {"at": at, "until": until}) or 0


def find_by_ref(connection: Connection, provider_ref: str) -> Charge | None:
    """By the provider's name of it, which it gives once."""
    row = connection.execute(select(*_CHARGE).where(ChargeRow.provider_ref == provider_ref)).first()
    return None if row is None else Charge(*row)


def dispute(connection: Connection, charge: Charge, dispute_ref: str) -> bool:
    """Whether this dispute is news."""
    result = connection.execute(
        update(ChargeRow)
        .where(
            ChargeRow.tenant_id == charge.tenant_id,
            ChargeRow.id == charge.id,
            ChargeRow.dispute_ref.is_distinct_from(dispute_ref),
        )
        .values(dispute_ref=dispute_ref)
    )
    return bool(result.rowcount)


@dataclass(frozen=True, slots=True)
class WithoutUs:
    """What of a charge went back at the provider and is no refund of ours, as it said last, and
    what of that staff has looked at."""

    micros: int
    seen_micros: int


def without_us(connection: Connection, charge: Charge) -> WithoutUs:
    row = connection.execute(
        select(func.coalesce(ChargeRow.refunded_micros, 0), ChargeRow.refunds_seen_micros).where(
            ChargeRow.tenant_id == charge.tenant_id, ChargeRow.id == charge.id
        )
    ).one()
    return WithoutUs(*row)


def was_asked(
    connection: Connection, charge: Charge, refunded_micros: int, now: dt.datetime
) -> None:
    """The provider said what went back without us; news that came meanwhile is asked about anew."""
    connection.execute(
        update(ChargeRow)
        .where(ChargeRow.tenant_id == charge.tenant_id, ChargeRow.id == charge.id)
        .values(
            refunded_micros=refunded_micros,
            refunds_ask_at=case(
                (ChargeRow.refunds_ask_at <= now, ChargeRow.refunds_ask_at), else_=None
            ),
        )
    )


def watched(
    connection: Connection, *, only_open: bool, before: uuid.UUID | None, limit: int
) -> list[WatchedCharge]:
    """Of all tenants, for staff, newest first; `only_open` are those without an end, and those
    that were disputed or refunded at the provider."""
    found: Select[*tuple[Any, ...]] = (
        select(*_CHARGE, AccountRow.name)
        .join(
            AccountRow,
            and_(
                AccountRow.tenant_id == ChargeRow.tenant_id, AccountRow.id == ChargeRow.account_id
            ),
        )
        .order_by(ChargeRow.id.desc())
        .limit(limit)
    )
    if before is not None:
        found = found.where(ChargeRow.id < before)
    if only_open:
        found = found.where(or_(_IS_OPEN, ChargeRow.flag.is_not(None)))
    return [WatchedCharge(Charge(*row[:-1]), row[-1]) for row in connection.execute(found)]
