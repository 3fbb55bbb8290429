"""Who calls the API, for which account, and how often.

`Authorization: Bearer TOKEN`; an ops token acts for an account with `Ringledger-Account: ID`.
Another tenant's account is answered like one that does not exist.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, g, request
from flask_limiter.util import get_remote_address

from gateway import logs, runtime
from gateway.limits import BODY_BYTES_MAX, body_of_route, limiter
from gateway.services import accounts, tokens
from gateway.services.accounts import Account
from gateway.services.errors import Forbidden, NotFound, ServiceError
from gateway.services.principals import Principal
from gateway.store.base import Scope

P = ParamSpec("P")
R = TypeVar("R")

ACCOUNT_HEADER = "Ringledger-Account"
REQUESTS_PER_MINUTE = 1200


class Unauthorized(ServiceError):
    code = "unauthorized"
    status = 401


class AccountRequired(ServiceError):
    code = "account_required"
    status = 400


@dataclass(frozen=True, slots=True)
class Access:
    """A request's principal and the account it is about."""

    principal: Principal
    scope: Scope
    account: Account

    @property
    def actor(self) -> str:
        return self.principal.name

    @property
    def currency(self) -> str:
        return self.account.currency


def protect(blueprint: APIBlueprint) -> None:
    """Every route of the blueprint needs a token, is counted, and takes a bounded body."""

    @blueprint.before_request
    def _authenticate() -> None:
        request.max_content_length = BODY_BYTES_MAX
        principal = g.principal = _principal()
        if principal.is_ops:
            request.max_content_length = body_of_route().bytes_max

    @blueprint.after_request
    def _challenge(response: Response) -> Response:
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="Ringledger"'
        return response

    limiter.shared_limit(lambda: f"{REQUESTS_PER_MINUTE} per minute", "api", key_func=_who)(
        blueprint
    )


def for_account(
    view: Callable[Concatenate[Access, P], R],
) -> Callable[P, R]:
    """The view gets the `Access` of the token's account, or of the one that ops act for."""

    @wraps(view)
    def enter(*args: P.args, **kwargs: P.kwargs) -> R:
        return view(_access(), *args, **kwargs)

    enter.takes_account = True  # type: ignore[attr-defined]  # for the OpenAPI document
    return enter


def for_ops(view: Callable[Concatenate[Principal, P], R]) -> Callable[P, R]:
    """The view gets the staff principal; other tokens are refused."""

    @wraps(view)
    def enter(*args: P.args, **kwargs: P.kwargs) -> R:
        return view(require_ops(), *args, **kwargs)

    return enter


def for_anyone(view: Callable[Concatenate[Principal, P], R]) -> Callable[P, R]:
    """The view gets the principal and asks nothing about an account."""

    @wraps(view)
    def enter(*args: P.args, **kwargs: P.kwargs) -> R:
        return view(g.principal, *args, **kwargs)

    return enter


def require_ops() -> Principal:
    principal: Principal = g.principal
    if not principal.is_ops:
        raise Forbidden("Only staff may do this: use an ops token.")
    return principal


def scope_of(principal: Principal, account_id: UUID) -> Scope:
    """The scope of an account that this principal may see."""
    if principal.scope is not None:
        if principal.scope.account_id != account_id:
            raise NotFound("account", account_id)
        return principal.scope
    with runtime.current().units.read() as uow:
        scope = accounts.find_scope(uow, account_id)
    if scope is None:
        raise NotFound("account", account_id)
    return scope


def _principal() -> Principal:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip().isascii():
        raise Unauthorized("Send your API token: Authorization: Bearer TOKEN.")
    running = runtime.current()
    with running.units.begin() as uow:
        principal = tokens.authenticate_token(
            uow, token.strip(), bootstrap=running.settings.bootstrap_ops_token
        )
    if principal is None:
        raise Unauthorized("This token is not known here, or it was revoked.")
    return principal


def _access() -> Access:
    principal: Principal = g.principal
    scope = scope_of(principal, _account_id(principal))
    logs.about_account(scope.account_id)
    with runtime.current().units.read() as uow:
        account = accounts.get_account(uow, scope)
    return Access(principal, scope, account)


def _account_id(principal: Principal) -> UUID:
    named = request.headers.get(ACCOUNT_HEADER)
    if named is None:
        if principal.scope is None:
            raise AccountRequired(f"Say for which account: send the header {ACCOUNT_HEADER}.")
        return principal.scope.account_id
    try:
        return UUID(named)
    except ValueError:
        raise NotFound("account", named) from None


def _who() -> str:
    """One allowance per token, known or not; per address without one."""
    header = request.headers.get("Authorization")
    if header is None:
        return str(get_remote_address())
    return hashlib.sha256(header.encode("utf-8", "replace")).hexdigest()[:32]
