"""A bundle of minutes, bought in two steps; the page of packages lists what there is."""

import secrets
from gettext import gettext as _

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.services import bundles, packages
from gateway.services.errors import ServiceError
from gateway.web.blueprint import blueprint, owners_only, principal, scope


@blueprint.get("/billing/bundles/buy")
@owners_only
def bundle_buy() -> str:
    """The price once more, before anything is bought."""
    return _confirm(_minutes(request.args.get("minutes", "")), key=secrets.token_urlsafe(18))


@blueprint.post("/billing/bundles/buy")
@owners_only
def buy_bundle() -> Response | tuple[str, int]:
    """The form carries its key, so that a second press buys nothing more."""
    minutes, key = _minutes(request.form.get("minutes", "")), request.form.get("key", "")
    purchaser = packages.purchaser_of(principal(), g.account.name)
    try:
        with runtime.current().units.begin() as uow:
            bundles.buy(uow, scope(), minutes, purchaser, idempotency_key=f"web:{key}")
    except ServiceError as refusal:
        return _confirm(minutes, key=key, problem=refusal.words), refusal.status
    flash(_("The minutes are yours. They are used when your other minutes are."))
    return redirect(url_for("web.packages"))


def _minutes(text: str) -> int:
    """0 for what is no number of minutes: no plan sells that."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0


def _confirm(minutes: int, *, key: str, problem: str = "") -> str:
    with runtime.current().units.read() as uow:
        offer = bundles.get_offer(uow, scope(), minutes)
    return render_template(
        "web/bundle_buy.html", section="billing", offer=offer, key=key, problem=problem
    )
