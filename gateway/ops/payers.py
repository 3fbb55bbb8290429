"""Who pays for a client, now and on days to come: seen before it is confirmed."""

from __future__ import annotations

from gettext import gettext as _
from uuid import UUID

from flask import render_template, request

from gateway import runtime
from gateway.ops.pages import account_of, blueprint, deed, staff
from gateway.services import accounts, memberships, payer_form
from gateway.store.base import Scope
from gateway.uow import UnitOfWork


@blueprint.get("/accounts/<uuid:account_id>/payer")
def payer(account_id: UUID) -> tuple[str, int]:
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
            asked=asked,
        )
    return page, asked.status


@blueprint.post("/accounts/<uuid:account_id>/payer")
@deed(back="ops.payer")
def plan_payer(uow: UnitOfWork, account_id: UUID) -> str:
    payer_form.confirmed(uow, account_of(uow, account_id).scope, request.form, staff().name)
    return _("Done: what begins on a later day stands under Planned.")


@blueprint.post("/accounts/<uuid:account_id>/payer/cancel")
@deed(back="ops.payer")
def cancel_payer(uow: UnitOfWork, account_id: UUID) -> str:
    memberships.cancel(uow, account_of(uow, account_id).scope, staff().name)
    return _("Cancelled: it stays as it is.")
