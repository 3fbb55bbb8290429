"""Cards, automatic recharge and payments by card. Card numbers are typed in at the provider."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from gettext import gettext as _
from itertools import chain
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from billing.charges import OPEN_STATES, ChargeState
from billing.declines import cure, reason
from billing.money import InvalidAmount, format_amount, parse_amount
from billing.refunds import refund_key
from gateway import runtime
from gateway.limits import limiter
from gateway.services import (
    card_payments,
    charges,
    credit_notes,
    payment_methods,
    receipt_files,
    recharge,
    refunds,
    statement_files,
)
from gateway.services.card_payments import Quote
from gateway.services.errors import Conflict, FieldError, Invalid, ServiceError
from gateway.services.payment_methods import Role
from gateway.services.recharge import RechargeView
from gateway.store.charges import Charge
from gateway.web import plan_form
from gateway.web.blueprint import blueprint, owners_only, principal, scope

TRIES = "20 per minute"  # each one asks the card network
ROLES = ("default", "backup", "other")


# Cards.


@blueprint.get("/billing/cards")
def cards() -> str:
    running = runtime.current()
    with running.units.read() as uow:
        kept = payment_methods.listed(uow, scope())
        payments = card_payments.newest(uow, scope(), request.args.get("after"), 10)
        given_back = refunds.of_charges(uow, scope(), payments.items)
        noted = credit_notes.known(uow, scope(), chain.from_iterable(given_back.values()))
    return render_template(
        "web/cards.html",
        section="billing",
        methods=kept,
        by_id={method.id: method for method in kept},
        page=payments,
        given_back=given_back,
        noted=noted,
        takes_cards=running.till is not None,
        sandbox=running.till is not None and running.till.name == "sandbox",
        reason=reason,
        next_url=url_for("web.cards", after=payments.next) if payments.next else None,
    )


@blueprint.post("/billing/cards/new")
@owners_only
@limiter.limit(TRIES)
def new_card() -> str | Response:
    """Open the provider's page, and show the way there: a form may not lead to another site."""
    running = runtime.current()
    try:
        visit = payment_methods.open_page(running.units, running.cards(), scope(), principal().name)
    except ServiceError as refusal:
        flash(refusal.words, "error")
        return redirect(url_for("web.cards"))
    host = urlsplit(visit.url or "").netloc
    return render_template("web/card_new.html", section="billing", url=visit.url, host=host)


@blueprint.get("/billing/cards/return/<uuid:visit_id>")
@owners_only
def card_back(visit_id: UUID) -> Response:
    """The customer comes back from the provider's page."""
    running = runtime.current()
    try:
        visit = payment_methods.finish_visit(running.units, running.cards(), scope(), visit_id)
    except Conflict as refusal:
        flash(refusal.words, "error")
        return redirect(url_for("web.cards"))
    if visit.method is None:
        flash(_("No card was added. If you typed one in, it appears here in a moment."), "warning")
    else:
        flash(
            _("%(brand)s ending in %(last4)s is kept.")
            % {"brand": visit.method.brand.capitalize(), "last4": visit.method.last4}
        )
    return redirect(url_for("web.cards"))


@blueprint.post("/billing/cards/<uuid:method_id>/role")
@owners_only
def change_card(method_id: UUID) -> Response:
    wanted = request.form.get("role", "")
    if wanted not in ROLES:
        raise Invalid.at("/role", "write default, backup or other")
    try:
        with runtime.current().units.begin() as uow:
            payment_methods.set_role(uow, scope(), method_id, cast(Role, wanted), principal().name)
    except Conflict as refusal:
        flash(refusal.words, "error")
    else:
        flash(_("Saved."))
    return redirect(url_for("web.cards"))


@blueprint.get("/billing/cards/<uuid:method_id>/remove")
@owners_only
def card_removal(method_id: UUID) -> str:
    """What follows from it, before it is done."""
    with runtime.current().units.read() as uow:
        method = payment_methods.get(uow, scope(), method_id)
        others = [one for one in payment_methods.listed(uow, scope()) if one.id != method_id]
        recharges = recharge.get(uow, scope()).settings.on
    return render_template(
        "web/card_remove.html",
        section="billing",
        method=method,
        heir=others[0] if others and method.role == "default" else None,
        last=not others,
        recharges=recharges,
    )


