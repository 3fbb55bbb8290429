"""Alerts at thresholds: armed, fired once per crossing, armed again when it rises."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Connection,
    ForeignKeyConstraint,
    Index,
    String,
    delete,
    select,
    text,
    update,
)
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.accounts import AccountRow
from gateway.store.base import Base, Key, Scope, TenantId, of_scope, scope_values


class AlertRow(Base):
    __tablename__ = "alert"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]
    measure: Mapped[str] = mapped_column(String(8))  # money, minutes, days
    threshold: Mapped[int] = mapped_column(BigInteger)  # micros, seconds, days
    channels: Mapped[list[str]]  # email, sms, webhook, in_app, call
    armed: Mapped[bool]
    fired_at: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_alert_account",
        ),
        CheckConstraint("measure in ('money','minutes','days')", name="measure"),
        Index("ix_alert_account", "tenant_id", "account_id"),
    )


class AlertSettingRow(Base):
    """One per account, from the day its thresholds were first set: by the plan, or by people."""

    __tablename__ = "alert_setting"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    hook_url: Mapped[str]  # empty: no webhook
    hook_secret: Mapped[str]  # signs what is posted there
    phone: Mapped[str] = mapped_column(server_default="")  # texted and called; empty: neither
    changed_at: Mapped[dt.datetime]
    changed_by: Mapped[str]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_alert_setting_account",
        ),
    )


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """A threshold of an account; armed until it is reached."""

    id: uuid.UUID
    measure: str
    threshold: int
    channels: tuple[str, ...]
    armed: bool
    fired_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Reach:
    """Where an account is reached beside its billing e-mail; empty where nobody asked for it."""

    hook_url: str = ""
    hook_secret: str = ""
    phone: str = ""


_OF_ACCOUNT = (
    select(
        AlertRow.id,
        AlertRow.measure,
        AlertRow.threshold,
        AlertRow.channels,
        AlertRow.armed,
        AlertRow.fired_at,
    )
    .where(*of_scope(AlertRow))
    .order_by(AlertRow.measure, AlertRow.threshold.desc())
)


def of_account(connection: Connection, scope: Scope) -> list[StoredAlert]:
    """The highest threshold of each measure first."""
    rows = connection.execute(_OF_ACCOUNT, scope_values(scope))
    return [StoredAlert(*row[:3], tuple(row[3]), *row[4:]) for row in rows]


_REACH = select(AlertSettingRow.hook_url, AlertSettingRow.hook_secret, AlertSettingRow.phone).where(
    *of_scope(AlertSettingRow)
)


def find_reach(connection: Connection, scope: Scope) -> Reach | None:
    """None until the thresholds of the account were first set."""
    row = connection.execute(_REACH, scope_values(scope)).first()
    return None if row is None else Reach(*row)


def set_reach(
    connection: Connection, scope: Scope, reach: Reach, *, actor: str, now: dt.datetime
) -> None:
    values = {
        "hook_url": reach.hook_url,
        "hook_secret": reach.hook_secret,
        "phone": reach.phone,
        "changed_at": now,
        "changed_by": actor,
    }
    connection.execute(
        insert(AlertSettingRow)
        .values(tenant_id=scope.tenant_id, account_id=scope.account_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id", "account_id"], set_=values)
    )


def replace_all(
    connection: Connection, scope: Scope, alerts: Iterable[StoredAlert], *, now: dt.datetime
) -> None:
    connection.execute(delete(AlertRow).where(*_of(scope)))
    rows = [
        {
            "tenant_id": scope.tenant_id,
            "id": alert.id,
            "account_id": scope.account_id,
            "measure": alert.measure,
            "threshold": alert.threshold,
            "channels": list(alert.channels),
            "armed": alert.armed,
            "fired_at": alert.fired_at,
            "created_at": now,
        }
        for alert in alerts
    ]
    if rows:
        connection.execute(plain_insert(AlertRow), rows)


def arm(
    connection: Connection,
    scope: Scope,
    alert_ids: Collection[uuid.UUID],
    *,
    armed: bool,
    fired_at: dt.datetime | None = None,
) -> None:
    """`fired_at` is kept where none is given."""
    if not alert_ids:
        return
    values: dict[str, Any] = {"armed": armed}
    if fired_at is not None:
        values["fired_at"] = fired_at
    connection.execute(
        update(AlertRow).where(*_of(scope), AlertRow.id.in_(list(alert_ids))).values(**values)
    )


def watch(
    connection: Connection,
    scope: Scope,
    *,
    low_micros: int | None,
    high_micros: int | None,
    minutes: bool,
) -> None:
    """What settlement looks at, beside the balance that it has locked anyway."""
    connection.execute(
        update(AccountRow)
        .where(AccountRow.tenant_id == scope.tenant_id, AccountRow.id == scope.account_id)
        .values(alert_low_micros=low_micros, alert_high_micros=high_micros, alerts_minutes=minutes)
    )


_MINUTES_LEFT = text(
    """
select sum(greatest(w.balance_micros, 0))::bigint
  from bucket as b
  join ledger_account as w on w.tenant_id = b.tenant_id and w.unit = 'SECONDS'
                          and w.name = b.kind || ':' || replace(b.id::text, '-', '')
 where b.tenant_id = :tenant_id and b.account_id = :account_id and b.closed_at is null
   and b.starts_at <= :now and b.ends_at > :now
"""
)


def seconds_left(connection: Connection, scope: Scope, now: dt.datetime) -> int | None:
    """Of the account's own packages, pool and bundles; None where it has none. One that is
    overdrawn takes nothing from the others."""
    found: int | None = connection.scalar(
        _MINUTES_LEFT,
        {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "now": now},
    )
    return found


def _of(scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return AlertRow.tenant_id == scope.tenant_id, AlertRow.account_id == scope.account_id
