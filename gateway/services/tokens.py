"""API tokens: issued once as text, kept as a hash, revoked for good."""

import hashlib
import hmac
import secrets
import uuid
from datetime import timedelta
from typing import Literal

from gateway.services import audit
from gateway.services.errors import Invalid, NotFound
from gateway.services.principals import Principal
from gateway.store import tokens
from gateway.store.base import Scope, new_id
from gateway.store.tokens import ApiToken
from gateway.uow import UnitOfWork

__all__ = ["ApiToken", "authenticate_token", "issue_token", "list_tokens", "revoke_token"]

PREFIX = "rl_"
SHOWN_LENGTH = 9  # rl_ and six of 43 random characters: enough to tell them apart
NAME_LENGTH_MAX = 80
TEXT_LENGTH_MAX = 200
USE_NOTED_EVERY = timedelta(minutes=1)


def issue_token(
    uow: UnitOfWork, scope: Scope | None, name: str, role: Literal["account", "ops"], actor: str
) -> tuple[str, ApiToken]:
    """The text, which nobody can read again, and what lists show. `scope` is None for ops."""
    assert (scope is None) == (role == "ops"), "an ops token belongs to no account"
    if not 1 <= len(name.strip()) <= NAME_LENGTH_MAX:
        raise Invalid.at("/name", f"write a name of 1 to {NAME_LENGTH_MAX} characters")
    text = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        id=new_id(),
        prefix=text[:SHOWN_LENGTH],
        name=name.strip(),
        role=role,
        tenant_id=scope.tenant_id if scope else None,
        account_id=scope.account_id if scope else None,
        created_by=actor,
        created_at=uow.now,
        last_used_at=None,
        revoked_at=None,
    )
    tokens.add(uow.connection, _hash(text), token)
    audit.note(uow, scope, actor, "token.issued", token.id, name=token.name, prefix=token.prefix)
    return text, token


def authenticate_token(uow: UnitOfWork, text: str, *, bootstrap: str = "") -> Principal | None:
    """Who sends this token; None for an unknown or revoked one.

    `bootstrap` is the setting BOOTSTRAP_OPS_TOKEN, an ops token that is valid from the first
    start. The unit of work should commit: a token's last use is noted, at most once a minute.
    """
    if not text or len(text) > TEXT_LENGTH_MAX:
        return None
    digest = _hash(text)
    if bootstrap and hmac.compare_digest(digest, _hash(bootstrap)):
        return Principal(kind="token", id=None, name="bootstrap token", role="ops", scope=None)
    token = tokens.find_by_hash(uow.connection, digest)
    if token is None or token.revoked_at is not None:
        return None
    if token.last_used_at is None or uow.now - token.last_used_at >= USE_NOTED_EVERY:
        tokens.used(uow.connection, token.id, uow.now)
    return Principal(
        kind="token",
        id=token.id,
        name=f"token {token.prefix}",
        role="ops" if token.role == "ops" else "account",
        scope=token.scope,
    )


def list_tokens(uow: UnitOfWork, scope: Scope | None) -> tuple[ApiToken, ...]:
    """An account's, or with None the tokens of staff; newest first, revoked ones included."""
    return tokens.of_account(uow.connection, scope.account_id if scope else None)


def revoke_token(uow: UnitOfWork, scope: Scope | None, token_id: uuid.UUID, actor: str) -> ApiToken:
    """At once and for good; a second time changes nothing."""
    token = tokens.revoke(uow.connection, token_id, scope.account_id if scope else None, uow.now)
    if token is None:
        raise NotFound("token", token_id)
    if token.revoked_at == uow.now:
        audit.note(uow, scope, actor, "token.revoked", token.id, prefix=token.prefix)
    return token


def _hash(text: str) -> bytes:
    """Plain SHA-256: a token has 256 random bits, there is nothing to guess slowly."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
