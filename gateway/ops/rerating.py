"""Pricing a period anew after a mistake in a tariff: chosen, looked at, then done with a reason."""

from __future__ import annotations

from gettext import gettext as _
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from billing.money import format_amount
from gateway import runtime
from gateway.ops import periods
from gateway.ops.pages import account_of, blueprint, staff
from gateway.services import rerating
from gateway.services.errors import Invalid
from gateway.services.rerating import Mistake
from gateway.uow import UnitOfWork


@blueprint.get("/re-rating")
def re_rating() -> str | tuple[str, int]:
    """Which accounts a mistake touched, and what a correction would do to each."""
    errors: dict[str, list[str]] = {}
    previews: list[rerating.Preview] | None = None
    with runtime.current().units.read() as uow:
        if "wrong" in request.args:
            try:
                mistake = _mistake(uow)
                rerating.check(uow, mistake)
                previews = [
                    rerating.preview(uow, account.scope, mistake)
                    for account in rerating.affected(uow, mistake)
                ]
            except Invalid as invalid:
                for error in invalid.errors:
                    errors.setdefault(error.path.lstrip("/"), []).append(error.message)
        page = render_template(
            "ops/re_rating.html",
            section="plans",
            choices=periods.version_choices(uow),
            asked=request.args,
            previews=previews,
            errors=errors,
        )
    return (page, 422) if errors else page


@blueprint.post("/accounts/<uuid:account_id>/re-rating")
def correct_account(account_id: UUID) -> Response:
    """One account, as its preview showed it."""
    units = runtime.current().units
    with units.read() as uow:
        subject = account_of(uow, account_id)
        try:
            mistake = _mistake(uow)
        except Invalid as invalid:
            flash(invalid.words, "error")
            return redirect(url_for("ops.re_rating"))
    try:
        done = rerating.correct(
            units,
            subject.scope,
            mistake,
            reason=request.form.get("reason", "").replace("\0", ""),
            actor=staff().name,
        )
    except Invalid as invalid:
        flash(invalid.words, "error")
    else:
        flash(
            _("%(name)s: %(legs)s legs priced anew, %(given)s given back and %(taken)s charged.")
            % {
                "name": subject.name,
                "legs": done.legs,
                "given": format_amount(done.given_back_micros),
                "taken": format_amount(done.taken_micros),
            }
        )
    form = request.form
    return redirect(
        url_for(
            "ops.re_rating",
            wrong=form.get("wrong"),
            right=form.get("right"),
            first=form.get("first"),
            last=form.get("last"),
        )
    )


def _mistake(uow: UnitOfWork) -> Mistake:
    asked = request.values
    since, until = periods.period(asked.get("first", ""), asked.get("last", ""))
    return Mistake(
        since,
        until,
        periods.version_of(uow, asked.get("wrong", ""), "/wrong"),
        periods.version_of(uow, asked.get("right", ""), "/right"),
    )
