"""Plans checked before they are published, published from a date on, compared (staff)."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from billing.plan_diff import compare
from gateway import runtime
from gateway.api.access import for_anyone, for_ops
from gateway.api.plans import in_body
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import plans, publications
from gateway.services.errors import Invalid, NotFound
from gateway.services.plans import PlanVersion
from gateway.services.principals import Principal
from gateway.store.publications import Publication


class DraftIn(Model):
    code: str = Field(max_length=60)
    document: dict[str, Any]


class PublicationIn(DraftIn):
    from_at: dt.datetime | None = Field(
        None, alias="from", description="With its offset; left out or past: within seconds."
    )
    moves_accounts: bool = Field(
        False, description="Accounts on the plan move along, for calls that start after it."
    )


class WarningOut(BaseModel):
    path: str
    message: str


class ChangeOut(BaseModel):
    path: str
    before: str | None
    after: str | None


class CheckOut(BaseModel):
    warnings: list[WarningOut] = Field(description="Worth a second look; they stop nothing.")
    changes: list[ChangeOut] = Field(description="Against the newest version.")
    version: int | None = Field(description="The newest version; null for a new plan.")
    accounts: int = Field(description="On any version of the plan.")


class PublicationOut(BaseModel):
    id: UUID
    code: str
    from_at: dt.datetime
    moves_accounts: bool
    created_at: dt.datetime
    created_by: str


class PublicationsOut(BaseModel):
    items: list[PublicationOut]
    next: None = None


class VersionsQuery(Model):
    before: int = Field(ge=1)
    after: int = Field(ge=1)


class ComparisonOut(BaseModel):
    code: str
    before: int
    after: int
    changes: list[ChangeOut]


@blueprint.post("/ops/plan-checks")
@for_ops
@blueprint.input(DraftIn, arg_name="body")
@blueprint.output(CheckOut)
def check_plan(staff: Principal, body: DraftIn) -> CheckOut:
    """What is wrong with a plan, what to ask about it, what it changes (staff)

    Errors are a 422 with a path for each; nothing is saved.
    """
    with runtime.current().units.read() as uow:
        try:
            seen = publications.check(uow, body.code, body.document)
        except Invalid as refusal:
            raise Invalid(in_body(refusal.errors)) from None
    return CheckOut(
        warnings=[WarningOut(path=w.path, message=w.message) for w in seen.warnings],
        changes=[ChangeOut(path=c.path, before=c.before, after=c.after) for c in seen.changes],
        version=seen.current.version if seen.current else None,
        accounts=seen.accounts,
    )


@blueprint.post("/ops/plan-publications")
@for_ops
@blueprint.input(PublicationIn, arg_name="body")
@blueprint.output(PublicationOut, status_code=201)
def publish_plan_on(staff: Principal, body: PublicationIn) -> PublicationOut:
    """Publish a plan from an instant on (staff)

    Until then it is no version and can be called off.
    """
    if body.from_at is not None and body.from_at.tzinfo is None:
        raise Invalid.at("/from", "write the offset too, such as 2027-01-01T00:00:00Z")
    with runtime.current().units.begin() as uow:
        try:
            order = publications.publish(
                uow,
                body.code,
                body.document,
                staff.name,
                from_at=body.from_at,
                moves_accounts=body.moves_accounts,
            )
        except Invalid as refusal:
            raise Invalid(in_body(refusal.errors)) from None
    return _out(order)


@blueprint.get("/ops/plan-publications")
@for_ops
@blueprint.output(PublicationsOut)
def list_publications(staff: Principal) -> PublicationsOut:
    """Plans that wait for their date (staff)"""
    with runtime.current().units.read() as uow:
        return PublicationsOut(items=[_out(one) for one in publications.waiting(uow)])


@blueprint.delete("/ops/plan-publications/<uuid:publication_id>")
@for_ops
@blueprint.output({}, status_code=204)
def cancel_publication(staff: Principal, publication_id: UUID) -> Response:
    """Call a publication off while it waits (staff)"""
    with runtime.current().units.begin() as uow:
        publications.cancel(uow, publication_id, staff.name)
    return Response(status=204)


@blueprint.get("/plans/<code>/comparison")
@for_anyone
@blueprint.input(VersionsQuery, location="query", arg_name="query")
@blueprint.output(ComparisonOut)
def compare_versions(principal: Principal, code: str, query: VersionsQuery) -> ComparisonOut:
    """Two versions of a plan, field by field"""
    with runtime.current().units.read() as uow:
        found = {version.version: version for version in plans.versions(uow, code)}
    before, after = (_pick(found, code, n, principal) for n in (query.before, query.after))
    return ComparisonOut(
        code=code,
        before=before.version,
        after=after.version,
        changes=[
            ChangeOut(path=line.path, before=line.before, after=line.after)
            for line in compare(before.document, after.document)
        ],
    )


def _pick(
    found: dict[int, PlanVersion], code: str, number: int, principal: Principal
) -> PlanVersion:
    version = found.get(number)
    if version is None or (version.kind != "retail" and not principal.is_ops):
        raise NotFound("plan version", f"{code} v{number}")
    return version


def _out(order: Publication) -> PublicationOut:
    return PublicationOut(
        id=order.id,
        code=order.code,
        from_at=order.from_at,
        moves_accounts=order.moves_accounts,
        created_at=order.created_at,
        created_by=order.created_by,
    )
