"""Plans: what is for sale, as documents."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import for_anyone, for_ops
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import plans
from gateway.services.errors import FieldError, Invalid, NotFound
from gateway.services.plans import PlanVersion
from gateway.services.principals import Principal


class PlanIn(Model):
    code: str = Field(description="Stable name of the plan, such as payg.")
    document: dict[str, Any] = Field(description="The plan with its tariff.")


class PlanOut(BaseModel):
    id: UUID = Field(description="Of this version; it never changes.")
    code: str
    version: int
    name: str
    description: str
    currency: str
    document: dict[str, Any]
    published_at: dt.datetime
    published_by: str


class PlansOut(BaseModel):
    items: list[PlanOut]
    next: None = None


@blueprint.get("/plans")
@for_anyone
@blueprint.output(PlansOut)
def list_plans(principal: Principal) -> PlansOut:
    """List the newest version of each plan"""
    with runtime.current().units.read() as uow:
        return PlansOut(items=[plan_out(version) for version in plans.list_plans(uow)])


@blueprint.get("/plans/<plan_id>")
@for_anyone
@blueprint.output(PlanOut)
def get_plan(principal: Principal, plan_id: str) -> PlanOut:
    """One plan

    By the id of a version, or by the plan's code for its newest version.
    """
    with runtime.current().units.read() as uow:
        try:
            version = plans.plan_version(uow.connection, UUID(plan_id))
        except ValueError:
            version = plans.get_plan(uow, plan_id)
    if version.kind != "retail" and not principal.is_ops:
        raise NotFound("plan", plan_id)
    return plan_out(version)


@blueprint.post("/plans")
@for_ops
@blueprint.input(PlanIn, arg_name="body")
@blueprint.output(PlanOut, status_code=201)
def publish_plan(staff: Principal, body: PlanIn) -> PlanOut:
    """Publish a version of a plan (staff)

    A version is never edited; accounts stay on theirs until they are moved. The document of the
    newest version again changes nothing and answers that version.
    """
    with runtime.current().units.begin() as uow:
        try:
            return plan_out(plans.publish_plan(uow, body.code, body.document, staff.name))
        except Invalid as refusal:
            raise Invalid(in_body(refusal.errors)) from None


def in_body(errors: tuple[FieldError, ...]) -> list[FieldError]:
    """Paths in the document become paths in the body."""
    return [
        e if e.path == "/code" else FieldError(f"/document{e.path}", e.message, e.code)
        for e in errors
    ]


def plan_out(version: PlanVersion) -> PlanOut:
    return PlanOut(
        id=version.id,
        code=version.plan_code,
        version=version.version,
        name=version.plan.name,
        description=version.plan.description,
        currency=version.plan.currency,
        document=dict(version.document),
        published_at=version.published_at,
        published_by=version.published_by,
    )
