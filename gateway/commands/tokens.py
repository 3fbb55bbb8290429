"""`ringledger token …`"""

import uuid
from typing import TYPE_CHECKING, Any

import click

from gateway.commands.common import ACTOR, find_account, json_option, open_runtime, show, table

if TYPE_CHECKING:
    from gateway.store.base import Scope
    from gateway.store.tokens import ApiToken
    from gateway.uow import UnitOfWork

for_account = click.option("--account", "named", help="The account's id or name.")
for_ops = click.option("--ops", "staff", is_flag=True, help="Staff's tokens, of no account.")


@click.group()
def token() -> None:
    """Issue, list and revoke API tokens."""


@token.command()
@for_account
@for_ops
@click.option("--name", required=True, help="What it is for, to recognise it later.")
@json_option
def issue(named: str | None, staff: bool, name: str, as_json: bool) -> None:
    """Make a token. Its text is printed once and cannot be read again."""
    from gateway.services import tokens

    with open_runtime().units.begin() as uow:
        scope = _scope(uow, named, staff)
        text, made = tokens.issue_token(uow, scope, name, "account" if scope else "ops", ACTOR)
    show({"token": text, **_document(made)}, as_json, text)


@token.command(name="list")
@for_account
@for_ops
@json_option
def list_(named: str | None, staff: bool, as_json: bool) -> None:
    """Newest first, revoked ones included."""
    from gateway.services import tokens

    with open_runtime().units.read() as uow:
        found = tokens.list_tokens(uow, _scope(uow, named, staff))
    rows = [
        (one.id, f"{one.prefix}…", one.name, _state(one), one.last_used_at or "never")
        for one in found
    ]
    show(
        [_document(one) for one in found],
        as_json,
        *table(rows, ("id", "token", "name", "state", "last used")),
    )


@token.command()
@click.argument("token_id", type=click.UUID)
@for_account
@for_ops
@json_option
def revoke(token_id: uuid.UUID, named: str | None, staff: bool, as_json: bool) -> None:
    """At once and for good."""
    from gateway.services import tokens

    with open_runtime().units.begin() as uow:
        gone = tokens.revoke_token(uow, _scope(uow, named, staff), token_id, ACTOR)
    show(_document(gone), as_json, f"{gone.prefix}… ({gone.name}) is revoked.")


def _scope(uow: "UnitOfWork", named: str | None, staff: bool) -> "Scope | None":
    if (named is None) != staff:
        raise click.UsageError("Name an account with --account, or say --ops; not both.")
    return None if named is None else find_account(uow, named).scope


def _state(one: "ApiToken") -> str:
    return "revoked" if one.revoked_at else "valid"


def _document(one: "ApiToken") -> dict[str, Any]:
    return {
        "id": str(one.id),
        "prefix": one.prefix,
        "name": one.name,
        "role": one.role,
        "account": str(one.account_id) if one.account_id else None,
        "created_at": one.created_at.isoformat(),
        "revoked_at": one.revoked_at.isoformat() if one.revoked_at else None,
    }
