"""Unit of work: one transaction, one frozen `now`.

Services take a `UnitOfWork` and nothing else of the outside world. It commits when the block
ends without an exception and rolls back otherwise.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

T = TypeVar("T")

SERIALIZATION_FAILURE = "40001"
DEADLOCK = "40P01"
ATTEMPTS_MAX = 4


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    connection: Connection
    now: dt.datetime


class UnitsOfWork:
    """Opens units of work on one engine with one clock."""

    def __init__(self, engine: Engine, clock: Callable[[], dt.datetime]) -> None:
        self.engine = engine
        self.clock = clock
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def begin(self) -> Iterator[UnitOfWork]:
        with self.engine.begin() as connection:
            yield UnitOfWork(connection, self.clock())

    @contextmanager
    def read(self) -> Iterator[UnitOfWork]:
        """For pages and lists: never commits."""
        with self.engine.connect() as connection:
            yield UnitOfWork(connection, self.clock())

    @contextmanager
    def single(self) -> Iterator[UnitOfWork]:
        """For deeds that write with one statement: it is a transaction by itself, and two round
        trips of each webhook, BEGIN and COMMIT, are saved."""
        with self._autocommit.connect() as connection:
            yield UnitOfWork(connection, self.clock())

    def retrying(self, deed: Callable[[UnitOfWork], T], *, single: bool = False) -> T:
        """Run an idempotent deed again after a deadlock or a connection that died while idle.

        Only for deeds that a second run does not change: all webhooks, all drains.
        """
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                with self.single() if single else self.begin() as uow:
                    return deed(uow)
            except DBAPIError as error:
                if attempt == ATTEMPTS_MAX or not _worth_retrying(error):
                    raise
        raise AssertionError("unreachable")


def _worth_retrying(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    if state in (SERIALIZATION_FAILURE, DEADLOCK):
        return True
    return isinstance(error, OperationalError) and bool(error.connection_invalidated)
