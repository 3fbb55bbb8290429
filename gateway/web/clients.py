"""The clients of an agency: who pays for whom, and what each has used and caused."""

from gettext import gettext as _
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.services import accounts, clients, memberships, payer_form, statements
from gateway.services.errors import Conflict, Invalid
from gateway.web.blueprint import blueprint, owners_only, principal, scope

PAGE = 50


@blueprint.get("/billing/clients", endpoint="clients")
def list_clients() -> str:
    with runtime.current().units.read() as uow:
        seen = clients.list_clients(uow, scope())
    return render_template("web/clients.html", section="billing", seen=seen)


@blueprint.get("/billing/clients/<uuid:client_id>")
def client(client_id: UUID) -> str:
    """What a client caused since the last statement."""
    return _client_page(client_id, None)


@blueprint.get("/billing/statements/<uuid:statement_id>/clients/<uuid:client_id>")
def statement_client(statement_id: UUID, client_id: UUID) -> str:
    """What a client caused in the period of a statement."""
    return _client_page(client_id, statement_id)


def _client_page(client_id: UUID, statement_id: UUID | None) -> str:
    after = request.args.get("after")
    with runtime.current().units.read() as uow:
        issued = statements.get_statement(uow, scope(), statement_id) if statement_id else None
        caused = clients.caused_by(
            uow, scope(), client_id, statement_id=statement_id, after=after, limit=PAGE
        )
    here = "web.client" if issued is None else "web.statement_client"
    path = dict(request.view_args or {})
    older = caused.page.next
    return render_template(
        "web/client.html",
        section="billing",
        caused=caused,
        issued=issued,
        of_legs={line.leg_sid: caused.client.name for line in caused.page.items if line.leg_sid},
        next_url=url_for(here, **path, after=older) if older else None,
        first_url=url_for(here, **path) if after else None,
    )


@blueprint.get("/billing/clients/<uuid:client_id>/payer")
def payer(client_id: UUID) -> tuple[str, int]:
    """Who pays, what is planned, and with a choice in the query: what it would change."""
    with runtime.current().units.read() as uow:
        of_client = clients.scope_of_client(uow, scope(), client_id)
        asked = payer_form.asked(uow, of_client, request.args, may_begin_now=False)
        page = render_template(
            "web/payer.html",
            section="billing",
            client=accounts.get_account(uow, of_client),
            upcoming=memberships.upcoming(uow, of_client),
            is_owner=principal().role == "owner",
            asked=asked,
        )
    return page, asked.status


@blueprint.post("/billing/clients/<uuid:client_id>/payer")
@owners_only
def plan_payer(client_id: UUID) -> Response:
    try:
        with runtime.current().units.begin() as uow:
            of_client = clients.scope_of_client(uow, scope(), client_id)
            payer_form.confirmed(
                uow, of_client, request.form, principal().name, may_begin_now=False
            )
    except (Conflict, Invalid) as refusal:
        flash(refusal.words, "error")
    else:
        flash(_("It is planned: you can cancel it until it begins."))
    return redirect(url_for("web.payer", client_id=client_id))


@blueprint.post("/billing/clients/<uuid:client_id>/payer/cancel")
@owners_only
def cancel_payer(client_id: UUID) -> Response:
    try:
        with runtime.current().units.begin() as uow:
            of_client = clients.scope_of_client(uow, scope(), client_id)
            memberships.cancel(uow, of_client, principal().name)
    except Conflict as refusal:
        flash(refusal.words, "error")
    else:
        flash(_("Cancelled: it stays as it is."))
    return redirect(url_for("web.payer", client_id=client_id))
