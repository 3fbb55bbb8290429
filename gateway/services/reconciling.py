"""A day of ours against a day of the carrier's: every leg, in both books.

What a webhook never told is told now, the way webhooks tell it, and then settles like any other
leg: once. Every other difference is written down for staff and changes nothing.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TypeVar

import structlog

from billing.metering import LegStatus
from billing.reconciling import (
    HARMLESS,
    HEALED_BY_TELLING,
    Difference,
    DriftKind,
    OurLeg,
    TheirLeg,
    day_difference,
    differences,
    outside_calls,
)
from gateway.providers.telephony import CarrierCall, ProviderError, Telephony
from gateway.services import audit, sweeping
from gateway.services.errors import Invalid
from gateway.services.pages import Page, clamp, cut, decode_cursor, encode_cursor
from gateway.store import reconciliations as store
from gateway.store import sweep
from gateway.store.reconciliations import CarrierLeg, Drift, Lonely, NamedDrift, Pair, Run
from gateway.uow import UnitOfWork, UnitsOfWork

log = structlog.get_logger(__name__)
T = TypeVar("T")

BATCH = 500
READY_AFTER = dt.timedelta(hours=6)  # of the next day: prices are there, and late callbacks
TRY_AGAIN_AFTER = dt.timedelta(hours=1)
DAYS_BACK = 7
KEPT_DAYS = 40
EDGE = dt.timedelta(minutes=10)
"""A call that began so shortly before midnight may be of the next day by the carrier's clock."""
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
KINDS = tuple(DriftKind)
WORRYING = tuple(kind for kind in DriftKind if kind not in HARMLESS)


@dataclass(frozen=True, slots=True)
class Reconciled:
    day: dt.date
    legs_ours: int
    legs_theirs: int
    found: int
    healed: int


def due_day(uow: UnitOfWork) -> dt.date | None:
    """The oldest day that is to be compared now: one that was ordered, or any of the last days
    since the house has accounts. A run that died is taken up again an hour later."""
    today = uow.now.astimezone(dt.UTC).date()
    first = today - dt.timedelta(days=DAYS_BACK)
    runs = store.runs_since(uow.connection, first)
    waiting = {
        day
        for day, run in runs.items()
        if run.finished_at is None and run.started_at <= uow.now - TRY_AGAIN_AFTER
    }
    last = (uow.now - READY_AFTER).astimezone(dt.UTC).date() - dt.timedelta(days=1)
    opened = store.first_account_at(uow.connection)
    if opened is not None:
        day = max(first, opened.astimezone(dt.UTC).date())
        while day <= last:
            if day not in runs:
                waiting.add(day)
            day += dt.timedelta(days=1)
    return min(waiting, default=None)


def order(uow: UnitOfWork, day: dt.date, actor: str) -> None:
    """Have a day compared soon, once more if it was before."""
    if day >= uow.now.astimezone(dt.UTC).date():
        raise Invalid.at("/day", "choose a day that is over in UTC")
    store.begin(uow.connection, day, at=LONG_AGO)
    audit.note(uow, None, actor, "reconciliation.ordered", day.isoformat())


def reconcile_due(units: UnitsOfWork, telephony: Telephony) -> int:
    """Compare the days that are due; how many were. A carrier that is away is asked later."""
    done = 0
    while True:
        with units.read() as uow:
            day = due_day(uow)
        if day is None:
            return done
        try:
            reconcile(units, telephony, day)
        except ProviderError as error:
            log.warning("reconcile.carrier", day=day.isoformat(), words=error.words)
            return done
        done += 1


