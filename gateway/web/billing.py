"""The statement: every line that moved the balance, each with its explanation."""

from typing import Any

from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.services import (
    clients,
    credit_receipts,
    debit_runs,
    mandates,
    plans,
    receipt_files,
    statement,
    statement_files,
)
from gateway.web.blueprint import blueprint, scope

PAGE = 50


@blueprint.get("/billing")
def billing() -> str:
    kind = request.args.get("kind", "")
    kind = kind if kind in statement.FILTERS else ""
    after = request.args.get("after")
    kept: dict[str, Any] = {"kind": kind} if kind else {}
    with runtime.current().units.read() as uow:
        page = statement.list_postings(uow, scope(), after, PAGE, statement.FILTERS[kind])
        has_clients = clients.has_clients(uow, scope())
        legs = [line.leg_sid for line in page.items if line.leg_sid] if has_clients else []
        of_clients = clients.names_of_legs(uow, scope(), legs) if legs else {}
        mandate = mandates.find(uow, scope())
        coming = debit_runs.coming(uow, scope())
        kinds = statement.filters_of(uow, g.account, kind)
        receipts = credit_receipts.known(uow, scope(), [line.key for line in page.items])
    return render_template(
        "web/billing.html",
        section="billing",
        page=page,
        has_clients=has_clients,
        of_clients=of_clients,
        receipts=receipts,
        mandate=mandate,
        coming=coming,
        kind=kind,
        kinds=kinds,
        next_url=url_for("web.billing", after=page.next, **kept) if page.next else None,
        first_url=url_for("web.billing", **kept) if after else None,
    )


@blueprint.get("/billing/<posting_id>")
def posting(posting_id: str) -> str:
    with runtime.current().units.read() as uow:
        line = statement.get_posting(uow, scope(), posting_id)
        explanation = statement.explain(uow, scope(), posting_id)
        of_client = (
            clients.names_of_legs(uow, scope(), [line.leg_sid]).get(line.leg_sid)
            if line.leg_sid
            else None
        )
        undone = statement.find_by_key(uow, scope(), line.reverses_key)
        has_receipt = bool(credit_receipts.known(uow, scope(), [line.key]))
        version = (
            plans.plan_version(uow.connection, line.plan_version_id)
            if line.plan_version_id
            else None
        )
    return render_template(
        "web/posting.html",
        section="billing",
        line=line,
        explanation=explanation,
        version=version,
        of_client=of_client,
        undone=undone,
        has_receipt=has_receipt,
    )


@blueprint.get("/billing/<credit_id>/receipt.pdf")
def receipt_file(credit_id: str) -> Response:
    running = runtime.current()
    with running.units.read() as uow:
        key = statement.get_posting(uow, scope(), credit_id).key
    content = receipt_files.pdf(running.units, scope(), key, running.settings)
    name = receipt_files.file_name(key)
    return Response(
        content,
        mimetype=statement_files.PDF,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@blueprint.get("/billing/lines/<path:key>")
def posting_of_key(key: str) -> Response:
    """From a statement's credit, which is named by its event, to its line."""
    with runtime.current().units.read() as uow:
        line = statement.get_by_key(uow, scope(), key)
    return redirect(url_for("web.posting", posting_id=line.id))
