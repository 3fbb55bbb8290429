"""Statements of the months: figures with their rates, as PDF, and every leg as CSV."""

import datetime as dt
from uuid import UUID

from flask import Response, render_template, request, stream_with_context, url_for

from gateway import runtime
from gateway.services import spreadsheet, statements
from gateway.web.blueprint import blueprint, scope

PAGE = 24


@blueprint.get("/billing/statements")
def list_statements() -> str:
    after = request.args.get("after")
    with runtime.current().units.read() as uow:
        page = statements.list_statements(uow, scope(), after, PAGE)
    return render_template(
        "web/statements.html",
        section="billing",
        page=page,
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
        groups=statements.by_number(view.document["charges"]),
        credits=[
            {**line, "at": dt.datetime.fromisoformat(line["at"])}
            for line in view.document["credits"]
        ],
    )


@blueprint.get("/billing/statements/<uuid:statement_id>.pdf")
def statement_pdf(statement_id: UUID) -> Response:
    running = runtime.current()
    with running.units.read() as uow:
        view = statements.get_statement(uow, scope(), statement_id)
    content = statements.pdf(running.units, scope(), statement_id, running.settings)
    return Response(
        content,
        mimetype=statements.PDF,
        headers={"Content-Disposition": f'attachment; filename="{view.label}.pdf"'},
    )


@blueprint.get("/billing/statements/<uuid:statement_id>.csv")
def statement_csv(statement_id: UUID) -> Response:
    """Every leg; safe to open in a spreadsheet (RELIABILITY I3)."""
    units = runtime.current().units
    with units.read() as uow:
        view = statements.get_statement(uow, scope(), statement_id)
    rows = statements.leg_rows(units, scope(), statement_id)
    return Response(
        stream_with_context(spreadsheet.csv_lines(rows)),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{view.label}-legs.csv"'},
    )
