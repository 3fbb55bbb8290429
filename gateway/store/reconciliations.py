"""What the nightly comparison with the carrier's own records found."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, Date, Index, Select, String, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.accounts import AccountRow
from gateway.store.base import Base, TenantId


class ReconciliationRow(Base):
    """One run over one UTC day of the carrier."""

    __tablename__ = "reconciliation"

    day: Mapped[dt.date] = mapped_column(Date, primary_key=True)
    started_at: Mapped[dt.datetime]
    finished_at: Mapped[dt.datetime | None]
    legs_ours: Mapped[int]
    legs_theirs: Mapped[int]
    healed: Mapped[int]


class CarrierLegRow(Base):
    """A call or leg as the carrier's own records tell it; kept for some weeks, then dropped.

    Global: whose it is follows from the number that was called.
    """

    __tablename__ = "carrier_leg"

    sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    day: Mapped[dt.date] = mapped_column(Date)  # UTC, of its start by the carrier's clock
    parent_sid: Mapped[str | None] = mapped_column(String(34))
    from_address: Mapped[str]
    to_address: Mapped[str]
    status: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
    talk_seconds: Mapped[int | None]
    price_micros: Mapped[int | None]  # what it takes, positive; comes late

    __table_args__ = (Index("ix_carrier_leg_day", "day"),)


class DriftRow(Base):
    """One difference; found again the next night it is the same row."""

    __tablename__ = "drift"

    tenant_id: Mapped[TenantId]
    leg_sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    kind: Mapped[str] = mapped_column(String(24), primary_key=True)
    account_id: Mapped[uuid.UUID | None]
    day: Mapped[dt.date] = mapped_column(Date)
    detail: Mapped[dict[str, Any]]
    healed: Mapped[bool]
    found_at: Mapped[dt.datetime]

    __table_args__ = (Index("ix_drift_day", "day"),)


STREAMED = {"yield_per": 2_000}


@dataclass(frozen=True, slots=True)
class Run:
    """A comparison of one UTC day; unfinished while it runs, and after it was ordered or failed."""

    day: dt.date
    started_at: dt.datetime
    finished_at: dt.datetime | None
    legs_ours: int
    legs_theirs: int
    healed: int


_RUNS = select(*(getattr(ReconciliationRow, name) for name in Run.__dataclass_fields__))


def runs(connection: Connection, *, limit: int) -> list[Run]:
    """Newest day first."""
    rows = connection.execute(_RUNS.order_by(ReconciliationRow.day.desc()).limit(limit))
    return [Run(*row) for row in rows]


def runs_since(connection: Connection, day: dt.date) -> dict[dt.date, Run]:
    """Those of a day or later, and all that are unfinished."""
    rows = connection.execute(
        _RUNS.where((ReconciliationRow.day >= day) | ReconciliationRow.finished_at.is_(None))
    )
    return {row.day: Run(*row) for row in rows}


def begin(connection: Connection, day: dt.date, *, at: dt.datetime) -> None:
    """A run begins, or is ordered with an `at` long ago; what earlier runs healed is kept."""
    connection.execute(
        insert(ReconciliationRow)
        .values(day=day, started_at=at, finished_at=None, legs_ours=0, legs_theirs=0, healed=0)
        .on_conflict_do_update(index_elements=["day"], set_={"started_at": at, "finished_at": None})
    )


def finish(
    connection: Connection,
    day: dt.date,
    *,
    at: dt.datetime,
    legs_ours: int,
    legs_theirs: int,
    healed: int,
) -> None:
    connection.execute(
        update(ReconciliationRow)
        .where(ReconciliationRow.day == day)
        .values(
            finished_at=at,
            legs_ours=legs_ours,
            legs_theirs=legs_theirs,
            healed=ReconciliationRow.healed + healed,
        )
    )


class CarrierLeg(NamedTuple):
    """A row of the carrier's records, in the order of the columns."""

    sid: str
    day: dt.date
    parent_sid: str | None
    from_address: str
    to_address: str
    status: str
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    talk_seconds: int | None
    price_micros: int | None


