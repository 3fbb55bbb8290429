"""Buckets of seconds: the periods of packages and the grants of pools."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    Index,
    String,
    insert,
    text,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.store.base import Base, Key, Scope, TenantId


class BucketRow(Base):
    """Seconds of one period of a package, of one grant of a pool, or of one bundle: the ledger
    account "<kind>:<id hex>" in SECONDS, so that used + remaining == size by construction.

    The id follows from what it is for, so that the same period is filled once. It stays open
    after its end until no leg of its time can come any more; then what is left expires.
    """

    __tablename__ = "bucket"

    tenant_id: Mapped[TenantId]
    id: Mapped[Key]
    account_id: Mapped[uuid.UUID]  # the owner; shared sub-accounts of an agency draw it too
    kind: Mapped[str] = mapped_column(String(8))  # package, pool, bundle
    package_id: Mapped[uuid.UUID | None]
    offer_code: Mapped[str | None]  # of a package; a bundle's minutes: what the version sold
    plan_version_id: Mapped[uuid.UUID]
    n: Mapped[int]  # a package's month; a pool's cycle, see `pools`; a bundle has one: 0
    upgrade: Mapped[int]  # a pool's: 0 is the cycle's own, later ones came with an upgrade
    starts_at: Mapped[dt.datetime]
    ends_at: Mapped[dt.datetime]
    look_at: Mapped[dt.datetime]  # when it is looked at next: is it over, may it be closed?
    closed_at: Mapped[dt.datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name="fk_bucket_account",
        ),
        CheckConstraint("kind in ('package','pool','bundle')", name="kind"),
        Index("ix_bucket_open", "tenant_id", "account_id", postgresql_where="closed_at is null"),
        Index("ix_bucket_due", "look_at", postgresql_where="closed_at is null"),
    )


@dataclass(frozen=True, slots=True)
class StoredBucket:
    """A bucket with what its ledger account holds now, and what was ever put into it."""

    id: uuid.UUID
    account_id: uuid.UUID
    kind: str
    package_id: uuid.UUID | None
    offer_code: str | None
    plan_version_id: uuid.UUID
    n: int
    upgrade: int
    starts_at: dt.datetime
    ends_at: dt.datetime
    look_at: dt.datetime
    closed_at: dt.datetime | None
    remaining_seconds: int

    @property
    def is_unattended(self) -> bool:
        """Its end was not looked at yet: what follows it may be missing still."""
        return self.closed_at is None and self.look_at == self.ends_at


_COLUMNS = """
select b.id, b.account_id, b.kind, b.package_id, b.offer_code, b.plan_version_id, b.n, b.upgrade,
       b.starts_at, b.ends_at, b.look_at, b.closed_at, coalesce(w.balance_micros, 0)
  from bucket as b
  left join ledger_account as w on w.tenant_id = b.tenant_id and w.unit = 'SECONDS'
                               and w.name = b.kind || ':' || replace(b.id::text, '-', '')
"""
_OPEN = text(
    _COLUMNS
    + """
 where b.tenant_id = :tenant_id and b.account_id = any(cast(:owners as uuid[]))
   and b.closed_at is null
 order by b.starts_at, b.id
"""
)


def open_of(
    connection: Connection, tenant_id: uuid.UUID, owners: Collection[uuid.UUID]
) -> list[StoredBucket]:
    """Those that legs may still draw. Exact only under the tenant's chain (`lock_books`), which
    every writer of seconds holds."""
    rows = connection.execute(_OPEN, {"tenant_id": tenant_id, "owners": list(owners)})
    return [StoredBucket(*row) for row in rows]


_OF_PACKAGES = text(
    _COLUMNS
    + """
 where b.tenant_id = :tenant_id and b.account_id = :account_id
   and b.package_id = any(cast(:packages as uuid[]))
 order by b.package_id, b.n
