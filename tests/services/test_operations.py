"""What staff watches and mends: due work, dead deeds, mail, the clock."""

import datetime as dt
import uuid

import pytest

from gateway.services import audit, operations
from gateway.services.accounts import Account
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.store import clock, mail, outbox
from gateway.uow import UnitsOfWork

OLGA = "olga@ringledger.test"


@pytest.fixture
def dead(units: UnitsOfWork, acme: Account) -> operations.Deed:
    """A notice to Acme that was given up."""
    with units.begin() as uow:
        outbox.add(
            uow.connection,
            acme.scope,
            queue="notify",
            kind="low",
            key="low:1",
            payload={},
            now=uow.now,
        )
        (claimed,) = outbox.claim(
            uow.connection, "notify", now=uow.now, lease=dt.timedelta(seconds=60), limit=1
        )
        outbox.give_up(uow.connection, claimed.id, error="no such mailbox", now=uow.now)
    with units.read() as uow:
        (deed,) = operations.dead_deeds(uow).items
    return deed


def test_a_deed_that_was_given_up_is_shown_with_its_account_and_error(
    units: UnitsOfWork, dead: operations.Deed
) -> None:
    assert (dead.account_name, dead.last_error, dead.attempts) == ("Acme", "no such mailbox", 1)
    with units.read() as uow:
        assert operations.overview(uow).dead == 1
        assert operations.waiting_deeds(uow) == ()


def test_a_revived_deed_is_due_at_once_and_leaves_a_line_in_the_trail(
    units: UnitsOfWork, acme: Account, dead: operations.Deed
) -> None:
    with units.begin() as uow:
        operations.revive(uow, dead.id, "mailbox exists now", OLGA)
    with units.read() as uow:
        (waiting,) = operations.waiting_deeds(uow)
        line = audit.trail(uow, acme.scope)[0]
        seen = operations.overview(uow)
    assert (waiting.id, waiting.attempts, waiting.dead_at) == (dead.id, 0, None)
    assert (line.actor, line.action, line.detail["reason"]) == (
        OLGA,
        "deed.revived",
        "mailbox exists now",
    )
    assert seen.dead == 0
    assert {queue.name: queue.count for queue in seen.queues} == {"carrier": 0, "notify": 1}


def test_a_discarded_deed_is_gone_for_good_and_cannot_be_revived(
    units: UnitsOfWork, acme: Account, dead: operations.Deed
) -> None:
    with units.begin() as uow:
        operations.discard(uow, dead.id, "customer left", OLGA)
    with units.read() as uow:
        assert operations.dead_deeds(uow).items == ()
        assert audit.trail(uow, acme.scope)[0].action == "deed.discarded"
    with units.begin() as uow, pytest.raises(Conflict):
        operations.revive(uow, dead.id, "changed my mind", OLGA)


def test_mending_needs_a_reason_and_a_deed(units: UnitsOfWork, dead: operations.Deed) -> None:
    with units.begin() as uow, pytest.raises(Invalid):
        operations.revive(uow, dead.id, "  ", OLGA)
    with units.begin() as uow, pytest.raises(NotFound):
        operations.revive(uow, uuid.uuid4(), "why not", OLGA)


def test_the_clock_shows_who_holds_it_and_since_when(units: UnitsOfWork, on_sale: None) -> None:
    with units.read() as uow:
        assert operations.overview(uow).clock is None
    with units.begin() as uow:
        assert clock.hold(uow.connection, "clock", "host-1", seconds=10)
    with units.read() as uow:
        seen = operations.overview(uow).clock
    assert seen is not None and (seen.holder, seen.held) == ("host-1", True)
    assert 0 <= seen.age_seconds < 5


def test_the_mailbox_shows_what_was_sent_newest_first(units: UnitsOfWork, acme: Account) -> None:
    for n in range(3):
        with units.begin() as uow:
            mail.keep(
                uow.connection,
                acme.scope,
                key=f"low:{n}",
                to_address="billing@acme.test",
                subject=f"Low balance {n}",
                body="Top up.",
                transport="sandbox",
                now=uow.now,
            )
    with units.read() as uow:
        first = operations.mailbox(uow, None, 2)
        second = operations.mailbox(uow, first.next, 2)
        whole = operations.get_mail(uow, first.items[0].id)
        with pytest.raises(NotFound):
            operations.get_mail(uow, uuid.uuid4())
    assert [m.subject for m in (*first.items, *second.items)] == [
        "Low balance 2",
        "Low balance 1",
        "Low balance 0",
    ]
    assert (whole.subject, whole.body) == ("Low balance 2", "Top up.")
