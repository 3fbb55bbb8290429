"""What a period would have cost under another plan: read only, leg by leg.

Calls are taken as they were: a plan that would have refused one is not asked, and one that would
have upgraded by itself stays what it is, unless it was in force and did so. Packages that were
bought stay bought; another plan's pool is full at the start of each cycle. Rent and access are
those of the other plan for the months that were posted. Credit that another plan's fee includes
pays what the calls and texts of each cycle would have cost, as far as it goes.
"""

from __future__ import annotations

import datetime as dt
import heapq
import uuid
from bisect import bisect_right
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from billing.calendar import billing_cycle, local_date
from billing.messages import MessageStatus, MessageUsage
from gateway.services import accounts, included_credit, plans, pools, replay
from gateway.services.accounts import Account
from gateway.services.errors import Invalid
from gateway.services.message_settlement import rated_by
from gateway.services.plans import PlanVersion
from gateway.services.replay import OVERLAP, Replayed
from gateway.store import included_credit as credit_store
from gateway.store import replay as store
from gateway.store import statement_lines
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

LARGEST = 100
PERIOD_MAX = dt.timedelta(days=400)


@dataclass(slots=True)
class Sums:
    """What was charged, and what would have been; seconds are billed seconds."""

    items: int = 0
    seconds: int = 0
    charged_micros: int = 0
    replayed_seconds: int = 0
    drawn_seconds: int = 0
    replayed_micros: int = 0

    @property
    def difference_micros(self) -> int:
        """Positive where the other plan is dearer."""
        return self.replayed_micros - self.charged_micros

    def add(self, charged_micros: int, replayed_micros: int) -> None:
        self.items += 1
        self.charged_micros += charged_micros
        self.replayed_micros += replayed_micros


@dataclass(frozen=True, slots=True)
class NumberSums:
    did_id: uuid.UUID
    e164: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class LegLine:
    """A leg that would have cost something else."""

    leg_sid: str
    call_sid: str
    started_at: dt.datetime
    number_e164: str
    kind: str
    to_address: str
    talk_seconds: int
    billed_seconds: int
    charged_micros: int
    replayed_billed_seconds: int
    drawn_seconds: int
    replayed_micros: int

    @property
    def difference_micros(self) -> int:
        return self.replayed_micros - self.charged_micros


@dataclass(frozen=True, slots=True)
class WhatIf:
    """`version` None stands for the plans as they were: the difference is then zero, or the
    ledger and the meter do not agree. `largest` are the legs that differ most."""

    account: Account
    version: PlanVersion | None
    since: dt.datetime
    until: dt.datetime
    calls: Sums
    texts: Sums
    rent: Sums
    access: Sums
    included: Sums  # what included credit paid of calls and texts: never positive
    numbers: tuple[NumberSums, ...]
    largest: tuple[LegLine, ...]
    differing_legs: int
    unpriced_legs: int

    @property
    def total(self) -> Sums:
        whole = Sums()
        for part in (self.calls, self.texts, self.rent, self.access, self.included):
            whole.items += part.items
            whole.charged_micros += part.charged_micros
            whole.replayed_micros += part.replayed_micros
        return whole


def what_if(
    uow: UnitOfWork,
    scope: Scope,
    *,
    since: dt.datetime,
    until: dt.datetime,
    version: PlanVersion | None,
    largest: int = LARGEST,
    each: Callable[[LegLine], None] | None = None,
) -> WhatIf:
    """Replay a period; `each` is told of every leg, in the order of the replay."""
    if not since < until:
        raise Invalid.at("/until", "write a day after the first one")
    if until - since > PERIOD_MAX:
        raise Invalid.at("/until", f"choose a period of at most {PERIOD_MAX.days} days")
    account = accounts.get_account(uow, scope)
    if version is not None and version.kind != "retail":
        raise Invalid.at("/plan", "choose a plan that is for sale")
    if version is not None and version.plan.currency != account.currency:
        raise Invalid.at("/plan", f"choose a plan priced in {account.currency}")
    cycles = _Cycles.of(account, version, since, until)
    tally = _Tally(largest, cycles)
    for replayed in replay.replay(uow, scope, since=since, until=until, version=version):
        line = tally.take(replayed)
        if each is not None:
            each(line)
    led = () if version is None else replay.led_to(uow, scope, version, since, until)
    texts = _texts(uow, scope, since, until, version, led, tally)
    rent, access = _recurring(uow, account, since, until, version, led, tally)
    return WhatIf(
        account=account,
        version=version,
        since=since,
        until=until,
        calls=tally.calls,
        texts=texts,
        rent=rent,
        access=access,
        included=_included(uow, account, since, until, version, led, cycles),
        numbers=tally.by_number(),
        largest=tally.largest_legs(),
        differing_legs=tally.differing,
        unpriced_legs=tally.unpriced,
    )


