"""Statements of the months: figures with their rates, as PDF, and every leg as CSV."""

import datetime as dt
from collections.abc import Callable
from gettext import gettext as _
from typing import Any
from uuid import UUID

from flask import (
    Response,
    flash,
    g,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from gateway import runtime
from gateway.config import Settings
from gateway.services import (
    accounts,
    clients,
    einvoices,
    spreadsheet,
    statement_files,
    statements,
    vat_checks,
)
from gateway.services.errors import Invalid, NotFound
from gateway.store.base import Scope
from gateway.uow import UnitsOfWork
from gateway.web import plan_form
from gateway.web.blueprint import blueprint, owners_only, principal, scope

PAGE = 24
LINES = 100
DETAILS = ("legal_name", "address", "vat_id")


@blueprint.get("/billing/statements")
def list_statements() -> str:
    return statements_page()


@blueprint.post("/billing/details")
@owners_only
def change_billing_details() -> AnyResponse | tuple[str, int]:
    """Who the bills are for; statements that are issued already stay as they are."""
    typed = {name: request.form.get(name, "").strip() for name in DETAILS}
    changes: dict[str, Any] = typed | {
        "address": typed["address"].replace("\r\n", "\n"),
        "attach_statement": "attach_statement" in request.form,
    }
    try:
        with runtime.current().units.begin() as uow:
            accounts.update_account(uow, scope(), changes, principal().name)
    except Invalid as invalid:
        return statements_page(
            invalid, typed | {"attach": request.form.get("attach_statement", "")}
        ), 422
    flash(_("Saved: the next statement is made out like this."))
    return redirect(url_for("web.list_statements"))


def statements_page(invalid: Invalid | None = None, typed: dict[str, str] | None = None) -> str:
    after = request.args.get("after")
    errors = () if invalid is None else invalid.errors
    running = runtime.current()
    with running.units.read() as uow:
        page = statements.list_statements(uow, scope(), after, PAGE)
        details = typed or statements.billing_details(uow, scope())
        vat = vat_checks.standing(uow, running.settings, g.account)
    return render_template(
        "web/statements.html",
        section="billing",
        page=page,
        details=details,
        vat=vat,
        attach=g.account.attach_statement if typed is None else bool(typed.get("attach")),
        errors=plan_form.errors_by_field((e.path.removeprefix("/"), e.message) for e in errors),
        next_url=url_for("web.list_statements", after=page.next) if page.next else None,
        first_url=url_for("web.list_statements") if after else None,
    )


@blueprint.get("/billing/statements/<uuid:statement_id>")
def statement(statement_id: UUID) -> str:
    with runtime.current().units.read() as uow:
        view = statements.get_statement(uow, scope(), statement_id)
    return render_template(
        "web/statement.html",
        section="billing",
        view=view,
        document=view.document,
        is_einvoice=einvoices.are_offered(view),
        groups=statements.by_number(view.document["charges"]),
        credits=[
            {**line, "at": dt.datetime.fromisoformat(line["at"])}
            for line in view.document["credits"]
        ],
    )


@blueprint.get("/billing/statements/<uuid:statement_id>/charges/<int:place>")
def statement_charge(statement_id: UUID, place: int) -> str:
    """The lines behind one charge, by its place in the document, which never changes."""
    after = request.args.get("after")
    with runtime.current().units.read() as uow:
        view = statements.get_statement(uow, scope(), statement_id)
        charges = view.document["charges"]
        if place >= len(charges):
            raise NotFound("charge", place)
        page = statements.lines_of_charge(uow, scope(), view, charges[place], after, LINES)
        legs = [line.leg_sid for line in page.items if line.leg_sid]
        of_clients = clients.names_of_legs(uow, scope(), legs)
    here: dict[str, Any] = {"statement_id": statement_id, "place": place}
    return render_template(
        "web/statement_charge.html",
        section="billing",
        view=view,
        charge=charges[place],
        page=page,
        of_clients=of_clients,
        next_url=url_for("web.statement_charge", **here, after=page.next) if page.next else None,
        first_url=url_for("web.statement_charge", **here) if after else None,
    )


@blueprint.get("/billing/statements/<uuid:statement_id>.pdf")
def statement_pdf(statement_id: UUID) -> Response:
    return _file(statement_id, statement_files.pdf, statement_files.PDF, ".pdf")


@blueprint.get("/billing/statements/<uuid:statement_id>.xml")
def statement_xml(statement_id: UUID) -> Response:
    return _file(statement_id, einvoices.xml, einvoices.XML, ".xml")


@blueprint.get("/billing/statements/<uuid:statement_id>.factur-x.pdf")
def statement_factur_x(statement_id: UUID) -> Response:
    return _file(statement_id, einvoices.factur_x, statement_files.PDF, ".factur-x.pdf")


def _file(
    statement_id: UUID,
    make: Callable[[UnitsOfWork, Scope, UUID, Settings], bytes],
    mimetype: str,
    ending: str,
) -> Response:
    running = runtime.current()
    with running.units.read() as uow:
        view = statements.get_statement(uow, scope(), statement_id)
    return Response(
        make(running.units, scope(), statement_id, running.settings),
        mimetype=mimetype,
        headers={"Content-Disposition": f'attachment; filename="{view.label}{ending}"'},
    )


@blueprint.get("/billing/statements/<uuid:statement_id>.csv")
def statement_csv(statement_id: UUID) -> Response:
    """Every leg; safe to open in a spreadsheet (RELIABILITY I3)."""
    units = runtime.current().units
    with units.read() as uow:
        view = statements.get_statement(uow, scope(), statement_id)
    rows = statement_files.leg_rows(units, scope(), statement_id)
    return Response(
        stream_with_context(spreadsheet.csv_lines(rows)),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{view.label}-legs.csv"'},
    )
