"""The lease that makes the clock process one, and its heartbeat for `/readyz`."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base


class LeaseRow(Base):
    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    beat_at: Mapped[dt.datetime]  # by the database's clock
    expires_at: Mapped[dt.datetime]
