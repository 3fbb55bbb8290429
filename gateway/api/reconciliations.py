"""Our books against the carrier's, and who earns or loses money (staff)."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import for_ops
from gateway.api.fields import Items, Listing, Money, money, page
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import margins, reconciling
from gateway.services.principals import Principal
from gateway.store.reconciliations import NamedDrift, Run


class RunOut(BaseModel):
    day: dt.date = Field(description="UTC.")
    started_at: dt.datetime
    finished_at: dt.datetime | None
    legs_ours: int
    legs_theirs: int
    healed: int


class RunsOut(BaseModel):
    items: list[RunOut]
    next: None = None


class OrderIn(Model):
    day: dt.date = Field(description="A UTC day that is over.")


class DriftListing(Listing):
    kind: str | None = Field(None, max_length=24, description="Left out: all but harmless ones.")
    day: dt.date | None = None


class DriftOut(BaseModel):
    day: dt.date
    kind: str
    account: UUID | None
    account_name: str | None
    call_sid: str | None
    leg_sid: str
    ours: str | int | None = Field(description="Seconds, millionths, a status or a day.")
    theirs: str | int | None
    healed: bool
    found_at: dt.datetime


class DriftsOut(Items[DriftOut]):
    pass


class MarginOut(BaseModel):
    account: UUID
    name: str
    currency: str
    calls: int
    charged: Money
    by_included_credit: Money = Field(
        description="Of it, what the access fee pays for: no revenue of calls and texts."
    )
    cost: Money
    margin: Money


class MarginsOut(BaseModel):
    items: list[MarginOut]
    next: None = None


@blueprint.get("/ops/reconciliations")
@for_ops
@blueprint.output(RunsOut)
def list_reconciliations(staff: Principal) -> RunsOut:
    """The nights of the last month (staff)"""
    with runtime.current().units.read() as uow:
        return RunsOut(items=[_run(run) for run in reconciling.overview(uow).runs])


@blueprint.post("/ops/reconciliations")
@for_ops
@blueprint.input(OrderIn, arg_name="body")
@blueprint.output({}, status_code=202)
def order_reconciliation(staff: Principal, body: OrderIn) -> Response:
    """Have a day compared, or once more (staff)

    The clock does it within seconds; what a webhook never told is told and billed once, anything
    else is only written down.
    """
    with runtime.current().units.begin() as uow:
        reconciling.order(uow, body.day, staff.name)
    return Response(status=202)


@blueprint.get("/ops/drift")
@for_ops
@blueprint.input(DriftListing, location="query", arg_name="query")
@blueprint.output(DriftsOut)
def list_drift(staff: Principal, query: DriftListing) -> dict[str, Any]:
    """Differences to the carrier's records, the newest day first (staff)"""
    with runtime.current().units.read() as uow:
        found = reconciling.list_drifts(
            uow, query.after, query.limit, kind=query.kind, day=query.day
        )
    return page(found, _drift)


@blueprint.get("/ops/margins")
@for_ops
@blueprint.output(MarginsOut)
def list_margins(staff: Principal) -> MarginsOut:
    """Calls and texts of the last 30 days by account, who loses most first (staff)"""
    with runtime.current().units.read() as uow:
        return MarginsOut(
            items=[
                MarginOut(
                    account=row.account_id,
                    name=row.name,
                    currency=row.currency,
                    calls=row.calls,
                    charged=money(row.charge_micros),
                    by_included_credit=money(row.included_micros),
                    cost=money(row.cost_micros),
                    margin=money(row.margin_micros),
                )
                for row in margins.by_account(uow)
            ]
        )


def _run(run: Run) -> RunOut:
    return RunOut(
        day=run.day,
        started_at=run.started_at,
        finished_at=run.finished_at,
        legs_ours=run.legs_ours,
        legs_theirs=run.legs_theirs,
        healed=run.healed,
    )


def _drift(row: NamedDrift) -> DriftOut:
    drift = row.drift
    return DriftOut(
        day=drift.day,
        kind=drift.kind,
        account=drift.account_id,
        account_name=row.account_name,
        call_sid=row.call_sid,
        leg_sid=drift.leg_sid,
        ours=drift.detail["ours"],
        theirs=drift.detail["theirs"],
        healed=drift.healed,
        found_at=drift.found_at,
    )
