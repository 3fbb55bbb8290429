"""Is it true: our books against the carrier's, and who earns or loses money."""

from __future__ import annotations

import datetime as dt
from gettext import gettext as _
from uuid import UUID

from flask import render_template, request, url_for

from billing.reconciling import HARMLESS
from gateway import runtime
from gateway.ops import periods
from gateway.ops.pages import PAGE, account_of, blueprint, deed, staff
from gateway.services import margins, reconciling
from gateway.uow import UnitOfWork


@blueprint.get("/drift")
def drift() -> str:
    kind = request.args.get("kind", "")
    kind = kind if kind in reconciling.KINDS else ""
    after = request.args.get("after")
    day = _day(request.args.get("day", ""))
    with runtime.current().units.read() as uow:
        seen = reconciling.overview(uow)
        page = reconciling.list_drifts(uow, after, PAGE, kind=kind or None, day=day)
        yesterday = uow.now.date() - periods.ONE_DAY

    def url(after: str | None = None) -> str:
        return url_for("ops.drift", kind=kind or None, day=day, after=after)

    return render_template(
        "ops/drift.html",
        section="drift",
        seen=seen,
        page=page,
        kind=kind,
        kinds=reconciling.KINDS,
        harmless=HARMLESS,
        yesterday=yesterday,
        next_url=url(page.next) if page.next else None,
        first_url=url() if after else None,
    )


@blueprint.post("/drift")
@deed(back="ops.drift")
def order_comparison(uow: UnitOfWork) -> str:
    """Have a day compared, or once more: the clock does it within seconds."""
    day = periods.day(request.form.get("day", ""), "/day")
    reconciling.order(uow, day, staff().name)
    return _("The clock compares %(day)s now; look again in a minute.") % {"day": day}


@blueprint.get("/margins")
def margin() -> str:
    with runtime.current().units.read() as uow:
        return render_template(
            "ops/margins.html",
            section="drift",
            accounts=margins.by_account(uow),
            days=margins.DAYS,
        )


@blueprint.get("/accounts/<uuid:account_id>/losing-legs")
def losing_legs(account_id: UUID) -> str:
    with runtime.current().units.read() as uow:
        subject = account_of(uow, account_id)
        return render_template(
            "ops/losing_legs.html",
            section="drift",
            subject=subject,
            legs=margins.losing_legs(uow, subject.scope),
            days=margins.DAYS,
        )


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        return None
