"""Deeds of the outbox that were given up: tried again or dropped, with a reason."""

from __future__ import annotations

from gettext import gettext as _
from uuid import UUID

from flask import render_template, request, url_for

from gateway import runtime
from gateway.ops.pages import PAGE, blueprint, deed, staff
from gateway.services import operations
from gateway.uow import UnitOfWork


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
@deed(back="ops.deeds")
def mend_deed(uow: UnitOfWork, deed_id: UUID) -> str:
    """`deed=revive` or `deed=discard`, with a reason."""
    reason = request.form.get("reason", "").replace("\0", "")
    if request.form.get("deed") == "revive":
        operations.revive(uow, deed_id, reason, staff().name)
        return _("Revived: it is due now.")
    operations.discard(uow, deed_id, reason, staff().name)
    return _("Discarded.")
