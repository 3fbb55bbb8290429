"""Access and changes of plan: previewed, asked for, decided by staff."""

from __future__ import annotations

import datetime as dt
from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import Access, for_account, require_ops
from gateway.api.fields import Currency, Money, OptionalLine, money
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import plan_changes, plans, subscriptions
from gateway.services.errors import NotFound
from gateway.services.plan_changes import PlanChange
from gateway.services.subscriptions import SubscriptionView
from gateway.uow import UnitOfWork


class PlanChangeIn(Model):
    plan: str = Field(description="Code of the plan that is wished for.", max_length=60)
    term: Literal["month", "year"] | None = Field(
        None, description="Of the access; another one begins when the term that was paid is over."
    )
    note: OptionalLine = ""


class ScheduleIn(Model):
    effective_at: dt.datetime | None = Field(
        None, description="With its offset; left out or past: at once."
    )


class PlanChangeOut(BaseModel):
    id: UUID
    plan: str
    plan_version: int
    term: str | None = Field(description="month or year, where it becomes another one.")
    state: str = Field(
        description="requested, scheduled, held (for what its note says), applied or canceled."
    )
    automatic: bool = Field(
        description="An upgrade by itself, because the minutes of the cycle are used up."
    )
    effective_at: dt.datetime
    requested_by: str
    decided_by: str | None
    note: str


class PlanChangePreview(BaseModel):
    """What a change would cost and give if it took effect now."""

    plan: str
    plan_version: int
    fee: Money
    formula: str = Field(description="The sum behind the fee, in millionths.")
    allowance_seconds: int = Field(description="Minutes that are given at once, in seconds.")
    included_credit: Money = Field(description="That is given at once.")
    days_left: int
    days: int
    next_fee: Money
    next_fee_on: dt.date
    term: str = Field(description="month or year: what the next fee is for.")
    channel: str = Field(description='"self": it applies by itself; "ops_request": staff decides.')
    exhaustion: str = Field(
        description="What follows under that plan when its minutes are used up: charge_plan_rate, "
        "block_new or auto_upgrade."
    )
    next_plan: str | None = Field(
        description="Where auto_upgrade leads: the code of a plan with more minutes."
    )
    currency: Currency


class SubscriptionOut(BaseModel):
    id: UUID
    term: str = Field(description="month or year.")
    fee: Money
    currency: Currency
    started_at: dt.datetime
    renews_on: dt.date | None
    access_ends_at: dt.datetime | None
    waits: bool = Field(description="A fee that the balance does not cover yet.")


@blueprint.post("/plan-change/preview")
@for_account
@blueprint.input(PlanChangeIn, arg_name="body")
@blueprint.output(PlanChangePreview)
def preview_plan_change(access: Access, body: PlanChangeIn) -> PlanChangePreview:
    """What another plan would cost; nothing is changed"""
    with runtime.current().units.read() as uow:
        seen = plan_changes.preview(uow, access.scope, body.plan, body.term)
    terms = seen.wanted.plan.terms
    return PlanChangePreview(
        plan=seen.wanted.plan_code,
        plan_version=seen.wanted.version,
        fee=money(seen.change.fee_micros),
        formula=seen.change.formula,
        allowance_seconds=seen.change.allowance_seconds,
        included_credit=money(seen.credit_micros),
        days_left=seen.change.days_left,
        days=seen.change.days,
        next_fee=money(seen.change.next_fee_micros),
        next_fee_on=seen.change.next_fee_on,
        term=seen.change.term,
        channel=seen.change.channel,
        exhaustion=terms.exhaustion,
        next_plan=terms.upgrade.next_plan if terms.exhaustion == "auto_upgrade" else None,
        currency=access.currency,
    )


@blueprint.get("/plan-change")
@for_account
@blueprint.output(PlanChangeOut)
def get_plan_change(access: Access) -> PlanChangeOut:
    """The change that waits for a decision, for its day, or for money"""
    with runtime.current().units.read() as uow:
        return _out(uow, _open(uow, access))


@blueprint.post("/plan-change")
@for_account
@blueprint.input(PlanChangeIn, arg_name="body")
@blueprint.output(PlanChangeOut, status_code=201)
def request_plan_change(access: Access, body: PlanChangeIn) -> PlanChangeOut:
    """Ask for another plan

    Staff decides, unless the plan lets customers change by themselves. The same wish again
    answers the first.
    """
    with runtime.current().units.begin() as uow:
        change = plan_changes.request(
            uow, access.scope, body.plan, access.actor, body.note, body.term
        )
        return _out(uow, change)


@blueprint.delete("/plan-change")
@for_account
@blueprint.output({}, status_code=204)
def withdraw_plan_change(access: Access) -> Response:
    """Take the wish back, or turn it down"""
    with runtime.current().units.begin() as uow:
        change = _open(uow, access)
        plan_changes.cancel(uow, access.scope, change.id, access.actor)
    return Response(status=204)


@blueprint.post("/ops/plan-change/schedule")
@for_account
@blueprint.input(ScheduleIn, arg_name="body")
@blueprint.output(PlanChangeOut)
def schedule_plan_change(access: Access, body: ScheduleIn) -> PlanChangeOut:
    """Agree to the change, from an instant on (staff)"""
    require_ops()
    with runtime.current().units.begin() as uow:
        change = _open(uow, access)
        agreed = plan_changes.schedule(
            uow, access.scope, change.id, body.effective_at, access.actor
        )
        return _out(uow, agreed)


@blueprint.get("/subscription")
@for_account
@blueprint.output(SubscriptionOut)
def get_subscription(access: Access) -> SubscriptionOut:
    """The access of an account whose plan has a fee for it"""
    with runtime.current().units.read() as uow:
        found = subscriptions.view(uow, access.scope)
    if found is None:
        raise NotFound("subscription", access.scope.account_id)
    return _subscription_out(found, access.currency)


@blueprint.post("/subscription/cancel")
@for_account
@blueprint.output(SubscriptionOut)
def cancel_subscription(access: Access) -> SubscriptionOut:
    """Cancel the renewal; access ends as the plan says, and nothing is refunded"""
    with runtime.current().units.begin() as uow:
        found = subscriptions.cancel_renewal(uow, access.scope, access.actor)
    return _subscription_out(found, access.currency)


@blueprint.post("/subscription/resume")
@for_account
@blueprint.output(SubscriptionOut)
def resume_subscription(access: Access) -> SubscriptionOut:
    """Take a cancellation back while access lasts"""
    with runtime.current().units.begin() as uow:
        found = subscriptions.resume(uow, access.scope, access.actor)
    return _subscription_out(found, access.currency)


def _open(uow: UnitOfWork, access: Access) -> PlanChange:
    change = plan_changes.open_change(uow, access.scope)
    if change is None:
        raise NotFound("open change of plan", access.scope.account_id)
    return change


def _out(uow: UnitOfWork, change: PlanChange) -> PlanChangeOut:
    version = plans.plan_version(uow.connection, change.plan_version_id)
    return PlanChangeOut(
        id=change.id,
        plan=version.plan_code,
        plan_version=version.version,
        term=change.term,
        state=change.state,
        effective_at=change.effective_at,
        requested_by=change.requested_by,
        decided_by=change.decided_by,
        note=change.note,
        automatic=change.automatic,
    )


def _subscription_out(view: SubscriptionView, currency: str) -> SubscriptionOut:
    return SubscriptionOut(
        id=view.id,
        term=view.term,
        fee=money(view.fee_micros),
        currency=currency,
        started_at=view.started_at,
        renews_on=view.renews_on,
        access_ends_at=view.access_ends_at,
        waits=view.waits,
    )
