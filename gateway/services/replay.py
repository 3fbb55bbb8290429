"""Replaying what was settled under another plan: nothing is written, nothing is rounded away.

The legs are what the meter said; their price is made again by the rules that settlement uses.
Where minutes or the balance decide a price, the replay walks along the ledger as it is, keeps
every line that is not of a replayed leg (top-ups, packages, other clients' draws), and puts what
the other plan would have drawn and charged in the place of what was.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, permutations
from typing import cast

from billing.memberships import BillingChange, shares_billing_at
from billing.metering import LegStatus, LegUsage
from billing.minutes import bucket_account
from billing.packages import Bucket, LegMoment
from billing.pools import left_to
from billing.postings import wallet
from billing.rates import LegKind
from billing.replay import Billed, bill_leg
from gateway.services import accounts, minutes, plan_changes, plans, pools, upgrades
from gateway.services.accounts import Account
from gateway.services.imagined import Imagined
from gateway.services.leg_batch import TARGET_KINDS
from gateway.services.leg_stream import LegStream
from gateway.services.plans import PlanVersion
from gateway.store import memberships
from gateway.store import plan_changes as change_store
from gateway.store import replay as store
from gateway.store.base import Scope
from gateway.store.buckets import StoredBucket
from gateway.store.replay import Line, SettledLeg
from gateway.uow import UnitOfWork

OVERLAP = dt.timedelta(hours=1)
"""Lines may be out of order by as long as a transaction lasts; the carrier's clock may be off."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A leg as it was billed, and as the plan version would have billed it."""

    leg: SettledLeg
    version: PlanVersion
    billed: Billed

    @property
    def difference_micros(self) -> int:
        """Positive where the leg would have cost more."""
        return self.billed.charge_micros - self.leg.charge_micros


def replay(
    uow: UnitOfWork,
    scope: Scope,
    *,
    since: dt.datetime,
    until: dt.datetime,
    version: PlanVersion | None = None,
    imagined: Imagined | None = None,
) -> Iterator[Replayed]:
    """Every settled leg of the calls that started in the period, under `version`; without one,
    each under the version that its call began with, which must come to what was billed. Of an
    agency also those of its clients that it paid for, under the versions that were the clients'.

    `imagined` belongs to a version that was not in force; it is led along.
    """
    account = accounts.get_account(uow, scope)
    payers = _Payers.of(uow, account, until)
    if _needs_ledger(uow, payers, since, until, version):
        yield from _Walk.begin(uow, payers, since, until, version, imagined).run()
        return
    legs = store.settled_legs(
        uow.connection, scope, since=since, until=until, clients=payers.clients
    )
    for leg in filter(payers.count, legs):
        used = version if leg.account_id == account.id else None
        used = used or plans.plan_version(uow.connection, leg.plan_version_id)
        yield Replayed(leg, used, bill_leg(usage_of(leg), used.plan, balance_micros=0))


def imagine(
    uow: UnitOfWork, account: Account, version: PlanVersion, since: dt.datetime, until: dt.datetime
) -> Imagined:
    """What a plan would have given and become. Where it was in force for a part of the period, the
    ledger says what minutes it gave then, and none are imagined."""
    used = store.versions_used(uow.connection, account.scope, since=since, until=until)
    return Imagined(account, version, since, until, has_minutes=version.id not in used)


def led_to(
    uow: UnitOfWork, scope: Scope, version: PlanVersion, since: dt.datetime, until: dt.datetime
) -> dict[uuid.UUID, dt.datetime]:
    """The versions to which this one led by itself in a period, when its minutes were used up, and
    since when. What they billed is what it costs: under it, it would have come so again. Another
    version of its plan may have had other minutes, and led nowhere."""
    if version.plan.terms.exhaustion != "auto_upgrade":
        return {}
    led: dict[uuid.UUID, dt.datetime] = {}
    rungs = {version.label}
    left = {line.subject: line.detail["before"] for line in plan_changes.history(uow, scope)}
    for change in change_store.applied_by_itself(uow.connection, scope):
        at, wanted = change.decided_at, plans.plan_version(uow.connection, change.plan_version_id)
        if at is not None and since <= at < until and left.get(str(change.id)) in rungs:
            led.setdefault(wanted.id, at)
            rungs.add(wanted.label)
    return led


def usage_of(leg: SettledLeg) -> LegUsage:
    """The leg as the rules want it, from what was metered then."""
    return LegUsage(
        kind=cast(LegKind, leg.kind),
        status=LegStatus(leg.status),
        talk_seconds=leg.talk_seconds,
        ring_seconds=leg.ring_seconds,
        bridged_seconds=leg.bridged_seconds,
        number_country=leg.number_country,
        number_type=leg.number_type,
        target_kind=TARGET_KINDS.get(leg.target_kind),
        target_address=leg.to_address,
    )


