"""A line that was wrong, undone with its like in one deed."""

from __future__ import annotations

from gettext import gettext as _
from gettext import ngettext
from uuid import UUID

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.ops.pages import account_of, blueprint, staff
from gateway.services import reversals
from gateway.services.errors import Conflict, Invalid


@blueprint.post("/accounts/<uuid:account_id>/ledger/<posting_id>/reversal")
def reverse_posting(account_id: UUID, posting_id: str) -> Response:
    """The line itself, and those of its like that were ticked."""
    also = request.form.getlist("also")
    try:
        with runtime.current().units.begin() as uow:
            done = reversals.reverse_postings(
                uow,
                account_of(uow, account_id).scope,
                [posting_id, *also],
                reason=request.form.get("reason", "").replace("\0", ""),
                actor=staff().name,
            )
    except (Invalid, Conflict) as refusal:
        flash(refusal.words, "error")
        return redirect(
            url_for("ops.account_posting", account_id=account_id, posting_id=posting_id)
        )
    flash(
        _("The line is undone.")
        if len(done) == 1
        else ngettext("%(n)s line is undone.", "%(n)s lines are undone.", len(done))
        % {"n": len(done)}
    )
    return redirect(url_for("ops.account_posting", account_id=account_id, posting_id=done[0].id))
