"""`ringledger transfers …`: the bank's file becomes credits, each transfer once."""

from pathlib import Path

import click

from gateway.commands.common import ACTOR, json_option, open_runtime, show


@click.group()
def transfers() -> None:
    """Bank transfers: import a file."""


@transfers.command(name="import")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False))
@json_option
def import_(path: str, as_json: bool) -> None:
    """Credit what names an open statement; the rest waits in the console.

    FILE is camt.053 (XML) or CSV with date, amount, currency and reference. A negative amount that
    names a debit of ours, or gives a reason (AM04), went back. Importing it twice counts once.
    """
    from gateway.services import transfers as service
    from gateway.services.errors import Invalid

    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid.at("/file", "is not UTF-8 text") from None
    found = service.import_file(open_runtime().units, text, ACTOR)
    show(
        {
            "credited": found.credited,
            "unmatched": found.unmatched,
            "known": found.known,
            "returned": found.returned,
        },
        as_json,
        f"{found.credited} credited, {found.unmatched} left for people, {found.known} known"
        f" already, {found.returned} debits returned.",
    )
