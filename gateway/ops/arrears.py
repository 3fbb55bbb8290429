"""Accounts in arrears: how far each notice got, who is due for release. Nothing here releases."""

from __future__ import annotations

from gettext import gettext as _
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.ops.pages import PAGE, account_of, blueprint, staff
from gateway.services import dunning
from gateway.services.errors import Conflict, Invalid


@blueprint.get("/arrears")
def list_arrears() -> str:
    after, release_only = request.args.get("after"), request.args.get("show") == "release"
    kept = "release" if release_only else None
    with runtime.current().units.read() as uow:
        page = dunning.queue(uow, after, PAGE, release_only=release_only)
        days = {line.scope: dunning.days_overdue(uow, line) for line in page.items}
    return render_template(
        "ops/arrears.html",
        section="arrears",
        page=page,
        days=days,
        release_only=release_only,
        next_url=url_for("ops.list_arrears", after=page.next, show=kept) if page.next else None,
        first_url=url_for("ops.list_arrears", show=kept) if after else None,
    )


@blueprint.post("/arrears/<uuid:account_id>")
def move_arrears(account_id: UUID) -> Response:
    """`deed=pause` when a payment is announced, `deed=resume` when it did not come."""
    reason = request.form.get("reason", "").replace("\0", "")[:200]
    try:
        with runtime.current().units.begin() as uow:
            subject = account_of(uow, account_id)
            if request.form.get("deed") == "pause":
                dunning.pause(uow, subject.scope, reason, staff().name)
                flash(_("Paused: the days do not count until it goes on."))
            else:
                dunning.resume(uow, subject.scope, reason, staff().name)
                flash(_("It goes on where it stood."))
    except (Invalid, Conflict) as refusal:
        flash(refusal.words, "error")
    return redirect(url_for("ops.list_arrears"))
