"""What a period would have cost under another plan: read only, leg by leg.

Calls are taken as they were: a plan that would have refused one is not asked. Packages that were
bought stay bought; another plan's pool is full at the start of each cycle, and where the plan
upgrades by itself, it does so at the leg that uses up the minutes, as if the balance covered it.
Rent is that of the other plan for the months that were posted, access for the months that began.
Credit that another plan's fee includes pays what the calls and texts of each cycle would have cost,
as far as it goes. An agency is asked with the calls and texts of the clients on its bill: the plans
of clients stay as they were, and its other plan's minutes and credit are for them too where it
shares them. What would have rolled over is not known.
"""

from __future__ import annotations

import datetime as dt
import heapq
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from billing.messages import MessageStatus, MessageUsage
from gateway.services import accounts, included_credit, plans, replay
from gateway.services.accounts import Account
from gateway.services.errors import Invalid
from gateway.services.imagined import Imagined
from gateway.services.message_settlement import rated_by
from gateway.services.plans import PlanVersion
from gateway.services.replay import OVERLAP, Replayed
from gateway.store import included_credit as credit_store
from gateway.store import period_bill, statement_lines
from gateway.store import replay as store
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

    def add(self, charged_micros: int, replayed_micros: int, items: int = 1) -> None:
        self.items += items
        self.charged_micros += charged_micros
        self.replayed_micros += replayed_micros


@dataclass(frozen=True, slots=True)
class NumberSums:
    did_id: uuid.UUID
    e164: str
    account_id: uuid.UUID
    sums: Sums


@dataclass(frozen=True, slots=True)
class LegLine:
    """A leg that would have cost something else."""

    leg_sid: str
    call_sid: str
    account_id: uuid.UUID
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
    ledger and the meter do not agree. `largest` are the legs that differ most. `clients` are their
    calls and texts on an agency's bill, `names` those of the clients that ever shared it."""

    account: Account
    version: PlanVersion | None
    since: dt.datetime
    until: dt.datetime
    calls: Sums
    texts: Sums
    clients: Sums
    rent: Sums
    access: Sums
    included: Sums  # what included credit paid of calls and texts: never positive
    numbers: tuple[NumberSums, ...]
    largest: tuple[LegLine, ...]
    replayed_legs: int
    differing_legs: int
    unpriced_legs: int
    names: Mapping[uuid.UUID, str]

    @property
    def total(self) -> Sums:
        whole = Sums()
        parts = (self.calls, self.texts, self.clients, self.rent, self.access, self.included)
        for part in parts:
            whole.add(part.charged_micros, part.replayed_micros, part.items)
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
    led: Collection[uuid.UUID] = ()
    imagined = None
    if version is not None:
        led = replay.led_to(uow, scope, version, since, until)
        if not led:
            imagined = replay.imagine(uow, account, version, since, until)
    tally = _Tally(account.id, largest, imagined)
    for replayed in replay.replay(
        uow, scope, since=since, until=until, version=version, imagined=imagined
    ):
        line = tally.take(replayed)
        if each is not None:
            each(line)
    chosen = _Chosen(version, led, imagined)
    texts = _texts(uow, scope, since, until, chosen, tally)
    _texts_of_clients(uow, account, since, until, tally)
    rent, access = _recurring(uow, account, since, until, chosen, tally)
    return WhatIf(
        account=account,
        version=version,
        since=since,
        until=until,
        calls=tally.calls,
        texts=texts,
        clients=tally.clients,
        rent=rent,
        access=access,
        included=_included(uow, account, since, until, chosen),
        numbers=tally.by_number(),
        largest=tally.largest_legs(),
        replayed_legs=tally.legs,
        differing_legs=tally.differing,
        unpriced_legs=tally.unpriced,
        names=store.clients_of(uow.connection, scope, until=until),
    )


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The version that is asked for, None for those that were; `led` are those that it led to."""

    version: PlanVersion | None
    led: Collection[uuid.UUID]
    imagined: Imagined | None

    def keeps(self, version_id: uuid.UUID | None) -> bool:
        """Whether what was charged by a version is what it would have been."""
        return self.version is None or version_id == self.version.id or version_id in self.led

    def at(self, at: dt.datetime) -> PlanVersion:
        """The plan of an instant, where what was charged is not kept."""
        assert self.version is not None, "plans as they were keep everything"
        return self.imagined.version_at(at) if self.imagined else self.version


@dataclass(slots=True)
class _Tally:
    account_id: uuid.UUID
    keep: int
    imagined: Imagined | None
    calls: Sums = field(default_factory=Sums)
    clients: Sums = field(default_factory=Sums)
    numbers: dict[uuid.UUID, NumberSums] = field(default_factory=dict)
    heap: list[tuple[int, str, LegLine]] = field(default_factory=list)
    legs: int = 0
    differing: int = 0
    unpriced: int = 0

    def take(self, replayed: Replayed) -> LegLine:
        leg, billed = replayed.leg, replayed.billed
        line = LegLine(
            leg_sid=leg.leg_sid,
            call_sid=leg.call_sid,
            account_id=leg.account_id,
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
        own = leg.account_id == self.account_id
        number = self.of_number(leg.did_id, leg.number_e164, leg.account_id)
        for sums in (self.calls if own else self.clients, number):
            sums.add(leg.charge_micros, billed.charge_micros)
            sums.seconds += leg.billed_seconds
            sums.replayed_seconds += billed.rated.billed_seconds
            sums.drawn_seconds += billed.drawn_seconds
        self.draw_credit(leg.ended_at, billed.charge_micros, own=own)
        self.legs += 1
        self.unpriced += billed.paid.unrated
        if line.difference_micros:
            self.differing += 1
            self._keep(line)
        return line

    def draw_credit(self, at: dt.datetime, micros: int, *, own: bool = True) -> None:
        """A leg draws the credit of the cycle in which it ended, a text that of its charge; those
        of a client only what is shared."""
        if self.imagined is not None:
            self.imagined.charge(at, micros, own=own)

    def of_number(self, did_id: uuid.UUID, e164: str, account_id: uuid.UUID) -> Sums:
        fresh = NumberSums(did_id, e164, account_id, Sums())
        return self.numbers.setdefault(did_id, fresh).sums

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
        found = self.numbers.values()
        return tuple(sorted(found, key=lambda n: (-abs(n.sums.difference_micros), n.e164)))


def _texts(
    uow: UnitOfWork,
    scope: Scope,
    since: dt.datetime,
    until: dt.datetime,
    chosen: _Chosen,
    tally: _Tally,
) -> Sums:
    """Texts as the other plan prices them; what an overrun forgave stays forgiven."""
    sums = Sums()
    for sent in period_bill.settled_texts(uow.connection, scope, since=since, until=until):
        usage = MessageUsage(
            direction="inbound" if sent.direction == "inbound" else "outbound",
            status=MessageStatus(sent.status),
            segments=sent.segments,
            to=sent.peer if sent.direction == "outbound" else "",
        )
        own = plans.plan_version(uow.connection, sent.plan_version_id)
        forgiven = _price(usage, own) - sent.charge_micros
        used = own if chosen.keeps(sent.plan_version_id) else chosen.at(sent.created_at)
        replayed = max(0, _price(usage, used) - forgiven)
        tally.draw_credit(sent.settled_at, replayed)
        for one in (sums, tally.of_number(sent.did_id, sent.number_e164, scope.account_id)):
            one.add(sent.charge_micros, replayed)
    return sums


def _price(usage: MessageUsage, version: PlanVersion) -> int:
    rated = rated_by(usage, version.plan.tariff.sms)
    return 0 if rated is None else rated.charge_micros


def _included(
    uow: UnitOfWork, account: Account, since: dt.datetime, until: dt.datetime, chosen: _Chosen
) -> Sums:
    """Where a cycle's credit was of the version that is asked for, what the ledger says."""
    scope = account.scope
    ends = [
        statement_lines.last_seq_before(uow.connection, scope, after_seq=0, ends_at=at)
        for at in (since, until)
    ]
    drawn = included_credit.between(uow, scope, after_seq=ends[0], last_seq=ends[1]).drawn_micros
    were = credit_store.versions_in(uow.connection, scope, since=since, until=until)
    sums = Sums(items=len(were), charged_micros=-drawn, replayed_micros=-drawn)
    if chosen.imagined is not None and not (were and all(map(chosen.keeps, were))):
        cycles = chosen.imagined.credit
        sums.items = max(sums.items, len(cycles))
        sums.replayed_micros = -sum(cycle.drawn_micros for cycle in cycles)
    return sums


