"""Credit that the access fee includes: one row for each cycle, and what the ledger says of it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, ForeignKeyConstraint, Index, insert, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from billing.included import Stretch
from gateway.store.base import Base, Micros, Scope, TenantId, of_scope, scope_values


class IncludedCreditRow(Base):
    """The credit of one billing cycle. What of it was drawn is the sum of the lines of calls and
    texts behind `after_seq`, up to `closed_seq`; `charged_micros` is that sum up to `counted_seq`,
    so that a page need not add up a month."""

    __tablename__ = "included_credit"

    tenant_id: Mapped[TenantId]
    account_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True)  # counted on from the first cycle's month
    plan_version_id: Mapped[uuid.UUID]  # of the cycle's own grant
    shared: Mapped[bool]  # calls of clients whose bill the agency pays draw it too
    own_micros: Mapped[Micros]  # the cycle's own grant; 0 where an upgrade brought the first
    granted_micros: Mapped[Micros]  # that, and what upgrades added
    grants: Mapped[int]
    starts_at: Mapped[dt.datetime]  # where the one before ended; the first grant may be later
    ends_at: Mapped[dt.datetime]
    after_seq: Mapped[int]  # the ledger's last line before the first grant
    counted_seq: Mapped[int]
    charged_micros: Mapped[Micros]
    look_at: Mapped[dt.datetime | None]  # when the next cycle is to begin; None: none follows
    waits_until: Mapped[dt.datetime | None]  # its end waits for legs of its time, not longer
    closed_at: Mapped[dt.datetime | None]
    closed_seq: Mapped[int | None]  # the last line that could draw it

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_included_credit_account",
        ),
        Index("ix_included_credit_due", "look_at", postgresql_where="look_at is not null"),
    )


@dataclass(frozen=True, slots=True)
class StoredCredit:
    n: int
    plan_version_id: uuid.UUID
    shared: bool
    own_micros: int
    granted_micros: int
    grants: int
    starts_at: dt.datetime
    ends_at: dt.datetime
    after_seq: int
    waits_until: dt.datetime | None
    closed_at: dt.datetime | None


_COLUMNS = tuple(getattr(IncludedCreditRow, name) for name in StoredCredit.__dataclass_fields__)


_LAST = (
    select(*_COLUMNS)
    .where(*of_scope(IncludedCreditRow))
    .order_by(IncludedCreditRow.n.desc())
    .limit(1)
)


def last_of(connection: Connection, scope: Scope) -> StoredCredit | None:
    """Of the newest cycle that had any; it may be closed."""
    row = connection.execute(_LAST, scope_values(scope)).one_or_none()
    return None if row is None else StoredCredit(*row)


def cycle_behind(
    connection: Connection, scope: Scope, at: dt.datetime
) -> tuple[uuid.UUID, dt.datetime] | None:
    """The version that began the first cycle to end behind an instant, and its end."""
    row = connection.execute(
        select(IncludedCreditRow.plan_version_id, IncludedCreditRow.ends_at)
        .where(
            IncludedCreditRow.tenant_id == scope.tenant_id,
            IncludedCreditRow.account_id == scope.account_id,
            IncludedCreditRow.ends_at > at,
        )
        .order_by(IncludedCreditRow.ends_at)
        .limit(1)
    ).first()
    return None if row is None else (row[0], row[1])


def find(connection: Connection, scope: Scope, n: int) -> StoredCredit | None:
    row = connection.execute(
        select(*_COLUMNS).where(
            IncludedCreditRow.tenant_id == scope.tenant_id,
            IncludedCreditRow.account_id == scope.account_id,
            IncludedCreditRow.n == n,
        )
    ).one_or_none()
    return None if row is None else StoredCredit(*row)


def versions_in(
    connection: Connection, scope: Scope, *, since: dt.datetime, until: dt.datetime
) -> list[uuid.UUID]:
    """The plan version of each cycle that lies in the period or reaches into it, in their order."""
    return list(
        connection.scalars(
            select(IncludedCreditRow.plan_version_id)
            .where(
                IncludedCreditRow.tenant_id == scope.tenant_id,
                IncludedCreditRow.account_id == scope.account_id,
                IncludedCreditRow.starts_at < until,
                IncludedCreditRow.ends_at > since,
            )
            .order_by(IncludedCreditRow.n)
        )
    )


def add(connection: Connection, scope: Scope, values: Mapping[str, Any]) -> None:
    connection.execute(
        insert(IncludedCreditRow).values(
            tenant_id=scope.tenant_id, account_id=scope.account_id, **values
        )
    )


def change(connection: Connection, scope: Scope, n: int, values: Mapping[str, Any]) -> None:
    connection.execute(
        update(IncludedCreditRow)
        .where(
            IncludedCreditRow.tenant_id == scope.tenant_id,
            IncludedCreditRow.account_id == scope.account_id,
            IncludedCreditRow.n == n,
        )
        .values(**values)
    )


# An agency's credit that is not shared is not drawn by what its clients did, though it pays for
# them: whose a call or a text was, their own rows say. A correction of an earlier cycle's charge
# (its first line, `f`, stands before this cycle's) moves the customer's own money and no credit.
def _lines(after: str) -> str:
    """What each line behind a place granted, and what it charged or gave back."""
    return f"""
    select p.seq,
           case when p.kind = 'included_credit' then p.amount_micros else 0 end as granted,
           case when p.kind = 'included_credit' then 0
                when f.key is not null and f.seq <= m.after_seq then 0
                when p.kind <> 'reversal' then p.amount_micros
                when f.key is not null then - p.amount_micros else 0 end as charged
      from posting as p
      left join posting as f
             on (p.kind = 'reversal' or p.key not like '%\\:0')
            and f.tenant_id = p.tenant_id and f.kind in ('usage','surcharge','sms')
            and f.key = split_part(coalesce(p.reverses_key, p.key), ':', 1) || ':'
                     || split_part(coalesce(p.reverses_key, p.key), ':', 2) || '\\:0'
      left join call as c on m.alone and c.tenant_id = p.tenant_id and c.call_sid = p.call_sid
      left join message as t on m.alone and t.tenant_id = p.tenant_id
                            and coalesce(p.reverses_key, p.key) like 'sms:%'
                            and t.carrier_sid = split_part(coalesce(p.reverses_key, p.key), ':', 2)
     where p.tenant_id = m.tenant_id and p.account_id = m.account_id
       and p.balance_after_micros is not null
       and p.seq > {after} and p.seq <= least(:last, coalesce(m.closed_seq, :last))
       and p.kind in ('usage','surcharge','sms','reversal','included_credit')
       and coalesce(c.account_id, t.account_id, m.account_id) = m.account_id
