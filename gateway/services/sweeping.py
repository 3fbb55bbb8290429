"""Asking the carrier for what its webhooks did not say: calls and legs that never ended here.

What the carrier's record says goes the same way as a webhook does (`services.calls`), so a late
callback after the sweep, or a sweep after the callback, changes nothing.
"""

from __future__ import annotations

import datetime as dt

import structlog

from billing.metering import TERMINAL, LegStatus
from gateway.providers.telephony import CarrierCall, ProviderError, Telephony
from gateway.services import calls
from gateway.services.calls import LegEvent
from gateway.store import sweep
from gateway.store.sweep import OpenCall
from gateway.uow import UnitsOfWork
from routing.facts import CallFacts
from routing.numbering import caller_number

log = structlog.get_logger(__name__)

CALLS_PER_SWEEP = 50
RECHECK_DELAY = dt.timedelta(seconds=5)  # lets callbacks that are being retried arrive first


def recheck_open_calls(units: UnitsOfWork) -> int:
    """After an outage of ours: ask about every open call soon, instead of when its turn comes."""
    with units.begin() as uow:
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
    if known.may_lack_legs:
        found.extend(telephony.child_calls(call.call_sid))
    with units.begin() as uow:
        for record in found:
            event = _event(record, now=uow.now)
            if event is None:
                continue
            told = {"CallSid": record.sid, "CallStatus": record.status, "asked": "REST"}
            if record.duration_seconds is not None:
                told["CallDuration"] = str(record.duration_seconds)
            if record.sid == call.call_sid:
                calls.close_call(uow, call.tenant_id, event, _facts(record), told)
            else:
                calls.record_leg(uow, call.tenant_id, call.call_sid, event, told)
        sweep.close_if_ended(uow.connection, call.tenant_id, call.call_sid)


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
    )


def _facts(record: CarrierCall) -> CallFacts:
    return CallFacts(
        call_sid=record.sid,
        caller=caller_number(record.from_),
        caller_raw=record.from_,
        called=record.to,
        started_at=record.started_at,
    )
