"""Due deeds: done once, tried again, given up and shown; a dead worker's deeds are found."""

import datetime as dt
from collections.abc import Callable

import pytest
import structlog
from sqlalchemy import select

from gateway import db
from gateway.config import Settings
from gateway.providers.telephony import ProviderError
from gateway.services import deeds
from gateway.store import outbox
from gateway.store.base import Scope, new_id
from gateway.store.outbox import DueDeed, OutboxRow
from gateway.uow import UnitsOfWork

NOON = dt.datetime(2026, 3, 4, 17, 0, tzinfo=dt.UTC)
ACME = Scope(new_id(), new_id())


class Hours:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> dt.datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += dt.timedelta(**by)


@pytest.fixture
def hours() -> Hours:
    return Hours()


@pytest.fixture
def units(settings: Settings, hours: Hours) -> UnitsOfWork:
    return UnitsOfWork(db.engine_for(settings.database_url), hours)


def order(units: UnitsOfWork, key: str, kind: str = "call_back") -> None:
    with units.begin() as uow:
        outbox.add(
            uow.connection, ACME, queue="carrier", kind=kind, key=key, payload={}, now=uow.now
        )


def states(units: UnitsOfWork) -> dict[str, str]:
    with units.read() as uow:
        rows = uow.connection.execute(
            select(OutboxRow.key, OutboxRow.done_at, OutboxRow.dead_at, OutboxRow.attempts)
        ).all()
    return {
        row.key: "done" if row.done_at else "dead" if row.dead_at else f"tried {row.attempts}"
        for row in rows
    }


def failing(error: Exception, times: int = 1_000) -> Callable[[DueDeed], None]:
    left = [times]

    def deed(_: DueDeed) -> None:
        if left[0]:
            left[0] -= 1
            raise error

    return deed


BUSY = ProviderError("The carrier is busy.", permanent=False, code=20429)
GONE = ProviderError("There is no such call.", permanent=True, code=20404)


def test_a_deed_is_done_once_whatever_is_ordered_twice(units: UnitsOfWork) -> None:
    done: list[str] = []
    for key in ("a", "a", "b"):
        order(units, key)
    assert deeds.work(units, "carrier", {"call_back": lambda deed: done.append(deed.key)}) == 2
    assert deeds.work(units, "carrier", {"call_back": lambda deed: done.append(deed.key)}) == 0
    order(units, "a")
    assert deeds.work(units, "carrier", {"call_back": lambda deed: done.append(deed.key)}) == 0
    assert sorted(done) == ["a", "b"]
    assert states(units) == {"a": "done", "b": "done"}


def test_what_a_deed_logs_names_its_account(units: UnitsOfWork) -> None:
    order(units, "a")
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        deeds.work(units, "carrier", {"call_back": failing(GONE)})
    assert [(line["event"], line["account_id"]) for line in lines] == [
        ("deed.dead", str(ACME.account_id))
    ]


def test_other_queues_are_left_alone(units: UnitsOfWork) -> None:
    order(units, "a")
    assert deeds.work(units, "notify", {"call_back": lambda deed: None}) == 0
    assert states(units) == {"a": "tried 0"}


def test_a_busy_carrier_is_asked_again_later_and_later(units: UnitsOfWork, hours: Hours) -> None:
    order(units, "a")
    handlers = {"call_back": failing(BUSY, times=3)}
    pauses = []
    for _ in range(3):
        assert deeds.work(units, "carrier", handlers) == 1
        assert deeds.work(units, "carrier", handlers) == 0
        with units.read() as uow:
            due_at = uow.connection.scalar(select(OutboxRow.due_at))
            assert due_at is not None
        pauses.append((due_at - hours.now).total_seconds())
        hours.now = due_at
    assert pauses == [5, 10, 20]
    assert deeds.work(units, "carrier", handlers) == 1
    assert states(units) == {"a": "done"}


def test_what_fails_for_good_is_given_up_at_once_and_keeps_its_reason(units: UnitsOfWork) -> None:
    order(units, "a")
    deeds.work(units, "carrier", {"call_back": failing(GONE)})
    assert states(units) == {"a": "dead"}
    with units.read() as uow:
        assert uow.connection.scalar(select(OutboxRow.last_error)) == "There is no such call."


def test_c5_a_poison_deed_is_given_up_after_a_few_tries_and_stops_nobody(
    units: UnitsOfWork, hours: Hours
) -> None:
    order(units, "poison", kind="poison")
    order(units, "good")
    done: list[str] = []
    handlers = {
        "poison": failing(ZeroDivisionError("by zero")),
        "call_back": lambda deed: done.append(deed.key),
    }
    for _ in range(10):
        deeds.work(units, "carrier", handlers)
        hours.forward(minutes=20)
    assert done == ["good"]
    assert states(units) == {"poison": "dead", "good": "done"}
    with units.read() as uow:
        row = uow.connection.execute(
            select(OutboxRow.attempts, OutboxRow.last_error).where(OutboxRow.key == "poison")
        ).one()
    assert tuple(row) == (deeds.ATTEMPTS_MAX, "ZeroDivisionError: by zero")


def test_a_kind_that_nobody_knows_is_shown_not_lost(units: UnitsOfWork) -> None:
    order(units, "a", kind="from_tomorrow")
    deeds.work(units, "carrier", {})
    assert states(units) == {"a": "dead"}


def test_c3_a_dead_workers_deed_is_anothers_when_its_lease_ends(
    units: UnitsOfWork, hours: Hours
) -> None:
    order(units, "a")
    with units.begin() as uow:
        (claimed,) = outbox.claim(
            uow.connection, "carrier", now=uow.now, lease=deeds.LEASE, limit=20
        )
    assert claimed.attempts == 1
    done: list[int] = []
    handlers = {"call_back": lambda deed: done.append(deed.attempts)}
    assert deeds.work(units, "carrier", handlers) == 0, "its worker may still be alive"
    hours.forward(seconds=deeds.LEASE.total_seconds())
    assert deeds.work(units, "carrier", handlers) == 1
    assert done == [2]
