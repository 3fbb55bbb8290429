"""Who pays for a client, now and on days to come: seen before it is confirmed."""

from __future__ import annotations

from gettext import gettext as _
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.ops.pages import account_of, blueprint, staff
from gateway.services import accounts, memberships, payer_form
from gateway.services.errors import Conflict, Invalid
from gateway.store.base import Scope


@blueprint.get("/accounts/<uuid:account_id>/payer")
def payer(account_id: UUID) -> str | tuple[str, int]:
    """With a choice in the query: what it would change."""
    with runtime.current().units.read() as uow:
        subject = account_of(uow, account_id)
        agency = None
        if subject.parent_id is not None:
            agency = accounts.get_account(uow, Scope(subject.tenant_id, subject.parent_id))
        asked = payer_form.asked(uow, subject.scope, request.args if agency else {})
        page = render_template(
            "ops/payer.html",
            section="accounts",
            subject=subject,
            agency=agency,
            upcoming=memberships.upcoming(uow, subject.scope),
            seen=asked.seen,
            typed=asked.typed,
            errors=asked.errors,
        )
    return (page, 422) if asked.errors else page


@blueprint.post("/accounts/<uuid:account_id>/payer")
def plan_payer(account_id: UUID) -> Response:
    try:
        with runtime.current().units.begin() as uow:
            scope = account_of(uow, account_id).scope
            payer_form.confirmed(uow, scope, request.form, staff().name)
    except (Conflict, Invalid) as refusal:
        flash(refusal.words, "error")
    else:
        flash(_("Done: what begins on a later day stands under Planned."))
    return redirect(url_for("ops.payer", account_id=account_id))


@blueprint.post("/accounts/<uuid:account_id>/payer/cancel")
def cancel_payer(account_id: UUID) -> Response:
    try:
        with runtime.current().units.begin() as uow:
            memberships.cancel(uow, account_of(uow, account_id).scope, staff().name)
    except Conflict as refusal:
        flash(refusal.words, "error")
    else:
        flash(_("Cancelled: it stays as it is."))
    return redirect(url_for("ops.payer", account_id=account_id))
