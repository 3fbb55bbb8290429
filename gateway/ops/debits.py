"""Debits: what falls due, the bank's file of it, and what the bank said of each."""

from __future__ import annotations

from gettext import gettext as _
from uuid import UUID

from flask import Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from billing.money import format_amount
from gateway import runtime
from gateway.ops import periods
from gateway.ops.pages import PAGE, blueprint, deed, staff
from gateway.services import debit_runs, debits
from gateway.services.errors import Conflict, Invalid, SellerIncomplete
from gateway.uow import UnitOfWork

STATES = ("submitted", "collected", "returned", "canceled")


@blueprint.get("/debits")
def list_debits() -> str:
    after, state = request.args.get("after"), request.args.get("state", "")
    state = state if state in STATES else ""
    kept, due_after = state or None, request.args.get("due_after")
    running = runtime.current()
    with running.units.read() as uow:
        page = debits.list_debits(uow, after, PAGE, state=kept)
        due = debit_runs.due(uow, after=due_after, limit=PAGE)
        runs = debit_runs.runs(uow)
    return render_template(
        "ops/debits.html",
        section="debits",
        due=due,
        runs=runs,
        missing=debit_runs.settings_missing(running.settings),
        page=page,
        state=state,
        states=STATES,
        due_next_url=url_for("ops.list_debits", due_after=due.next, state=kept)
        if due.next
        else None,
        due_first_url=url_for("ops.list_debits", state=kept) if due_after else None,
        next_url=url_for("ops.list_debits", after=page.next, state=kept) if page.next else None,
        first_url=url_for("ops.list_debits", state=kept) if after else None,
    )


@blueprint.post("/debits/runs")
def prepare_debits() -> AnyResponse:
    """A run of what falls due until the day of the form, or within seven days where it is empty."""
    running = runtime.current()
    typed = request.form.get("until", "").strip()
    try:
        until = periods.day(typed, "/until") if typed else None
        run = debit_runs.prepare(running.units, running.settings, staff().name, until)
    except (Invalid, SellerIncomplete) as refusal:
        flash(refusal.words, "error")
    else:
        if run is None:
            flash(_("Nothing falls due until then that has a mandate: no file was made."))
        else:
            flash(
                _("%(count)s debits, %(amount)s EUR together: download the file for the bank.")
                % {"count": run.count, "amount": format_amount(run.amount_micros)}
            )
    return redirect(url_for("ops.list_debits"))


@blueprint.get("/debits/runs/<uuid:run_id>.xml")
def debit_file(run_id: UUID) -> AnyResponse:
    running = runtime.current()
    try:
        content = debit_runs.file(running.units, running.settings, run_id)
    except (Conflict, SellerIncomplete) as refusal:
        flash(refusal.words, "error")
        return redirect(url_for("ops.list_debits"))
    return Response(
        content,
        mimetype=debit_runs.MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="debits-{run_id}.xml"'},
    )


@blueprint.post("/debits/<uuid:debit_id>")
@deed(back="ops.list_debits")
def decide_debit(uow: UnitOfWork, debit_id: UUID) -> str:
    """`deed`: "cancel", "collected" or "returned", with a reason: what the bank's file leaves
    out."""
    wanted = request.form.get("deed", "")
    reason = request.form.get("reason", "").replace("\0", "")[:200]
    done = debits.decide(uow, debit_id, wanted, reason, staff().name)
    return _("%(debit)s is %(state)s.") % {"debit": done.end_to_end_id, "state": done.state}