def keep_carrier_legs(connection: Connection, legs: Sequence[CarrierLeg]) -> None:
    """As the carrier has them now; an earlier listing of the same leg is replaced."""
    added = insert(CarrierLegRow).values([leg._asdict() for leg in legs])
    connection.execute(
        added.on_conflict_do_update(
            index_elements=["sid"],
            set_={name: added.excluded[name] for name in CarrierLeg._fields if name != "sid"},
        )
    )


def drop_carrier_legs(connection: Connection, *, before: dt.date) -> int:
    return connection.execute(delete(CarrierLegRow).where(CarrierLegRow.day < before)).rowcount


def carrier_total(connection: Connection, day: dt.date) -> tuple[int, int]:
    """How many legs the carrier has of a day, and the sum of their prices."""
    row = connection.execute(
        select(func.count(), func.coalesce(func.sum(CarrierLegRow.price_micros), 0)).where(
            CarrierLegRow.day == day
        )
    ).one()
    return row[0], int(row[1] or 0)


class Pair(NamedTuple):
    """A leg of the carrier's beside ours. `tenant_id` is None where no number of ours was called;
    the fields of our leg are None where we have none."""

    sid: str
    call_sid: str
    their_status: str
    their_duration: int | None
    their_price: int | None
    their_start: dt.datetime | None
    tenant_id: uuid.UUID | None
    account_id: uuid.UUID | None
    number_since: dt.datetime | None
    our_status: str | None
    our_end: dt.datetime | None
    our_talk: int | None
    our_cost: int | None
    our_start: dt.datetime | None


# Whose a leg is follows from the number that its call was to; the parent of a leg that began
# after midnight stands under the day before.
_PAIRS = text(
    """
select t.sid, t.call_sid, t.status, t.talk_seconds, t.price_micros, t.started_at,
       d.tenant_id, n.account_id, n.bought_at,
       l.status, l.ended_at, l.talk_seconds, l.cost_micros, l.started_at
  from (select c.*, coalesce(c.parent_sid, c.sid) as call_sid,
               case when c.parent_sid is null then c.to_address else p.to_address end as number
          from carrier_leg as c
          left join carrier_leg as p on p.sid = c.parent_sid
         where c.day = :day) as t
  left join did_directory as d on d.e164 = t.number
  left join did as n on n.tenant_id = d.tenant_id and n.id = d.did_id
  left join leg as l on l.tenant_id = d.tenant_id and l.leg_sid = t.sid
 order by t.sid
"""
)


def pairs(connection: Connection, day: dt.date) -> Iterator[Pair]:
    """Every leg that the carrier has of a day, beside ours; streamed."""
    with connection.execute(_PAIRS, {"day": day}, execution_options=STREAMED) as rows:
        yield from map(Pair._make, rows)


class Lonely(NamedTuple):
    """A leg of ours of which the carrier's records of these days know nothing."""

    tenant_id: uuid.UUID
    account_id: uuid.UUID
    leg_sid: str
    call_sid: str
    status: str
    talk_seconds: int
    started_at: dt.datetime


_LONELY = text(
    """
select a.tenant_id, a.id, l.leg_sid, l.call_sid, l.status, l.talk_seconds, l.started_at
  from account as a
  join call as c on c.tenant_id = a.tenant_id and c.account_id = a.id
                and c.started_at >= :since and c.started_at < :until
  join leg as l on l.tenant_id = c.tenant_id and l.call_sid = c.call_sid
  left join carrier_leg as k on k.sid = l.leg_sid
 where k.sid is null
 order by a.tenant_id, a.id, l.leg_sid
"""
)


def lonely_legs(
    connection: Connection, *, since: dt.datetime, until: dt.datetime
) -> Iterator[Lonely]:
    with connection.execute(
        _LONELY, {"since": since, "until": until}, execution_options=STREAMED
    ) as rows:
        yield from map(Lonely._make, rows)


