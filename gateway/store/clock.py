"""The lease that makes the clock process one, and its heartbeat for `/readyz`."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Connection, text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base


class LeaseRow(Base):
    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    beat_at: Mapped[dt.datetime]  # by the database's clock
    expires_at: Mapped[dt.datetime]


_HOLD = text(
    """
insert into lease as l (name, holder, beat_at, expires_at)
values (:name, :holder, clock_timestamp(), clock_timestamp() + make_interval(secs => :seconds))
on conflict (name) do update
   set holder = excluded.holder, beat_at = excluded.beat_at, expires_at = excluded.expires_at
 where l.holder = excluded.holder or l.expires_at < clock_timestamp()
returning l.holder
"""
)
_RELEASE = text("delete from lease where name = :name and holder = :holder")
_AGE = text(
    "select extract(epoch from clock_timestamp() - beat_at)::float from lease where name = :name"
)


def hold(connection: Connection, name: str, holder: str, *, seconds: int) -> bool:
    """Take or renew a lease by the database's own clock; False while another holds it."""
    return (
        connection.execute(_HOLD, {"name": name, "holder": holder, "seconds": seconds}).first()
        is not None
    )


def release(connection: Connection, name: str, holder: str) -> None:
    connection.execute(_RELEASE, {"name": name, "holder": holder})


def beat_age_seconds(connection: Connection, name: str) -> float | None:
    """How long ago the holder last renewed; None when nobody ever held it."""
    age: float | None = connection.scalar(_AGE, {"name": name})
    return age
