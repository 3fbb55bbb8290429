"""What commands share: the runtime, `--json`, and how an account or an amount is named."""

import json
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from gateway.runtime import Runtime
    from gateway.services.accounts import Account
    from gateway.uow import UnitOfWork

F = TypeVar("F", bound=Callable[..., Any])

ACTOR = "command line"
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document, for scripts."
)


def open_runtime() -> "Runtime":
    from gateway.bootstrap import build_runtime

    return build_runtime()


def find_account(uow: "UnitOfWork", named: str) -> "Account":
    """By id, or by a name that only one account has."""
    from gateway.services import accounts
    from gateway.services.errors import Conflict, NotFound

    try:
        scope = accounts.find_scope(uow, uuid.UUID(named))
    except ValueError:
        found = [
            account
            for account in accounts.list_accounts(uow, query=named, limit=200)
            if account.name.lower() == named.strip().lower()
        ]
        if len(found) > 1:
            raise Conflict(
                f"{len(found)} accounts are called {named!a}: name one by its id."
            ) from None
        scope = found[0].scope if found else None
    if scope is None:
        raise NotFound("account", named)
    return accounts.get_account(uow, scope)


def parse_money(text: str) -> int:
    """Micros of what was typed; a comma or a letter too many is a usage error."""
    from billing.money import InvalidAmount, parse_amount

    try:
        return parse_amount(text)
    except InvalidAmount as refusal:
        raise click.BadParameter(str(refusal)) from None


def show(document: Any, as_json: bool, *lines: str) -> None:
    if as_json:
        click.echo(json.dumps(document, default=str, ensure_ascii=False))
    else:
        for line in lines:
            click.echo(line)


def table(rows: Sequence[Sequence[object]], heads: Sequence[str]) -> tuple[str, ...]:
    """Columns as wide as their widest cell."""
    cells = [[str(cell) for cell in row] for row in [heads, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    return tuple(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