@dataclass(slots=True)
class _Cycles:
    """What calls and texts would have cost in each cycle of another plan with included credit;
    of any other plan there are none."""

    starts: tuple[dt.datetime, ...] = ()
    replayed_micros: list[int] = field(default_factory=list)

    @classmethod
    def of(
        cls, account: Account, version: PlanVersion | None, since: dt.datetime, until: dt.datetime
    ) -> _Cycles:
        if version is None or not version.plan.terms.included.credit_micros:
            return cls()
        if account.billing != "own":
            return cls()  # its agency pays
        starts = []
        cycle = pools.cycle_of(version, account.time_zone, since)
        while cycle.starts_at < until:
            starts.append(cycle.starts_at)
            cycle = pools.cycle_of(version, account.time_zone, cycle.ends_at)
        return cls(tuple(starts), [0] * len(starts))

    def add(self, at: dt.datetime, replayed_micros: int) -> None:
        if self.starts:
            self.replayed_micros[bisect_right(self.starts, at) - 1] += replayed_micros


@dataclass(slots=True)
class _Tally:
    keep: int
    cycles: _Cycles
    calls: Sums = field(default_factory=Sums)
    numbers: dict[uuid.UUID, tuple[str, Sums]] = field(default_factory=dict)
    heap: list[tuple[int, str, LegLine]] = field(default_factory=list)
    differing: int = 0
    unpriced: int = 0

    def take(self, replayed: Replayed) -> LegLine:
        leg, billed = replayed.leg, replayed.billed
        line = LegLine(
            leg_sid=leg.leg_sid,
            call_sid=leg.call_sid,
            started_at=leg.started_at,
            number_e164=leg.number_e164,
            kind=leg.kind,
            to_address=leg.to_address,
            talk_seconds=leg.talk_seconds,
            billed_seconds=leg.billed_seconds,
            charged_micros=leg.charge_micros,
            replayed_billed_seconds=billed.rated.billed_seconds,
            drawn_seconds=billed.drawn_seconds,
            replayed_micros=billed.charge_micros,
        )
        for sums in (self.calls, self.of_number(leg.did_id, leg.number_e164)):
            sums.add(leg.charge_micros, billed.charge_micros)
            sums.seconds += leg.billed_seconds
            sums.replayed_seconds += billed.rated.billed_seconds
            sums.drawn_seconds += billed.drawn_seconds
        self.cycles.add(leg.started_at, billed.charge_micros)
        self.unpriced += billed.paid.unrated
        if line.difference_micros:
            self.differing += 1
            self._keep(line)
        return line

    def of_number(self, did_id: uuid.UUID, e164: str) -> Sums:
        return self.numbers.setdefault(did_id, (e164, Sums()))[1]

    def _keep(self, line: LegLine) -> None:
        if not self.keep:
            return
        entry = (abs(line.difference_micros), line.leg_sid, line)
        if len(self.heap) < self.keep:
            heapq.heappush(self.heap, entry)
        else:
            heapq.heappushpop(self.heap, entry)

    def largest_legs(self) -> tuple[LegLine, ...]:
        return tuple(line for _, _, line in sorted(self.heap, reverse=True))

    def by_number(self) -> tuple[NumberSums, ...]:
        found = [NumberSums(id, e164, sums) for id, (e164, sums) in self.numbers.items()]
        return tuple(sorted(found, key=lambda n: (-abs(n.sums.difference_micros), n.e164)))