@dataclass(frozen=True, slots=True)
class _Payers:
    """Who paid for which calls: a client's agency for those that began while it shared."""

    account: Account
    changes: Mapping[uuid.UUID, tuple[BillingChange, ...]]  # of the account and of its clients

    @classmethod
    def of(cls, uow: UnitOfWork, account: Account, until: dt.datetime) -> _Payers:
        scope = account.scope
        found = [account.id]
        if account.parent_id is None:
            found += store.clients_of(uow.connection, scope, until=until)
        return cls(account, memberships.changes_of_each(uow.connection, scope.tenant_id, found))

    @property
    def clients(self) -> list[uuid.UUID]:
        return [id for id in self.changes if id != self.account.id]

    def shares_with(self, account_id: uuid.UUID, at: dt.datetime) -> uuid.UUID | None:
        """The agency that pays for a call of an instant; None: who made it."""
        shares = shares_billing_at(self.changes[account_id], at)
        return self.account.tenant_id if shares else None

    def count(self, leg: SettledLeg) -> bool:
        """Whether a leg is the account's, or of a client on its bill."""
        if leg.account_id == self.account.id:
            return True
        return self.shares_with(leg.account_id, leg.started_at) is not None


def _needs_ledger(
    uow: UnitOfWork,
    payers: _Payers,
    since: dt.datetime,
    until: dt.datetime,
    version: PlanVersion | None,
) -> bool:
    """Whether a price depends on more than its leg: on minutes, or on what is left at the end."""
    scope, clients = payers.account.scope, payers.clients
    if store.draw_minutes(uow.connection, scope.tenant_id, [scope.account_id, *clients]):
        return True
    ids = store.versions_used(uow.connection, scope, since=since, until=until, clients=clients)
    used = [plans.plan_version(uow.connection, id) for id in ids]
    if version is not None:
        used.append(version)
    return any(
        one.plan.terms.allowance is not None or one.plan.in_call.overrun_price == "zero"
        for one in used
    )


