"""Legs: the parent (inbound) and every target that rang, metered one by one."""

from __future__ import annotations

import datetime as dt
import uuid

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Micros, Small, TenantId


class LegRow(Base):
    """One leg of a call, as told by its callbacks and as settled."""

    __tablename__ = "leg"

    tenant_id: Mapped[TenantId]
    leg_sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    call_sid: Mapped[str] = mapped_column(String(34))
    account_id: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(String(10))  # inbound, forwarded, transfer
    target_kind: Mapped[str] = mapped_column(String(8))  # number, sip, client ("did" for inbound)
    to_address: Mapped[str]
    cursor: Mapped[str]  # where in the routing plan this target stood
    status: Mapped[str] = mapped_column(String(16))
    status_rank: Mapped[Small]
    started_at: Mapped[dt.datetime]  # the earliest that is known of it
    # When the carrier began to dial it, in its own words; None while only later news has come.
    dialled_at: Mapped[dt.datetime | None]
    answered_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
    talk_seconds: Mapped[int]
    ring_seconds: Mapped[int]
    confirmed: Mapped[bool | None]  # press-1; None where not asked
    end_receipt_id: Mapped[uuid.UUID | None]  # the webhook that caused the charge
    settled_at: Mapped[dt.datetime | None]
    billed_seconds: Mapped[int | None]
    rate_micros: Mapped[int | None]  # per minute, as applied
    rate_label: Mapped[str | None]
    charge_micros: Mapped[Micros | None]  # on all its lines together
    surcharge_micros: Mapped[Micros | None]  # of it; None where its destination has none
    cost_micros: Mapped[Micros | None]  # what the carrier takes for it: whole started minutes
    # The plan version that a later re-rating priced it by; None: the one its call began with.
    repriced_version_id: Mapped[uuid.UUID | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "call_sid"], ["call.tenant_id", "call.call_sid"], name="fk_leg_call"
        ),
        CheckConstraint("kind in ('inbound','forwarded','transfer')", name="kind"),
        CheckConstraint("talk_seconds between 0 and 86400", name="talk_seconds"),
        Index("ix_leg_call", "tenant_id", "call_sid"),
    )


class DueLegRow(Base):
    """The queue of record for settlement: legs that have ended and are not settled.

    Written by the statement that ends the leg, deleted by the one transaction that settles it. A
    table of its own, because an index over `leg` that a leg enters and leaves would make each of
    its updates write all of its indexes anew. No foreign key: both rows come in one statement.
    """

    __tablename__ = "leg_due"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    ended_at: Mapped[dt.datetime] = mapped_column(primary_key=True)
    leg_sid: Mapped[str] = mapped_column(String(34), primary_key=True)
