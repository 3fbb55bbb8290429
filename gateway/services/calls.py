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

import structlog

from billing import lifecycle
from billing.lifecycle import AccountStatus, RefusalReason
from billing.metering import TERMINAL, LegStatus, status_rank
from billing.money import format_amount
from billing.pools import may_start_on_pool
from billing.rating import TalkRates, first_block_cost
from billing.tariffs import Plan
from gateway.services import exposure, plans, pools, upgrades
from gateway.services.exposure import Exposure
from gateway.store import call_events, forwarding, numbers, outbox, recordings
from gateway.store.base import Scope
from gateway.store.call_events import Arrival, Caller, KnownCall, LegChange, Opened, Receipt
from gateway.uow import UnitOfWork
from routing import decisions
from routing.acts import Target
from routing.decisions import Decision
from routing.facts import CallFacts
from routing.plans import PlanInvalid, load_plan, plan_targets
from routing.steps import Step

log = structlog.get_logger(__name__)
Params = Mapping[str, Any]

NOT_CONNECTED = "This number is not connected yet. Please call later."
# The account stays active, so nothing else would tell its owner that callers are turned away.
TOO_LITTLE = (RefusalReason.BALANCE_BELOW_MINIMUM, RefusalReason.FIRST_BLOCK_NOT_COVERED)


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
class Refused:
    """The gate sent the call away; `notice` is said instead of a bare, unbilled <Reject>."""

    reason: str
    notice: str | None


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
    published = _published(uow, arrival.tenant_id, arrival.forwarding_version_id)
    spent = _exposure(uow, Scope(arrival.tenant_id, arrival.account_id), arrival.live_calls, plan)
    refused = _gate(uow, arrival, plan, published, spent)
    opened = _insert_call(
        uow, arrival, facts, params, "voice", refused=refused, published=published
    )
    if not opened.first and not arrival.known:
        return open_call(uow, facts, params)  # another delivery has decided: repeat its answer
    if refused is not None:
        if opened.first and refused.reason in TOO_LITTLE:
            _tell_owner(uow, arrival)
        return refused
    assert published is not None
    return Routed(
        arrival.tenant_id,
        decisions.decide(
            published.step,
            facts,
            uow.now,
            own_numbers=opened.own_numbers,
            time_limit_seconds=_time_limit(arrival, plan, published, spent),
        ),
    )


def turns_callers_away(uow: UnitOfWork, scope: Scope) -> bool:
    """The last call was refused for too little money, and would be refused again now."""
    last = call_events.last_call(uow.connection, scope)
    if last is None or last.refused not in TOO_LITTLE:
        return False
    arrival = call_events.arrival(uow.connection, last.to_number, call_sid="")
    if arrival is None or arrival.account_id != scope.account_id:
        return False
    plan = plans.plan_version(uow.connection, arrival.plan_version_id).plan
    published = _published(uow, arrival.tenant_id, arrival.forwarding_version_id)
    spent = _exposure(uow, scope, arrival.live_calls, plan)
    return _refusal(arrival, plan, published, spent) in TOO_LITTLE


