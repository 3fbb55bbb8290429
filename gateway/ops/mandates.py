"""Mandates of an account: kept when its customer has signed, ended with a reason."""

from __future__ import annotations

from gettext import gettext as _
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.ops import periods
from gateway.ops.pages import account_of, blueprint, deed, staff
from gateway.services import debit_runs, mandates
from gateway.services.errors import Invalid
from gateway.uow import UnitOfWork

FIELDS = ("reference", "signed_on", "holder", "iban")


@blueprint.get("/accounts/<uuid:account_id>/mandates")
def list_mandates(account_id: UUID) -> str:
    return mandates_page(account_id)


def mandates_page(
    account_id: UUID, *, invalid: Invalid | None = None, typed: dict[str, str] | None = None
) -> str:
    errors: dict[str, list[str]] = {}
    for error in invalid.errors if invalid else ():
        errors.setdefault(error.path.removeprefix("/"), []).append(error.message)
    with runtime.current().units.read() as uow:
        subject = account_of(uow, account_id)
        return render_template(
            "ops/mandates.html",
            section="accounts",
            subject=subject,
            found=mandates.list_mandates(uow, subject.scope),
            coming=debit_runs.coming(uow, subject.scope),
            errors=errors,
            typed=typed or {},
        )


@blueprint.post("/accounts/<uuid:account_id>/mandates")
def keep_mandate(account_id: UUID) -> Response | tuple[str, int]:
    """It replaces the one in force."""
    typed = {name: request.form.get(name, "").replace("\0", "").strip() for name in FIELDS}
    try:
        signed_on = periods.day(typed["signed_on"], "/signed_on")
        with runtime.current().units.begin() as uow:
            kept = mandates.keep(
                uow,
                account_of(uow, account_id).scope,
                reference=typed["reference"],
                signed_on=signed_on,
                holder=typed["holder"],
                iban=typed["iban"],
                actor=staff().name,
            )
    except Invalid as invalid:
        return mandates_page(account_id, invalid=invalid, typed=typed), 422
    flash(_("Kept: %(reference)s is in force.") % {"reference": kept.reference})
    return redirect(url_for("ops.list_mandates", account_id=account_id))


@blueprint.post("/accounts/<uuid:account_id>/mandates/end")
@deed(back="ops.list_mandates")
def end_mandate(uow: UnitOfWork, account_id: UUID) -> str:
    reason = request.form.get("reason", "").replace("\0", "")[:200]
    mandates.end(uow, account_of(uow, account_id).scope, reason, staff().name)
    return _("Ended: nothing more is collected under it.")
