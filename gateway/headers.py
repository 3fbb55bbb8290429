"""Security headers of every page, and the nonce that a page's own script or style may carry."""

import secrets
from typing import cast

from flask import Flask, Response, g, request
from secure import Secure
from secure.headers import (
    ContentSecurityPolicy,
    CrossOriginOpenerPolicy,
    CrossOriginResourcePolicy,
    PermissionsPolicy,
    ReferrerPolicy,
    StrictTransportSecurity,
    XContentTypeOptions,
    XFrameOptions,
)

NONCE = "{nonce}"


def csp_nonce() -> str:
    """For templates; the same one within a request."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return cast(str, g.csp_nonce)


def init_app(app: Flask, *, https: bool) -> None:
    policy = _policy(https)
    app.add_template_global(csp_nonce)

    @app.after_request
    def protect(response: Response) -> Response:
        if request.path.startswith("/webhooks/"):
            return response  # the carrier is no browser
        for name, value in policy.items():
            if NONCE in value:
                value = value.replace(NONCE, csp_nonce())
            response.headers.setdefault(name, value)
        if request.endpoint != "static":
            # A shared computer's "back" button must not show the last person's calls.
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def _policy(https: bool) -> dict[str, str]:
    csp = (
        ContentSecurityPolicy()
        .default_src("'none'")
        .script_src("'self'", f"'nonce-{NONCE}'")
        .style_src("'self'", f"'nonce-{NONCE}'")
        .img_src("'self'", "data:")
        .font_src("'self'")
        .media_src("'self'")
        .connect_src("'self'")
        .form_action("'self'")
        .base_uri("'none'")
        .frame_ancestors("'none'")
    )
    headers = Secure(
        csp=csp,
        coop=CrossOriginOpenerPolicy().same_origin(),
        corp=CrossOriginResourcePolicy().same_origin(),
        permissions=PermissionsPolicy().camera().geolocation().microphone().payment(),
        referrer=ReferrerPolicy().same_origin(),
        hsts=StrictTransportSecurity().max_age(31_536_000) if https else None,
        xcto=XContentTypeOptions().nosniff(),
        xfo=XFrameOptions().deny(),
    )
    return dict(headers.headers)
