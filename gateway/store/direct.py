"""Statements handed to the driver as they stand, for the few that a caller waits on.

SQLAlchemy describes, converts and logs each execution; for a statement of thirty values that
costs as much processor time as everything else a webhook does (benchmarks/README.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

_NAMED = re.compile(r"(?<!:):([a-z][a-z_0-9]*)")


def statement(sql: str) -> str:
    """SQL with `:name` values, as in `sqlalchemy.text`, in the driver's own notation."""
    return _NAMED.sub(r"%(\1)s", sql.replace("%", "%%"))


def execute(
    connection: Connection, statement: str, values: Mapping[str, Any]
) -> psycopg.Cursor[tuple[Any, ...]]:
    """In the transaction of `connection`, prepared by the server after its first few times.

    Errors and lost connections are reported as SQLAlchemy would: `UnitsOfWork.retrying` and the
    webhooks' answer to a database that is away see no difference.
    """
    driver: Any = connection.connection.driver_connection
    with _reported(connection, statement):
        cursor: psycopg.Cursor[tuple[Any, ...]] = driver.execute(statement, values)
    return cursor


@contextmanager
def unawaited(connection: Connection) -> Iterator[None]:
    """What is executed inside is sent and not waited for: the server works while this process
    does. An error shows at the end of the block at the latest, and so do counts of rows."""
    driver: Any = connection.connection.driver_connection
    with _reported(connection, "what was not waited for"), driver.pipeline():
        yield


@contextmanager
def _reported(connection: Connection, statement: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        gone = bool(connection.connection.driver_connection.closed)  # type: ignore[union-attr]
        if gone:
            connection.invalidate(error)
        raise DBAPIError.instance(
            statement,
            None,
            error,
            psycopg.Error,
            connection_invalidated=gone,
            dialect=connection.dialect,
        ) from error