def _texts_of_clients(
    uow: UnitOfWork, account: Account, since: dt.datetime, until: dt.datetime, tally: _Tally
) -> None:
    """On an agency's bill, at what they were charged: their plans are not asked about."""
    if account.parent_id is not None:
        return
    cycles = tally.imagined.credit if tally.imagined is not None else []
    found = period_bill.texts_of_clients(
        uow.connection,
        account.scope,
        since=since,
        until=until,
        starts=[cycle.starts_at for cycle in cycles],
    )
    for place, texts, micros in found:
        tally.clients.add(micros, micros, texts)
        if place and cycles[place - 1].shared:
            cycles[place - 1].cost_micros += micros


def _recurring(
    uow: UnitOfWork,
    account: Account,
    since: dt.datetime,
    until: dt.datetime,
    chosen: _Chosen,
    tally: _Tally,
) -> tuple[Sums, Sums]:
    """Rent for each month that was posted, and access for each month that began; what an agency
    pays of it for clients is by their plans, and stays."""
    first = store.first_line_since(uow.connection, account.tenant_id, since - OVERLAP)
    lines = period_bill.recurring_lines(
        uow.connection, account.scope, first=first, since=since, until=until
    )
    rent, access = Sums(), Sums()
    kept = chosen.keeps(account.plan_version_id)
    of_clients = 0
    for line in lines:
        own = line.owner_id == account.id
        same = chosen.keeps(line.plan_version_id) or not own
        if line.kind == "rental":
            amount = line.amount if same else _rent(line, chosen.at(line.at))
            rent.add(line.amount, amount)
            if line.did_id is not None and line.number_e164 is not None:
                number = tally.of_number(line.did_id, line.number_e164, line.owner_id)
                number.add(line.amount, amount)
        else:
            access.add(line.amount, line.amount)
            of_clients += 0 if own else line.amount
            kept &= same
    if chosen.imagined is not None and not kept:
        access.replayed_micros = of_clients + chosen.imagined.access_micros()
    return rent, access


def _rent(line: period_bill.RecurringLine, version: PlanVersion) -> int:
    """What the other plan takes a month; where it sells no such number, what was paid."""
    prices = version.plan.tariff.rental
    return prices.get((line.number_country or "", line.number_type or ""), line.amount)
