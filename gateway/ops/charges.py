"""Charges of cards: those without an end, and the brakes on automatic ones."""

from __future__ import annotations

from gettext import gettext as _
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from billing.declines import reason
from gateway import runtime
from gateway.ops.pages import PAGE, account_of, blueprint, deed, staff
from gateway.services import card_payments, charges, recharge, refunds
from gateway.services.errors import Invalid, ServiceError
from gateway.uow import UnitOfWork


@blueprint.get("/charges", endpoint="charges")
def list_charges() -> str:
    """Open, disputed and refunded ones; with `all=1` every charge."""
    after, everything = request.args.get("after"), request.args.get("all") == "1"
    kept = "1" if everything else None
    with runtime.current().units.read() as uow:
        page = card_payments.watched(uow, only_open=not everything, after=after, limit=PAGE)
        brake = recharge.brake(uow)
        paused = recharge.paused(uow)
        given_back = refunds.watched(uow)
    return render_template(
        "ops/charges.html",
        section="charges",
        page=page,
        everything=everything,
        brake=brake,
        paused=paused,
        refunds=given_back,
        reason=reason,
        next_url=url_for("ops.charges", after=page.next, all=kept) if page.next else None,
        first_url=url_for("ops.charges", all=kept) if after else None,
    )


@blueprint.post("/accounts/<uuid:account_id>/charges/<uuid:charge_id>/ask")
def ask_charge(account_id: UUID, charge_id: UUID) -> Response:
    """Ask the provider now, instead of when its turn comes. It charges nothing anew."""
    running = runtime.current()
    with running.units.read() as uow:
        scope = account_of(uow, account_id).scope
    try:
        charge = charges.look(
            running.units, running.cards(), charges.get(running.units, scope, charge_id)
        )
    except ServiceError as refusal:
        flash(refusal.words, "error")
    else:
        flash(_("Asked. The charge is now: %(state)s.") % {"state": charge.state})
    return redirect(url_for("ops.charges"))


@blueprint.post("/charges/brake")
def set_brake() -> Response:
    """`deed=stop` or `deed=lift`, with a reason."""
    act = recharge.stop_all if request.form.get("deed") == "stop" else recharge.lift_all
    try:
        with runtime.current().units.begin() as uow:
            act(uow, staff().name, _reason())
    except Invalid as refusal:
        flash(refusal.words, "error")
    return redirect(url_for("ops.charges"))


@blueprint.post("/accounts/<uuid:account_id>/recharge/lift")
@deed(back="ops.charges")
def lift_recharge(uow: UnitOfWork, account_id: UUID) -> str:
    """Staff has looked at an account's many charges and found them right."""
    recharge.lift(uow, account_of(uow, account_id).scope, staff().name, _reason())
    return _("Lifted: the recharge goes on.")


def _reason() -> str:
    return request.form.get("reason", "").replace("\0", "")[:200]
