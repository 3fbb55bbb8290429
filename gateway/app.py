"""The application: edges, errors, headers, limits and measurements around one runtime."""

import datetime as dt
import time

import structlog
from apiflask import APIFlask
from flask import Response, g, request
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]
from gunicorn.http.errors import NoMoreData, ParseException

import webhooks
from gateway import api, bootstrap, browser, headers, health, limits, metrics, ops, problems, web
from gateway.runtime import EXTENSION, Runtime

SESSION_LIFETIME = dt.timedelta(hours=12)  # idle: every request renews it

# Only pages that browsers show are guarded by CSRF tokens: the carrier signs and programs send a
# bearer token, and no browser does either on its own.
PAGES = (web.blueprint, ops.blueprint)
MACHINES = (webhooks.blueprint, webhooks.payments, api.blueprint)


def create_app(runtime: Runtime | None = None) -> APIFlask:
    current = runtime or bootstrap.build_runtime()
    settings = current.settings
    https = settings.public_url.startswith("https://")
    app = APIFlask(
        "gateway",
        title="Ringledger API",
        version="1.0",
        spec_path="/api/openapi.json",
        docs_path=None,  # its own page loads scripts from elsewhere
        json_errors=False,
    )
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=limits.BODY_BYTES_MAX,
        SESSION_COOKIE_NAME="__Host-ringledger" if https else "ringledger",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=https,
        PERMANENT_SESSION_LIFETIME=SESSION_LIFETIME,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
    )
    app.extensions[EXTENSION] = current
    _measure(app)  # first: what the limiter refuses is measured too
    limits.init_app(app, settings.redis_url)
    problems.init_app(app, unreadable=(ParseException, NoMoreData))  # chunks that are none
    headers.init_app(app, https=https)
    _register_edges(app)
    return app


def _register_edges(app: APIFlask) -> None:
    browser.widen_for_staff(app)  # before the form is read for its token
    csrf = CSRFProtect(app)
    for blueprint in (health.blueprint, *PAGES):
        app.register_blueprint(blueprint)
    for blueprint in MACHINES:
        csrf.exempt(blueprint)
        app.register_blueprint(blueprint)


def _measure(app: APIFlask) -> None:
    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()
        structlog.contextvars.clear_contextvars()

    @app.after_request
    def finish(response: Response) -> Response:
        seconds = time.perf_counter() - g.started
        if request.path.startswith("/webhooks/"):
            metrics.WEBHOOK_SECONDS.labels(request.endpoint or "none").observe(seconds)
        else:
            part = request.blueprint or "none"
            status = f"{response.status_code // 100}xx"
            metrics.REQUEST_SECONDS.labels(part, status).observe(seconds)
        return response
