"""The plan of an account: access, what renews next, minutes of the cycle, a change asked for."""

import datetime as dt
from gettext import gettext as _

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.services import plan_changes, plans, pools, renewals, subscriptions
from gateway.services.errors import Invalid
from gateway.web.blueprint import blueprint, owners_only, principal, scope

AHEAD = dt.timedelta(days=31)


@blueprint.get("/billing/plan", endpoint="plan")
def show_plan() -> str:
    return _page()


def _page(problem: str = "") -> str:
    code = request.values.get("to", "")
    with runtime.current().units.read() as uow:
        change = plan_changes.open_change(uow, scope())
        preview = None
        if code and change is None:
            try:
                preview = plan_changes.preview(uow, scope(), code)
            except Invalid as invalid:
                problem = problem or invalid.words
        return render_template(
            "web/plan.html",
            section="billing",
            version=plans.plan_version(uow.connection, g.account.plan_version_id),
            access=subscriptions.view(uow, scope()),
            pool=pools.figures(uow, g.account),
            coming=renewals.upcoming(uow, scope(), uow.now + AHEAD),
            on_sale=[p for p in plans.list_plans(uow) if p.plan.currency == g.account.currency],
            change=change,
            wanted=None
            if change is None
            else plans.plan_version(uow.connection, change.plan_version_id),
            preview=preview,
            problem=problem,
        )


@blueprint.post("/billing/plan")
@owners_only
def request_plan() -> Response:
    with runtime.current().units.begin() as uow:
        change = plan_changes.request(
            uow, scope(), request.form.get("to", ""), principal().name, request.form.get("note", "")
        )
    flash(
        _("Your plan changes on its day, shown below.")
        if change.state == "scheduled"
        else _("We have your wish. Nothing changes before our team agrees.")
    )
    return redirect(url_for("web.plan"))


@blueprint.post("/billing/plan/withdraw")
@owners_only
def withdraw_plan() -> Response:
    with runtime.current().units.begin() as uow:
        change = plan_changes.open_change(uow, scope())
        if change is not None:
            plan_changes.cancel(uow, scope(), change.id, principal().name)
    flash(_("Your plan stays as it is."))
    return redirect(url_for("web.plan"))


@blueprint.post("/billing/access/cancel")
@owners_only
def cancel_access() -> str | Response:
    """Two steps: what ends and when; then the cancellation."""
    if request.form.get("confirmed") != "yes":
        with runtime.current().units.read() as uow:
            return render_template(
                "web/access_cancel.html",
                section="billing",
                access=subscriptions.view(uow, scope()),
                ends_at=subscriptions.would_end_at(uow, scope()),
            )
    with runtime.current().units.begin() as uow:
        subscriptions.cancel_renewal(uow, scope(), principal().name)
    flash(_("It no longer renews. You can take this back while access lasts."))
    return redirect(url_for("web.plan"))


@blueprint.post("/billing/access/resume")
@owners_only
def resume_access() -> Response:
    with runtime.current().units.begin() as uow:
        subscriptions.resume(uow, scope(), principal().name)
    flash(_("It renews again."))
    return redirect(url_for("web.plan"))
