"""What pricing a period anew reads and marks, beside the ledger's own lines."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select, text

from billing.ledger import Posting
from gateway.store.base import Scope
from gateway.store.ledger import PostingRow, posting_of
from gateway.store.settlement import numbers, texts

# Accounts that were busy in the period, then one probe of each for a leg of that version.
_PRICED_BY = text(
    """
with busy as (
  select distinct tenant_id, account_id from daily_usage
   where day >= :first_day and day <= :last_day
)
select tenant_id, account_id from busy as b
 where exists (
   select 1 from call as c
     join leg as l on l.tenant_id = c.tenant_id and l.call_sid = c.call_sid
                  and l.settled_at is not null
    where c.tenant_id = b.tenant_id and c.account_id = b.account_id
      and c.started_at >= :since and c.started_at < :until
      and coalesce(l.repriced_version_id, c.plan_version_id) = :version)
 order by tenant_id, account_id
"""
)


def accounts_priced_by(
    connection: Connection, version_id: uuid.UUID, *, since: dt.datetime, until: dt.datetime
) -> list[Scope]:
    """Accounts with a settled leg of the period that the version priced last."""
    day = dt.timedelta(days=1)  # local days reach beyond the UTC ones
    rows = connection.execute(
        _PRICED_BY,
        {
            "version": version_id,
            "since": since,
            "until": until,
            "first_day": (since - day).date(),
            "last_day": (until + day).date(),
        },
    )
    return [Scope(*row) for row in rows]


def postings_named(
    connection: Connection, tenant_id: uuid.UUID, keys: Collection[str]
) -> dict[str, Posting]:
    """Those of the keys that were posted."""
    rows = connection.execute(
        select(PostingRow).where(PostingRow.tenant_id == tenant_id, PostingRow.key.in_(list(keys)))
    )
    return {row.key: posting_of(row) for row in rows}


class Repriced(NamedTuple):
    leg_sid: str
    billed_seconds: int
    rate_micros: int | None
    rate_label: str | None
    charge_micros: int
    surcharge_micros: int | None


_REPRICE = text(
    """
update leg as l
   set billed_seconds = s.billed_seconds, rate_micros = s.rate_micros,
       rate_label = s.rate_label, charge_micros = s.charge_micros,
       surcharge_micros = s.surcharge_micros,
       repriced_version_id = :version
  from unnest(cast(:leg_sids as text[]), cast(:billed as bigint[]), cast(:rates as bigint[]),
              cast(:labels as text[]), cast(:charges as bigint[]), cast(:surcharges as bigint[]))
       as s(leg_sid, billed_seconds, rate_micros, rate_label, charge_micros, surcharge_micros)
 where l.tenant_id = :tenant_id and l.leg_sid = s.leg_sid
"""
)


def reprice(
    connection: Connection,
    tenant_id: uuid.UUID,
    repriced: Sequence[Repriced],
    *,
    version_id: uuid.UUID,
) -> None:
    """The legs as the new lines charge them, and by which version."""
    if not repriced:
        return
    sids, billed, rates, labels, charges, surcharges = zip(*repriced, strict=True)
    connection.execute(
        _REPRICE,
        {
            "tenant_id": tenant_id,
            "version": version_id,
            "leg_sids": texts(sids),
            "billed": numbers(billed),
            "rates": numbers(rates),
            "labels": texts(labels),
            "charges": numbers(charges),
            "surcharges": numbers(surcharges),
        },
    )
