"""A period of an account under another plan: figures by number and by leg, nothing written."""

from __future__ import annotations

from uuid import UUID

from flask import render_template, request

from gateway import runtime
from gateway.ops import periods
from gateway.ops.pages import account_of, blueprint
from gateway.services import what_if
from gateway.services.errors import Invalid


@blueprint.get("/accounts/<uuid:account_id>/what-if")
def account_what_if(account_id: UUID) -> str | tuple[str, int]:
    """`plan` empty: as it was billed, which shows that nothing drifted."""
    errors: dict[str, list[str]] = {}
    seen = None
    asked = request.args
    with runtime.current().units.read() as uow:
        subject = account_of(uow, account_id)
        today = uow.now.date()
        first = asked.get("first") or (today - periods.ONE_DAY * periods.DEFAULT_DAYS).isoformat()
        last = asked.get("last") or today.isoformat()
        chosen = asked.get("plan", "")
        if "plan" in asked:
            try:
                since, until = periods.period(first, last)
                version = periods.version_of(uow, chosen, "/plan") if chosen else None
                seen = what_if.what_if(
                    uow, subject.scope, since=since, until=until, version=version
                )
            except Invalid as invalid:
                for error in invalid.errors:
                    errors.setdefault(error.path.lstrip("/"), []).append(error.message)
        page = render_template(
            "ops/what_if.html",
            section="accounts",
            subject=subject,
            choices=[("", "As it was billed"), *periods.version_choices(uow)],
            first=first,
            last=last,
            chosen=chosen,
            seen=seen,
            errors=errors,
        )
    return (page, 422) if errors else page
