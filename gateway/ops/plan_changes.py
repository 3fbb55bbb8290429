"""Changes of plan that wait: agreed to from a day on, or turned down."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from gettext import gettext as _
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.ops.pages import account_of, blueprint, staff
from gateway.services import accounts, plan_changes, plans
from gateway.services.accounts import Account
from gateway.services.errors import Invalid
from gateway.services.plan_changes import PlanChange
from gateway.services.plans import PlanVersion


@dataclass(frozen=True, slots=True)
class Wish:
    change: PlanChange
    account: Account
    current: PlanVersion
    wanted: PlanVersion


@blueprint.get("/plan-changes", endpoint="plan_changes")
def list_plan_changes() -> str:
    with runtime.current().units.read() as uow:
        wishes = []
        for change in plan_changes.waiting(uow):
            account = accounts.get_account(uow, change.scope)
            wishes.append(
                Wish(
                    change,
                    account,
                    plans.plan_version(uow.connection, account.plan_version_id),
                    plans.plan_version(uow.connection, change.plan_version_id),
                )
            )
    return render_template("ops/plan_changes.html", section="plans", wishes=wishes)


@blueprint.post("/accounts/<uuid:account_id>/plan-change/<uuid:change_id>")
def decide_plan_change(account_id: UUID, change_id: UUID) -> Response:
    with runtime.current().units.begin() as uow:
        subject = account_of(uow, account_id)
        if request.form.get("decision") == "no":
            plan_changes.cancel(uow, subject.scope, change_id, staff().name)
            flash(_("%(name)s keeps its plan.") % {"name": subject.name})
        else:
            at = _day(request.form.get("on", ""))
            plan_changes.schedule(uow, subject.scope, change_id, at, staff().name)
            flash(_("%(name)s changes its plan.") % {"name": subject.name})
    return redirect(url_for("ops.plan_changes"))


def _day(text: str) -> dt.datetime | None:
    """From the beginning of a UTC day on; nothing means at once."""
    if not text:
        return None
    try:
        return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), tzinfo=dt.UTC)
    except ValueError:
        raise Invalid.at("/on", "write a day, such as 2026-12-31") from None
