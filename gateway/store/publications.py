"""Plan documents that wait for their date."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from gateway.store.accounts import AccountRow
from gateway.store.base import Scope
from gateway.store.plans import PlanPublicationRow, PlanRow, PlanVersionRow


@dataclass(frozen=True, slots=True)
class Publication:
    """`state`: waiting, published, canceled."""

    id: uuid.UUID
    code: str
    kind: str
    document: dict[str, Any]
    from_at: dt.datetime
    moves_accounts: bool
    state: str
    created_at: dt.datetime
    created_by: str
    decided_at: dt.datetime | None
    decided_by: str | None
    plan_version_id: uuid.UUID | None


_PUBLICATIONS = select(*(getattr(PlanPublicationRow, n) for n in Publication.__dataclass_fields__))


def add(connection: Connection, publication: Publication) -> None:
    connection.execute(
        insert(PlanPublicationRow).values(
            {name: getattr(publication, name) for name in Publication.__dataclass_fields__}
        )
    )


def waiting(connection: Connection, *, code: str | None = None) -> tuple[Publication, ...]:
    """The next one first."""
    found = _PUBLICATIONS.where(PlanPublicationRow.state == "waiting")
    if code is not None:
        found = found.where(PlanPublicationRow.code == code)
    rows = connection.execute(found.order_by(PlanPublicationRow.from_at, PlanPublicationRow.id))
    return tuple(Publication(*row) for row in rows)


def lock(connection: Connection, id: uuid.UUID, *, wait: bool = True) -> Publication | None:
    """None where there is none or, without `wait`, where somebody else decides it right now."""
    row = connection.execute(
        _PUBLICATIONS.where(PlanPublicationRow.id == id).with_for_update(skip_locked=not wait)
    ).first()
    return None if row is None else Publication(*row)


def decide(connection: Connection, id: uuid.UUID, **values: Any) -> None:
    """`state`, `decided_at`, `decided_by`, `plan_version_id`."""
    connection.execute(
        update(PlanPublicationRow).where(PlanPublicationRow.id == id).values(**values)
    )


def oldest_due_at(connection: Connection, *, now: dt.datetime) -> dt.datetime | None:
    found: dt.datetime | None = connection.scalar(
        select(func.min(PlanPublicationRow.from_at)).where(
            PlanPublicationRow.state == "waiting", PlanPublicationRow.from_at <= now
        )
    )
    return found


def accounts_on_older(connection: Connection, version_id: uuid.UUID) -> list[Scope]:
    """Accounts on another version of the same plan, in key order; closed ones stay."""
    plan_id = (
        select(PlanVersionRow.plan_id).where(PlanVersionRow.id == version_id).scalar_subquery()
    )
    rows = connection.execute(
        select(AccountRow.tenant_id, AccountRow.id)
        .join(PlanVersionRow, PlanVersionRow.id == AccountRow.plan_version_id)
        .where(
            PlanVersionRow.plan_id == plan_id,
            PlanVersionRow.id != version_id,
            AccountRow.status != "closed",
        )
        .order_by(AccountRow.tenant_id, AccountRow.id)
    )
    return [Scope(*row) for row in rows]


def accounts_on_plan(connection: Connection, code: str) -> int:
    """How many accounts are on any version of a plan."""
    return (
        connection.scalar(
            select(func.count())
            .select_from(AccountRow)
            .join(PlanVersionRow, PlanVersionRow.id == AccountRow.plan_version_id)
            .join(PlanRow, PlanRow.id == PlanVersionRow.plan_id)
            .where(PlanRow.code == code, AccountRow.status != "closed")
        )
        or 0
    )
