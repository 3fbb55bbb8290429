"""The clock: rings while somebody answers, does the work itself when nobody does, and is one."""

import datetime as dt
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy.exc import OperationalError
from world import FRONT_DESK, ONE_PHONE, Member, World, settings_for, world

from gateway.queues import QUEUES, Doorbells, RedisUnavailable, connect
from gateway.store.legs import LegRow
from gateway.store.outbox import OutboxRow
from workers import carrier, notify, renewals, schedule, settle
from workers.schedule import Clock


def a_call(stage: World) -> Member:
    acme = stage.join("Acme", document=ONE_PHONE)
    stage.person(FRONT_DESK, talks=60)
    stage.call(acme.e164)
    return acme


def waiting(stage: World) -> dict[str, int]:
    with redis.Redis.from_url(stage.settings.redis_url) as client:
        return {
            name: Queue(name, connection=client, serializer=JSONSerializer).count for name in QUEUES
        }


def soon(check: Callable[[], bool]) -> bool:
    ends_at = time.monotonic() + 10
    while time.monotonic() < ends_at:
        if check():
            return True
        time.sleep(0.02)
    return False


def settled(stage: World, member: Member) -> bool:
    return all(leg.settled_at for leg in stage.rows(LegRow, member.scope))


def test_due_work_rings_its_queue_once_and_settles_nothing_by_itself(stage: World) -> None:
    acme = a_call(stage)
    ticking = Clock(stage.tools)
    assert ticking.tick() and ticking.tick() and ticking.tick()
    assert waiting(stage)["settle"] == 1, "a second ring would do nothing more"
    assert not settled(stage, acme)
    assert settle.drain(stage.tools) == 2
    assert stage.balance(acme.scope) == 49_900_000


def test_with_nothing_due_nobody_is_rung(stage: World) -> None:
    stage.join("Acme", document=ONE_PHONE)
    renewals.drain(stage.tools)  # the first look at it
    notify.drain(stage.tools)  # the mails about its beginning
    ticking = Clock(stage.tools)
    ticking.tick()
    assert waiting(stage) == dict.fromkeys(QUEUES, 0)


@pytest.mark.parametrize("hung", [False, True], ids=["Redis refuses", "Redis hangs"])
def test_without_redis_the_clock_does_the_work_itself(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hung: bool
) -> None:
    """In the product after ten seconds of nobody coming; here at once."""
    monkeypatch.setattr(schedule, "STEP_IN_AFTER", dt.timedelta(0))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if hung:
            listener.listen(8)
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        with world(settings_for(database_url, url, tmp_path)) as stage:
            acme = a_call(stage)
            ticking = Clock(stage.tools)
            ticking.tick()
            assert soon(lambda: settled(stage, acme))
            for thread in ticking._stepping_in.values():
                thread.join(10)
            assert stage.balance(acme.scope) == 49_900_000
            stage.prove_ledger()


def test_a_queue_without_a_worker_is_worked_off_by_the_clock(
    stage: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "STEP_IN_AFTER", dt.timedelta(0))
    bolt = stage.join("Bolt", funds=-1)
    assert notify.drain(stage.tools) > 0, "the mails about its beginning"
    ticking = Clock(stage.tools)
    stage.top_up(bolt.scope, 1_000_000)
    ticking.tick()
    for thread in ticking._stepping_in.values():
        thread.join(10)
    with stage.units.read() as uow:
        table = OutboxRow.__table__
        deeds = uow.connection.execute(table.select().where(table.c.kind == "restored")).all()
    assert [deed.done_at is not None for deed in deeds] == [True]


def test_a_second_clock_stands_by_until_the_first_is_gone(stage: World) -> None:
    first, second = Clock(stage.tools, holder="first"), Clock(stage.tools, holder="second")
    assert first.tick()
    assert not second.tick()
    assert first.tick()
    first._leave()
    assert second.tick()
    assert not first.tick()


def test_a_restart_asks_the_carrier_about_every_open_call(stage: World) -> None:
    """Callbacks may have been lost while nothing of ours was running."""
    acme = stage.join("Acme", document=ONE_PHONE)
    stage.person(FRONT_DESK, talks=60)
    stage.carrier.courier.hold = True
    stage.call(acme.e164)
    stage.carrier.courier.hold = False
    assert stage.settle() == 0
    Clock(stage.tools).tick()
    stage.carrier.run_for(6)
    while carrier.drain(stage.tools):
        pass
    assert stage.settle() == 2
    assert stage.balance(acme.scope) == 49_900_000


def test_a_database_that_is_away_is_waited_for_and_asked_about_afterwards(
    stage: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticking = Clock(stage.tools)
    ticking.tick()
    assert not ticking._recheck
    ticks = iter([False, False, True])
    monkeypatch.setattr(ticking.stopping, "wait", lambda seconds: next(ticks))
    failures = iter([OperationalError("select", {}, Exception("the server closed"))])

    def tick() -> bool:
        for failure in failures:
            raise failure
        assert ticking._recheck, "the first tick after the outage"
        return True

    monkeypatch.setattr(ticking, "tick", tick)
    ticking.run()


def test_a_hung_redis_costs_a_ring_one_second_at_most(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        bells = Doorbells(connect(f"redis://127.0.0.1:{listener.getsockname()[1]}/0"))
        started = time.monotonic()
        with pytest.raises(RedisUnavailable):
            bells.ring("settle")
        assert time.monotonic() - started < 3
