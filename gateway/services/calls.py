"""A call's life as the carrier tells it: opened, decided, its legs followed, closed.

Every function here runs in the one transaction of one webhook, or of the sweep that asks the
carrier for what its webhooks did not say. None touches Redis or the network.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing.metering import TERMINAL, LegStatus, status_rank
from gateway.services import call_gate, plans, published_routing
from gateway.services.call_gate import Refused
from gateway.services.published_routing import Published
from gateway.store import call_events, numbers, outbox, recordings
from gateway.store.base import Scope
from gateway.store.call_events import Arrival, Caller, KnownCall, LegChange, Opened, Receipt
from gateway.uow import UnitOfWork
from routing import decisions
from routing.acts import Target
from routing.decisions import Decision
from routing.facts import CallFacts

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LegEvent:
    """What a status callback, or the carrier's own record, says of one leg."""

    leg_sid: str
    status: LegStatus
    seconds: int  # answer to hang-up; 0 unless the leg completed
    at: dt.datetime  # by the carrier's clock where it sent one
    to_address: str
    target_kind: str = "number"
    cursor: str = ""
    source: str = "leg"  # the receipt's kind: leg, status, rest
    dialled_at: dt.datetime | None = None  # told by the first event and by the carrier's record

    @property
    def is_final(self) -> bool:
        return self.status in TERMINAL


@dataclass(frozen=True, slots=True)
class DialOutcome:
    """What the action callback of a Dial says; `bridged` is None where the carrier said nothing."""

    cursor: str
    status: str
    bridged: bool | None
    caller_gone: bool


@dataclass(frozen=True, slots=True)
class RecordingEvent:
    recording_sid: str
    status: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Routed:
    """Ring phones, speak, take a message: whatever the routing plan decided."""

    tenant_id: uuid.UUID
    decision: Decision


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody's number, or a call that we never opened."""


Answer = Routed | Refused | Unknown


def open_call(uow: UnitOfWork, facts: CallFacts, params: Params) -> Answer:
    """First webhook of a call. A repeated one gets what the first was decided by: the same
    versions, and the same refusal.

    Reads, decides, then writes receipt, call, leg and refusal in one statement.
    """
    arrival = _arrival(uow, facts)
    if arrival is None:
        return Unknown()
    plan = plans.plan_version(uow.connection, arrival.plan_version_id).plan
    published = published_routing.find(uow, arrival.tenant_id, arrival.forwarding_version_id)
    spent = call_gate.used_by_live_calls(
        uow, Scope(arrival.tenant_id, arrival.account_id), arrival.live_calls, plan
    )
    refused = call_gate.refusal(uow, arrival, plan, published, spent)
    opened = _insert_call(
        uow, arrival, facts, params, "voice", refused=refused, published=published
    )
    if not opened.first and not arrival.known:
        return open_call(uow, facts, params)  # another delivery has decided: repeat its answer
    if refused is not None:
        if opened.first and refused.reason in call_gate.TOO_LITTLE:
            call_gate.tell_owner(uow, arrival)
        return refused
    assert published is not None
    return Routed(
        arrival.tenant_id,
        decisions.decide(
            published.step,
            facts,
            uow.now,
            own_numbers=opened.own_numbers,
            time_limit_seconds=call_gate.time_limit(arrival, plan, published, spent),
        ),
    )


def continue_call(
    uow: UnitOfWork, tenant_id: uuid.UUID, call_sid: str, outcome: DialOutcome, params: Params
) -> Answer:
    """A Dial is over: what is next? Decided by the version that the call began with."""
    known = call_events.continue_call(
        uow.connection,
        tenant_id,
        Receipt(f"dial:{call_sid}:{outcome.cursor}", "dial", call_sid, call_sid, params),
        now=uow.now,
    )
    if known is None:
        return Unknown()
    published = published_routing.find(uow, tenant_id, known.forwarding_version_id)
    if published is None:
        return Unknown()
    plan = plans.plan_version(uow.connection, known.plan_version_id).plan
    spent = call_gate.used_by_live_calls(
        uow, Scope(tenant_id, known.account_id), known.live_calls, plan
    )
    return Routed(
        tenant_id,
        decisions.after_dial(
            published.step,
            _facts(call_sid, known),
            uow.now,
            outcome.cursor,
            outcome.status,
            outcome.bridged,
            caller_gone=outcome.caller_gone,
            own_numbers=numbers.ours_among(uow.connection, published.numbers),
            time_limit_seconds=call_gate.time_limit(known, plan, published, spent),
        ),
    )


def record_leg(
    uow: UnitOfWork, tenant_id: uuid.UUID, call_sid: str, event: LegEvent, params: Params
) -> bool:
    """Follow one forwarded leg; False when the call is none of ours."""
    account_id = call_events.record_leg(
        uow.connection,
        tenant_id,
        Receipt(
            f"{event.source}:{event.leg_sid}:{event.status}",
            event.source,
            call_sid,
            event.leg_sid,
            params,
        ),
        _leg_change(event, kind="forwarded", target_kind=event.target_kind),
        now=uow.now,
    )
    return account_id is not None


def close_call(
    uow: UnitOfWork, tenant_id: uuid.UUID, event: LegEvent, facts: CallFacts, params: Params
) -> bool:
    """The parent's status callback. A call whose first webhook never reached us (the fallback
    answered it) is opened here, so that its inbound leg is still metered."""
    if not event.is_final:
        return True
    if not _end_parent(uow, tenant_id, event, params):
        arrival = _arrival(uow, facts)
        if arrival is None or arrival.tenant_id != tenant_id:
            return False
        _insert_call(uow, arrival, facts, params, "late")
        _end_parent(uow, tenant_id, event, params)
    call_events.close_call(
        uow.connection,
        tenant_id,
        event.leg_sid,
        status=str(event.status),
        ended_at=event.at,
        now=uow.now,
    )
    return True


