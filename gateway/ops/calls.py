"""An account's calls, with what the carrier took for each leg beside what we charged."""

from __future__ import annotations

from uuid import UUID

from flask import render_template, request, url_for

from gateway import runtime
from gateway.ops.pages import PAGE, account_of, blueprint
from gateway.services import call_log, statement
from gateway.services.call_log import Filter


@blueprint.get("/accounts/<uuid:account_id>/calls")
def account_calls(account_id: UUID) -> str:
    caller = request.args.get("caller", "").replace("\0", "").strip()
    after = request.args.get("after")
    with runtime.current().units.read() as uow:
        subject = account_of(uow, account_id)
        page = call_log.list_calls(uow, subject.scope, Filter(caller=caller or None), after, PAGE)

    def url(after: str | None = None) -> str:
        return url_for(
            "ops.account_calls", account_id=account_id, caller=caller or None, after=after
        )

    return render_template(
        "ops/calls.html",
        section="accounts",
        subject=subject,
        page=page,
        caller=caller,
        next_url=url(after=page.next) if page.next else None,
        first_url=url() if after else None,
    )


@blueprint.get("/accounts/<uuid:account_id>/calls/<call_sid>")
def account_call(account_id: UUID, call_sid: str) -> str:
    with runtime.current().units.read() as uow:
        subject = account_of(uow, account_id)
        detail = call_log.get_call(uow, subject.scope, call_sid)
        charged = {leg.leg_sid: leg.charge_micros for leg in detail.legs}
        return render_template(
            "ops/call.html",
            section="accounts",
            subject=subject,
            detail=detail,
            call=detail.call,
            explained=statement.explain_legs(uow, subject.scope, charged),
        )
