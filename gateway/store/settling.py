"""Settlement days: what an account used on each, and what of it is put on its card (C7)."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, Date, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Currency, Micros, TenantId


class SettlementDayRow(Base):
    """One closed day: the lines `first_seq` to `last_seq` of the account's wallet.

    `billed_micros` is asked for; what is too little is carried over to the next day's
    `carried_micros`. A day is closed once, whoever looks and however late.
    """

    __tablename__ = "settlement_day"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    currency: Mapped[Currency]
    starts_at: Mapped[dt.datetime]
    ends_at: Mapped[dt.datetime]
    first_seq: Mapped[int]
    last_seq: Mapped[int]
    used_micros: Mapped[Micros]
    carried_micros: Mapped[Micros]  # from days before
    billed_micros: Mapped[Micros]
    state: Mapped[str] = mapped_column(String(8))  # due, carried, nothing, paid
    closed_at: Mapped[dt.datetime]
    paid_at: Mapped[dt.datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_settlement_day_account",
        ),
        CheckConstraint("state in ('due','carried','nothing','paid')", name="state"),
        CheckConstraint("billed_micros >= 0", name="billed"),
        Index("ix_settlement_day_due", "day", postgresql_where="state = 'due'"),
    )
