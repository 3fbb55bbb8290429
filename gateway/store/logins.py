"""People who log in: members of an account, and staff."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CheckConstraint, Connection, String, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Scope


class LoginRow(Base):
    """Global, keyed by e-mail. Staff (`ops`) belong to no tenant."""

    __tablename__ = "login"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)  # lower case
    name: Mapped[str]
    password_hash: Mapped[str]  # argon2id
    role: Mapped[str] = mapped_column(String(8))  # owner, member, ops
    tenant_id: Mapped[uuid.UUID | None]
    account_id: Mapped[uuid.UUID | None]
    session_epoch: Mapped[int]  # raised by a password change: older sessions end
    created_at: Mapped[dt.datetime]
    disabled_at: Mapped[dt.datetime | None]

    __table_args__ = (
        CheckConstraint("role in ('owner','member','ops')", name="role"),
        CheckConstraint("(role = 'ops') = (tenant_id is null)", name="staff_has_no_tenant"),
    )


@dataclass(frozen=True, slots=True)
class Login:
    """A person, without the password's hash."""

    id: uuid.UUID
    email: str
    name: str
    role: str
    tenant_id: uuid.UUID | None
    account_id: uuid.UUID | None
    session_epoch: int
    created_at: dt.datetime
    disabled_at: dt.datetime | None

    @property
    def scope(self) -> Scope | None:
        if self.tenant_id is None or self.account_id is None:
            return None
        return Scope(self.tenant_id, self.account_id)


def add(connection: Connection, login: Login, password_hash: str) -> bool:
    """False when the e-mail address is taken."""
    added = connection.execute(
        insert(LoginRow)
        .values(password_hash=password_hash, **{name: getattr(login, name) for name in _NAMES})
        .on_conflict_do_nothing()
        .returning(LoginRow.id)
    )
    return added.first() is not None


_NAMES = tuple(Login.__dataclass_fields__)
_SHOWN = select(*(getattr(LoginRow, name) for name in _NAMES))
_ONE = _SHOWN.where(LoginRow.id == bindparam("id"))  # asked for with every page


def find(connection: Connection, id: uuid.UUID) -> Login | None:
    row = connection.execute(_ONE, {"id": id}).first()
    return None if row is None else Login(*row)


def find_by_email(connection: Connection, email: str) -> tuple[Login, str] | None:
    """With the password's hash."""
    row = connection.execute(
        _SHOWN.add_columns(LoginRow.password_hash).where(LoginRow.email == email)
    ).first()
    return None if row is None else (Login(*row[:-1]), row[-1])


def hash_of(connection: Connection, id: uuid.UUID) -> str | None:
    return connection.scalar(select(LoginRow.password_hash).where(LoginRow.id == id))


def of_account(connection: Connection, account_id: uuid.UUID | None) -> tuple[Login, ...]:
    """By name; None: staff."""
    rows = connection.execute(
        _SHOWN.where(LoginRow.account_id.is_not_distinct_from(account_id)).order_by(
            LoginRow.name, LoginRow.id
        )
    )
    return tuple(Login(*row) for row in rows)


def set_password(
    connection: Connection, id: uuid.UUID, password_hash: str, *, end_sessions: bool
) -> None:
    values: dict[str, Any] = {"password_hash": password_hash}
    if end_sessions:
        values["session_epoch"] = LoginRow.session_epoch + 1
    connection.execute(update(LoginRow).where(LoginRow.id == id).values(**values))
