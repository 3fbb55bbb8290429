"""`ringledger up` and `ringledger db upgrade`."""

import sys

import click

from gateway.commands.common import json_option, open_runtime, show


@click.command()
def up() -> None:
    """Run everything on this machine until Ctrl-C: servers, web, workers, clock, demo."""
    from gateway.config import load_settings
    from gateway.up import up as run

    sys.exit(run(load_settings()))


@click.group()
def db() -> None:
    """The database's schema and first contents."""


@db.command()
@json_option
def upgrade(as_json: bool) -> None:
    """Bring the schema up to date and publish plans that were never published.

    A second run changes nothing, and a plan whose prices you changed is left alone.
    """
    from gateway import db as database
    from gateway.services import plans

    runtime = open_runtime()
    database.upgrade(runtime.settings.database_url)
    with runtime.units.begin() as uow:
        added = plans.publish_catalogue(uow, "release")
    heads = list(database.heads(runtime.settings.database_url))
    words = f"Published: {', '.join(added)}." if added else "No plan was missing."
    show(
        {"revision": heads, "published": list(added)},
        as_json,
        f"The schema is at {', '.join(heads)}.",
        words,
    )