def _texts(
    uow: UnitOfWork,
    scope: Scope,
    since: dt.datetime,
    until: dt.datetime,
    version: PlanVersion | None,
    led: Collection[uuid.UUID],
    tally: _Tally,
) -> Sums:
    """Texts as the other plan prices them; what an overrun forgave stays forgiven."""
    sums = Sums()
    for sent in store.settled_texts(uow.connection, scope, since=since, until=until):
        usage = MessageUsage(
            direction="inbound" if sent.direction == "inbound" else "outbound",
            status=MessageStatus(sent.status),
            segments=sent.segments,
            to=sent.peer if sent.direction == "outbound" else "",
        )
        own = plans.plan_version(uow.connection, sent.plan_version_id)
        forgiven = _price(usage, own) - sent.charge_micros
        used = own if version is None or sent.plan_version_id in led else version
        replayed = max(0, _price(usage, used) - forgiven)
        tally.cycles.add(sent.created_at, replayed)
        for one in (sums, tally.of_number(sent.did_id, sent.number_e164)):
            one.add(sent.charge_micros, replayed)
    return sums


def _price(usage: MessageUsage, version: PlanVersion) -> int:
    rated = rated_by(usage, version.plan.tariff.sms)
    return 0 if rated is None else rated.charge_micros


def _included(
    uow: UnitOfWork,
    account: Account,
    since: dt.datetime,
    until: dt.datetime,
    version: PlanVersion | None,
    led: Collection[uuid.UUID],
    cycles: _Cycles,
) -> Sums:
    """Where every cycle's credit was of the version that is asked for, what the ledger says."""
    scope = account.scope
    ends = [
        statement_lines.last_seq_before(uow.connection, scope, after_seq=0, ends_at=at)
        for at in (since, until)
    ]
    drawn = included_credit.between(uow, scope, after_seq=ends[0], last_seq=ends[1]).drawn_micros
    were = credit_store.versions_in(uow.connection, scope, since=since, until=until)
    sums = Sums(items=len(were), charged_micros=-drawn, replayed_micros=-drawn)
    if version is not None and (not were or not {version.id, *led}.issuperset(were)):
        credit = version.plan.terms.included.credit_micros
        sums.items = max(sums.items, len(cycles.starts))
        sums.replayed_micros = -sum(min(credit, cost) for cost in cycles.replayed_micros)
    return sums


def _recurring(
    uow: UnitOfWork,
    account: Account,
    since: dt.datetime,
    until: dt.datetime,
    version: PlanVersion | None,
    led: Collection[uuid.UUID],
    tally: _Tally,
) -> tuple[Sums, Sums]:
    """Rent for each month that was posted, and access for each cycle that began."""
    first = store.first_line_since(uow.connection, account.tenant_id, since - OVERLAP)
    lines = store.recurring_lines(
        uow.connection, account.scope, first=first, since=since, until=until
    )
    rent, access = Sums(), Sums()
    of_another_plan = False
    kept = set(led) if version is None else {version.id, *led}
    for line in lines:
        same = version is None or line.plan_version_id in kept
        if line.kind == "rental":
            amount = line.amount if same else _rent(line, version)
            rent.add(line.amount, amount)
            if line.did_id is not None and line.number_e164 is not None:
                tally.of_number(line.did_id, line.number_e164).add(line.amount, amount)
        else:
            access.add(line.amount, line.amount if same else 0)
            of_another_plan |= not same
    if version is not None and (of_another_plan or account.plan_version_id not in kept):
        access.replayed_micros += _access(account, since, until, version)
    return rent, access


def _rent(line: store.RecurringLine, version: PlanVersion | None) -> int:
    """What the other plan takes a month; where it sells no such number, what was paid."""
    assert version is not None, "asked only for another plan"
    prices = version.plan.tariff.rental
    return prices.get((line.number_country or "", line.number_type or ""), line.amount)


def _access(account: Account, since: dt.datetime, until: dt.datetime, version: PlanVersion) -> int:
    """The monthly fee for each cycle of the account that begins in the period."""
    zone = account.time_zone
    day = local_date(account.created_at, zone).day
    cycle = billing_cycle(day, since, zone)
    fees = 0
    while cycle.starts_at < until:
        fees += version.plan.terms.access_fee.month_micros * (cycle.starts_at >= since)
        cycle = billing_cycle(day, cycle.ends_at, zone)
    return fees