def reconcile(units: UnitsOfWork, telephony: Telephony, day: dt.date) -> Reconciled:
    """Compare one UTC day. Running it again finds the same rows and changes nothing."""
    with units.begin() as uow:
        store.begin(uow.connection, day, at=uow.now)
    _fetch(units, telephony, day)
    found = _Findings(units, day)
    with units.read() as uow:
        for pair in store.pairs(uow.connection, day):
            found.take_pair(pair)
        start = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
        end = start + dt.timedelta(days=1)
        for lonely in store.lonely_legs(uow.connection, since=start - EDGE, until=end - EDGE):
            found.take_lonely(lonely)
        ours = store.our_legs(uow.connection, since=start, until=end)
        theirs, calls_micros = store.carrier_total(uow.connection, day)
    found.take_usage(telephony, calls_micros, theirs)
    found.flush()
    healed = _heal(units, telephony, day, found.to_heal)
    with units.begin() as uow:
        store.finish(
            uow.connection,
            day,
            at=uow.now,
            legs_ours=ours,
            legs_theirs=found.theirs,
            healed=healed,
        )
        store.drop_carrier_legs(uow.connection, before=day - dt.timedelta(days=KEPT_DAYS))
    done = Reconciled(day, ours, found.theirs, found.count, healed)
    log.info("reconcile.done", day=day.isoformat(), found=done.found, healed=healed)
    return done


def _fetch(units: UnitsOfWork, telephony: Telephony, day: dt.date) -> None:
    """The carrier's list of the day into a table, page by page: memory stays flat."""
    listed = (_row(record, day) for record in telephony.calls_of_day(day))
    for batch in _batches(listed):
        with units.begin() as uow:
            store.keep_carrier_legs(uow.connection, batch)


def _row(record: CarrierCall, day: dt.date) -> CarrierLeg:
    return CarrierLeg(
        sid=record.sid,
        day=day,
        parent_sid=record.parent_call_sid,
        from_address=record.from_,
        to_address=record.to,
        status=record.status,
        started_at=record.started_at,
        ended_at=record.ended_at,
        talk_seconds=record.duration_seconds,
        price_micros=record.price_micros,
    )


@dataclass(slots=True)
class _Findings:
    """Differences on their way into their table, and the calls that are to be told."""

    units: UnitsOfWork
    day: dt.date
    theirs: int = 0  # legs at the carrier that are of our numbers
    count: int = 0
    waiting: list[Drift] = field(default_factory=list)
    to_heal: dict[tuple[uuid.UUID, str], list[Drift]] = field(default_factory=dict)

    def take_pair(self, pair: Pair) -> None:
        if pair.tenant_id is None or _before_our_time(pair):
            return
        self.theirs += 1
        their_status = _status(pair.their_status)
        if their_status is None:
            log.error("reconcile.unknown_status", sid=pair.sid, status=pair.their_status)
            return
        ours = None
        if pair.our_status is not None and pair.our_start is not None:
            ours = OurLeg(
                LegStatus(pair.our_status),
                pair.our_end is not None,
                pair.our_talk or 0,
                pair.our_cost,
                pair.our_start,
            )
        theirs = TheirLeg(their_status, pair.their_duration, pair.their_price, pair.their_start)
        for one in differences(ours, theirs):
            drift = self._drift(pair.tenant_id, pair.account_id, pair.sid, pair.call_sid, one)
            self._keep(drift)
            if one.kind in HEALED_BY_TELLING:
                self.to_heal.setdefault((pair.tenant_id, pair.call_sid), []).append(drift)

    def take_lonely(self, leg: Lonely) -> None:
        ours = OurLeg(LegStatus(leg.status), True, leg.talk_seconds, None, leg.started_at)
        for one in differences(ours, None):
            self._keep(self._drift(leg.tenant_id, leg.account_id, leg.leg_sid, leg.call_sid, one))

    def take_usage(self, telephony: Telephony, calls_micros: int, legs: int) -> None:
        """What the carrier bills for the day beside the prices of its calls."""
        for usage in telephony.usage_of_day(self.day):
            one: Difference | None = None
            if usage.category == "calls":
                one = day_difference(calls_micros, usage.price_micros, legs)
            elif outside_calls(usage.category) and usage.price_micros:
                one = Difference(DriftKind.OUTSIDE_CALL, 0, usage.price_micros)
            if one is not None:
                name = f"{usage.category[:23]}:{self.day.isoformat()}"
                self._keep(self._drift(audit.HOUSE.tenant_id, None, name, None, one))

    def _drift(
        self,
        tenant_id: uuid.UUID,
        account_id: uuid.UUID | None,
        leg_sid: str,
        call_sid: str | None,
        one: Difference,
    ) -> Drift:
        return Drift(
            tenant_id=tenant_id,
            leg_sid=leg_sid,
            kind=one.kind,
            account_id=account_id,
            day=self.day,
            detail={"ours": one.ours, "theirs": one.theirs, "call_sid": call_sid},
            healed=False,
            found_at=self.units.clock(),
        )

    def _keep(self, drift: Drift) -> None:
        self.count += 1
        self.waiting.append(drift)
        if len(self.waiting) == BATCH:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            with self.units.begin() as uow:
                store.keep_drifts(uow.connection, self.waiting)
            self.waiting = []


