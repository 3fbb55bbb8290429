"""One charge of a card, and money of it given back: typed, shown, confirmed."""

from __future__ import annotations

import uuid
from gettext import gettext as _
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from billing.declines import reason as decline_words
from billing.money import InvalidAmount, parse_amount
from gateway import runtime
from gateway.ops.pages import account_of, blueprint, staff
from gateway.services import charge_flags, refunds, reversals
from gateway.services.errors import Invalid, ServiceError

STATE_WORDS = {
    "pending": _("The provider has not said yet how it ended: it is asked until it does."),
    "ok": _("Given back."),
    "failed": _("Not given back: the money is in the balance again."),
}
FLAG_WORDS = {
    charge_flags.DISPUTED: _(
        "The cardholder disputed this payment with the bank: answer it at the provider. If the"
        " money is taken back, reverse the line of the credit."
    ),
    charge_flags.REFUNDED: _(
        "Money of this payment went back at the provider and not from here, and the balance still"
        " has it: post an adjustment for it."
    ),
}


@blueprint.get("/accounts/<uuid:account_id>/charges/<uuid:charge_id>")
def charge(account_id: UUID, charge_id: UUID) -> str:
    """What became of it, its refunds, and the form for one more where there may be one."""
    return _page(account_id, charge_id)


@blueprint.post("/accounts/<uuid:account_id>/charges/<uuid:charge_id>/refund")
def ask_refund(account_id: UUID, charge_id: UUID) -> str | Response | tuple[str, int]:
    """What it would come to; nothing is ordered yet."""
    try:
        amount, reason = _amount(), _reason()
        with runtime.current().units.read() as uow:
            subject = account_of(uow, account_id)
            quote = refunds.quote(uow, subject.scope, charge_id, amount)
    except Invalid as invalid:
        return _page(account_id, charge_id, invalid), 422
    except ServiceError as refusal:
        return _refused(account_id, charge_id, refusal)
    return render_template(
        "ops/refund_confirm.html",
        section="charges",
        subject=subject,
        charge_id=charge_id,
        quote=quote,
        amount=request.form["amount"].strip(),
        reason=reason,
        key=uuid.uuid4(),
    )


@blueprint.post("/accounts/<uuid:account_id>/charges/<uuid:charge_id>/refunds")
def order_refund(account_id: UUID, charge_id: UUID) -> Response | tuple[str, int]:
    """The confirmed deed. The form carries its key, so that sending it twice gives back once."""
    running = runtime.current()
    try:
        with running.units.read() as uow:
            scope = account_of(uow, account_id).scope
        given_back = refunds.refund(
            running.units,
            running.cards(),
            scope,
            charge_id,
            amount_micros=_amount(),
            reason=_reason(),
            actor=staff().name,
            idempotency_key="ops:" + request.form.get("key", "")[:64],
        )
    except Invalid as invalid:
        return _page(account_id, charge_id, invalid), 422
    except ServiceError as refusal:
        return _refused(account_id, charge_id, refusal)
    flash(STATE_WORDS[given_back.state], "error" if given_back.state == "failed" else "message")
    return redirect(url_for("ops.charge", account_id=account_id, charge_id=charge_id))


@blueprint.post("/accounts/<uuid:account_id>/charges/<uuid:charge_id>/flag/clear")
def clear_flag(account_id: UUID, charge_id: UUID) -> Response | tuple[str, int]:
    """Staff has looked at a payment that was disputed or given back without us."""
    try:
        with runtime.current().units.begin() as uow:
            scope = account_of(uow, account_id).scope
            reason = request.form.get("clear_reason", "").replace("\0", "")
            charge_flags.clear(uow, scope, charge_id, reason=reason, actor=staff().name)
    except Invalid as invalid:
        (error,) = invalid.errors
        invalid = Invalid.at("/clear_reason", error.message)
        return _page(account_id, charge_id, invalid), 422
    except ServiceError as refusal:
        return _refused(account_id, charge_id, refusal)
    flash(_("Cleared. Automatic charges of the account go on when you lift them under Charges."))
    return redirect(url_for("ops.charge", account_id=account_id, charge_id=charge_id))


def _page(account_id: UUID, charge_id: UUID, invalid: Invalid | None = None) -> str:
    with runtime.current().units.read() as uow:
        subject = account_of(uow, account_id)
        seen = refunds.seen(uow, subject.scope, charge_id)
        looked_at = charge_flags.cleared(uow, seen.charge)
    errors: dict[str, list[str]] = {}
    for error in invalid.errors if invalid else ():
        errors.setdefault(error.path.lstrip("/"), []).append(error.message)
    return render_template(
        "ops/charge.html",
        section="charges",
        subject=subject,
        seen=seen,
        charge=seen.charge,
        state_words=STATE_WORDS,
        decline_words=decline_words,
        flag_words=FLAG_WORDS,
        looked_at=looked_at,
        errors=errors,
        typed={name: request.form.get(name, "") for name in ("amount", "reason", "clear_reason")},
    )


def _refused(account_id: UUID, charge_id: UUID, refusal: ServiceError) -> Response:
    flash(refusal.words, "error")
    return redirect(url_for("ops.charge", account_id=account_id, charge_id=charge_id))


def _amount() -> int:
    try:
        return parse_amount(request.form.get("amount", "").strip())
    except InvalidAmount as error:
        raise Invalid.at("/amount", str(error)) from None


def _reason() -> str:
    reason = request.form.get("reason", "").replace("\0", "").strip()
    reversals.check_reason(reason)
    return reason
