"""Pricing a period anew after a mistake in a tariff: looked at first, then corrected by new lines.

Nothing that was written is changed: each leg whose price differs gets a line that undoes its
charge and a line with the right one. Minutes that were drawn stay drawn, what an overrun forgave
is not charged after all, and a charge that somebody undid by hand stays undone. A second run
finds nothing to do, because it compares with what stands.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from billing.fees import surcharge_posting
from billing.memberships import BillingChange, shares_billing_at
from billing.metering import bucket_day
from billing.money import format_amount
from billing.postings import (
    PRICINGS_MAX,
    Posting,
    PostingKind,
    charge_keys,
    reversal_key,
    usage_posting,
)
from billing.rating import RatedLeg
from billing.replay import Billed, bill_again
from billing.tariffs import Plan
from gateway.services import accounts, audit, ledger, reversals
from gateway.services.accounts import Account
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.services.ledger import Books
from gateway.services.plans import PlanVersion
from gateway.services.replay import usage_of
from gateway.services.what_if import PERIOD_MAX
from gateway.store import ledger as ledger_store
from gateway.store import memberships, settlement, statement
from gateway.store import replay as store
from gateway.store import rerating as marks
from gateway.store.base import Scope
from gateway.store.replay import SettledLeg
from gateway.store.rerating import Repriced
from gateway.store.settlement import DayKey, DaySums
from gateway.uow import UnitOfWork, UnitsOfWork

LEGS_PER_TRANSACTION = 500
SHOWN = 100
UNLIMITED_MICROS = 2**62
"""The balance has no say: what an overrun forgives was decided when the leg was settled."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Legs of a period that a version priced wrongly, and the version that prices them right."""

    since: dt.datetime
    until: dt.datetime
    wrong: PlanVersion
    right: PlanVersion


@dataclass(frozen=True, slots=True)
class PartChange:
    """What one line of a leg took, and what it takes rightly."""

    charged_micros: int
    micros: int

    @property
    def differs(self) -> bool:
        return self.micros != self.charged_micros


@dataclass(frozen=True, slots=True)
class Change:
    """A leg that would be priced anew: its time, its surcharge, or both."""

    leg: SettledLeg
    billed: Billed
    usage: PartChange
    surcharge: PartChange

    @property
    def charge_micros(self) -> int:
        return self.usage.micros + self.surcharge.micros

    @property
    def difference_micros(self) -> int:
        """Positive where the customer pays more."""
        return self.charge_micros - self.leg.charge_micros

    @property
    def given_back_micros(self) -> int:
        return sum(part.charged_micros for part in (self.usage, self.surcharge) if part.differs)

    @property
    def taken_micros(self) -> int:
        return sum(part.micros for part in (self.usage, self.surcharge) if part.differs)


@dataclass(slots=True)
class Preview:
    """What a correction would do to one account; `changes` are the first of `changing`."""

    account: Account
    legs: int = 0
    changing: int = 0
    undone_by_hand: int = 0
    given_back_micros: int = 0
    taken_micros: int = 0
    changes: list[Change] = field(default_factory=list)

    @property
    def difference_micros(self) -> int:
        """What the balance moves by: positive is the customer's."""
        return self.given_back_micros - self.taken_micros


@dataclass(frozen=True, slots=True)
class Corrected:
    legs: int
    given_back_micros: int
    taken_micros: int


def check(uow: UnitOfWork, mistake: Mistake) -> None:
    """Raises `Invalid` for a correction that makes no sense."""
    if not mistake.since < mistake.until <= mistake.since + PERIOD_MAX:
        raise Invalid.at("/until", f"choose a period of 1 to {PERIOD_MAX.days} days")
    for version in (mistake.wrong, mistake.right):
        if version.kind != "retail":
            raise Invalid.at("/plan", "choose a plan that customers have")
    if mistake.wrong.id == mistake.right.id:
        raise Invalid.at("/right", "choose another version than the wrong one")
    if mistake.wrong.plan.currency != mistake.right.plan.currency:
        raise Invalid.at("/right", f"choose a version priced in {mistake.wrong.plan.currency}")


def affected(uow: UnitOfWork, mistake: Mistake) -> tuple[Account, ...]:
    """The accounts with legs that the wrong version priced in the period."""
    return tuple(
        accounts.get_account(uow, scope)
        for scope in marks.accounts_priced_by(
            uow.connection, mistake.wrong.id, since=mistake.since, until=mistake.until
        )
    )


def preview(uow: UnitOfWork, scope: Scope, mistake: Mistake) -> Preview:
    """What would change, computed as the correction itself does it; nothing is written."""
    check(uow, mistake)
    seen = Preview(accounts.get_account(uow, scope))
    legs = store.settled_legs(
        uow.connection,
        scope,
        since=mistake.since,
        until=mistake.until,
        version_id=mistake.wrong.id,
    )
    for batch in _batches(legs):
        seen.legs += len(batch)
        standing = _standing(uow, scope, batch)
        for leg in batch:
            change = _change(leg, standing[leg.leg_sid], mistake)
            if change is None:
                seen.undone_by_hand += standing[leg.leg_sid].undone
                continue
            seen.changing += 1
            seen.given_back_micros += change.given_back_micros
            seen.taken_micros += change.taken_micros
            if len(seen.changes) < SHOWN:
                seen.changes.append(change)
    return seen


