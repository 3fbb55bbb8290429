"""What commands share: the runtime, `--json`, and how an account or an amount is named."""

import json
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

    return accounts.find_named(uow, named)


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
