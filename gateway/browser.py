"""What the two kinds of pages share (gateway.web for businesses, gateway.ops for staff): the
session, who is logged in, and the words and figures that templates print.

Below the edges, above the services; may import Flask. `guard(blueprint, …)` is all that a
blueprint calls.
"""

from collections.abc import Container
from typing import Any
from uuid import UUID

from flask import Blueprint, Flask, Response, abort, g, redirect, request, session, url_for
from flask.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response as AnyResponse

from gateway import figures, limits, logs, runtime
from gateway.services import accounts, logins
from gateway.services.principals import Principal

THEMES = ("light", "dark")
THEME_COOKIE = "theme"
LOGIN_PAGE = "web.log_in"
STAFF_HOME = "/ops/"


def install(app: Flask) -> None:
    """Once per application, whichever blueprint comes first."""
    if "ringledger.browser" in app.extensions:
        return
    app.extensions["ringledger.browser"] = True
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(lambda: {"theme": current_theme()})
    figures.install(app)


def guard(blueprint: Blueprint, roles: Container[str], public: Container[str] = ()) -> None:
    """Let in who is logged in with one of the roles; everyone else learns nothing.

    `public` names the view functions that need no log-in.
    """

    @blueprint.record_once
    def _install(state: BlueprintSetupState) -> None:
        assert isinstance(state.app, Flask)
        install(state.app)

    @blueprint.before_request
    def _enter() -> AnyResponse | None:
        g.principal = current_principal()
        g.account = None
        if (request.endpoint or "").rpartition(".")[2] in public:
            return None
        if g.principal is None:
            return to_log_in()
        if g.principal.role not in roles:
            if request.path == "/" and g.principal.is_ops:
                return redirect(STAFF_HOME)
            abort(404)
        if g.principal.scope is not None:
            logs.about_account(g.principal.scope.account_id)
            with runtime.current().units.read() as uow:
                g.account = accounts.get_account(uow, g.principal.scope)
        return None

    @blueprint.context_processor
    def _context() -> dict[str, Any]:
        return {
            "principal": g.get("principal"),
            "account": g.get("account"),
            "is_htmx": is_htmx(),
        }


def widen_for_staff(app: Flask) -> None:
    """A route that takes larger bodies (`limits.takes`) takes them from staff alone: who is not
    logged in as such makes nobody read one."""

    @app.before_request
    def _widen() -> None:
        body = limits.body_of_route()
        if body is limits.BODY or request.path.startswith("/api/"):
            return
        principal = current_principal()
        if principal is not None and principal.is_ops:
            request.max_content_length = body.bytes_max


def log_in(principal: Principal) -> None:
    """A new session: what an attacker may have planted before is gone (RELIABILITY H3).

    It ends 12 h after the last request (`PERMANENT_SESSION_LIFETIME`, renewed by each).
    """
    assert principal.id is not None
    session.clear()
    session.permanent = True
    session["login"] = principal.id.hex
    session["epoch"] = principal.session_epoch


def log_out() -> None:
    session.clear()


def current_principal() -> Principal | None:
    """Who is logged in; a disabled login, or a session from before a password change, is nobody."""
    try:
        login_id, epoch = UUID(hex=session["login"]), int(session["epoch"])
    except (KeyError, ValueError, TypeError):
        return None
    with runtime.current().units.read() as uow:
        login = logins.login_by_id(uow, login_id)
    if login is None or login.session_epoch != epoch:
        session.clear()
        return None
    return logins.principal_of(login)


def to_log_in() -> AnyResponse:
    wanted = request.full_path.rstrip("?") if request.method == "GET" and not is_htmx() else None
    target = url_for(LOGIN_PAGE, next=wanted if wanted != "/" else None)
    if is_htmx():
        return Response(status=401, headers={"HX-Redirect": target})
    return redirect(target)


def is_htmx() -> bool:
    return request.headers.get("HX-Request") == "true"


def current_theme() -> str:
    """Empty: the system decides."""
    theme = request.cookies.get(THEME_COOKIE, "")
    return theme if theme in THEMES else ""


def safe_next(target: str | None) -> str | None:
    """A path of our own, or None: never another host, whatever was put into the link."""
    if not target or not target.startswith("/") or target[1:2] in ("/", "\\"):
        return None
    return target if target.isprintable() else None