"""


_MINE = """
with mine as materialized (
  select c.*, not c.shared and c.account_id = c.tenant_id
              and exists (select 1 from account as a
                           where a.tenant_id = c.tenant_id and a.parent_id = c.account_id) as alone
    from included_credit as c
   where c.tenant_id = :tenant_id and c.account_id = :account_id
"""
_STRETCHES = text(
    f"""
{_MINE} and c.after_seq < :last and coalesce(c.closed_seq, :last) >= :after
)
select coalesce(sum(l.granted) filter (where l.seq <= :after), 0)::bigint,
       coalesce(sum(l.granted), 0)::bigint,
       coalesce(sum(l.charged) filter (where l.seq <= :after), 0)::bigint,
       coalesce(sum(l.charged), 0)::bigint,
       coalesce(m.closed_seq, :last) >= :last
  from mine as m left join lateral ({_lines("m.after_seq")}) as l on true
 group by m.n, m.closed_seq
 order by m.n
"""
)


def stretches(
    connection: Connection, scope: Scope, *, after_seq: int, last_seq: int
) -> list[Stretch]:
    """How the credit of each cycle stood at two places of the ledger."""
    rows = connection.execute(
        _STRETCHES,
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "after": after_seq,
            "last": last_seq,
        },
    )
    return [Stretch(*row) for row in rows]


_CHARGED = text(
    f"""
{_MINE} and c.closed_at is null
)
select (m.charged_micros + coalesce(sum(l.charged), 0))::bigint
  from mine as m left join lateral ({_lines("m.counted_seq")}) as l on true
 group by m.n, m.charged_micros
"""
)
LAST_SEQ = 2**62  # behind every line that there will be


def charged_micros(connection: Connection, scope: Scope) -> int:
    """What calls and texts were charged since the first grant of the open cycle; 0 without one."""
    found: int | None = connection.scalar(
        _CHARGED,
        {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "last": LAST_SEQ},
    )
    return found or 0


_LEGS_WAIT = text(
    """
select exists (
  select 1 from leg_due
   where tenant_id = :tenant_id and ended_at < :before
     and (account_id = :account_id or :account_id = :tenant_id))
"""
)


def legs_wait(connection: Connection, scope: Scope, *, before: dt.datetime) -> bool:
    """Whether legs that ended earlier are not settled yet; of an agency, its clients' as well."""
    return bool(
        connection.scalar(
            _LEGS_WAIT,
            {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "before": before},
        )
    )
