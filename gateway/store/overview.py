"""The daily rollup, summed for dashboards; never raw calls or legs."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Text, bindparam, case, cast, func, select, tuple_

from gateway.store.accounts import AccountRow
from gateway.store.base import Scope, of_scope, scope_values
from gateway.store.ledger import LedgerAccountRow
from gateway.store.numbers import DidRow
from gateway.store.rollups import DailyUsageRow

_SUMS = (
    select(
        DailyUsageRow.day,
        DailyUsageRow.source,
        DailyUsageRow.did_id,
        func.sum(DailyUsageRow.calls).label("calls"),
        func.sum(DailyUsageRow.answered).label("answered"),
        func.sum(DailyUsageRow.talk_seconds).label("talk_seconds"),
        func.sum(DailyUsageRow.billed_seconds).label("billed_seconds"),
        func.sum(DailyUsageRow.charge_micros).label("charge_micros"),
    )
    .where(
        *of_scope(DailyUsageRow),
        DailyUsageRow.day.between(bindparam("first_day"), bindparam("last_day")),
    )
    .group_by(
        func.grouping_sets(
            tuple_(DailyUsageRow.day),
            tuple_(DailyUsageRow.source),
            tuple_(DailyUsageRow.did_id),
        )
    )
)


def sums(
    connection: Connection, scope: Scope, first_day: dt.date, last_day: dt.date
) -> Sequence[Row[*tuple[Any, ...]]]:
    """One pass over the days: a row per day, per source and per number; the other two are None."""
    days = {"first_day": first_day, "last_day": last_day}
    return connection.execute(_SUMS, scope_values(scope) | days).all()


def numbers(
    connection: Connection, scope: Scope, did_ids: Collection[uuid.UUID]
) -> Mapping[uuid.UUID, Row[*tuple[Any, ...]]]:
    if not did_ids:
        return {}
    rows = connection.execute(
        select(DidRow.id, DidRow.e164, DidRow.label).where(
            DidRow.tenant_id == scope.tenant_id,
            DidRow.account_id == scope.account_id,
            DidRow.id.in_(did_ids),
        )
    )
    return {row.id: row for row in rows}


_PAYER = func.coalesce(
    case((AccountRow.billing == "agency_shared", AccountRow.parent_id)), AccountRow.id
)
_ACCOUNT_AND_WALLET = (
    select(
        AccountRow.currency,
        AccountRow.time_zone,
        AccountRow.status,
        func.coalesce(LedgerAccountRow.balance_micros, 0).label("balance_micros"),
    )
    .outerjoin(
        LedgerAccountRow,
        (LedgerAccountRow.tenant_id == AccountRow.tenant_id)
        & (LedgerAccountRow.name == "wallet:" + func.replace(cast(_PAYER, Text), "-", ""))
        & (LedgerAccountRow.unit == AccountRow.currency),
    )
    .where(AccountRow.tenant_id == bindparam("tenant_id"), AccountRow.id == bindparam("account_id"))
)


def account_and_wallet(connection: Connection, scope: Scope) -> Row[*tuple[Any, ...]] | None:
    """The wallet that pays: the account's own, or its agency's where billing is shared."""
    return connection.execute(_ACCOUNT_AND_WALLET, scope_values(scope)).one_or_none()
