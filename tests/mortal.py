"""Work in a process that is killed in the middle of it: SIGKILL, as the kernel or a power cut does.

The process is a fork with connections of its own, so that nothing of it is cleaned up: what it
committed is there, what it had only begun is not, and nobody is told which.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from world import World

from gateway import db
from gateway.uow import UnitOfWork, UnitsOfWork
from workers.context import Work


@dataclass(frozen=True, slots=True)
class Death:
    """Just before the nth commit, or just after it; with fewer commits nobody dies."""

    commit: int
    committed: bool


class MortalUnits(UnitsOfWork):
    """Units of work that end with their process."""

    def __init__(self, units: UnitsOfWork, database_url: str, death: Death) -> None:
        engine = db.engine_for(database_url, application_name="mortal", pool_size=1)
        super().__init__(engine, units.clock)
        self._death = death
        self._commits = 0

    @contextmanager
    def begin(self) -> Iterator[UnitOfWork]:
        with super().begin() as uow:
            yield uow
            self._commits += 1
            self._meet(committed=False)
        self._meet(committed=True)

    @contextmanager
    def single(self) -> Iterator[UnitOfWork]:
        with super().single() as uow:
            yield uow  # each statement is a commit by itself
        self._commits += 1
        self._meet(committed=True)

    def _meet(self, *, committed: bool) -> None:
        if self._death == Death(self._commits, committed):
            os.kill(os.getpid(), signal.SIGKILL)


def dies(stage: World, death: Death, deed: Callable[[Work], object]) -> bool:
    """Do the deed in a process that meets this death; False where it was done before it came.
    What the deed raises shows in the output, and fails the test."""
    with warnings.catch_warnings():
        # From Python 3.12 on: of the threads of the parent only the sandbox's door is left, which
        # the child talks to and never is.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _be_mortal(stage, death, deed)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or os.waitstatus_to_exitcode(status) == 0, "the worker failed by itself"
    return killed


def _be_mortal(stage: World, death: Death, deed: Callable[[Work], object]) -> None:
    """Never returns: the test goes on in the parent alone."""
    code = 1
    try:
        units = MortalUnits(stage.units, stage.settings.database_url, death)
        deed(stage.worker_on(units))
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)
