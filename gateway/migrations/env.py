"""Alembic's entry: one connection, one transaction, the store's metadata."""

from typing import Literal

from alembic import context
from sqlalchemy import create_engine, pool

from gateway.db import UtcDateTime
from gateway.store import metadata

config = context.config


def render_item(kind: str, value: object, autogen_context: object) -> str | Literal[False]:
    """Write our types as plain SQL types: a migration must not import today's code."""
    if kind == "type" and isinstance(value, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run() -> None:
    url = config.get_main_option("sqlalchemy.url")
    assert url is not None, "run migrations with `ringledger db upgrade`"
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            compare_type=True,
            render_item=render_item,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