def _tell_owner(uow: UnitOfWork, arrival: Arrival) -> None:
    """Once a day, however many callers are turned away."""
    outbox.add(
        uow.connection,
        Scope(arrival.tenant_id, arrival.account_id),
        queue="notify",
        kind="callers_refused",
        key=f"callers_refused:{arrival.account_id}:{uow.now:%Y-%m-%d}",
        payload={"balance": format_amount(arrival.balance_micros), "currency": arrival.currency},
        now=uow.now,
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
    published = _published(uow, tenant_id, known.forwarding_version_id)
    if published is None:
        return Unknown()
    plan = plans.plan_version(uow.connection, known.plan_version_id).plan
    spent = _exposure(uow, Scope(tenant_id, known.account_id), known.live_calls, plan)
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
            time_limit_seconds=_time_limit(known, plan, published, spent),
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
    published = _published(uow, tenant_id, version_id)
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


def _gate(
    uow: UnitOfWork, arrival: Arrival, plan: Plan, published: Published | None, spent: Exposure
) -> Refused | None:
    """May this call begin? A call that is already known keeps its first answer."""
    if arrival.known:
        reason = arrival.refused or (None if published else "no_forwarding")
    else:
        reason = _refusal(arrival, plan, published, spent) or _exhausted(uow, arrival, plan, spent)
    if reason is None:
        return None
    notice = NOT_CONNECTED if reason == "no_forwarding" else arrival.suspended_notice
    return Refused(reason, notice)


def _refusal(
    arrival: Arrival, plan: Plan, published: Published | None, spent: Exposure
) -> str | None:
    if arrival.did_status != "active":
        return "number_suspended"
    if published is None:
        return "no_forwarding"
    verdict = lifecycle.may_start_call(
        arrival.balance_micros,
        AccountStatus(arrival.account_status),
        plan,
        live_calls=arrival.live_calls,
        first_block_micros=first_block_cost(_rates(arrival, plan, published), plan.tariff),
        accrued_micros=spent.accrued_micros,
    )
    return str(verdict.reason) if isinstance(verdict, lifecycle.Refused) else None


def _exhausted(uow: UnitOfWork, arrival: Arrival, plan: Plan, spent: Exposure) -> str | None:
    """Asked only of plans whose minutes are all there is (S4-09)."""
    if not plan.terms.minutes_are_all:
        return None
    scope = Scope(arrival.tenant_id, arrival.account_id)
    left = pools.remaining_seconds(uow, scope)
    verdict = may_start_on_pool(plan.terms, left, spent.billed_seconds)
    if isinstance(verdict, lifecycle.Refused) and plan.terms.exhaustion == "auto_upgrade":
        coming = upgrades.is_coming(uow, scope)
        verdict = may_start_on_pool(plan.terms, left, spent.billed_seconds, upgrade_comes=coming)
    return str(verdict.reason) if isinstance(verdict, lifecycle.Refused) else None


def _time_limit(
    call: Arrival | KnownCall, plan: Plan, published: Published, spent: Exposure
) -> int:
    return lifecycle.dial_time_limit(
        plan,
        call.balance_micros,
        _rates(call, plan, published),
        live_rates=spent.rates,
        accrued_micros=spent.accrued_micros,
    )


def _rates(call: Arrival | KnownCall, plan: Plan, published: Published) -> TalkRates:
    return exposure.of_call(call.number_country, call.number_type, published.targets, plan.tariff)


def _exposure(uow: UnitOfWork, scope: Scope, live_calls: int, plan: Plan) -> Exposure:
    """Asked only where other calls are live: the usual call pays no round trip for it."""
    if live_calls == 0:
        return exposure.NONE
    legs = call_events.live_legs(uow.connection, scope)
    return exposure.of_live_legs(legs, plan, now=uow.now)


def _published(
    uow: UnitOfWork, tenant_id: uuid.UUID, version_id: uuid.UUID | None
) -> Published | None:
    """Published versions never change, so a process parses each one once."""
    if version_id is None:
        return None
    published = _PUBLISHED.get(version_id)
    if published is None:
        document = forwarding.document_of(uow.connection, tenant_id, version_id)
        if document is None:
            return None
        try:
            step = load_plan(document)
        except PlanInvalid:
            # S3-11: a pattern that this release does not know fails closed, and is reported.
            log.exception("forwarding.unreadable", version_id=str(version_id))
            return None
        if len(_PUBLISHED) >= PUBLISHED_KEPT_MAX:
            _PUBLISHED.clear()
        published = _PUBLISHED[version_id] = Published.of(step)
    return published


@dataclass(frozen=True, slots=True)
class Published:
    """A routing plan with what each call asks of it: the phones it may dial."""

    step: Step
    targets: tuple[Target, ...]
    numbers: tuple[str, ...]

    @classmethod
    def of(cls, step: Step) -> Published:
        targets = tuple(target for _, target in plan_targets(step))
        return cls(step, targets, tuple(t.address for t in targets if t.type == "number"))


PUBLISHED_KEPT_MAX = 2_000
_PUBLISHED: dict[uuid.UUID, Published] = {}


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
