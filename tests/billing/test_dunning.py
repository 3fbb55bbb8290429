from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.dunning import (
    GOOD_STANDING,
    Delivery,
    DunningState,
    DunningStep,
    ListForRelease,
    NoticeSent,
    SendNotice,
    Suspend,
    days_overdue,
    fall_due,
    next_steps,
    note_delivery,
    note_step,
    pause,
    resume,
    settle,
    was_warned,
)
from billing.terms import Notice, Suspension

DUE = date(2026, 11, 2)
LADDER = Suspension(
    notices=(
        Notice(1, ("email",)),
        Notice(5, ("email", "sms")),
        Notice(15, ("email", "sms", "webhook")),
    ),
    suspend_day=10,
    due_for_release_day=25,
)
ARREARS = fall_due(GOOD_STANDING, DUE)
EMAIL_TWICE = (
    NoticeSent(1, "email", Delivery.DELIVERED),
    NoticeSent(5, "email", Delivery.DELIVERED),
)
WARNED = (*EMAIL_TWICE, NoticeSent(5, "sms", Delivery.DELIVERED))


def on_day(day: int) -> datetime:
    return datetime.combine(DUE + timedelta(days=day), time(12), tzinfo=UTC)


def due(state: DunningState, day: int, policy: Suspension = LADDER) -> tuple[DunningStep, ...]:
    return next_steps(state, policy, zone="UTC", now=on_day(day))


def done(*days: tuple[int, str]) -> tuple[NoticeSent, ...]:
    return tuple(NoticeSent(day, channel, Delivery.SENT) for day, channel in days)


ALL_SENT = done((15, "email"), (15, "sms"), (15, "webhook"))


@pytest.mark.parametrize(
    "state, day, steps",
    [
        pytest.param(GOOD_STANDING, 40, (), id="C16 good standing: nothing"),
        pytest.param(ARREARS, 0, (), id="C16 day 0: nothing yet"),
        pytest.param(ARREARS, 1, (SendNotice(1, "email"),), id="C16 day 1: the first notice"),
        pytest.param(
            replace(ARREARS, notices=done((1, "email"))), 4, (), id="C16 day 4: nothing new"
        ),
        pytest.param(
            replace(ARREARS, notices=done((1, "email"))),
            5,
            (SendNotice(5, "email"), SendNotice(5, "sms")),
            id="C16 day 5: on two channels",
        ),
        pytest.param(
            replace(ARREARS, notices=done((1, "email"), (5, "email"))),
            6,
            (SendNotice(5, "sms"),),
            id="C16 day 6: the channel that was left out",
        ),
        pytest.param(
            ARREARS,
            12,
            (SendNotice(5, "email"), SendNotice(5, "sms"), Suspend()),
            id="C16 after downtime: only the newest notice",
        ),
        pytest.param(
            replace(ARREARS, notices=done((5, "email"), (5, "sms"))),
            10,
            (Suspend(),),
            id="C16 day 10: suspended",
        ),
        pytest.param(
            replace(ARREARS, suspended=True, notices=(*WARNED, *ALL_SENT)),
            24,
            (),
            id="C16 day 24: not due for release yet",
        ),
        pytest.param(
            replace(ARREARS, suspended=True, notices=(*WARNED, *ALL_SENT)),
            25,
            (ListForRelease(),),
            id="M09 day 25: warned twice on two channels, listed",
        ),
        pytest.param(
            replace(ARREARS, suspended=True, notices=(*EMAIL_TWICE, *ALL_SENT)),
            25,
            (),
            id="M09 day 25: one channel alone, not listed",
        ),
        pytest.param(
            replace(ARREARS, suspended=True, notices=ALL_SENT),
            99,
            (),
            id="M09 sent is not delivered",
        ),
        pytest.param(
            replace(ARREARS, notices=(*WARNED, *ALL_SENT)),
            25,
            (Suspend(),),
            id="M09 suspended before it is listed",
        ),
        pytest.param(
            replace(ARREARS, suspended=True, due_for_release=True, notices=(*WARNED, *ALL_SENT)),
            99,
            (),
            id="S2-15 listed: the rest is for people",
        ),
        pytest.param(
            pause(ARREARS, DUE + timedelta(days=4)), 40, (), id="C16 a payment is on its way"
        ),
    ],
)
def test_the_ladder_asks_for_what_is_due_and_not_done(
    state: DunningState, day: int, steps: tuple[DunningStep, ...]
) -> None:
    assert due(state, day) == steps