@blueprint.post("/billing/cards/<uuid:method_id>/remove")
@owners_only
def remove_card(method_id: UUID) -> Response:
    running = runtime.current()
    try:
        payment_methods.remove(running.units, running.till, scope(), method_id, principal().name)
    except Conflict as refusal:
        flash(refusal.words, "error")
    else:
        flash(_("The card is removed. It is never charged again."))
    return redirect(url_for("web.cards"))


# Automatic recharge.


@blueprint.get("/billing/recharge", endpoint="recharge")
def show_recharge() -> str:
    return _recharge_page()


@blueprint.post("/billing/recharge")
@owners_only
def choose_recharge() -> Response | tuple[str, int]:
    form = request.form
    try:
        amounts = _amounts(form)
        with runtime.current().units.begin() as uow:
            recharge.choose(
                uow,
                scope(),
                on=form.get("on") == "yes",
                minimum_micros=amounts["minimum"] or 0,
                maximum_micros=amounts["maximum"] or 0,
                daily_cap_micros=amounts["daily_cap"],
                monthly_cap_micros=amounts["monthly_cap"],
                cooldown_seconds=_minutes(form.get("cooldown", "")) * 60,
                actor=principal().name,
            )
    except Invalid as invalid:
        return _recharge_page(form, invalid), 422
    flash(_("Your recharge settings are saved."))
    return redirect(url_for("web.recharge"))


def _recharge_page(typed: Mapping[str, str] | None = None, invalid: Invalid | None = None) -> str:
    errors = () if invalid is None else invalid.errors
    with runtime.current().units.read() as uow:
        view = recharge.get(uow, scope())
        kept = payment_methods.listed(uow, scope())
    return render_template(
        "web/recharge.html",
        section="billing",
        view=view,
        methods=kept,
        typed=_shown(view) if typed is None else typed,
        errors=plan_form.errors_by_field(
            (error.path.removeprefix("/").replace("cooldown_seconds", "cooldown"), error.message)
            for error in errors
        ),
    )