def correct(
    units: UnitsOfWork, scope: Scope, mistake: Mistake, *, reason: str, actor: str
) -> Corrected:
    """Some hundred legs per transaction; cut short, it is completed by running it again."""
    reversals.check_reason(reason)
    with units.read() as uow:
        check(uow, mistake)
        due = [
            leg.leg_sid
            for leg in store.settled_legs(
                uow.connection,
                scope,
                since=mistake.since,
                until=mistake.until,
                version_id=mistake.wrong.id,
            )
        ]
    legs = given = taken = 0
    for start in range(0, len(due), LEGS_PER_TRANSACTION):
        sids = due[start : start + LEGS_PER_TRANSACTION]
        done = units.retrying(
            partial(
                _correct,
                scope=scope,
                leg_sids=sids,
                mistake=mistake,
                reason=reason.strip(),
                actor=actor,
            )
        )
        legs += done.legs
        given += done.given_back_micros
        taken += done.taken_micros
    return Corrected(legs, given, taken)


def _correct(
    uow: UnitOfWork,
    scope: Scope,
    leg_sids: Sequence[str],
    mistake: Mistake,
    reason: str,
    actor: str,
) -> Corrected:
    """One transaction under the locks of whoever pays; looks again at what stands."""
    own = _lock(uow, scope)
    batch = [
        leg
        for leg in store.legs_named(uow.connection, scope, leg_sids)
        if leg.plan_version_id == mistake.wrong.id
    ]
    agency = _agency(uow, own, batch)
    standing = _standing(uow, scope, batch)
    given = taken = 0
    repriced: list[Repriced] = []
    sums: dict[DayKey, DaySums] = {}
    for leg in batch:
        stands = standing[leg.leg_sid]
        change = _change(leg, stands, mistake)
        if change is None:
            continue
        given += change.given_back_micros
        taken += change.taken_micros
        payer = agency.books if agency and agency.pays_for(leg) else own
        _post(uow, payer, change, stands, mistake.right, reason=reason, actor=actor)
        repriced.append(_mark(change))
        _add_up(sums, change, own)
    if not repriced:
        return Corrected(0, 0, 0)
    marks.reprice(uow.connection, scope.tenant_id, repriced, version_id=mistake.right.id)
    settlement.roll_up(uow.connection, scope.tenant_id, sums)
    ledger.write(uow, own, *([agency.books] if agency else []))
    audit.note(
        uow,
        scope,
        actor,
        "legs.repriced",
        mistake.right.plan_code,
        before=mistake.wrong.label,
        after=mistake.right.label,
        legs=len(repriced),
        given_back=format_amount(given),
        taken=format_amount(taken),
        reason=reason,
    )
    return Corrected(len(repriced), given, taken)


def _lock(uow: UnitOfWork, scope: Scope) -> Books:
    locked = ledger_store.lock_books(uow.connection, scope)
    if locked is None:
        raise NotFound("account", scope.account_id)
    return Books(scope, locked, locked.balance_micros)


@dataclass(frozen=True, slots=True)
class _Agency:
    """Who pays for the calls that began while the client shared its billing."""

    books: Books
    changes: tuple[BillingChange, ...]

    def pays_for(self, leg: SettledLeg) -> bool:
        return shares_billing_at(self.changes, leg.started_at)


def _agency(uow: UnitOfWork, own: Books, batch: Sequence[SettledLeg]) -> _Agency | None:
    parent_id = own.locked.parent_id
    if parent_id is None:
        return None
    changes = memberships.changes_of(uow.connection, own.scope)
    if not any(shares_billing_at(changes, leg.started_at) for leg in batch):
        return None
    return _Agency(_lock(uow, Scope(own.scope.tenant_id, parent_id)), changes)


@dataclass(frozen=True, slots=True)
class _Part:
    """How a part of a leg stands in the ledger: the charge that counts now, how often it was
    charged, and whether somebody gave the charge back by hand."""

    charge: Posting | None
    pricings: int
    undone: bool


@dataclass(frozen=True, slots=True)
class _Standing:
    """Both parts of a leg, and the seconds of it that minutes met."""

    usage: _Part
    surcharge: _Part
    met_seconds: int

    @property
    def undone(self) -> bool:
        return self.usage.undone or self.surcharge.undone