def _heal(
    units: UnitsOfWork,
    telephony: Telephony,
    day: dt.date,
    to_heal: dict[tuple[uuid.UUID, str], list[Drift]],
) -> int:
    """Tell each call and its legs as the carrier has them now; how many legs were healed."""
    healed = 0
    for (tenant_id, call_sid), drifts in to_heal.items():
        parent = telephony.fetch_call(call_sid)
        records = [*([parent] if parent else []), *telephony.child_calls(call_sid)]
        healed += units.retrying(
            partial(_tell, tenant_id=tenant_id, call_sid=call_sid, records=records, drifts=drifts)
        )
    return healed


def _tell(
    uow: UnitOfWork,
    *,
    tenant_id: uuid.UUID,
    call_sid: str,
    records: list[CarrierCall],
    drifts: list[Drift],
) -> int:
    missing = {drift.leg_sid for drift in drifts} | {call_sid}
    sweeping.tell(uow, tenant_id, call_sid, [r for r in records if r.sid in missing])
    sweep.close_if_ended(uow.connection, tenant_id, call_sid)
    ended = store.ended_among(uow.connection, tenant_id, [drift.leg_sid for drift in drifts])
    told = [drift for drift in drifts if drift.leg_sid in ended]
    if told:
        store.mark_healed(uow.connection, told)
    return len(told)


def _before_our_time(pair: Pair) -> bool:
    """The number was somebody else's when the call came."""
    return (
        pair.number_since is not None
        and pair.their_start is not None
        and pair.their_start < pair.number_since - EDGE
    )


def _status(text: str) -> LegStatus | None:
    try:
        return LegStatus(text)
    except ValueError:
        return None


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


@dataclass(frozen=True, slots=True)
class Overview:
    """Runs of the last days, and the differences of these days by kind: found, healed."""

    runs: tuple[Run, ...]
    counts: tuple[tuple[str, int, int], ...]


def overview(uow: UnitOfWork, *, days: int = 30) -> Overview:
    since = uow.now.astimezone(dt.UTC).date() - dt.timedelta(days=days)
    return Overview(
        tuple(store.runs(uow.connection, limit=days)),
        tuple(store.drift_counts(uow.connection, since=since)),
    )


def list_drifts(
    uow: UnitOfWork,
    after: str | None = None,
    limit: int = 50,
    *,
    kind: str | None = None,
    day: dt.date | None = None,
) -> Page[NamedDrift]:
    """Newest day first; without a kind, those that are harmless are left out."""
    limit = clamp(limit)
    found = store.drifts(
        uow.connection,
        kinds=(kind,) if kind else WORRYING,
        day=day,
        before=decode_cursor(after, _place) if after else None,
        limit=limit + 1,
    )
    return cut(
        found, limit, lambda row: encode_cursor(row.drift.day, row.drift.leg_sid, row.drift.kind)
    )


def _place(parts: list[str]) -> tuple[dt.date, str, str]:
    day, leg_sid, kind = parts
    return dt.date.fromisoformat(day), leg_sid, kind