"""
)


def of_packages(
    connection: Connection, scope: Scope, packages: Collection[uuid.UUID]
) -> list[StoredBucket]:
    """Every month of these packages, in order."""
    rows = connection.execute(
        _OF_PACKAGES,
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "packages": list(packages),
        },
    )
    return [StoredBucket(*row) for row in rows]


_OF_CYCLE = text(
    _COLUMNS
    + """
 where b.tenant_id = :tenant_id and b.account_id = :account_id and b.kind = 'pool' and b.n = :n
 order by b.upgrade
"""
)


def of_cycle(connection: Connection, scope: Scope, n: int) -> list[StoredBucket]:
    """What a pool was granted in one cycle: its own, then the upgrades."""
    rows = connection.execute(
        _OF_CYCLE, {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "n": n}
    )
    return [StoredBucket(*row) for row in rows]


_CYCLE_BEHIND = text(
    """
select (array_agg(b.plan_version_id order by b.upgrade))[1], max(b.ends_at)
  from bucket as b
 where b.tenant_id = :tenant_id and b.account_id = :account_id and b.kind = 'pool'
 group by b.n having max(b.ends_at) > :at
 order by max(b.ends_at) limit 1
"""
)


def cycle_behind(
    connection: Connection, scope: Scope, at: dt.datetime
) -> tuple[uuid.UUID, dt.datetime] | None:
    """The version that began the first cycle of a pool to end behind an instant, and its end."""
    values = {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "at": at}
    row = connection.execute(_CYCLE_BEHIND, values).first()
    return None if row is None else (row[0], row[1])


_CARRIED = text(
    """
select coalesce(sum(p.amount_micros), 0)::bigint
  from bucket as b join posting as p on p.tenant_id = b.tenant_id and p.key = 'carry:' || b.id
 where b.tenant_id = :tenant_id and b.account_id = :account_id and b.kind = 'pool' and b.n = :n
"""
)


def carried_of_cycle(connection: Connection, scope: Scope, n: int) -> int:
    """Seconds that grants of one cycle of a pool carried into the next so far."""
    values = {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "n": n}
    carried: int = connection.scalar(_CARRIED, values)
    return carried


_LAST_POOL = text(
    _COLUMNS
    + """
 where b.tenant_id = :tenant_id and b.account_id = :account_id and b.kind = 'pool'
 order by b.n desc, b.upgrade desc limit 1
"""
)


def last_pool(connection: Connection, scope: Scope) -> StoredBucket | None:
    """The newest grant of an account's pool."""
    row = connection.execute(
        _LAST_POOL, {"tenant_id": scope.tenant_id, "account_id": scope.account_id}
    ).first()
    return None if row is None else StoredBucket(*row)


_OF_IDS = text(_COLUMNS + " where b.tenant_id = :tenant_id and b.id = any(cast(:ids as uuid[]))")


_BUNDLES = text(
    _COLUMNS
    + """
 where b.tenant_id = :tenant_id and b.account_id = :account_id and b.kind = 'bundle'
   and (cast(:before_at as timestamptz) is null
        or (b.starts_at, b.id) < (:before_at, cast(:before_id as uuid)))
 order by b.starts_at desc, b.id desc limit :limit
"""
)


def bundles_of(
    connection: Connection,
    scope: Scope,
    *,
    before: tuple[dt.datetime, uuid.UUID] | None,
    limit: int,
) -> list[StoredBucket]:
    """Newest first, ended ones too; `before` is the last one seen."""
    before_at, before_id = before or (None, None)
    rows = connection.execute(
        _BUNDLES,
        {
            "tenant_id": scope.tenant_id,
            "account_id": scope.account_id,
            "before_at": before_at,
            "before_id": before_id,
            "limit": limit,
        },
    )
    return [StoredBucket(*row) for row in rows]


_BUYERS = text(
    """
select b.id, p.actor
  from bucket as b
  join posting as p on p.tenant_id = b.tenant_id and p.key = 'issue:' || b.id
 where b.tenant_id = :tenant_id and b.id = any(cast(:ids as uuid[]))
"""
)


