"""The engine: how this process reaches PostgreSQL, and how the schema gets there."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, DateTime, Dialect, Engine, create_engine, text
from sqlalchemy.types import TypeDecorator

# Alembic (and Mako with it) is loaded by the commands that migrate: 6 MB and a fifth of a second
# that no serving process needs.
if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
REVISION = re.compile(r'^(down_)?revision(?:: [^=]+)? = "(\w+)"', re.MULTILINE)

# Every statement has a bound, so that a stuck lock becomes an error in a log, not a silent caller.
# A hung webhook is worse than a failed one: Twilio gives up after 15 s and plays the fallback.
LIBPQ_OPTIONS = (
    "-c statement_timeout=8000 -c lock_timeout=3000"
    " -c idle_in_transaction_session_timeout=15000 -c timezone=UTC"
)


class UtcDateTime(TypeDecorator[dt.datetime]):
    """`timestamptz` that refuses naive values and always answers aware UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        assert value is None or value.tzinfo is not None, "a naive datetime reached the database"
        return value

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        return None if value is None else value.astimezone(dt.UTC)


@cache
def engine_for(
    database_url: str,
    *,
    application_name: str = "ringledger",
    pool_size: int = 6,
    statement_timeout_ms: int | None = None,
    behind_pooler: bool = False,
    durable: bool = True,
) -> Engine:
    """One engine per process and URL.

    No `pool_pre_ping`: it costs a round trip on each webhook. A connection that died while idle
    shows as one failed statement; `UnitOfWorks.retrying` runs an idempotent deed once more.
    `behind_pooler` turns prepared statements off: PgBouncer in transaction mode hands the next
    statement to another server session, which does not know them (psycopg#280).
    Without `durable` nobody waits for the disk, and a server that dies loses the last second: for
    what would be done again, such as the demo's past.
    """
    options = LIBPQ_OPTIONS
    if statement_timeout_ms is not None:
        options += f" -c statement_timeout={statement_timeout_ms}"
    if not durable:
        options += " -c synchronous_commit=off"
    connect_args: dict[str, Any] = {
        "options": options,
        "application_name": application_name,
        "connect_timeout": 3,
    }
    if behind_pooler:
        connect_args["prepare_threshold"] = None
    return create_engine(
        database_url,
        pool_size=pool_size,
        max_overflow=2,
        pool_timeout=5,
        pool_recycle=1800,
        connect_args=connect_args,
    )


def dispose() -> None:
    """Forget every engine of this process: a forked child must not share its parent's sockets."""
    engine_for.cache_clear()


def alembic_config(database_url: str) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    return config


def is_current(database_url: str) -> bool:
    """Has every migration been done? Asked without loading Alembic."""
    with engine_for(database_url).connect() as connection:
        made = connection.scalar(text("select to_regclass('alembic_version') is not null"))
        return bool(made) and applied_revisions(connection) == expected_revisions()


def applied_revisions(connection: Connection) -> frozenset[str]:
    return frozenset(connection.scalars(text("select version_num from alembic_version")))


@cache
def expected_revisions() -> frozenset[str]:
    """The heads of this release, read off the migration files: Alembic would tell the same, and
    would stay in the memory of every web worker."""
    revisions: set[str] = set()
    superseded: set[str] = set()
    for file in (MIGRATIONS / "versions").glob("*.py"):
        for name, value in REVISION.findall(file.read_text(encoding="utf-8")):
            (superseded if name else revisions).add(value)
    return frozenset(revisions - superseded)


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the schema to `revision`; a second run changes nothing."""
    from alembic import command

    command.upgrade(alembic_config(database_url), revision)


def heads(database_url: str) -> Sequence[str]:
    """The revisions that the code expects; `/readyz` compares them with the database's."""
    from alembic.script import ScriptDirectory

    return tuple(ScriptDirectory.from_config(alembic_config(database_url)).get_heads())
