"""Deeds of the outbox that were given up: tried again or dropped, with a reason."""

from __future__ import annotations

from gettext import gettext as _
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.ops.pages import PAGE, blueprint, staff
from gateway.services import operations
from gateway.services.errors import Conflict, Invalid


@blueprint.get("/deeds")
def deeds() -> str:
    after = request.args.get("after")
    with runtime.current().units.read() as uow:
        page = operations.dead_deeds(uow, after, PAGE)
        waiting = operations.waiting_deeds(uow, PAGE)
    return render_template(
        "ops/deeds.html",
        section="deeds",
        page=page,
        waiting=waiting,
        next_url=url_for("ops.deeds", after=page.next) if page.next else None,
        first_url=url_for("ops.deeds") if after else None,
    )


@blueprint.post("/deeds/<uuid:deed_id>")
def mend_deed(deed_id: UUID) -> Response:
    """`deed=revive` or `deed=discard`, with a reason."""
    reason = request.form.get("reason", "").replace("\0", "")
    try:
        with runtime.current().units.begin() as uow:
            if request.form.get("deed") == "revive":
                operations.revive(uow, deed_id, reason, staff().name)
                flash(_("Revived: it is due now."))
            else:
                operations.discard(uow, deed_id, reason, staff().name)
                flash(_("Discarded."))
    except (Invalid, Conflict) as refusal:
        flash(refusal.words, "error")
    return redirect(url_for("ops.deeds"))