def buyers(
    connection: Connection, tenant_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, str]:
    """Who had each of these filled, as they were called then (S1-09)."""
    rows = connection.execute(_BUYERS, {"tenant_id": tenant_id, "ids": list(ids)})
    return {row.id: row.actor or "" for row in rows}


def find_all(
    connection: Connection, tenant_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> list[StoredBucket]:
    rows = connection.execute(_OF_IDS, {"tenant_id": tenant_id, "ids": list(ids)})
    return [StoredBucket(*row) for row in rows]


_MOVED = text(
    """
select b.id,
       coalesce(sum(p.amount_micros) filter (where p.credit = b.account), 0)::bigint as filled,
       coalesce(sum(p.amount_micros) filter (where p.debit = b.account), 0)::bigint as gone
  from (select id, kind || ':' || replace(id::text, '-', '') as account,
               array['issue:' || id, 'expire:' || id, 'carry:' || id] || array(
                 select 'carry:' || e.id from bucket as e
                  where e.tenant_id = :tenant_id and e.account_id = bucket.account_id
                    and e.kind = bucket.kind and e.n = bucket.n - 1
                    and e.package_id is not distinct from bucket.package_id) as keys
          from bucket where tenant_id = :tenant_id and id = any(cast(:ids as uuid[]))) as b
  left join posting as p on p.tenant_id = :tenant_id and p.key = any(b.keys)
 group by b.id
"""
)


def moved(
    connection: Connection, tenant_id: uuid.UUID, ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, tuple[int, int]]:
    """Seconds that were put into each bucket, and seconds that left it unused: from the ledger's
    own lines, found by key."""
    if not ids:
        return {}
    rows = connection.execute(_MOVED, {"tenant_id": tenant_id, "ids": list(ids)})
    return {row.id: (row.filled, row.gone) for row in rows}


def add(
    connection: Connection,
    scope: Scope,
    *,
    bucket_id: uuid.UUID,
    kind: str,
    plan_version_id: uuid.UUID,
    n: int,
    starts_at: dt.datetime,
    ends_at: dt.datetime,
    upgrade: int = 0,
    package_id: uuid.UUID | None = None,
    offer_code: str | None = None,
) -> None:
    """The row; an IntegrityError if that period has its bucket already."""
    connection.execute(
        insert(BucketRow).values(
            tenant_id=scope.tenant_id,
            id=bucket_id,
            account_id=scope.account_id,
            kind=kind,
            package_id=package_id,
            offer_code=offer_code,
            plan_version_id=plan_version_id,
            n=n,
            upgrade=upgrade,
            starts_at=starts_at,
            ends_at=ends_at,
            look_at=ends_at,
        )
    )


def change(
    connection: Connection, tenant_id: uuid.UUID, bucket_id: uuid.UUID, **values: dt.datetime
) -> None:
    """`ends_at`, `look_at` or `closed_at`."""
    connection.execute(
        update(BucketRow)
        .where(BucketRow.tenant_id == tenant_id, BucketRow.id == bucket_id)
        .values(**values)
    )


_OLDEST_LEG = text(
    """
select min(c.started_at)
  from call as c
 where c.tenant_id = :tenant_id
   and (c.account_id = :account_id
        or c.account_id in (select m.account_id from billing_membership as m
                             where m.tenant_id = :tenant_id and m.billing = 'agency_shared'))
   and (c.ended_at is null
        or exists (select 1 from leg as l
                    where l.tenant_id = c.tenant_id and l.call_sid = c.call_sid
                      and l.settled_at is null))
   and c.started_at < :before and c.started_at > cast(:before as timestamptz) - interval '2 days'
"""
)


def oldest_open_call_at(
    connection: Connection, scope: Scope, *, before: dt.datetime
) -> dt.datetime | None:
    """When the earliest call began, before an instant, that is not all settled yet; of the
    account and of whoever ever shared its billing. A call lasts a day at the most."""
    found: dt.datetime | None = connection.scalar(
        _OLDEST_LEG,
        {"tenant_id": scope.tenant_id, "account_id": scope.account_id, "before": before},
    )
    return found
