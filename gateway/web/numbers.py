"""Numbers: the list, search with prices, purchase in two steps, label, source, release."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from gettext import gettext as _
from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from billing.tariffs import Plan
from gateway import figures, runtime
from gateway.limits import limiter
from gateway.services import forwarding, numbers, plans, purchases
from gateway.services.errors import Invalid, NotFound, ServiceError
from gateway.services.numbers import AvailableNumber, Number
from gateway.uow import UnitOfWork
from gateway.web import plan_form
from gateway.web.blueprint import blueprint, owners_only, principal, scope
from routing.describe import describe, outline
from routing.numbering import InvalidNumber, number_type, parse_e164, region_of
from routing.plans import load_plan

SEARCHES = "60 per minute"  # each one asks the carrier
OFFERS = 20


@dataclass(frozen=True, slots=True)
class NumberLine:
    """A number and its forwarding in one sentence; empty while nothing is published."""

    number: Number
    words: str


@blueprint.get("/numbers", endpoint="numbers")
def list_numbers() -> str:
    searched, after = request.args.get("q", "").strip(), request.args.get("after")
    with runtime.current().units.read() as uow:
        page = numbers.list_numbers(uow, scope(), search=searched, after=after)
        live = forwarding.current_of(uow, scope(), [number.id for number in page.items])
    lines = []
    for number in page.items:
        version = live.get(number.id)
        lines.append(NumberLine(number, describe(load_plan(version.document)) if version else ""))
    return render_template(
        "web/numbers.html",
        section="numbers",
        lines=lines,
        searched=searched,
        has_many=bool(searched or after or page.next),
        next_url=url_for("web.numbers", after=page.next, q=searched or None) if page.next else None,
        first_url=url_for("web.numbers", q=searched or None) if after else None,
    )


@blueprint.get("/numbers/search")
@limiter.limit(SEARCHES)
def numbers_search() -> str:
    """Asks the carrier only when somebody pressed Search."""
    searched = "search" in request.args
    asked = {
        "country": request.args.get("country", g.account.country),
        "type": request.args.get("type", "local"),
        "area_code": request.args.get("area_code", "").strip(),
        "contains": request.args.get("contains", "").strip(),
    }
    with runtime.current().units.read() as uow:
        plan = _plan(uow)
    found: tuple[AvailableNumber, ...] = ()
    problem, errors = "", {}
    if searched:
        try:
            found = numbers.search_available(
                runtime.current().telephony,
                plan,
                country=asked["country"],
                number_type=asked["type"],
                area_code=asked["area_code"],
                contains=asked["contains"],
                limit=OFFERS,
            )
        except Invalid as invalid:
            errors = field_errors(invalid)
        except ServiceError as refusal:
            problem = refusal.words
    sold = sorted({country for country, _kind in plan.tariff.rental})
    return render_template(
        "web/numbers_search.html",
        section="numbers",
        asked=asked,
        searched=searched,
        found=found,
        problem=problem,
        errors=errors,
        countries=[(code, figures.country(code)) for code in sold],
    )


@blueprint.get("/numbers/order")
@owners_only
def number_order() -> str:
    """The price once more, before anything is bought."""
    return _order_page(request.args.get("e164", ""), {}, key=secrets.token_urlsafe(18))


@blueprint.post("/numbers/order")
@owners_only
@limiter.limit(SEARCHES)
def order_number() -> Response | tuple[str, int]:
    """The form carries its key, so that a second press buys nothing more."""
    form, running = request.form, runtime.current()
    try:
        bought = purchases.order_number(
            running.units,
            running.telephony,
            running.links,
            scope(),
            e164=form.get("e164", ""),
            label=form.get("label", ""),
            source=form.get("source", ""),
            actor=principal().name,
            idempotency_key=f"web:{form.get('key', '')}",
        )
    except ServiceError as refusal:
        page = _order_page(form.get("e164", ""), form, key=form.get("key", ""), refusal=refusal)
        return page, refusal.status
    flash(
        _("%(number)s is yours. Now say where it rings.") % {"number": figures.phone(bought.e164)}
    )
    return redirect(url_for("web.forwarding", number_id=bought.id))


@blueprint.get("/numbers/<uuid:number_id>")
def number(number_id: UUID) -> str:
    return number_page(number_id)


@blueprint.post("/numbers/<uuid:number_id>")
@owners_only
def change_number(number_id: UUID) -> Response | tuple[str, int]:
    form = request.form
    try:
        with runtime.current().units.begin() as uow:
            numbers.update_number(
                uow,
                scope(),
                number_id,
                label=form.get("label", ""),
                source=form.get("source", ""),
                actor=principal().name,
            )
    except Invalid as invalid:
        return number_page(number_id, form, invalid), 422
    flash(_("Saved."))
    return redirect(url_for("web.number", number_id=number_id))


@blueprint.post("/numbers/<uuid:number_id>/release")
@owners_only
def release_number(number_id: UUID) -> Response:
    with runtime.current().units.begin() as uow:
        released = numbers.request_release(uow, scope(), number_id, principal().name)
    flash(_("The release of %(number)s is asked for.") % {"number": figures.phone(released.e164)})
    return redirect(url_for("web.number", number_id=number_id))


def field_errors(invalid: Invalid) -> dict[str, list[str]]:
    return plan_form.errors_by_field((e.path.removeprefix("/"), e.message) for e in invalid.errors)


def _plan(uow: UnitOfWork) -> Plan:
    return plans.plan_version(uow.connection, g.account.plan_version_id).plan


def _order_page(
    typed_number: str,
    typed: Mapping[str, str],
    *,
    key: str,
    refusal: ServiceError | None = None,
) -> str:
    try:
        e164 = parse_e164(typed_number)
    except InvalidNumber:
        raise NotFound("number", typed_number) from None
    with runtime.current().units.read() as uow:
        tariff = _plan(uow).tariff
        free_until = purchases.free_until(uow, scope(), e164)
    country, kind = region_of(e164) or "", number_type(e164)
    rental = tariff.rental_per_month_micros(country, kind)
    rate = tariff.inbound_rate(country, kind)
    if rental is None or rate is None:
        raise NotFound("price for", e164)
    return render_template(
        "web/number_order.html",
        section="numbers",
        e164=e164,
        key=key,
        rental_micros=rental,
        free_until=free_until,
        inbound_rate_micros=rate.per_minute_micros,
        typed={"label": typed.get("label", ""), "source": typed.get("source", "")},
        problem="" if refusal is None or isinstance(refusal, Invalid) else refusal.words,
        errors=field_errors(refusal) if isinstance(refusal, Invalid) else {},
    )


def number_page(
    number_id: UUID, typed: Mapping[str, str] | None = None, invalid: Invalid | None = None
) -> str:
    with runtime.current().units.read() as uow:
        found = numbers.get_number(uow, scope(), number_id)
        version = forwarding.current(uow, scope(), number_id)
    return render_template(
        "web/number.html",
        section="numbers",
        number=found,
        current=version,
        outline=outline(load_plan(version.document)) if version else (),
        typed={"label": found.label, "source": found.source, "texts_to": found.texts_to}
        | dict((typed or {}).items()),
        errors=field_errors(invalid) if invalid else {},
    )
