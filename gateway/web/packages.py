"""Packages of minutes: what the account has, what its plan sells, bought in two steps; and its
bundles beside them."""

import secrets
from gettext import gettext as _
from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import runtime
from gateway.services import bundles, packages, renewals
from gateway.services.errors import NotFound, ServiceError
from gateway.services.packages import Offer
from gateway.uow import UnitOfWork
from gateway.web.blueprint import blueprint, owners_only, principal, scope

PAGE = 20


@blueprint.get("/billing/packages", endpoint="packages")
def list_packages() -> str:
    after, older = request.args.get("after"), request.args.get("bundles")
    with runtime.current().units.read() as uow:
        page = packages.list_packages(uow, scope(), after, PAGE)
        sold = packages.offers(uow, scope())
        bundled = bundles.list_bundles(uow, scope(), older, PAGE)
        bundles_sold = bundles.offers(uow, scope())
    return render_template(
        "web/packages.html",
        section="billing",
        page=page,
        offers=sold,
        regions={packages.region_words(offer.terms.region_set) for offer in sold},
        region_words=packages.region_words,
        next_url=url_for("web.packages", after=page.next) if page.next else None,
        first_url=url_for("web.packages") if after else None,
        bundles=bundled,
        bundle_offers=bundles_sold,
        next_bundles=url_for("web.packages", bundles=bundled.next) if bundled.next else None,
        first_bundles=url_for("web.packages") if older else None,
    )


@blueprint.get("/billing/packages/buy")
@owners_only
def package_buy() -> str:
    """The price once more, before anything is bought."""
    with runtime.current().units.read() as uow:
        offer = _offer(uow, request.args.get("code", ""))
    return _confirm(offer, key=secrets.token_urlsafe(18))


@blueprint.post("/billing/packages/buy")
@owners_only
def buy_package() -> Response | tuple[str, int]:
    """The form carries its key, so that a second press buys nothing more."""
    code, key = request.form.get("code", ""), request.form.get("key", "")
    purchaser = packages.purchaser_of(principal(), g.account.name)
    try:
        with runtime.current().units.begin() as uow:
            packages.buy(uow, scope(), code, purchaser, idempotency_key=f"web:{key}")
    except ServiceError as refusal:
        with runtime.current().units.read() as uow:
            offer = _offer(uow, code)
        return _confirm(offer, key=key, problem=refusal.words), refusal.status
    flash(_("The minutes are yours and are used before your balance."))
    return redirect(url_for("web.packages"))


@blueprint.post("/billing/packages/<uuid:package_id>/stop")
@owners_only
def stop_package(package_id: UUID) -> Response:
    with runtime.current().units.begin() as uow:
        stopped = packages.stop_renewal(uow, scope(), package_id, principal().name)
    flash(
        _("It no longer renews. The minutes last until %(day)s; after that, your plan's rate.")
        % {"day": f"{stopped.ends_on:%b %d, %Y}"}
    )
    return redirect(url_for("web.packages"))


@blueprint.post("/billing/packages/<uuid:package_id>/renew")
@owners_only
def renew_package(package_id: UUID) -> Response:
    with runtime.current().units.begin() as uow:
        packages.undo_stop(uow, scope(), package_id, principal().name)
    flash(_("It renews again."))
    return redirect(url_for("web.packages"))


def _offer(uow: UnitOfWork, code: str) -> Offer:
    for offer in packages.offers(uow, scope()):
        if offer.terms.code == code:
            return offer
    raise NotFound("package", code)


def _confirm(offer: Offer, *, key: str, problem: str = "") -> str:
    with runtime.current().units.read() as uow:
        renews_on = renewals.month_from_now(uow, g.account)
    return render_template(
        "web/package_buy.html",
        section="billing",
        offer=offer,
        region_words=packages.region_words,
        renews_on=renews_on,
        key=key,
        problem=problem,
    )