_OURS = text(
    """
select count(*) from account as a
  join call as c on c.tenant_id = a.tenant_id and c.account_id = a.id
                and c.started_at >= :since and c.started_at < :until
  join leg as l on l.tenant_id = c.tenant_id and l.call_sid = c.call_sid
"""
)


def our_legs(connection: Connection, *, since: dt.datetime, until: dt.datetime) -> int:
    return connection.scalar(_OURS, {"since": since, "until": until}) or 0


@dataclass(frozen=True, slots=True)
class Drift:
    """A difference as it is kept; `tenant_id` zero stands for the whole house."""

    tenant_id: uuid.UUID
    leg_sid: str
    kind: str
    account_id: uuid.UUID | None
    day: dt.date
    detail: dict[str, Any]
    healed: bool
    found_at: dt.datetime


def keep_drifts(connection: Connection, drifts: Sequence[Drift]) -> None:
    """Found again, it is the row of before; only its healing is news."""
    names = Drift.__dataclass_fields__
    added = insert(DriftRow).values([{n: getattr(one, n) for n in names} for one in drifts])
    connection.execute(
        added.on_conflict_do_update(
            index_elements=["tenant_id", "leg_sid", "kind"],
            set_={"healed": added.excluded.healed},
            where=added.excluded.healed & ~DriftRow.healed,
        )
    )


def mark_healed(connection: Connection, drifts: Sequence[Drift]) -> None:
    keep_drifts(connection, [replace(drift, healed=True) for drift in drifts])


_ENDED = text(
    """
select leg_sid from leg
 where tenant_id = :tenant_id and leg_sid = any(cast(:sids as text[])) and ended_at is not null
"""
)


def ended_among(
    connection: Connection, tenant_id: uuid.UUID, leg_sids: Collection[str]
) -> frozenset[str]:
    found = connection.scalars(_ENDED, {"tenant_id": tenant_id, "sids": list(leg_sids)})
    return frozenset(found)


def first_account_at(connection: Connection) -> dt.datetime | None:
    """When the house got its first account; ids sort by time of creation."""
    found: dt.datetime | None = connection.scalar(
        text("select created_at from account order by tenant_id, id limit 1")
    )
    return found


@dataclass(frozen=True, slots=True)
class NamedDrift:
    drift: Drift
    account_name: str | None
    call_sid: str | None


def drifts(
    connection: Connection,
    *,
    kinds: Collection[str] = (),
    day: dt.date | None = None,
    before: tuple[dt.date, str, str] | None = None,
    limit: int,
) -> list[NamedDrift]:
    """Newest day first, then by leg and kind; `before` is the last row already seen."""
    found = _drifts()
    if kinds:
        found = found.where(DriftRow.kind.in_(list(kinds)))
    if day is not None:
        found = found.where(DriftRow.day == day)
    if before is not None:
        seen_day, leg_sid, kind = before
        later = func.row(DriftRow.leg_sid, DriftRow.kind) > func.row(leg_sid, kind)
        found = found.where((DriftRow.day < seen_day) | ((DriftRow.day == seen_day) & later))
    rows = connection.execute(
        found.order_by(DriftRow.day.desc(), DriftRow.leg_sid, DriftRow.kind).limit(limit)
    )
    return [NamedDrift(Drift(*row[:8]), row[8], row[9]) for row in rows]


def drift_counts(connection: Connection, *, since: dt.date) -> list[tuple[str, int, int]]:
    """By kind: how many differences of these days, and how many of them were healed."""
    rows = connection.execute(
        select(DriftRow.kind, func.count(), func.count().filter(DriftRow.healed))
        .where(DriftRow.day >= since)
        .group_by(DriftRow.kind)
        .order_by(DriftRow.kind)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _drifts() -> Select[Any]:
    columns = [getattr(DriftRow, name) for name in Drift.__dataclass_fields__]
    return select(*columns, AccountRow.name, DriftRow.detail["call_sid"].astext).outerjoin(
        AccountRow,
        (AccountRow.tenant_id == DriftRow.tenant_id) & (AccountRow.id == DriftRow.account_id),
    )
