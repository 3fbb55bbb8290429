"""A replay holds the legs of one settlement, however many there are."""

import datetime as dt
import uuid
from collections.abc import Iterator

import pytest

from gateway.services.leg_stream import LegStream
from gateway.store.replay import SettledLeg

BEGAN = dt.datetime(2026, 3, 4, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)
BATCH = 5


def leg(number: int, settled_at: dt.datetime) -> SettledLeg:
    return SettledLeg(
        leg_sid=f"CA{number:032x}",
        call_sid="",
        kind="inbound",
        target_kind="did",
        to_address="",
        status="completed",
        talk_seconds=1,
        ring_seconds=0,
        answered_at=None,
        ended_at=settled_at,
        settled_at=settled_at,
        billed_seconds=1,
        rate_micros=1,
        charge_micros=1,
        surcharge_micros=None,
        cost_micros=0,
        started_at=settled_at,
        did_id=uuid.UUID(int=0),
        source="",
        plan_version_id=uuid.UUID(int=0),
        number_country="US",
        number_type="local",
        number_e164="",
        bridged_seconds=0,
        account_id=uuid.UUID(int=0),
    )


def month(batches: int, seconds_apart: int) -> Iterator[SettledLeg]:
    for number in range(batches * BATCH):
        yield leg(number, BEGAN + number // BATCH * seconds_apart * SECOND)


@pytest.mark.parametrize("without_lines", [1, 2, 4, 5], ids=lambda n: f"{n} of 5 have no line")
@pytest.mark.parametrize("batches", [20, 2_000])
def test_m02_a_replay_holds_the_legs_of_a_settlement_and_no_more(
    batches: int, without_lines: int
) -> None:
    stream = LegStream(month(batches, seconds_apart=600))
    came, most = [], 0
    for number in range(batches):
        at = BEGAN + number * 600 * SECOND
        for place in range(without_lines, BATCH):
            for _line in ("draw", "usage"):
                if stream.move_to(at):
                    came += stream.not_after(at - HOUR)
                name = f"CA{number * BATCH + place:032x}"
                assert stream.has(name)
                came += stream.up_to(name)
                most = max(most, stream.held)
    came += stream.rest()
    assert came == list(month(batches, seconds_apart=600)), "each once, in their order"
    assert stream.are_over and most <= 2 * BATCH


def test_m02_legs_without_any_line_do_not_pile_up_behind_lines_of_others() -> None:
    stream = LegStream(month(5_000, seconds_apart=60))
    came, most = [], 0
    for number in range(5_000):
        at = BEGAN + number * 60 * SECOND
        assert stream.move_to(at)
        came += stream.not_after(at - HOUR)
        assert not stream.has("a leg of another account")
        most = max(most, stream.held)
    assert len(came) == (5_000 - 60) * BATCH and most <= 60 * BATCH
    assert [*came, *stream.rest()] == list(month(5_000, seconds_apart=60))


def test_m02_a_line_that_comes_late_finds_its_leg() -> None:
    """Two transactions overlap: the one that began later wrote its lines first."""
    early, late = leg(1, BEGAN), leg(2, BEGAN + 2 * SECOND)
    stream = LegStream(iter([early, late]))
    stream.move_to(BEGAN + SECOND)
    assert not stream.has("of another account")
    stream.move_to(BEGAN)
    assert stream.has(early.leg_sid) and list(stream.up_to(early.leg_sid)) == [early]
    assert stream.has(early.leg_sid), "its second line is its own too"
    assert list(stream.rest()) == [late]
