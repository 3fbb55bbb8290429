"""Asking the carrier about texts: those whose answer was lost, whose end was not told, and those
that came in while nobody here could take them.

What its records say goes the same way as a webhook does (`message_events`).
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any, Final

import structlog

from billing.messages import MessageStatus
from gateway.providers.telephony import CarrierMessage, ProviderError, Telephony
from gateway.services import message_events
from gateway.services.audit import HOUSE
from gateway.services.deeds import ATTEMPTS_MAX, Handler
from gateway.services.message_events import IncomingText
from gateway.store import message_sweep as sweep
from gateway.store import messages as store
from gateway.store import numbers, outbox
from gateway.store.message_sweep import OpenMessage
from gateway.store.messages import Message
from gateway.store.outbox import DueDeed
from gateway.uow import UnitOfWork, UnitsOfWork

log = structlog.get_logger(__name__)

TEXTS_PER_SWEEP: Final = 50
RECHECK_DELAY: Final = dt.timedelta(seconds=5)
CLOCKS_APART_MAX: Final = dt.timedelta(minutes=1)
# A carrier that does not list a text by then never received it.
LOST_AFTER: Final = dt.timedelta(minutes=10)
LOOK_BACK: Final = dt.timedelta(hours=24)
LOOK_EVERY: Final = dt.timedelta(hours=1)
LOOK_AGAIN_OVER: Final = dt.timedelta(minutes=10)  # a record may appear late
NEVER_RECEIVED: Final = "The carrier never received it: send it again."


def recheck_open_texts(units: UnitsOfWork) -> int:
    """After an outage of ours: ask about every open text soon, and look for texts that came in."""
    with units.begin() as uow:
        order_look(uow, since=uow.now - LOOK_BACK, due_at=uow.now + RECHECK_DELAY)
        return sweep.recheck_all(uow.connection, at=uow.now + RECHECK_DELAY)


def sweep_texts(units: UnitsOfWork, telephony: Telephony) -> int:
    """Ask about the texts that are due for it; how many were asked about."""
    with units.begin() as uow:
        due = sweep.claim_checks(uow.connection, now=uow.now, limit=TEXTS_PER_SWEEP)
    for open_text in due:
        try:
            _ask(units, telephony, open_text)
        except ProviderError as error:
            # The claim has moved the next question on already; the others need not wait.
            log.warning("sweep.text", message_id=str(open_text.id), words=error.words)
    return len(due)


def _ask(units: UnitsOfWork, telephony: Telephony, open_text: OpenMessage) -> None:
    with units.begin() as uow:
        message = store.lock(uow.connection, open_text.tenant_id, open_text.id)
        number = _number_of(uow, message) if message else ""
    if message is None:
        return
    if message.carrier_sid is None:
        record = _find(units, telephony, message, number)
    else:
        record = telephony.fetch_message(message.carrier_sid)
    with units.begin() as uow:
        if record is not None:
            news = message_events.news_of(record)
            if news is not None:
                told = message_events.told(record)
                message_events.report(uow, message.tenant_id, message.id, news, told)
        elif message.attempted_at and uow.now - message.attempted_at >= LOST_AFTER:
            _give_up(uow, message)


def _number_of(uow: UnitOfWork, message: Message) -> str:
    number = numbers.find(uow.connection, message.scope, message.did_id)
    assert number is not None, "a number with texts is never deleted"
    return number.e164


def _find(
    units: UnitsOfWork, telephony: Telephony, message: Message, number: str
) -> CarrierMessage | None:
    """The text whose answer was lost, among those that the carrier lists: same ends, same words,
    not earlier than it was asked, and not known here as another one."""
    assert message.attempted_at is not None, "only texts that were sent are asked about"
    since = message.attempted_at - CLOCKS_APART_MAX
    alike = [
        record
        for record in telephony.latest_messages(from_=number, to=message.peer)
        if record.body.strip() == message.body.strip()
        and (record.created_at is None or record.created_at >= since)
    ]
    with units.read() as uow:
        for record in reversed(alike):
            if store.find_by_sid(uow.connection, message.tenant_id, record.sid) is None:
                return record
    return None


def _give_up(uow: UnitOfWork, message: Message) -> None:
    """Nothing was sent, so nothing is charged. Should the carrier tell of it after all, the first
    callback opens it again."""
    current = store.lock(uow.connection, message.tenant_id, message.id)
    if current is None or current.status != MessageStatus.DRAFT:
        return
    store.change(
        uow.connection,
        message.tenant_id,
        message.id,
        {
            "status": MessageStatus.LOST,
            "error": NEVER_RECEIVED,
            "settled_at": uow.now,
            "charge_micros": 0,
            "check_at": None,
        },
    )


# Texts that came in while our web processes were away.


def handlers(units: UnitsOfWork, telephony: Telephony) -> dict[str, Handler]:
    return {"look_for_texts": lambda deed: look_for_texts(units, telephony, deed)}


def order_look(uow: UnitOfWork, *, since: dt.datetime, due_at: dt.datetime) -> None:
    """One look a minute at the most, of no account: the carrier's list is of all numbers."""
    payload: dict[str, Any] = {"since": since.isoformat()}
    outbox.add(
        uow.connection,
        HOUSE,
        queue="carrier",
        kind="look_for_texts",
        key=f"look_for_texts:{due_at:%Y-%m-%dT%H:%M}",
        payload=payload,
        now=uow.now,
        due_at=due_at,
    )


def look_for_texts(units: UnitsOfWork, telephony: Telephony, deed: DueDeed) -> None:
    """Take in what the webhooks missed, and order the next look; a look that fails for good
    leaves its stretch of time to the next one."""
    since = dt.datetime.fromisoformat(deed.payload["since"])
    with units.read() as uow:
        now = uow.now
    next_at = now.replace(minute=0, second=0, microsecond=0) + LOOK_EVERY
    try:
        listed = list(telephony.messages_received(since))
    except ProviderError:
        if deed.attempts >= ATTEMPTS_MAX:
            with units.begin() as uow:
                order_look(uow, since=since, due_at=next_at)
        raise
    for record in reversed(listed):
        if (record.created_at or now) >= since:
            units.retrying(partial(_take_in, record))
    with units.begin() as uow:
        order_look(uow, since=now - LOOK_AGAIN_OVER, due_at=next_at)


def _take_in(record: CarrierMessage, uow: UnitOfWork) -> None:
    owner = numbers.owner_of(uow.connection, record.to)
    if owner is None:
        return
    if store.find_by_sid(uow.connection, owner.tenant_id, record.sid) is not None:
        return
    at = record.created_at or uow.now
    text = IncomingText(
        message_sid=record.sid,
        from_=record.from_,
        to=record.to,
        body=record.body,
        segments=record.segments or 1,
        media_count=record.media_count,
        at=at,
    )
    if message_events.receive(uow, text, message_events.told(record)):
        log.info("sweep.text_found", sid=record.sid)