def _shown(view: RechargeView) -> dict[str, str]:
    chosen = view.settings
    return {
        "on": "yes" if chosen.on else "",
        "minimum": format_amount(chosen.minimum_micros),
        "maximum": format_amount(chosen.maximum_micros),
        "daily_cap": _or_empty(chosen.daily_cap_micros),
        "monthly_cap": _or_empty(chosen.monthly_cap_micros),
        "cooldown": str(chosen.cooldown_seconds // 60),
    }


def _or_empty(micros: int | None) -> str:
    return "" if micros is None else format_amount(micros)


def _amounts(form: Mapping[str, str]) -> dict[str, int | None]:
    """All four, or all complaints about them at once."""
    found: dict[str, int | None] = {}
    errors = []
    for name in ("minimum", "maximum", "daily_cap", "monthly_cap"):
        text = form.get(name, "").strip()
        try:
            found[name] = parse_amount(text) if text or "cap" not in name else None
        except InvalidAmount as problem:
            errors.append(FieldError(f"/{name}", str(problem)))
    if errors:
        raise Invalid(errors)
    return found


def _minutes(text: str) -> int:
    text = text.strip() or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 5:
        raise Invalid.at("/cooldown", _("write whole minutes, such as 60"))
    return int(text)


# Payments.


@blueprint.get("/billing/top-up")
@owners_only
def top_up() -> str | tuple[str, int]:
    """An amount and a card; with both, what it comes to, before anything is charged."""
    if "amount" not in request.args:
        return _top_up_page({})
    try:
        quoted = _quote(request.args)
    except ServiceError as refusal:
        return _top_up_page(request.args, refusal), refusal.status
    return render_template(
        "web/top_up_confirm.html",
        section="billing",
        quote=quoted,
        amount=format_amount(quoted.payment.net_micros),
        key=secrets.token_urlsafe(18),
    )


@blueprint.post("/billing/top-up")
@owners_only
@limiter.limit(TRIES)
def pay_top_up() -> Response | tuple[str, int]:
    """The form carries its key, so that a second press pays nothing more."""
    form, running = request.form, runtime.current()
    try:
        charge = card_payments.pay(
            running.units,
            running.cards(),
            scope(),
            amount_micros=_amount(form),
            method_id=_card_id(form),
            actor=principal().name,
            idempotency_key=f"web:{form.get('key', '')}"[:200],
        )
    except ServiceError as refusal:
        return _top_up_page(form, refusal), refusal.status
    return redirect(url_for("web.charge", charge_id=charge.id))


@blueprint.get("/billing/charges/<uuid:charge_id>", endpoint="charge")
def show_charge(charge_id: UUID) -> str:
    """How a payment stands. Somebody who comes back from the bank is not made to wait for news."""
    running = runtime.current()
    with running.units.read() as uow:
        found = card_payments.find(uow, scope(), charge_id)
    if found.state == ChargeState.REQUIRES_ACTION and running.till is not None:
        found = charges.look(running.units, running.till, found)
    return _charge_page(found)


@blueprint.get("/billing/refunds/<uuid:refund_id>/credit-note.pdf")
def credit_note_file(refund_id: UUID) -> Response:
    running = runtime.current()
    key = refund_key(refund_id)
    content = receipt_files.pdf(running.units, scope(), key, running.settings)
    return Response(
        content,
        mimetype=statement_files.PDF,
        headers={"Content-Disposition": f'attachment; filename="{receipt_files.file_name(key)}"'},
    )


@blueprint.post("/billing/charges/<uuid:charge_id>/give-up")
@owners_only
def give_up_charge(charge_id: UUID) -> Response:
    running = runtime.current()
    try:
        charges.give_up(running.units, running.cards(), scope(), charge_id, principal().name)
    except Conflict as refusal:
        flash(refusal.words, "error")
    return redirect(url_for("web.charge", charge_id=charge_id))


def _charge_page(charge: Charge) -> str:
    with runtime.current().units.read() as uow:
        card = payment_methods.of_charge(uow, charge)
        given_back = refunds.of_charges(uow, scope(), [charge])[charge.id]
        noted = credit_notes.known(uow, scope(), given_back)
    code = charge.decline_code or ""
    return render_template(
        "web/charge.html",
        section="billing",
        charge=charge,
        card=card,
        given_back=given_back,
        noted=noted,
        is_open=charge.state in OPEN_STATES,
        waits_for_payer=charge.state == ChargeState.REQUIRES_ACTION,
        why=f"{reason(code)} {cure(code)}" if code else "",
    )


def _top_up_page(typed: Mapping[str, str], refusal: ServiceError | None = None) -> str:
    running = runtime.current()
    with running.units.read() as uow:
        kept = payment_methods.listed(uow, scope())
    errors: dict[str, list[str]] = {}
    if isinstance(refusal, Invalid):
        errors = plan_form.errors_by_field(
            (error.path.removeprefix("/"), error.message) for error in refusal.errors
        )
    named: dict[str, Any] = {"amount": typed.get("amount", ""), "card": typed.get("card", "")}
    return render_template(
        "web/top_up.html",
        section="billing",
        methods=kept,
        takes_cards=running.till is not None,
        typed=named,
        errors=errors,
        problem=refusal.words
        if refusal is not None and not errors.keys() & {"amount", "payment_method"}
        else "",
    )


def _quote(typed: Mapping[str, str]) -> Quote:
    running = runtime.current()
    with running.units.read() as uow:
        return card_payments.quote(uow, running.cards(), scope(), _amount(typed), _card_id(typed))


def _amount(typed: Mapping[str, str]) -> int:
    try:
        return parse_amount(typed.get("amount", "").strip())
    except InvalidAmount as problem:
        raise Invalid.at("/amount", str(problem)) from None


def _card_id(typed: Mapping[str, str]) -> UUID | None:
    text = typed.get("card", "")
    try:
        return UUID(text) if text else None
    except ValueError:
        raise Invalid.at("/payment_method", _("choose one of your cards")) from None
