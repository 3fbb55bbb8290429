"""M05: each kind of difference between our books and the carrier's has its own name."""

import datetime as dt

import pytest

from billing.metering import LegStatus
from billing.reconciling import (
    Difference,
    DriftKind,
    OurLeg,
    TheirLeg,
    day_difference,
    differences,
    outside_calls,
)

AT = dt.datetime(2026, 3, 3, 15, 0, tzinfo=dt.UTC)
DONE, BUSY = LegStatus.COMPLETED, LegStatus.BUSY


def ours(
    status: LegStatus = DONE,
    talk: int = 83,
    cost: int | None = 28_000,
    *,
    ended: bool = True,
    at: dt.datetime = AT,
) -> OurLeg:
    return OurLeg(status, ended, talk, cost, at)


def theirs(
    status: LegStatus = DONE,
    duration: int | None = 83,
    price: int | None = 28_000,
    at: dt.datetime | None = AT,
) -> TheirLeg:
    return TheirLeg(status, duration, price, at)


@pytest.mark.parametrize(
    ("mine", "yours", "kinds"),
    [
        pytest.param(ours(), theirs(), [], id="M05 the same in both books"),
        pytest.param(None, theirs(), ["missing_leg"], id="M05 a leg we never heard of"),
        pytest.param(
            ours(LegStatus.IN_PROGRESS, 0, None, ended=False),
            theirs(),
            ["missing_webhook"],
            id="M05 a leg whose end was lost",
        ),
        pytest.param(ours(), None, ["not_at_carrier"], id="M05 a leg the carrier does not know"),
        pytest.param(ours(), theirs(duration=85), ["duration"], id="M05 83 s here, 85 s there"),
        pytest.param(
            ours(), theirs(duration=185, price=56_000), ["duration"], id="M05 its price follows"
        ),
        pytest.param(ours(), theirs(duration=84), ["rounding"], id="M05 one second is rounding"),
        pytest.param(ours(), theirs(duration=82), ["rounding"], id="M05 one second less too"),
        pytest.param(
            ours(), theirs(price=28_010), ["rounding"], id="M05 a hundred-thousandth is rounding"
        ),
        pytest.param(ours(), theirs(price=28_011), ["price"], id="M05 more is another price"),
        pytest.param(
            ours(), theirs(duration=84, price=42_000), ["price"], id="M05 the minute after it"
        ),
        pytest.param(ours(BUSY, 0, 0), theirs(), ["status"], id="M05 busy here, talked there"),
        pytest.param(
            ours(BUSY, 0, 0),
            theirs(LegStatus.NO_ANSWER, None, None),
            [],
            id="M05 two ways of not being answered",
        ),
        pytest.param(ours(), theirs(price=None), [], id="M05 a price that is not known yet"),
        pytest.param(ours(cost=None), theirs(), [], id="M05 a leg that is not settled yet"),
        pytest.param(
            None, theirs(LegStatus.IN_PROGRESS, None, None), [], id="M05 a call that goes on"
        ),
        pytest.param(None, None, [], id="M05 nothing anywhere"),
        pytest.param(
            ours(at=AT.replace(hour=23, minute=59, second=59)),
            theirs(at=AT.replace(day=4, hour=0)),
            ["day_shift"],
            id="M05 another day by the carrier's clock",
        ),
        pytest.param(
            ours(at=AT.astimezone(dt.timezone(dt.timedelta(hours=-11)))),
            theirs(),
            [],
            id="M05 the same instant in another zone is the same day",
        ),
    ],
)
def test_m05_each_difference_has_its_name(
    mine: OurLeg | None, yours: TheirLeg | None, kinds: list[str]
) -> None:
    assert [str(one.kind) for one in differences(mine, yours)] == kinds


def test_m05_a_difference_says_what_each_book_has() -> None:
    assert differences(ours(), theirs(duration=200)) == (Difference(DriftKind.DURATION, 83, 200),)
    assert differences(None, theirs()) == (Difference(DriftKind.MISSING_LEG, None, 83),)


@pytest.mark.parametrize(
    ("category", "outside"),
    [
        ("calls", False),
        ("calls-inbound-local", False),
        ("sms-outbound", False),
        ("phonenumbers-local", False),
        ("totalprice", False),
        ("calls-recordings", True),
        ("recordings", True),
        ("answering-machine-detection", True),
        ("transcriptions", True),
    ],
)
def test_m05_features_are_billed_outside_the_call(category: str, outside: bool) -> None:
    assert outside_calls(category) is outside


def test_m05_the_days_bill_is_the_sum_of_its_calls() -> None:
    assert day_difference(1_000_000, 1_000_000, 10) is None
    assert day_difference(1_000_000, 1_000_100, 10) is None, "ten roundings"
    found = day_difference(1_000_000, 1_000_101, 10)
    assert found == Difference(DriftKind.OUTSIDE_CALL, 1_000_000, 1_000_101)
