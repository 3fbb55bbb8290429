"""The customer's mandate: what is taken by it and when, from which bank account, and its end."""

from gettext import gettext as _

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.services import debit_runs, mandates
from gateway.services.errors import Conflict
from gateway.web.blueprint import blueprint, owners_only, principal, scope

ENDED_BY_CUSTOMER = "ended by the customer"


@blueprint.get("/billing/mandate")
def mandate() -> str:
    with runtime.current().units.read() as uow:
        return render_template(
            "web/mandate.html",
            section="billing",
            mandate=mandates.find(uow, scope()),
            coming=debit_runs.coming(uow, scope()),
        )


@blueprint.post("/billing/mandate/end")
@owners_only
def end_mandate() -> Response:
    try:
        with runtime.current().units.begin() as uow:
            mandates.end(uow, scope(), ENDED_BY_CUSTOMER, principal().name)
    except Conflict as refusal:
        flash(refusal.words, "error")
    else:
        flash(_("Ended: nothing more is collected under it. Please pay by transfer from now on."))
    return redirect(url_for("web.mandate"))
