"""The mailbox: what was sent to whom; without MAIL_URL it went nowhere else."""

from __future__ import annotations

from uuid import UUID

from flask import render_template, request, url_for

from gateway import runtime
from gateway.ops.pages import PAGE, blueprint
from gateway.services import operations


@blueprint.get("/mails")
def mails() -> str:
    after = request.args.get("after")
    running = runtime.current()
    with running.units.read() as uow:
        page = operations.mailbox(uow, after, PAGE)
    return render_template(
        "ops/mails.html",
        section="mails",
        page=page,
        is_sandbox=not running.settings.mail_url,
        next_url=url_for("ops.mails", after=page.next) if page.next else None,
        first_url=url_for("ops.mails") if after else None,
    )


@blueprint.get("/mails/<uuid:mail_id>")
def mail(mail_id: UUID) -> str:
    with runtime.current().units.read() as uow:
        found = operations.get_mail(uow, mail_id)
    return render_template("ops/mail.html", section="mails", mail=found)
