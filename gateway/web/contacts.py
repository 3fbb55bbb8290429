"""The link that confirms a billing address: opened by whoever reads mail there, without a log-in.

Opening it only asks, because programs that look through mail open links too; its button confirms.
"""

from gettext import gettext as _

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.limits import limiter
from gateway.services import contacts
from gateway.services.contacts import LinkUseless
from gateway.services.errors import Conflict
from gateway.web.blueprint import blueprint, owners_only, principal, scope

TRIES = "30 per 15 minutes"
LINKS = "10 per hour"


@blueprint.get("/confirm-email")
@limiter.limit(TRIES)
def email_link() -> str | tuple[str, int]:
    running, token = runtime.current(), request.args.get("token", "")
    try:
        with running.units.begin() as uow:
            email = contacts.check(uow, running.settings.secret_key, token)
    except LinkUseless as refusal:
        return render_template("web/confirm_email.html", useless=refusal.words), refusal.status
    return render_template("web/confirm_email.html", email=email, token=token)


@blueprint.post("/confirm-email")
@limiter.limit(TRIES)
def confirm_email() -> str | tuple[str, int]:
    running = runtime.current()
    try:
        with running.units.begin() as uow:
            key = running.settings.secret_key
            done = contacts.confirm(uow, key, request.form.get("token", ""))
    except LinkUseless as refusal:
        return render_template("web/confirm_email.html", useless=refusal.words), refusal.status
    return render_template("web/confirm_email.html", done=done)


@blueprint.post("/settings/email-link")
@limiter.limit(LINKS)
@owners_only
def send_email_link() -> Response:
    try:
        with runtime.current().units.begin() as uow:
            email = contacts.send_again(uow, scope(), principal().name)
    except Conflict as refusal:
        flash(refusal.words, "error")
    else:
        flash(_("A link is on its way to %(address)s.") % {"address": email})
    return redirect(url_for("web.settings"))
