"""Accounts in arrears: how far each notice got, who is due for release. Nothing here releases."""

from __future__ import annotations

from gettext import gettext as _
from uuid import UUID

from flask import render_template, request, url_for

from gateway import runtime
from gateway.ops.pages import PAGE, account_of, blueprint, deed, staff
from gateway.services import dunning
from gateway.uow import UnitOfWork


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
@deed(back="ops.list_arrears")
def move_arrears(uow: UnitOfWork, account_id: UUID) -> str:
    """`deed=pause` when a payment is announced, `deed=resume` when it did not come."""
    reason = request.form.get("reason", "").replace("\0", "")[:200]
    scope = account_of(uow, account_id).scope
    if request.form.get("deed") == "pause":
        dunning.pause(uow, scope, reason, staff().name)
        return _("Paused: the days do not count until it goes on.")
    dunning.resume(uow, scope, reason, staff().name)
    return _("It goes on where it stood.")