def test_c16_without_a_day_named_no_number_is_ever_due_for_release() -> None:
    state = replace(ARREARS, suspended=True, notices=(*WARNED, *ALL_SENT))
    assert due(state, 5_000, replace(LADDER, due_for_release_day=None)) == ()


def test_c16_the_days_of_a_pause_do_not_count() -> None:
    paused = pause(ARREARS, DUE + timedelta(days=4))
    assert days_overdue(paused, DUE + timedelta(days=9)) == 4
    assert pause(paused, DUE + timedelta(days=8)) == paused
    resumed = resume(paused, DUE + timedelta(days=11))
    assert days_overdue(resumed, DUE + timedelta(days=12)) == 5
    assert resume(resumed, DUE + timedelta(days=20)) == resumed
    assert pause(GOOD_STANDING, DUE) == GOOD_STANDING


@pytest.mark.parametrize(
    "owed, ends",
    [
        pytest.param(0, True, id="S2-17 paid in full"),
        pytest.param(-1, True, id="S2-17 paid more"),
        pytest.param(1, False, id="S2-19 a micro short"),
    ],
)
def test_a_payment_in_full_ends_the_arrears(owed: int, ends: bool) -> None:
    state = replace(pause(ARREARS, DUE), suspended=True, notices=WARNED)
    settled = settle(state, owed, DUE + timedelta(days=3))
    assert (settled == GOOD_STANDING) is ends
    assert settled.paused_on is None


def test_s2_19_an_account_in_arrears_keeps_its_first_day() -> None:
    assert fall_due(ARREARS, DUE + timedelta(days=9)) == ARREARS


def test_s2_14_a_bounced_notice_takes_the_account_off_the_list() -> None:
    listed = replace(ARREARS, suspended=True, due_for_release=True, notices=WARNED)
    bounced = note_delivery(listed, 5, "sms", Delivery.BOUNCED)
    assert not bounced.due_for_release
    assert due(replace(bounced, notices=(*bounced.notices, *ALL_SENT)), 60) == ()
    assert note_delivery(listed, 1, "webhook", Delivery.BOUNCED) == listed


def test_c16_days_are_the_accounts_own() -> None:
    at = datetime(2026, 11, 3, 2, tzinfo=UTC)
    assert next_steps(ARREARS, LADDER, zone="UTC", now=at) == (SendNotice(1, "email"),)
    assert next_steps(ARREARS, LADDER, zone="America/New_York", now=at) == ()


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from(list(Delivery)), st.booleans()), max_size=40
    )
)
def test_m09_no_account_is_listed_without_two_delivered_notices_on_two_channels(
    story: list[tuple[int, Delivery, bool]],
) -> None:
    state, day = ARREARS, 0
    for gap, delivery, pays in story:
        day += gap
        if pays:
            state = pause(state, DUE + timedelta(days=day))
        else:
            state = resume(state, DUE + timedelta(days=day))
        for step in due(state, day):
            if isinstance(step, ListForRelease):
                delivered = [n for n in state.notices if n.delivery == Delivery.DELIVERED]
                assert any(
                    a.day != b.day and any(c.channel != a.channel for c in delivered)
                    for a, b in product(delivered, delivered)
                )
                assert state.suspended and day >= 25
            state = note_step(state, step)
            if isinstance(step, SendNotice):
                state = note_delivery(state, step.day, step.channel, delivery)
            assert step not in due(state, day)
        assert not state.due_for_release or was_warned(state.notices)
    done_once = [(sent.day, sent.channel) for sent in state.notices]
    assert len(done_once) == len(set(done_once))
