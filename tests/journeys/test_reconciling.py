"""M05: the nightly comparison with the carrier names each fault, heals what was never told, once,
and bills nobody again."""

import dataclasses
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text
from world import FRONT_DESK, MOBILE, Member, World

from gateway.providers.telephony import CarrierCall, CarrierUsage, ProviderError
from gateway.services import reconciling
from gateway.services.errors import Invalid
from gateway.store.reconciliations import DriftRow, NamedDrift, Run

DAY = dt.date(2026, 3, 3)


@dataclass
class Books:
    """The carrier's records with faults planted in them."""

    world: World
    altered: dict[str, dict[str, Any]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    features: tuple[CarrierUsage, ...] = ()
    away: bool = False

    def calls_of_day(self, day: dt.date) -> Iterator[CarrierCall]:
        if self.away:
            raise ProviderError("away", permanent=False)
        for record in self.world.telephony.calls_of_day(day):
            if record.sid not in self.hidden:
                yield dataclasses.replace(record, **self.altered.get(record.sid, {}))

    def usage_of_day(self, day: dt.date) -> tuple[CarrierUsage, ...]:
        return (*self.world.telephony.usage_of_day(day), *self.features)

    def fetch_call(self, sid: str) -> CarrierCall | None:
        return self.world.telephony.fetch_call(sid)

    def child_calls(self, sid: str) -> tuple[CarrierCall, ...]:
        return self.world.telephony.child_calls(sid)


@pytest.fixture
def acme(stage: World) -> Member:
    return stage.join("Acme")


@pytest.fixture
def books(stage: World) -> Books:
    return Books(stage)


def talked(stage: World, acme: Member, *, seconds: float = 83) -> tuple[str, str]:
    """A call that the front desk takes; the sids of its inbound and its forwarded leg."""
    stage.nobody(MOBILE)
    stage.person(FRONT_DESK, talks=seconds)
    call_sid = stage.call(acme.e164)
    with stage.units.read() as uow:
        won = uow.connection.scalar(
            text("select leg_sid from leg where call_sid = :c and to_address = :to"),
            {"c": call_sid, "to": FRONT_DESK},
        )
    return call_sid, str(won)


def next_morning(stage: World) -> None:
    """Six hours and more into the next UTC day: prices are known, and the day is due."""
    stage.carrier.run_for(16 * 3600)


def compare(stage: World, books: Books) -> reconciling.Reconciled:
    return reconciling.reconcile(stage.units, books, DAY)  # type: ignore[arg-type]


def found(stage: World, *kinds: str) -> list[NamedDrift]:
    with stage.units.read() as uow:
        return [
            row
            for kind in kinds or reconciling.KINDS
            for row in reconciling.list_drifts(uow, kind=kind).items
        ]


def named(stage: World) -> set[tuple[str, str]]:
    return {(row.drift.kind, row.drift.leg_sid) for row in found(stage)}


def lines(stage: World, member: Member) -> int:
    with stage.units.read() as uow:
        count = uow.connection.scalar(
            text("select count(*) from posting where tenant_id = :t"), {"t": member.scope.tenant_id}
        )
    return int(count or 0)


def change(stage: World, sql: str, **values: Any) -> None:
    with stage.units.begin() as uow:
        assert uow.connection.execute(text(sql), values).rowcount, "the fault is planted"


def forget(stage: World, leg_sid: str) -> None:
    """As if no callback of the leg had ever reached us; receipts cannot be unwritten."""
    change(stage, "delete from leg_due where leg_sid = :sid", sid=leg_sid)
    change(stage, "delete from leg where leg_sid = :sid", sid=leg_sid)


def test_m05_a_day_without_faults_has_no_difference(
    stage: World, acme: Member, books: Books
) -> None:
    for seconds in (1, 30, 83, 600):
        talked(stage, acme, seconds=seconds)
    stage.nobody(FRONT_DESK, MOBILE)
    stage.call(acme.e164, message_seconds=10.0)
    stage.settle()
    next_morning(stage)
    done = compare(stage, books)
    assert named(stage) == set()
    assert (done.legs_ours, done.legs_theirs, done.healed) == (15, 15, 0)


def test_m05_each_planted_fault_is_named_exactly(stage: World, acme: Member, books: Books) -> None:
    """One of each class, among calls that are right; the second run changes nothing."""
    _, lost_leg = talked(stage, acme)
    _, open_leg = talked(stage, acme)
    longer, _ = talked(stage, acme)
    rounded, _ = talked(stage, acme)
    dearer, _ = talked(stage, acme)
    unknown, _ = talked(stage, acme)
    talked(stage, acme)
    forget(stage, lost_leg)
    change(stage, "delete from leg_due where leg_sid = :sid", sid=open_leg)
    change(
        stage,
        "update leg set ended_at = null, status = 'in-progress', status_rank = 3, talk_seconds = 0"
        " where leg_sid = :sid",
        sid=open_leg,
    )
    stage.settle()
    books.altered = {
        longer: {"duration_seconds": 200},
        rounded: {"duration_seconds": 84},
        dearer: {"price_micros": 99_000},
    }
    books.hidden = {unknown}
    books.features = (
        CarrierUsage("answering-machine-detection", 3, 22_500),
        CarrierUsage("calls-recordings", 0, 0),
    )
    next_morning(stage)
    planted = {
        ("missing_leg", lost_leg),
        ("missing_webhook", open_leg),
        ("duration", longer),
        ("rounding", rounded),
        ("price", dearer),
        ("not_at_carrier", unknown),
        ("outside_call", f"calls:{DAY}"),  # the usage record and the sum of altered prices
        ("outside_call", f"answering-machine-detec:{DAY}"),
    }
    before = lines(stage, acme)
    first = compare(stage, books)
    assert named(stage) == planted
    assert first.healed == 2
    assert lines(stage, acme) == before, "nothing is billed by the comparison itself"
    assert stage.settle() == 2, "the two legs that were told now"
    after = (lines(stage, acme), stage.balance(acme.scope), found(stage))
    again = compare(stage, books)
    assert again.healed == 0
    assert stage.settle() == 0
    assert (lines(stage, acme), stage.balance(acme.scope), found(stage)) == after
    stage.prove_ledger()


def test_m05_a_healed_leg_costs_what_it_would_have_cost(
    stage: World, acme: Member, books: Books
) -> None:
    talked(stage, acme)
    stage.settle()
    price = 50_000_000 - stage.balance(acme.scope)
    call_sid, leg_sid = talked(stage, acme)
    forget(stage, leg_sid)
    stage.settle()
    next_morning(stage)
    compare(stage, books)
    stage.settle()
    assert stage.balance(acme.scope) == 50_000_000 - 2 * price
    (row,) = found(stage, "missing_leg")
    assert (row.drift.healed, row.account_name, row.call_sid) == (True, "Acme", call_sid)


def test_m05_a_call_of_which_nothing_arrived_is_opened_and_billed_once(
    stage: World, acme: Member, books: Books
) -> None:
    call_sid, leg_sid = talked(stage, acme)
    with stage.units.begin() as uow:
        for table in ("leg", "call"):
            uow.connection.execute(
                text(f"delete from {table} where call_sid = :c"), {"c": call_sid}
            )
    next_morning(stage)
    done = compare(stage, books)
    assert done.healed == 3, "the call, the leg that talked and the one that only rang"
    assert stage.settle() == 3
    with stage.units.read() as uow:
        charged = dict(
            uow.connection.execute(text("select leg_sid, charge_micros from leg")).all()  # type: ignore[arg-type]
        )
    assert charged[call_sid] > 0 and charged[leg_sid] > 0
    assert compare(stage, books).healed == 0 and stage.settle() == 0
    stage.prove_ledger()


def test_m05_a_call_at_midnight_may_be_of_another_day_by_the_carriers_clock(
    stage: World, acme: Member, books: Books
) -> None:
    to_midnight = dt.datetime(2026, 3, 4, tzinfo=dt.UTC) - stage.carrier.clock.now()
    stage.carrier.run_for(to_midnight.total_seconds() + 1)
    call_sid, _ = talked(stage, acme)
    for table in ("call", "leg"):
        change(
            stage,
            f"update {table} set started_at = started_at - interval '3 seconds'"
            " where call_sid = :c and started_at < '2026-03-04 00:00:03+00'",
            c=call_sid,
        )
    stage.settle()
    stage.carrier.run_for(31 * 3600)
    compare(stage, books)
    assert named(stage) == set(), "at the edge of our day it is not missed yet"
    reconciling.reconcile(stage.units, books, DAY + dt.timedelta(days=1))  # type: ignore[arg-type]
    assert ("day_shift", call_sid) in named(stage)
    assert {kind for kind, _ in named(stage)} == {"day_shift"}


def test_m05_the_night_is_found_by_the_clock_and_each_day_once(
    stage: World, acme: Member, books: Books
) -> None:
    def due() -> dt.date | None:
        with stage.units.read() as uow:
            return reconciling.due_day(uow)

    talked(stage, acme)
    stage.settle()
    assert due() is None, "the day is not over"
    stage.carrier.run_for(9 * 3600)
    assert due() is None, "nor are its prices known at midnight"
    stage.carrier.run_for(6 * 3600)
    assert due() == DAY
    books.away = True
    assert reconciling.reconcile_due(stage.units, books) == 0  # type: ignore[arg-type]
    assert due() is None, "a carrier that is away is asked an hour later"
    stage.carrier.run_for(3601)
    books.away = False
    assert due() == DAY
    stage.carrier.run_for(3 * 86_400)
    assert reconciling.reconcile_due(stage.units, books) == 4, "days of downtime are caught up"  # type: ignore[arg-type]
    assert due() is None
    with stage.units.read() as uow:
        runs = reconciling.overview(uow).runs
    assert [run.day for run in runs] == [DAY + dt.timedelta(days=n) for n in (3, 2, 1, 0)]
    assert all(run.finished_at for run in runs)
    with stage.units.begin() as uow:
        reconciling.order(uow, DAY, "olga")
    assert due() == DAY, "staff may have a day compared again"


def test_a_day_that_is_not_over_is_not_compared(stage: World, acme: Member) -> None:
    with stage.units.begin() as uow, pytest.raises(Invalid, match="over"):
        reconciling.order(uow, DAY, "olga")


def test_m05_calls_of_numbers_that_are_not_ours_are_no_business_of_ours(
    stage: World, acme: Member, books: Books
) -> None:
    talked(stage, acme)
    stage.settle()
    change(stage, "delete from did_directory where e164 = :n", n=acme.e164)
    next_morning(stage)
    done = compare(stage, books)
    assert done.legs_theirs == 0 and named(stage) == set()


def test_m05_the_carriers_records_are_dropped_after_some_weeks(
    stage: World, acme: Member, books: Books
) -> None:
    talked(stage, acme)
    stage.settle()
    next_morning(stage)
    compare(stage, books)

    def kept() -> int:
        with stage.units.read() as uow:
            return int(uow.connection.scalar(text("select count(*) from carrier_leg")) or 0)

    assert kept() == 3
    later = DAY + dt.timedelta(days=41)
    reconciling.reconcile(stage.units, books, later)  # type: ignore[arg-type]
    assert kept() == 0


def test_the_types_of_a_run_are_plain(stage: World, acme: Member, books: Books) -> None:
    next_morning(stage)
    compare(stage, books)
    with stage.units.read() as uow:
        (run,) = reconciling.overview(uow).runs
        assert isinstance(run, Run) and run.day == DAY
    assert stage.rows(DriftRow, acme.scope) == []
