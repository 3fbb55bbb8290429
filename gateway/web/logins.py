"""Log-in, log-out, password, and the choice of light or dark."""

from gettext import gettext as _

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from gateway import browser, runtime
from gateway.limits import limiter
from gateway.services import logins
from gateway.services.errors import Invalid
from gateway.web import accounts
from gateway.web.blueprint import blueprint, principal

THEME_SECONDS = 365 * 24 * 3600
TRIES_PER_PERSON = "10 per 15 minutes"
TRIES_PER_ADDRESS = "30 per 15 minutes"


def _tried_email() -> str:
    return f"login:{request.form.get('email', '').strip().lower()[:254]}"


@blueprint.get("/login")
def log_in() -> Response | str:
    if g.principal is not None:
        return redirect(_home())
    return _form(browser.safe_next(request.args.get("next")))


@blueprint.post("/login", endpoint="log_in_now")
@limiter.limit(TRIES_PER_ADDRESS)
@limiter.limit(TRIES_PER_PERSON, key_func=_tried_email)
def log_in_now() -> Response | tuple[str, int]:
    """An unknown e-mail and a wrong password get the same answer in the same time."""
    following = browser.safe_next(request.form.get("next"))
    email, password = request.form.get("email", ""), request.form.get("password", "")
    with runtime.current().units.begin() as uow:
        found = logins.authenticate_login(uow, email, password)
    if found is None:
        problem = _("This e-mail and password do not fit together. Check both and try again.")
        return _form(following, email=email, problem=problem), 401
    browser.log_in(found)
    g.principal = found
    return redirect(following or _home())


@blueprint.post("/logout")
def log_out() -> Response:
    browser.log_out()
    flash(_("You are logged out."))
    return redirect(url_for("web.log_in"))


@blueprint.post("/preferences/theme")
def set_theme() -> Response:
    theme = request.form.get("theme", "")
    back = browser.safe_next(request.headers.get("Referer", "").removeprefix(request.host_url[:-1]))
    response = redirect(back or "/")
    if theme in browser.THEMES:
        response.set_cookie(
            browser.THEME_COOKIE, theme, max_age=THEME_SECONDS, httponly=True, samesite="Lax"
        )
    else:
        response.delete_cookie(browser.THEME_COOKIE)
    return response


@blueprint.post("/settings/password")
@limiter.limit(TRIES_PER_PERSON)
def change_password() -> Response | tuple[str, int]:
    """Ends every other session of this person; this one goes on."""
    me = principal()
    assert me.id is not None
    current, new = request.form.get("current", ""), request.form.get("new", "")
    try:
        with runtime.current().units.begin() as uow:
            changed = logins.change_password(uow, me.id, current=current, new=new)
    except Invalid as invalid:
        return accounts.settings_page(invalid), 422
    browser.log_in(logins.principal_of(changed))
    flash(_("Your password is changed. Other sessions are logged out."))
    return redirect(url_for("web.settings"))


def _form(following: str | None, email: str = "", problem: str = "") -> str:
    return render_template("web/log_in.html", next=following, email=email, problem=problem)


def _home() -> str:
    return browser.STAFF_HOME if g.principal.is_ops else url_for("web.overview")
