"""Settings of the account: who it is, its clock, what callers hear at zero, tokens, password."""

from collections.abc import Mapping
from functools import cache
from gettext import gettext as _

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from billing.money import InvalidAmount, format_amount, parse_amount
from gateway import runtime
from gateway.services import accounts, tokens
from gateway.services.errors import FieldError, Invalid
from gateway.web import plan_form
from gateway.web.blueprint import blueprint, owners_only, principal, scope
from routing.hours import zone_names


@blueprint.get("/settings")
def settings() -> str:
    return settings_page()


@blueprint.post("/settings")
@owners_only
def change_settings() -> Response | tuple[str, int]:
    form = request.form
    try:
        changes = {
            "name": form.get("name", ""),
            "billing_email": form.get("billing_email", ""),
            "time_zone": form.get("time_zone", ""),
            "suspended_notice": _notice(form),
            "low_balance_micros": _amount(form.get("low_balance", "")),
        }
        with runtime.current().units.begin() as uow:
            accounts.update_account(uow, scope(), changes, principal().name)
    except Invalid as invalid:
        return settings_page(invalid, form), 422
    flash(_("Your settings are saved."))
    return redirect(url_for("web.settings"))


def settings_page(
    invalid: Invalid | None = None,
    typed: Mapping[str, str] | None = None,
    new_token: str | None = None,
) -> str:
    """The page, with complaints at their fields and a token that is shown this once."""
    errors = () if invalid is None else invalid.errors
    with runtime.current().units.read() as uow:
        issued = tokens.list_tokens(uow, scope())
    return render_template(
        "web/settings.html",
        section="settings",
        typed=_shown() if typed is None else typed,
        errors=plan_form.errors_by_field((e.path.removeprefix("/"), e.message) for e in errors),
        tokens=issued,
        new_token=new_token,
        zones=time_zones(),
    )


@cache
def time_zones() -> tuple[str, ...]:
    """Those with a city."""
    return tuple(sorted(zone for zone in zone_names() if "/" in zone and "Etc" not in zone))


def _shown() -> dict[str, str]:
    account = g.account
    low = account.low_balance_micros
    return {
        "name": account.name,
        "billing_email": account.billing_email,
        "time_zone": account.time_zone,
        "at_zero": "reject" if account.suspended_notice is None else "say",
        "suspended_notice": account.suspended_notice or "",
        "low_balance": "" if low is None else format_amount(low),
    }


def _notice(form: Mapping[str, str]) -> str | None:
    if form.get("at_zero") != "say":
        return None
    text = form.get("suspended_notice", "").replace("\r\n", "\n").strip()
    if not text:
        raise Invalid.at("/suspended_notice", _("Write what callers hear, or refuse the calls."))
    return text


def _amount(text: str) -> int | None:
    if not text.strip():
        return None
    try:
        return parse_amount(text.strip())
    except InvalidAmount as problem:
        raise Invalid((FieldError("/low_balance_micros", str(problem)),)) from None