def _end_parent(uow: UnitOfWork, tenant_id: uuid.UUID, event: LegEvent, params: Params) -> bool:
    account_id = call_events.record_leg(
        uow.connection,
        tenant_id,
        Receipt(
            f"{event.source}:{event.leg_sid}", event.source, event.leg_sid, event.leg_sid, params
        ),
        _leg_change(event, kind="inbound", target_kind="did"),
        now=uow.now,
    )
    return account_id is not None


def _leg_change(event: LegEvent, *, kind: str, target_kind: str) -> LegChange:
    talked = event.is_final and event.status == LegStatus.COMPLETED and event.seconds > 0
    answered_at = event.at if event.status == LegStatus.IN_PROGRESS else None
    if talked:
        answered_at = event.at - dt.timedelta(seconds=event.seconds)
    dialled_at = event.dialled_at if kind != "inbound" else None  # nobody here dialled the caller
    return LegChange(
        leg_sid=event.leg_sid,
        kind=kind,
        target_kind=target_kind,
        to_address=event.to_address,
        cursor=event.cursor,
        status=str(event.status),
        rank=status_rank(event.status),
        started_at=dialled_at or answered_at or event.at,
        dialled_at=dialled_at,
        answered_at=answered_at,
        ended_at=event.at if event.is_final else None,
        talk_seconds=event.seconds if talked else 0,
    )


def target_of(
    uow: UnitOfWork, tenant_id: uuid.UUID, call_sid: str, position: str, index: int
) -> Target | None:
    """The phone that a whisper URL names, from the version that decided the call."""
    version_id = call_events.forwarding_version_of(uow.connection, tenant_id, call_sid)
    published = published_routing.find(uow, tenant_id, version_id)
    return None if published is None else decisions.target_at(published.step, position, index)


def record_confirmation(
    uow: UnitOfWork,
    tenant_id: uuid.UUID,
    call_sid: str,
    leg_sid: str,
    *,
    pressed: bool,
    position: str,
    target: Target,
    params: Params,
) -> None:
    """Asked for a key (False until it is pressed): a mailbox that answers is no conversation."""
    call_events.record_leg(
        uow.connection,
        tenant_id,
        Receipt(f"confirm:{leg_sid}:{pressed}", "confirm", call_sid, leg_sid, params),
        LegChange(
            leg_sid=leg_sid,
            kind="forwarded",
            target_kind=target.type,
            to_address=target.address,
            cursor=position,
            status=str(LegStatus.IN_PROGRESS),
            rank=status_rank(LegStatus.IN_PROGRESS),
            started_at=uow.now,
            answered_at=None,
            ended_at=None,
            talk_seconds=0,
            confirmed=pressed,
        ),
        now=uow.now,
    )


def record_voicemail(
    uow: UnitOfWork,
    tenant_id: uuid.UUID,
    call_sid: str,
    event: RecordingEvent,
    params: Params,
    *,
    kind: str,
) -> bool:
    """A message was left: note it, and have a worker fetch the sound once it is complete."""
    known = call_events.continue_call(
        uow.connection,
        tenant_id,
        Receipt(f"{kind}:{event.recording_sid}:{event.status}", kind, call_sid, call_sid, params),
        now=uow.now,
    )
    if known is None:
        return False
    scope = Scope(tenant_id, known.account_id)
    recordings.record(
        uow.connection,
        scope,
        recording_sid=event.recording_sid,
        call_sid=call_sid,
        kind="voicemail",
        status=event.status,
        duration_seconds=event.seconds,
        now=uow.now,
    )
    call_events.mark_voicemail(uow.connection, tenant_id, call_sid)
    if event.status == "completed":
        outbox.add(
            uow.connection,
            scope,
            queue="carrier",
            kind="fetch_recording",
            key=f"fetch_recording:{event.recording_sid}",
            payload={"recording_sid": event.recording_sid},
            now=uow.now,
        )
    return True


def _arrival(uow: UnitOfWork, facts: CallFacts) -> Arrival | None:
    if not facts.called:
        return None
    return call_events.arrival(uow.connection, facts.called, facts.call_sid)


def _insert_call(
    uow: UnitOfWork,
    arrival: Arrival,
    facts: CallFacts,
    params: Params,
    key: str,
    *,
    refused: Refused | None = None,
    published: Published | None = None,
) -> Opened:
    return call_events.open_call(
        uow.connection,
        arrival,
        Receipt(f"{key}:{facts.call_sid}", "voice", facts.call_sid, facts.call_sid, params),
        caller=Caller(
            facts.caller,
            facts.caller_raw,
            facts.country,
            facts.state,
            facts.city,
            facts.postal_code,
        ),
        called=facts.called,
        refused=refused.reason if refused else None,
        numbers=published.numbers if published else (),
        ringing_rank=status_rank(LegStatus.RINGING),
        now=uow.now,
    )


def _facts(call_sid: str, known: KnownCall) -> CallFacts:
    return CallFacts(
        call_sid=call_sid,
        caller=known.from_number,
        caller_raw=known.from_raw,
        called=known.to_number,
        country=known.from_country,
        state=known.from_state,
        city=known.from_city,
        postal_code=known.from_postal_code,
        started_at=known.started_at,
    )
