"""An account's statement as the customer sees it, each line with its explanation."""

from __future__ import annotations

from uuid import UUID

from flask import render_template, request, url_for

from gateway import runtime
from gateway.ops.pages import PAGE, account_of, blueprint
from gateway.services import plans, reversals, statement


@blueprint.get("/accounts/<uuid:account_id>/ledger")
def account_ledger(account_id: UUID) -> str:
    kind = request.args.get("kind", "")
    kind = kind if kind in statement.FILTERS else ""
    after = request.args.get("after")
    with runtime.current().units.read() as uow:
        subject = account_of(uow, account_id)
        page = statement.list_postings(uow, subject.scope, after, PAGE, statement.FILTERS[kind])
        kinds = statement.filters_of(uow, subject, kind)

    def url(after: str | None = None) -> str:
        return url_for("ops.account_ledger", account_id=account_id, kind=kind or None, after=after)

    return render_template(
        "ops/ledger.html",
        section="accounts",
        subject=subject,
        page=page,
        kind=kind,
        kinds=kinds,
        next_url=url(after=page.next) if page.next else None,
        first_url=url() if after else None,
    )


@blueprint.get("/accounts/<uuid:account_id>/ledger/<posting_id>")
def account_posting(account_id: UUID, posting_id: str) -> str:
    with runtime.current().units.read() as uow:
        subject = account_of(uow, account_id)
        line = statement.get_posting(uow, subject.scope, posting_id)
        version = (
            plans.plan_version(uow.connection, line.plan_version_id)
            if line.plan_version_id
            else None
        )
        return render_template(
            "ops/posting.html",
            section="accounts",
            subject=subject,
            line=line,
            version=version,
            explanation=statement.explain(uow, subject.scope, posting_id),
            undone=reversals.reversal_of(uow, subject.scope, line),
            reversible=line.kind in reversals.REVERSIBLE,
            alike=reversals.look_alikes(uow, subject.scope, posting_id),
        )
