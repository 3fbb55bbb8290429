"""Top-ups and adjustments by hand: typed, shown with the balance before and after, confirmed."""

from __future__ import annotations

import uuid
from gettext import gettext as _
from typing import Literal
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from billing.credits import Payment
from billing.lifecycle import Refused
from billing.money import InvalidAmount, format_amount, parse_amount
from gateway import runtime
from gateway.ops.accounts import account_page
from gateway.ops.pages import account_of, blueprint, staff
from gateway.services import credit_receipts, ledger
from gateway.services.accounts import Account
from gateway.services.errors import Invalid, NotForSale
from gateway.uow import UnitOfWork

Deed = Literal["top-up", "adjustment"]


@blueprint.post("/accounts/<uuid:account_id>/top-up")
def top_up(account_id: UUID) -> Response | str | tuple[str, int]:
    return _ask("top-up", account_id)


@blueprint.post("/accounts/<uuid:account_id>/adjustment")
def adjust(account_id: UUID) -> Response | str | tuple[str, int]:
    return _ask("adjustment", account_id)


@blueprint.post("/accounts/<uuid:account_id>/money")
def post_money(account_id: UUID) -> Response | tuple[str, int]:
    """The confirmed deed. The form carries its key, so that sending it twice posts once."""
    deed: Deed = "top-up" if request.form.get("deed") == "top-up" else "adjustment"
    key = "ops:" + request.form.get("key", "")[:64]
    try:
        amount = _amount(deed)
        with runtime.current().units.begin() as uow:
            subject = account_of(uow, account_id)
            if deed == "top-up":
                ledger.top_up(
                    uow,
                    subject.scope,
                    amount_micros=amount,
                    payment=_paid(uow, subject, amount),
                    method="manual",
                    reason=_reason(),
                    actor=staff().name,
                    idempotency_key=key,
                )
            else:
                ledger.adjust(
                    uow,
                    subject.scope,
                    amount_micros=amount,
                    reason=_reason(),
                    actor=staff().name,
                    idempotency_key=key,
                )
            after = account_of(uow, account_id)
    except Invalid as invalid:
        return _refused(deed, account_id, invalid)
    except NotForSale as refusal:
        return _not_for_sale(account_id, refusal.words)
    flash(
        _("Posted. The balance of %(name)s is %(balance)s %(currency)s.")
        % {
            "name": after.name,
            "balance": format_amount(after.balance_micros),
            "currency": after.currency,
        }
    )
    return redirect(url_for("ops.account", account_id=account_id))


def _ask(deed: Deed, account_id: UUID) -> Response | str | tuple[str, int]:
    try:
        amount, reason = _amount(deed), _reason()
    except Invalid as invalid:
        return _refused(deed, account_id, invalid)
    with runtime.current().units.read() as uow:
        subject = account_of(uow, account_id)
        verdict = ledger.top_up_by_hand(uow, subject.plan_version_id)
        payment = _paid(uow, subject, amount) if deed == "top-up" else None
    if deed == "top-up" and isinstance(verdict, Refused):
        return _not_for_sale(account_id, verdict.words)
    return render_template(
        "ops/money_confirm.html",
        section="accounts",
        subject=subject,
        deed=deed,
        amount_micros=amount,
        payment=payment,
        amount=request.form["amount"].strip(),
        reason=reason,
        key=uuid.uuid4(),
    )


def _paid(uow: UnitOfWork, subject: Account, amount_micros: int) -> Payment:
    country = runtime.current().settings.seller_country
    return credit_receipts.paid_by_hand(uow, subject.scope, amount_micros, country)


def _amount(deed: Deed) -> int:
    try:
        amount = parse_amount(request.form.get("amount", "").strip())
    except InvalidAmount as error:
        raise Invalid.at("/amount", str(error)) from None
    if amount == 0 or (deed == "top-up" and amount < 0):
        wanted = _("more than zero") if deed == "top-up" else _("other than zero")
        raise Invalid.at("/amount", _("write an amount %(wanted)s") % {"wanted": wanted})
    return amount


def _reason() -> str:
    reason = request.form.get("reason", "").replace("\0", "").strip()
    if not 1 <= len(reason) <= 200:
        raise Invalid.at("/reason", _("say why, in at most 200 characters: customers read it"))
    return reason


def _not_for_sale(account_id: UUID, words: str) -> Response:
    """Back to the account, whose page offers what there is instead."""
    flash(words, "error")
    return redirect(url_for("ops.account", account_id=account_id))


def _refused(deed: Deed, account_id: UUID, invalid: Invalid) -> tuple[str, int]:
    """The account's page again, with the complaint at its field and what was typed."""
    errors: dict[str, list[str]] = {}
    for error in invalid.errors:
        errors.setdefault(f"{deed}{error.path}", []).append(error.message)
    typed = {f"{deed}/{name}": request.form.get(name, "") for name in ("amount", "reason")}
    return account_page(account_id, errors=errors, typed=typed), 422
