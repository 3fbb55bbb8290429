"""The ladder of an account in arrears: notices, suspension, due for release (C16, S2-19).

Each rung is asked for until it is done; nothing here releases a number. "Due for release" is
a list that people look at, and an account gets on it only where two notices were delivered
on two channels: a bounced e-mail blocks the path.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from billing.calendar import local_date
from billing.terms import Suspension

NOTICES_DELIVERED_MIN = 2
CHANNELS_DELIVERED_MIN = 2


class Delivery(StrEnum):
    """What became of a notice; `sent` means that nobody knows yet."""

    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"


@dataclass(frozen=True, slots=True)
class NoticeSent:
    """One notice on one channel; `day` is the rung of the ladder it belongs to."""

    day: int
    channel: str
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class DunningState:
    """Where an account stands; `overdue_on` is the first day of arrears, None in good standing.

    `paused_on` is set while a payment is on its way: the ladder stands still, and the days of
    the pause do not count.
    """

    overdue_on: date | None = None
    paused_on: date | None = None
    paused_days: int = 0
    notices: tuple[NoticeSent, ...] = ()
    suspended: bool = False
    due_for_release: bool = False


@dataclass(frozen=True, slots=True)
class SendNotice:
    day: int
    channel: str


@dataclass(frozen=True, slots=True)
class Suspend:
    """Stop the service; a payment in full restores it at once."""


@dataclass(frozen=True, slots=True)
class ListForRelease:
    """Show the account's numbers to staff as due for release; a person decides (S2-15)."""


DunningStep = SendNotice | Suspend | ListForRelease

GOOD_STANDING = DunningState()


def days_overdue(state: DunningState, today: date) -> int:
    """Whole days of arrears, day 0 the first; pauses do not count."""
    assert state.overdue_on is not None, "an account in good standing has no days of arrears"
    until = state.paused_on or today
    return max(0, (until - state.overdue_on).days - state.paused_days)


def next_steps(
    state: DunningState, policy: Suspension, *, zone: str, now: datetime
) -> tuple[DunningStep, ...]:
    """What is due and not done yet; the same answer until the state says that it is done.

    After downtime only the newest notice that is due is sent, not a pile of old ones. Days
    are the account's own.
    """
    if state.overdue_on is None or state.paused_on is not None:
        return ()
    day = days_overdue(state, local_date(now, zone))
    steps: list[DunningStep] = [*_notices(state, policy, day)]
    if day >= policy.suspend_day and not state.suspended:
        steps.append(Suspend())
    release_day = policy.due_for_release_day
    if (
        release_day is not None
        and day >= release_day
        and state.suspended
        and not state.due_for_release
        and was_warned(state.notices)
    ):
        steps.append(ListForRelease())
    return tuple(steps)


def _notices(state: DunningState, policy: Suspension, day: int) -> Iterable[SendNotice]:
    due = [notice for notice in policy.notices if notice.day <= day]
    if not due:
        return
    newest = max(due, key=lambda notice: notice.day)
    done = {(sent.day, sent.channel) for sent in state.notices}
    for channel in newest.channels:
        if (newest.day, channel) not in done:
            yield SendNotice(newest.day, channel)


def was_warned(notices: Iterable[NoticeSent]) -> bool:
    """Two notices delivered, of two days or more, on two channels or more."""
    delivered = [sent for sent in notices if sent.delivery == Delivery.DELIVERED]
    return (
        len({sent.day for sent in delivered}) >= NOTICES_DELIVERED_MIN
        and len({sent.channel for sent in delivered}) >= CHANNELS_DELIVERED_MIN
    )


def fall_due(state: DunningState, on: date) -> DunningState:
    """Arrears begin; an account that is in arrears already keeps its first day."""
    return state if state.overdue_on is not None else DunningState(overdue_on=on)


def note_step(state: DunningState, step: DunningStep) -> DunningState:
    """The state once a step is done; a notice counts as sent, not as delivered."""
    match step:
        case SendNotice(day, channel):
            sent = NoticeSent(day, channel, Delivery.SENT)
            return replace(state, notices=(*state.notices, sent))
        case Suspend():
            return replace(state, suspended=True)
        case ListForRelease():
            return replace(state, due_for_release=True)


def note_delivery(state: DunningState, day: int, channel: str, delivery: Delivery) -> DunningState:
    """What a receipt or a bounce says; a bounce after a delivery is believed (S2-14).

    It also takes the account off the list where the warning no longer holds.
    """
    notices = tuple(
        replace(sent, delivery=delivery) if (sent.day, sent.channel) == (day, channel) else sent
        for sent in state.notices
    )
    listed = state.due_for_release and was_warned(notices)
    return replace(state, notices=notices, due_for_release=listed)


def pause(state: DunningState, on: date) -> DunningState:
    """A payment is on its way: a transfer is announced, a debit submitted."""
    if state.overdue_on is None or state.paused_on is not None:
        return state
    return replace(state, paused_on=on)


def resume(state: DunningState, on: date) -> DunningState:
    """The payment did not arrive: the ladder goes on where it stood."""
    if state.paused_on is None:
        return state
    days = max(0, (on - state.paused_on).days)
    return replace(state, paused_on=None, paused_days=state.paused_days + days)


def settle(state: DunningState, owed_micros: int, on: date) -> DunningState:
    """A payment arrived. In full, it ends everything; in part, the ladder goes on."""
    return GOOD_STANDING if owed_micros <= 0 else resume(state, on)
