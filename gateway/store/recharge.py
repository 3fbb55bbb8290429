"""Automatic recharge as each account has it, and the brake on all of them together."""

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
    String,
    bindparam,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.accounts import AccountRow
from gateway.store.base import Base, Micros, Scope, TenantId, scope_values


class RechargeRuleRow(Base):
    """What a customer chose; `account.recharge_below_micros` repeats the minimum of a rule that
    is on, so that settlement sees it under the lock that it holds anyway."""

    __tablename__ = "recharge_rule"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    enabled: Mapped[bool]
    min_micros: Mapped[Micros]
    max_micros: Mapped[Micros]
    daily_cap_micros: Mapped[int | None] = mapped_column(BigInteger)
    monthly_cap_micros: Mapped[int | None] = mapped_column(BigInteger)
    cooldown_seconds: Mapped[int]
    hold_reason: Mapped[str | None]  # why the last look charged nothing, where somebody is told
    paused_at: Mapped[dt.datetime | None]  # set by the brake or a dispute; staff lifts it
    brake_lifted_at: Mapped[dt.datetime | None]
    changed_at: Mapped[dt.datetime]
    changed_by: Mapped[str]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_recharge_rule_account",
        ),
        CheckConstraint("0 <= min_micros and min_micros < max_micros", name="range"),
    )


class ChargeBrakeRow(Base):
    """The brake of the whole system: one row, stopped or not."""

    __tablename__ = "charge_brake"

    name: Mapped[str] = mapped_column(primary_key=True)
    stopped_at: Mapped[dt.datetime | None]
    words: Mapped[str]
    lifted_at: Mapped[dt.datetime | None]
    lifted_by: Mapped[str | None]


@dataclass(frozen=True, slots=True)
class RechargeRule:
    enabled: bool
    min_micros: int
    max_micros: int
    daily_cap_micros: int | None
    monthly_cap_micros: int | None
    cooldown_seconds: int
    hold_reason: str | None
    paused_at: dt.datetime | None
    brake_lifted_at: dt.datetime | None
    changed_at: dt.datetime
    changed_by: str


@dataclass(frozen=True, slots=True)
class ChargeBrake:
    stopped_at: dt.datetime | None
    words: str
    lifted_at: dt.datetime | None
    lifted_by: str | None


@dataclass(frozen=True, slots=True)
class PausedAccount:
    scope: Scope
    name: str
    hold_reason: str | None
    paused_at: dt.datetime


SYSTEM = "recharge"
_RULE = tuple(getattr(RechargeRuleRow, name) for name in RechargeRule.__dataclass_fields__)
_BRAKE = tuple(getattr(ChargeBrakeRow, name) for name in ChargeBrake.__dataclass_fields__)


# Written out once: each recharge and each end of a charge asks.
_FIND_RULE = select(*_RULE).where(
    RechargeRuleRow.tenant_id == bindparam("tenant_id"),
    RechargeRuleRow.account_id == bindparam("account_id"),
)
_CHANGE_RULE = update(RechargeRuleRow).where(
    RechargeRuleRow.tenant_id == bindparam("of_tenant"),
    RechargeRuleRow.account_id == bindparam("of_account"),
)
_FIND_BRAKE = select(*_BRAKE).where(ChargeBrakeRow.name == SYSTEM)
_SET_NOTICE = (
    update(AccountRow)
    .where(
        AccountRow.tenant_id == bindparam("of_tenant"),
        AccountRow.id == bindparam("of_account"),
        AccountRow.payment_notice.is_distinct_from(bindparam("notice", type_=String())),
    )
    .values(payment_notice=bindparam("notice", type_=String()))
)
_CLEAR_HOLD_NOTICE = (
    update(AccountRow)
    .where(
        AccountRow.tenant_id == bindparam("of_tenant"),
        AccountRow.id == bindparam("of_account"),
        AccountRow.payment_notice.not_in(("declined", "action")),
    )
    .values(payment_notice=None)
)


def _changed(scope: Scope) -> dict[str, Any]:
    """Whose row: a column of the same name may be among the values."""
    return {"of_tenant": scope.tenant_id, "of_account": scope.account_id}


def find_rule(connection: Connection, scope: Scope) -> RechargeRule | None:
    row = connection.execute(_FIND_RULE, scope_values(scope)).first()
    return None if row is None else RechargeRule(*row)


def save_rule(connection: Connection, scope: Scope, **values: Any) -> None:
    """The rule, and the minimum beside the balance while it is on."""
    connection.execute(
        insert(RechargeRuleRow)
        .values(tenant_id=scope.tenant_id, account_id=scope.account_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id", "account_id"], set_=values)
    )
    connection.execute(
        update(AccountRow)
        .where(AccountRow.tenant_id == scope.tenant_id, AccountRow.id == scope.account_id)
        .values(recharge_below_micros=values["min_micros"] if values["enabled"] else None)
    )


def change_rule(connection: Connection, scope: Scope, **values: object) -> None:
    connection.execute(_CHANGE_RULE, {**_changed(scope), **values})


def paused(connection: Connection, *, limit: int) -> list[PausedAccount]:
    """Of all tenants, for staff; the latest first."""
    rows = connection.execute(
        select(
            RechargeRuleRow.tenant_id,
            RechargeRuleRow.account_id,
            AccountRow.name,
            RechargeRuleRow.hold_reason,
            RechargeRuleRow.paused_at,
        )
        .join(
            AccountRow,
            (AccountRow.tenant_id == RechargeRuleRow.tenant_id)
            & (AccountRow.id == RechargeRuleRow.account_id),
        )
        .where(RechargeRuleRow.paused_at.is_not(None))
        .order_by(RechargeRuleRow.paused_at.desc())
        .limit(limit)
    )
    return [PausedAccount(Scope(row[0], row[1]), row[2], row[3], row[4]) for row in rows if row[4]]


def stopped_by_system(connection: Connection) -> list[Scope]:
    """Accounts whose recharge waits for the brake of the system to be lifted."""
    rows = connection.execute(
        select(RechargeRuleRow.tenant_id, RechargeRuleRow.account_id).where(
            RechargeRuleRow.hold_reason == "system_stopped"
        )
    )
    return [Scope(*row) for row in rows]


def brake(connection: Connection) -> ChargeBrake:
    row = connection.execute(_FIND_BRAKE).first()
    return ChargeBrake(None, "", None, None) if row is None else ChargeBrake(*row)


def set_brake(connection: Connection, **values: object) -> None:
    connection.execute(
        insert(ChargeBrakeRow)
        .values(**{"name": SYSTEM, "words": "", **values})
        .on_conflict_do_update(index_elements=["name"], set_=values)
    )


def set_notice(connection: Connection, scope: Scope, notice: str | None) -> None:
    """What the account's pages say about its payments; None: nothing."""
    connection.execute(_SET_NOTICE, {**_changed(scope), "notice": notice})


def clear_hold_notice(connection: Connection, scope: Scope) -> None:
    """The recharge waits for nothing any more; what pages say of a card stays."""
    connection.execute(_CLEAR_HOLD_NOTICE, _changed(scope))