@dataclass(slots=True)
class _Walk:
    """Along the ledger from before the first leg: what the wallets and buckets would hold.

    Legs and lines come in two streams, and no more than the legs of a settlement are held.
    """

    uow: UnitOfWork
    payers: _Payers
    since: dt.datetime
    until: dt.datetime
    version: PlanVersion | None
    imagined: Imagined | None
    first: int  # the ledger line to begin with
    buckets: dict[uuid.UUID, Bucket]  # `remaining_seconds` as the replay has it
    issued: dict[uuid.UUID, bool]  # whether a bucket was filled yet
    closed_at: dict[uuid.UUID, dt.datetime | None]
    names: dict[str, uuid.UUID]  # ledger account -> bucket
    led: dict[uuid.UUID, dt.datetime]  # see `led_to`
    wallets: dict[str, int]
    owned: dict[uuid.UUID | None, list[uuid.UUID]] = field(default_factory=dict)
    cut_by: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    """A grant of a cycle -> the upgrade that took its place."""

    @classmethod
    def begin(
        cls,
        uow: UnitOfWork,
        payers: _Payers,
        since: dt.datetime,
        until: dt.datetime,
        version: PlanVersion | None,
        imagined: Imagined | None,
    ) -> _Walk:
        account, scope = payers.account, payers.account.scope
        first = store.first_line_since(uow.connection, scope.tenant_id, since - OVERLAP)
        paying = [scope]
        if any(change.shared for change in payers.changes[account.id]):
            paying.append(Scope(scope.tenant_id, scope.tenant_id))
        walk = cls(
            uow,
            payers,
            since,
            until,
            version,
            imagined,
            first,
            buckets={},
            issued={},
            closed_at={},
            names={},
            led={} if version is None else led_to(uow, scope, version, since, until),
            wallets={
                wallet(payer.account_id): store.balance_before(uow.connection, payer, first)
                for payer in paying
            },
        )
        walk._open_buckets([*(payer.account_id for payer in paying), *payers.clients])
        return walk

    @property
    def account(self) -> Account:
        return self.payers.account

    def run(self) -> Iterator[Replayed]:
        """A leg comes where its first line stands; one without any line before the next of those
        that were settled later."""
        connection, scope = self.uow.connection, self.account.scope
        since, until, clients = self.since, self.until, self.payers.clients
        stream = store.settled_legs(
            connection, scope, since=since, until=until, clients=clients, as_settled=True
        )
        lines = store.lines_from(
            connection, scope, self.first, since=since, until=until, clients=clients
        )
        legs = LegStream(filter(self.payers.count, stream))
        for line in lines:
            if legs.move_to(line.at):
                for leg in legs.not_after(line.at - OVERLAP):
                    yield self._bill(leg)
            if line.leg_sid is not None and legs.has(line.leg_sid):
                for leg in legs.up_to(line.leg_sid):
                    yield self._bill(leg)
            elif not line.again:
                self._take(line)
            if legs.are_over:
                return
        for leg in legs.rest():
            yield self._bill(leg)

    def _take(self, line: Line) -> None:
        """A line that the replay leaves as it is."""
        for name, amount in ((line.debit, -line.amount), (line.credit, line.amount)):
            if name in self.wallets:
                self.wallets[name] += amount
            elif name in self.names:
                id = self.names[name]
                self.issued[id] = True
                self._move(id, amount)

    def _bill(self, leg: SettledLeg) -> Replayed:
        if self.imagined is not None:
            for bucket in self.imagined.turn(leg.settled_at):
                self._add(bucket, issued=True)
        used = self._used(leg)
        shares = self.payers.shares_with(leg.account_id, leg.started_at)
        payer = wallet(shares or leg.account_id)
        moment = None
        if leg.answered_at is not None:
            moment = LegMoment(
                account_id=leg.account_id,
                number_e164=leg.number_e164,
                began_at=leg.started_at,
                answered_at=leg.answered_at,
                shares_with=shares,
            )
        billed = bill_leg(
            usage_of(leg),
            used.plan,
            balance_micros=self.wallets[payer],
            buckets=self._visible(leg.settled_at, leg.account_id, shares),
            moment=moment,
        )
        self.wallets[payer] -= billed.charge_micros
        for drawn in billed.draws:
            self._move(drawn.bucket_id, -drawn.seconds)
        if self.imagined is not None and self.imagined.has_minutes:
            self._upgrade_where_empty(self.imagined, leg.settled_at)
        return Replayed(leg, used, billed)

    def _upgrade_where_empty(self, imagined: Imagined, at: dt.datetime) -> None:
        """As settlement orders it and renewals carry it out, in the same instant."""
        wanted = upgrades.following(self.uow, imagined.version)
        if wanted is None or self.payers.shares_with(self.account.id, at):
            return
        if left_to(self._visible(at, self.account.id), self.account.id, at):
            return
        ended, granted = imagined.upgrade(at, wanted, lambda bucket: self._left(bucket, at))
        for bucket in ended:
            self.buckets[bucket.id] = replace(self.buckets[bucket.id], expires_at=at)
        if granted is not None:
            self._add(granted, issued=True)

    def _left(self, bucket: Bucket, at: dt.datetime) -> int:
        now = self.buckets[bucket.id]
        return max(0, now.remaining_seconds) if now.expires_at > at else 0

    def _used(self, leg: SettledLeg) -> PlanVersion:
        """The plan that is replayed; its own, where the one replayed had led to that by itself, and
        for the calls of a client."""
        led_at = self.led.get(leg.plan_version_id)
        led = led_at is not None and leg.started_at > led_at - OVERLAP
        if self.version is None or led or leg.account_id != self.account.id:
            return plans.plan_version(self.uow.connection, leg.plan_version_id)
        return self.imagined.version_at(leg.started_at) if self.imagined else self.version

    def _uncut(self, bucket: Bucket) -> Bucket:
        """Before an upgrade in full the cycle's minutes were good to its end, by whatever clock."""
        upgrade = self.cut_by.get(bucket.id)
        if upgrade is None or self.issued[upgrade]:
            return bucket
        return replace(bucket, expires_at=self.buckets[upgrade].expires_at)

    def _visible(self, at: dt.datetime, *owners: uuid.UUID | None) -> list[Bucket]:
        """Buckets that a settlement at this instant would have found open."""
        return [
            self._uncut(self.buckets[id])
            for owner in owners
            for id in self.owned.get(owner, ())
            if self.issued[id] and ((closed := self.closed_at[id]) is None or at <= closed)
        ]

    def _move(self, id: uuid.UUID, seconds: int) -> None:
        bucket = self.buckets[id]
        self.buckets[id] = replace(bucket, remaining_seconds=bucket.remaining_seconds + seconds)

    def _open_buckets(self, owners: Sequence[uuid.UUID]) -> None:
        """Packages are kept whatever the plan: they were bought. So are the pools of the plan
        that is replayed; another plan's pool is full at the start of each cycle."""
        found = store.buckets_before(
            self.uow.connection,
            self.account.tenant_id,
            owners,
            since=self.since,
            until=self.until + OVERLAP,
            first=self.first,
        )
        grants: dict[uuid.UUID, list[StoredBucket]] = {}
        for stored, issued in found:
            other = self.version is not None and stored.plan_version_id not in (
                self.version.id,
                *self.led,
            )
            if stored.kind == "pool" and stored.account_id == self.account.id and other:
                continue
            bucket = minutes.bucket_of(self.uow, stored)
            self._add(bucket, issued=issued, closed_at=stored.closed_at)
            if stored.kind == "pool":
                grants.setdefault(stored.account_id, []).append(stored)
        pairs = chain.from_iterable(permutations(of_one, 2) for of_one in grants.values())
        for upgrade, before in pairs:
            if pools.takes_the_place_of(upgrade, before):
                self.cut_by[before.id] = upgrade.id

    def _add(self, bucket: Bucket, *, issued: bool, closed_at: dt.datetime | None = None) -> None:
        self.buckets[bucket.id] = bucket
        self.owned.setdefault(bucket.owner_id, []).append(bucket.id)
        self.issued[bucket.id] = issued
        self.closed_at[bucket.id] = closed_at
        self.names[bucket_account(bucket.kind, bucket.id)] = bucket.id