def _standing(uow: UnitOfWork, scope: Scope, legs: Sequence[SettledLeg]) -> dict[str, _Standing]:
    sids = [leg.leg_sid for leg in legs]
    keys = [key for sid in sids for key in charge_keys(sid)]
    keys += statement.draw_keys(uow.connection, scope, sids)
    found = marks.postings_named(uow.connection, scope.tenant_id, keys)
    drawn: dict[str, int] = {}
    for posting in found.values():
        if posting.kind == PostingKind.DRAW and posting.leg_sid is not None:
            drawn[posting.leg_sid] = drawn.get(posting.leg_sid, 0) + posting.amount
    standing = {}
    for leg in legs:
        usage = _part(found, leg, PostingKind.USAGE, leg.usage_micros)
        surcharge = _part(found, leg, PostingKind.SURCHARGE, leg.surcharge_micros or 0)
        met = drawn.get(leg.leg_sid, 0)
        if usage.charge is not None and met:
            met = leg.billed_seconds - (usage.charge.billed_seconds or 0)  # an overrun was paid for
        standing[leg.leg_sid] = _Standing(usage, surcharge, met)
    return standing


def _part(
    found: Mapping[str, Posting], leg: SettledLeg, kind: PostingKind, charged_micros: int
) -> _Part:
    lines = [found[key] for key in charge_keys(leg.leg_sid) if key in found]
    charges = [posting for posting in lines if posting.kind == kind]
    last = charges[-1] if charges else None
    if last is not None and reversal_key(last.key) in found:
        # Undone by hand, or by a pricing that came to nothing: only that changed the leg.
        return _Part(None, len(charges), undone=charged_micros > 0)
    return _Part(last, len(charges), undone=False)


def _change(leg: SettledLeg, stands: _Standing, mistake: Mistake) -> Change | None:
    """None where the leg costs what it was charged, or was undone by hand."""
    before = _priced(leg, mistake.wrong.plan, stands)
    after = _priced(leg, mistake.right.plan, stands)
    usage = _part_change(stands.usage, leg.usage_micros, before.usage_micros, after.usage_micros)
    surcharge = _part_change(
        stands.surcharge,
        leg.surcharge_micros or 0,
        before.surcharge_micros,
        after.surcharge_micros,
    )
    if not usage.differs and not surcharge.differs:
        return None
    return Change(leg, after, usage, surcharge)


def _part_change(stands: _Part, charged: int, before: int, after: int) -> PartChange:
    """What was undone by hand stays so, and so does what an overrun forgave."""
    if stands.undone:
        return PartChange(charged, charged)
    return PartChange(charged, min(after, charged) if before > charged else after)


def _priced(leg: SettledLeg, plan: Plan, stands: _Standing) -> Billed:
    return bill_again(
        usage_of(leg), plan, balance_micros=UNLIMITED_MICROS, met_seconds=stands.met_seconds
    )


def _post(
    uow: UnitOfWork,
    payer: Books,
    change: Change,
    stands: _Standing,
    right: PlanVersion,
    *,
    reason: str,
    actor: str,
) -> None:
    leg, billed = change.leg, change.billed
    for stood, part in ((stands.usage, change.usage), (stands.surcharge, change.surcharge)):
        if part.differs and stood.pricings >= PRICINGS_MAX:
            raise Conflict(f"The leg {leg.leg_sid} was priced {PRICINGS_MAX} times already.")
        if part.differs and stood.charge is not None:
            reversals.post_reversal(uow, payer, stood.charge, reason=reason, actor=actor)

    def line(build: Callable[..., Posting], rated: RatedLeg, stood: _Part, micros: int) -> None:
        payer.post(
            lambda balance: build(
                rated=rated,
                amount=micros,
                unit=payer.currency,
                at=uow.now,
                account_id=payer.scope.account_id,
                balance_before=balance,
                call_sid=leg.call_sid,
                leg_sid=leg.leg_sid,
                plan_version_id=right.id,
                receipt_id=stood.charge.receipt_id if stood.charge else None,
                part=stood.pricings,
            )._replace(actor=actor, reason=reason)
        )

    if change.usage.differs and change.usage.micros:
        line(partial(usage_posting, usage_of(leg)), billed.paid, stands.usage, change.usage.micros)
    if change.surcharge.differs and change.surcharge.micros:
        assert billed.surcharge is not None, "what is charged was rated"
        line(surcharge_posting, billed.surcharge, stands.surcharge, change.surcharge.micros)


def _mark(change: Change) -> Repriced:
    rated = change.billed.rated
    no_surcharge = change.billed.surcharge is None and change.leg.surcharge_micros is None
    return Repriced(
        change.leg.leg_sid,
        rated.billed_seconds,
        rated.rate.per_minute_micros if rated.rate else None,
        rated.rate.label if rated.rate else None,
        change.charge_micros,
        None if no_surcharge else change.surcharge.micros,
    )


def _add_up(sums: dict[DayKey, DaySums], change: Change, own: Books) -> None:
    leg = change.leg
    day = bucket_day(leg.started_at, own.locked.time_zone)
    key = (own.scope.account_id, day, leg.did_id, leg.source)
    of_day = sums.setdefault(key, DaySums())
    of_day.billed_seconds += change.billed.rated.billed_seconds - leg.billed_seconds
    of_day.charge_micros += change.difference_micros


def _batches(legs: Iterator[SettledLeg]) -> Iterator[list[SettledLeg]]:
    while batch := list(islice(legs, LEGS_PER_TRANSACTION)):
        yield batch
