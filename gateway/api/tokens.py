"""API tokens: issued, listed, revoked."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from gateway import runtime
from gateway.api.access import for_anyone, for_ops, scope_of
from gateway.api.fields import Line
from gateway.api.routes import blueprint
from gateway.api.strict import Model
from gateway.services import tokens
from gateway.services.principals import Principal
from gateway.services.tokens import ApiToken


class TokenIn(Model):
    name: Line = Field(description="What the token is for, so that people can tell them apart.")


class TokenOut(BaseModel):
    id: UUID
    name: str
    role: str = Field(description="account or ops.")
    prefix: str = Field(description="The first characters of the token.")
    created_at: dt.datetime
    created_by: str
    last_used_at: dt.datetime | None
    revoked_at: dt.datetime | None


class NewTokenOut(TokenOut):
    token: str = Field(description="Shown once, here; only its hash is kept.")


class TokensOut(BaseModel):
    items: list[TokenOut]
    next: None = None


@blueprint.post("/accounts/<uuid:account_id>/tokens")
@for_anyone
@blueprint.input(TokenIn, arg_name="body")
@blueprint.output(NewTokenOut, status_code=201)
def issue_token(principal: Principal, account_id: UUID, body: TokenIn) -> NewTokenOut:
    """Issue a token for an account

    The answer is the only place where the token can be read.
    """
    scope = scope_of(principal, account_id)
    with runtime.current().units.begin() as uow:
        text, token = tokens.issue_token(uow, scope, body.name, "account", principal.name)
    return NewTokenOut(**_fields(token), token=text)


@blueprint.get("/accounts/<uuid:account_id>/tokens")
@for_anyone
@blueprint.output(TokensOut)
def list_tokens(principal: Principal, account_id: UUID) -> TokensOut:
    """List the tokens of an account, newest first, revoked ones included"""
    scope = scope_of(principal, account_id)
    with runtime.current().units.read() as uow:
        return TokensOut(items=[token_out(token) for token in tokens.list_tokens(uow, scope)])


@blueprint.delete("/accounts/<uuid:account_id>/tokens/<uuid:token_id>")
@for_anyone
@blueprint.output({}, status_code=204)
def revoke_token(principal: Principal, account_id: UUID, token_id: UUID) -> Response:
    """Revoke a token

    At once and for good; a second time changes nothing.
    """
    scope = scope_of(principal, account_id)
    with runtime.current().units.begin() as uow:
        tokens.revoke_token(uow, scope, token_id, principal.name)
    return Response(status=204)


@blueprint.post("/ops/tokens")
@for_ops
@blueprint.input(TokenIn, arg_name="body")
@blueprint.output(NewTokenOut, status_code=201)
def issue_ops_token(staff: Principal, body: TokenIn) -> NewTokenOut:
    """Issue an ops token (staff)"""
    with runtime.current().units.begin() as uow:
        text, token = tokens.issue_token(uow, None, body.name, "ops", staff.name)
    return NewTokenOut(**_fields(token), token=text)


@blueprint.get("/ops/tokens")
@for_ops
@blueprint.output(TokensOut)
def list_ops_tokens(staff: Principal) -> TokensOut:
    """List ops tokens, newest first, revoked ones included (staff)"""
    with runtime.current().units.read() as uow:
        return TokensOut(items=[token_out(token) for token in tokens.list_tokens(uow, None)])


@blueprint.delete("/ops/tokens/<uuid:token_id>")
@for_ops
@blueprint.output({}, status_code=204)
def revoke_ops_token(staff: Principal, token_id: UUID) -> Response:
    """Revoke an ops token (staff)"""
    with runtime.current().units.begin() as uow:
        tokens.revoke_token(uow, None, token_id, staff.name)
    return Response(status=204)


def token_out(token: ApiToken) -> TokenOut:
    return TokenOut(**_fields(token))


def _fields(token: ApiToken) -> dict[str, Any]:
    return {name: getattr(token, name) for name in TokenOut.model_fields}
