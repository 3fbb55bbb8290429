"""Asking the carrier for what its webhooks did not say: calls and legs that never ended here, and
calls that came while nobody here could take them.

What the carrier's record says goes the same way as a webhook does (`services.calls`), so a late
callback after the sweep, or a sweep after the callback, changes nothing.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from functools import partial
from itertools import islice, takewhile
from typing import Final

import structlog

from billing.metering import TERMINAL, LegStatus
from gateway.providers.telephony import CarrierCall, ProviderError, Telephony
from gateway.services import calls
from gateway.services.audit import HOUSE
from gateway.services.calls import LegEvent
from gateway.services.deeds import ATTEMPTS_MAX, Handler
from gateway.store import numbers, outbox, sweep
from gateway.store.outbox import DueDeed
from gateway.store.sweep import OpenCall
from gateway.uow import UnitOfWork, UnitsOfWork
from routing.facts import CallFacts
from routing.numbering import caller_number

log = structlog.get_logger(__name__)

CALLS_PER_SWEEP: Final = 50
CALLS_PER_LOOK: Final = 500
RECHECK_DELAY: Final = dt.timedelta(seconds=5)  # callbacks that are being retried come first
LOOK_BACK: Final = dt.timedelta(hours=24)
LOOK_EVERY: Final = dt.timedelta(hours=1)
LOOK_AGAIN_OVER: Final = dt.timedelta(minutes=15)  # who was still talking at the last look


def recheck_open_calls(units: UnitsOfWork) -> int:
    """After an outage of ours: ask about every open call soon, instead of when its turn comes,
    and look for calls of which nothing arrived."""
    with units.begin() as uow:
        order_look(uow, since=uow.now - LOOK_BACK, due_at=uow.now + RECHECK_DELAY)
        return sweep.recheck_all(uow.connection, at=uow.now + RECHECK_DELAY)


def sweep_calls(units: UnitsOfWork, telephony: Telephony) -> int:
    """Ask about the calls that are due for it; how many were asked about."""
    with units.begin() as uow:
        due = sweep.claim_calls(uow.connection, now=uow.now, limit=CALLS_PER_SWEEP)
    for call in due:
        try:
            _ask(units, telephony, call)
        except ProviderError as error:
            # The claim has moved the next question on already; the others need not wait.
            log.warning("sweep.carrier", call_sid=call.call_sid, words=error.words)
    return len(due)


def _ask(units: UnitsOfWork, telephony: Telephony, call: OpenCall) -> None:
    with units.read() as uow:
        known = sweep.known_legs(uow.connection, call.tenant_id, call.call_sid)
    found: list[CarrierCall] = []
    if known.parent_open:
        parent = telephony.fetch_call(call.call_sid)
        if parent is not None:
            found.append(parent)
    if known.lacks_news:
        found.extend(telephony.child_calls(call.call_sid))
    with units.begin() as uow:
        tell(uow, call.tenant_id, call.call_sid, found)
        sweep.close_if_ended(uow.connection, call.tenant_id, call.call_sid)


def tell(
    uow: UnitOfWork, tenant_id: uuid.UUID, call_sid: str, records: Iterable[CarrierCall]
) -> int:
    """What the carrier's records say of a call and its legs, as webhooks would have; how many of
    them were news of an end. The call itself comes first where it may be unknown here."""
    ends = 0
    for record in records:
        event = _event(record, now=uow.now)
        if event is None:
            continue
        told = _told(record)
        if record.sid == call_sid:
            ends += calls.close_call(uow, tenant_id, event, _facts(record), told)
        else:
            ends += calls.record_leg(uow, tenant_id, call_sid, event, told)
    return ends


def handlers(units: UnitsOfWork, telephony: Telephony) -> dict[str, Handler]:
    return {"look_for_calls": lambda deed: look_for_calls(units, telephony, deed)}


def order_look(uow: UnitOfWork, *, since: dt.datetime, due_at: dt.datetime) -> None:
    """Of no account: the carrier's list is of all numbers."""
    outbox.add(
        uow.connection,
        HOUSE,
        queue="carrier",
        kind="look_for_calls",
        key=f"look_for_calls:{due_at:%Y-%m-%dT%H:%M:%S}",
        payload={"since": since.isoformat()},
        now=uow.now,
        due_at=due_at,
    )


def look_for_calls(units: UnitsOfWork, telephony: Telephony, deed: DueDeed) -> None:
    """Put on the books what ended while no webhook of ours answered (RELIABILITY A6), and order
    the next look; one that fails for good leaves its stretch of time to the next one."""
    since = dt.datetime.fromisoformat(deed.payload["since"])
    with units.read() as uow:
        now = uow.now
    next_at = now.replace(minute=0, second=0, microsecond=0) + LOOK_EVERY
    try:
        # The carrier lists whole days, the newest call first.
        listed = takewhile(
            lambda record: record.started_at is None or record.started_at >= since,
            telephony.calls_since(since),
        )
        while some := list(islice(listed, CALLS_PER_LOOK)):
            _take_in(units, some)
    except ProviderError:
        if deed.attempts >= ATTEMPTS_MAX:
            with units.begin() as uow:
                order_look(uow, since=since, due_at=next_at)
        raise
    with units.begin() as uow:
        order_look(uow, since=now - LOOK_AGAIN_OVER, due_at=next_at)


def _take_in(units: UnitsOfWork, listed: list[CarrierCall]) -> None:
    inbound = {record.sid: record for record in listed if record.direction == "inbound"}
    with units.read() as uow:
        unseen = sweep.unseen(uow.connection, {sid: r.to for sid, r in inbound.items()})
    for call_sid in unseen:
        if units.retrying(partial(_open, inbound[call_sid])):
            log.info("sweep.call_found", call_sid=call_sid)


def _open(record: CarrierCall, uow: UnitOfWork) -> bool:
    """As its status callback would have; the sweep then asks for its legs."""
    event, owner = _event(record, now=uow.now), numbers.owner_of(uow.connection, record.to)
    if event is None or owner is None:
        return False
    return calls.close_call(uow, owner.tenant_id, event, _facts(record), _told(record))


def _event(record: CarrierCall, *, now: dt.datetime) -> LegEvent | None:
    """Only an end is news here: a call that goes on tells its own way."""
    try:
        status = LegStatus(record.status)
    except ValueError:
        log.error("sweep.unknown_status", call_sid=record.sid, status=record.status)
        return None
    if status not in TERMINAL:
        return None
    kind, address = "number", record.to
    if address.startswith("client:"):
        kind, address = "client", address.removeprefix("client:")
    elif address.startswith(("sip:", "sips:")):
        kind = "sip"
    return LegEvent(
        leg_sid=record.sid,
        status=status,
        seconds=record.duration_seconds or 0,
        at=record.ended_at or now,
        to_address=address,
        target_kind=kind,
        source="rest",
        dialled_at=record.started_at,
    )


def _told(record: CarrierCall) -> dict[str, str]:
    """The carrier's answer, for the receipt."""
    told = {"CallSid": record.sid, "CallStatus": record.status, "asked": "REST"}
    if record.duration_seconds is not None:
        told["CallDuration"] = str(record.duration_seconds)
    return told


def _facts(record: CarrierCall) -> CallFacts:
    return CallFacts(
        call_sid=record.sid,
        caller=caller_number(record.from_),
        caller_raw=record.from_,
        called=record.to,
        started_at=record.started_at,
    )
