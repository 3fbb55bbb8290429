"""The clients of an agency: who pays for whom, and what each has used and caused."""

from uuid import UUID

from flask import render_template, request, url_for

from gateway import runtime
from gateway.services import clients, statements
from gateway.web.blueprint import blueprint, scope

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
