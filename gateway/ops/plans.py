"""Plans: the documents on sale, every version, and two of them line by line."""

from __future__ import annotations

from flask import render_template, request

from gateway import runtime
from gateway.ops.accounts import as_lines, compare
from gateway.ops.pages import blueprint
from gateway.services import plans, publications
from gateway.services.errors import NotFound
from gateway.services.plans import PlanVersion


@blueprint.get("/plans")
def list_plans() -> str:
    with runtime.current().units.read() as uow:
        return render_template(
            "ops/plans.html",
            section="plans",
            on_sale=plans.list_plans(uow),
            carrier=plans.carrier_tariff(uow.connection),
            waiting=publications.waiting(uow),
        )


@blueprint.get("/plans/<code>")
def plan(code: str) -> str:
    """One version (`?version=`, the newest without), or two (`?with=`), line by line."""
    with runtime.current().units.read() as uow:
        versions = plans.versions(uow, code)
    shown = _pick(versions, request.args.get("version")) or versions[0]
    other = _pick(versions, request.args.get("with"))
    return render_template(
        "ops/plan.html",
        section="plans",
        code=code,
        versions=versions,
        shown=shown,
        other=other,
        lines=as_lines(shown.document),
        changes=[] if other is None else list(compare(other.document, shown.document)),
    )


def _pick(versions: tuple[PlanVersion, ...], number: str | None) -> PlanVersion | None:
    if not number:
        return None
    for version in versions:
        if str(version.version) == number:
            return version
    raise NotFound("version", number)
