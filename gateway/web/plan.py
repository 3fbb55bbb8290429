"""The plan of an account: access, what renews next, minutes of the cycle, a change asked for."""

import datetime as dt
from dataclasses import dataclass
from gettext import gettext as _

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from billing.subscriptions import TERM_MONTHS
from billing.terms import Term
from gateway import runtime
from gateway.services import plan_changes, plans, pools, renewals, subscriptions, upgrades
from gateway.services.accounts import Account
from gateway.services.errors import Invalid
from gateway.services.plans import PlanVersion
from gateway.services.subscriptions import SubscriptionView
from gateway.uow import UnitOfWork
from gateway.web.blueprint import blueprint, owners_only, principal, scope

AHEAD = dt.timedelta(days=31)


@blueprint.get("/billing/plan", endpoint="plan")
def show_plan() -> str:
    return _page()


@dataclass(frozen=True, slots=True)
class Choice:
    """A plan that the account may go over to, by the term that is named."""

    version: PlanVersion
    term: Term | None  # None: the one that runs, or the plan has no fee
    fee_micros: int
    by_year: bool

    @property
    def value(self) -> str:
        return f"{self.version.plan_code}/{self.term}" if self.term else self.version.plan_code


def _choices(uow: UnitOfWork, account: Account, access: SubscriptionView | None) -> list[Choice]:
    """Every plan by the term that runs, and by the other one where it is sold so."""
    found = []
    for version in plans.list_plans(uow):
        if version.plan.currency != account.currency:
            continue
        fees = version.plan.terms.access_fee
        running: Term = "year" if access is not None and access.term == "year" else "month"
        for term in TERM_MONTHS:
            fee = fees.for_term(term)
            if fee is None or (term != running and not fee):
                continue
            if term == running and version.id == account.plan_version_id:
                continue
            other = None if term == running else term
            found.append(Choice(version, other, fee, by_year=term == "year"))
    return found


def _wish() -> tuple[str, Term | None]:
    """The plan and the term of a choice."""
    code, _slash, term = request.values.get("to", "").partition("/")
    return code, term if term in TERM_MONTHS else None


def _page(problem: str = "") -> str:
    code, term = _wish()
    with runtime.current().units.read() as uow:
        change = plan_changes.open_change(uow, scope())
        preview = None
        if code and (change is None or change.automatic):
            try:
                preview = plan_changes.preview(uow, scope(), code, term)
            except Invalid as invalid:
                problem = problem or invalid.words
        version = plans.plan_version(uow.connection, g.account.plan_version_id)
        access = subscriptions.view(uow, scope())
        coming = renewals.upcoming(uow, scope(), uow.now + AHEAD)
        return render_template(
            "web/plan.html",
            section="billing",
            version=version,
            access=access,
            pool=pools.figures(uow, g.account),
            coming=coming,
            missing_micros=renewals.missing(uow, scope(), coming),
            agency=pools.owner_of(uow, g.account) if g.account.billing != "own" else None,
            choices=_choices(uow, g.account, access),
            change=change,
            history=plan_changes.history(uow, scope()),
            following=upgrades.following(uow, version) if g.account.billing == "own" else None,
            following_wanted=upgrades.following(uow, preview.wanted) if preview else None,
            wanted=None
            if change is None
            else plans.plan_version(uow.connection, change.plan_version_id),
            preview=preview,
            problem=problem,
        )


@blueprint.post("/billing/plan")
@owners_only
def request_plan() -> Response:
    code, term = _wish()
    with runtime.current().units.begin() as uow:
        change = plan_changes.request(
            uow, scope(), code, principal().name, request.form.get("note", ""), term
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
