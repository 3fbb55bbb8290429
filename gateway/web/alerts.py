"""Warnings before money, minutes or days run out; and the word that a notice was read."""

from collections.abc import Iterator, Mapping
from gettext import gettext as _

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from billing.alerts import Gauge, Threshold
from billing.money import InvalidAmount, parse_amount
from gateway import runtime
from gateway.services import alerts, dunning
from gateway.services.errors import FieldError, Invalid
from gateway.web import plan_form
from gateway.web.blueprint import blueprint, owners_only, principal, scope
from routing.numbering import pretty

SECONDS_PER_MINUTE = 60
FIELDS = {Gauge.MONEY: "money", Gauge.MINUTES: "minutes", Gauge.DAYS: "days"}


@blueprint.get("/billing/alerts")
def alert_settings() -> str:
    return alerts_page()


@blueprint.post("/billing/alerts")
@owners_only
def change_alerts() -> Response | tuple[str, int]:
    form = request.form
    try:
        with runtime.current().units.begin() as uow:
            alerts.change_settings(
                uow,
                scope(),
                thresholds=_thresholds(form),
                channels=form.getlist("channels"),
                hook_url=form.get("webhook_url", "").strip(),
                phone=form.get("phone", "").strip(),
                by_phone=bool(runtime.current().settings.alert_number),
                actor=principal().name,
            )
    except Invalid as invalid:
        return alerts_page(invalid, form), 422
    flash(_("Your warnings are saved."))
    return redirect(url_for("web.alert_settings"))


@blueprint.post("/billing/arrears/read")
def arrears_read() -> Response:
    """Who is logged in has read the notice that stands on every page."""
    with runtime.current().units.begin() as uow:
        dunning.acknowledge(uow, scope(), principal().name)
    return redirect(url_for("web.billing"))


def alerts_page(invalid: Invalid | None = None, typed: Mapping[str, str] | None = None) -> str:
    with runtime.current().units.read() as uow:
        current = alerts.get_settings(uow, scope())
    errors = () if invalid is None else invalid.errors
    return render_template(
        "web/alerts.html",
        section="billing",
        current=current,
        typed=_shown(current) if typed is None else typed,
        chosen=current.channels if typed is None else request.form.getlist("channels"),
        errors=plan_form.errors_by_field((e.path.removeprefix("/"), e.message) for e in errors),
        shown=alerts.shown,
        by_phone=bool(runtime.current().settings.alert_number),
    )


def _shown(current: alerts.AlertSettings) -> dict[str, str]:
    found: dict[str, list[str]] = {name: [] for name in FIELDS.values()}
    for watch in current.watches:
        found[watch.measure].append(alerts.shown(watch.measure, watch.threshold))
    return {
        **{name: ", ".join(values) for name, values in found.items()},
        "webhook_url": current.hook_url,
        "phone": pretty(current.phone),
    }


def _thresholds(form: Mapping[str, str]) -> list[Threshold]:
    """Lists as people write them: "10.00, 5.00"."""
    found: list[Threshold] = []
    errors: list[FieldError] = []
    for gauge, name in FIELDS.items():
        for part in form.get(name, "").replace(";", ",").split(","):
            if part.strip():
                found += _threshold(gauge, name, part.strip(), errors)
    if errors:
        raise Invalid(errors)
    return found


def _threshold(gauge: Gauge, name: str, text: str, errors: list[FieldError]) -> Iterator[Threshold]:
    if gauge == Gauge.MONEY:
        try:
            yield Threshold(gauge, parse_amount(text))
        except InvalidAmount as problem:
            errors.append(FieldError(f"/{name}", str(problem)))
    elif text.isascii() and text.isdigit() and len(text) <= 9:
        factor = SECONDS_PER_MINUTE if gauge == Gauge.MINUTES else 1
        yield Threshold(gauge, int(text) * factor)
    else:
        errors.append(FieldError(f"/{name}", _("Write whole numbers, such as 500, 100.")))
