"""Credit that the access fee includes: granted when a cycle begins, taken back when it is over.

The same cycles as those of minutes (`pools`). The wallet holds the credit, so that calls, texts
and every limit see it; what is not the customer's own is subtracted where rent, fees and
purchases ask what there is.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from billing.calendar import Period, local_date
from billing.included import (
    Grant,
    Included,
    IncludedFigures,
    cycle_grant,
    drawn_micros,
    expiry_posting,
    grant_posting,
    included_of,
    undrawn_micros,
    upgrade_grant,
)
from gateway.services import plans, pools
from gateway.services.ledger import Books
from gateway.services.plans import PlanVersion
from gateway.store import accounts as account_store
from gateway.store import included_credit as store
from gateway.store.accounts import Account
from gateway.store.base import Scope
from gateway.store.included_credit import StoredCredit
from gateway.store.ledger import LockedBooks
from gateway.uow import UnitOfWork

LOOK_AGAIN = dt.timedelta(seconds=5)
"""How soon the end of a cycle is looked at again while legs of its time wait to be settled."""
WAITS_AT_MOST = dt.timedelta(hours=1)
"""From the first look at it on. A leg that waits longer draws the next cycle's credit."""


def turn(
    uow: UnitOfWork,
    opened: Books,
    *,
    has_access: bool,
    settled_until: dt.datetime | None = None,
) -> None:
    """End each cycle that is over and begin the next, in its order, each once: also after a
    downtime, and for an account that comes to a plan with credit.

    A cycle's end waits for legs that ended in it and are not settled, so that after a downtime
    each draws the credit of its own time. `settled_until`: whoever asks has settled what ended
    before that instant, as far as it can be.
    """
    for _ in range(pools.CATCH_UP_CYCLES_MAX):
        stored = store.last_of(uow.connection, opened.scope) if _concerns(uow, opened) else None
        if stored is not None and stored.closed_at is None:
            if opened.locked.status != "closed" and stored.ends_at > uow.now:
                return
            seen_to = settled_until is not None and stored.ends_at <= settled_until
            if not seen_to and _waits(uow, opened, stored):
                return
            _close(uow, opened, stored)
        if not _begin(uow, opened, stored, has_access=has_access):
            return


def _concerns(uow: UnitOfWork, opened: Books) -> bool:
    """Whether there is or ought to be any; most accounts are asked no more than this."""
    return opened.locked.credit_turns_at is not None or _credit_of(uow, opened) > 0


def _credit_of(uow: UnitOfWork, opened: Books) -> int:
    version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
    return version.plan.terms.included.credit_micros


def _waits(uow: UnitOfWork, opened: Books, stored: StoredCredit) -> bool:
    if not store.legs_wait(uow.connection, opened.scope, before=stored.ends_at):
        return False
    until = stored.waits_until or uow.now + WAITS_AT_MOST
    if until <= uow.now:
        return False
    values = {"waits_until": until, "look_at": uow.now + LOOK_AGAIN}
    store.change(uow.connection, opened.scope, stored.n, values)
    return True


def _close(uow: UnitOfWork, opened: Books, stored: StoredCredit) -> None:
    """What nobody drew goes back; what was drawn was the house's gift."""
    zone = opened.locked.time_zone
    posting = expiry_posting(
        stored.granted_micros,
        store.charged_micros(uow.connection, opened.scope),
        account_id=opened.scope.account_id,
        starts_on=local_date(stored.starts_at, zone),
        number=stored.n,
        unit=opened.currency,
        at=uow.now,
        balance_before=opened.balance_micros,
        plan_version_id=stored.plan_version_id,
    )
    if posting is not None:
        opened.post(lambda _balance: posting)
    values = {"closed_at": uow.now, "closed_seq": opened.locked.seq, "look_at": None}
    store.change(uow.connection, opened.scope, stored.n, values)


def _begin(
    uow: UnitOfWork, opened: Books, stored: StoredCredit | None, *, has_access: bool
) -> bool:
    """Whether a cycle began, so that its end is to be asked for as well.

    Nothing begins for a closed account, one whose access has ended, one whose agency pays (what
    it does is charged there, and draws the agency's credit), and where the plan has none.
    """
    version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
    credit = version.plan.terms.included.credit_micros
    gets = opened.locked.status != "closed" and has_access and opened.payer is None and credit > 0
    if not gets:
        if opened.locked.credit_turns_at is not None:
            _next_look(uow, opened, stored, None)
        return False
    turns_at, zone = opened.locked.credit_turns_at, opened.locked.time_zone
    if turns_at is not None and turns_at > uow.now:
        return False
    if stored is not None and stored.ends_at > (turns_at or uow.now):
        _next_look(uow, opened, stored, stored.ends_at)  # closed before its end: it was all there
        return False
    cycle = (
        pools.running(uow, opened.scope, zone, version)
        if turns_at is None
        else pools.cycle_of(version, zone, turns_at)
    )
    begun = _since(cycle, stored, zone)
    grant = cycle_grant(credit, cycle, begun.starts_on)
    _open(uow, opened, version, begun, grant, stored, own_micros=grant.micros)
    return True


def _since(cycle: Period, before: StoredCredit | None, zone: str) -> Period:
    """The part of a cycle behind the one before: another day of the cycle makes a short one."""
    if before is None or before.ends_at <= cycle.starts_at:
        return cycle
    return replace(cycle, starts_on=local_date(before.ends_at, zone), starts_at=before.ends_at)


def _next_look(
    uow: UnitOfWork, opened: Books, stored: StoredCredit | None, at: dt.datetime | None
) -> None:
    """Nothing is in the wallet until then."""
    if stored is not None:
        store.change(uow.connection, opened.scope, stored.n, {"look_at": at})
    _turns_at(uow, opened, at)


def _turns_at(uow: UnitOfWork, opened: Books, at: dt.datetime | None) -> None:
    account_store.change(uow.connection, opened.scope, {"credit_turns_at": at})
    opened.locked = replace(opened.locked, credit_turns_at=at)


def _open(
    uow: UnitOfWork,
    opened: Books,
    version: PlanVersion,
    cycle: Period,
    grant: Grant,
    before: StoredCredit | None,
    *,
    own_micros: int,
) -> None:
    n = pools.number_of(cycle) if before is None else before.n + 1
    store.add(
        uow.connection,
        opened.scope,
        {
            "n": n,
            "plan_version_id": version.id,
            "shared": version.plan.terms.included.scope == "agency_shared",
            "own_micros": own_micros,
            "granted_micros": grant.micros,
            "grants": 1,
            "starts_at": cycle.starts_at,
            "ends_at": cycle.ends_at,
            "after_seq": opened.locked.seq,
            "counted_seq": opened.locked.seq,
            "charged_micros": 0,
            "look_at": cycle.ends_at,
        },
    )
    _turns_at(uow, opened, cycle.ends_at)
    _post(uow, opened, version, replace(cycle, n=n), grant, place=0 if own_micros else 1)


def _post(
    uow: UnitOfWork, opened: Books, version: PlanVersion, cycle: Period, grant: Grant, *, place: int
) -> None:
    """`cycle` has the number of the credit."""
    opened.post(
        lambda balance: grant_posting(
            grant,
            account_id=opened.scope.account_id,
            cycle=cycle,
            number=cycle.n,
            place=place,
            unit=opened.currency,
            at=uow.now,
            balance_before=balance,
            plan_version_id=version.id,
        )
    )


def upgrade(uow: UnitOfWork, opened: Books, new: PlanVersion) -> int:
    """What a change of plan adds to the cycle that runs, in micros: the difference, or the part
    that the plan says; once for each cycle, however often the plan goes up and down.

    A plan with less takes nothing away: the cycle's credit stays until it ends. Where a cycle is
    over, the next one begins under the new plan, with all that it has.
    """
    if opened.payer is not None:
        return 0
    locked = opened.locked
    found = _addition(uow, opened.scope, locked.time_zone, locked.credit_turns_at, new)
    if found is None or found.grant.micros == 0:
        return 0
    stored, grant = found.stored, found.grant
    if stored is None:
        _open(uow, opened, new, found.cycle, grant, found.before, own_micros=0)
        return grant.micros
    grants = stored.grants + 1
    values = {"granted_micros": stored.granted_micros + grant.micros, "grants": grants}
    store.change(uow.connection, opened.scope, stored.n, values)
    place = stored.grants if stored.own_micros else grants
    _post(uow, opened, new, found.cycle, grant, place=place)
    return grant.micros


def upgrade_micros(uow: UnitOfWork, account: Account, new: PlanVersion) -> int:
    """What `upgrade` would add now."""
    if account.billing != "own":
        return 0
    turns_at = account.credit_turns_at
    found = _addition(uow, account.scope, account.time_zone, turns_at, new)
    return 0 if found is None else found.grant.micros


@dataclass(frozen=True, slots=True)
class _Addition:
    """To the open cycle, or as the first grant of the cycle that runs; `before` is the one that
    the account had last, if any."""

    stored: StoredCredit | None
    before: StoredCredit | None
    cycle: Period
    grant: Grant


def _addition(
    uow: UnitOfWork, scope: Scope, zone: str, turns_at: dt.datetime | None, new: PlanVersion
) -> _Addition | None:
    credit = new.plan.terms.included.credit_micros
    if credit == 0:
        return None
    last = store.last_of(uow.connection, scope)
    if last is not None and last.closed_at is None:
        if last.ends_at <= uow.now:
            return None
        whole = pools.whole_cycle(uow, last.plan_version_id, zone, last.ends_at)
        shown = _shown(uow, last, zone)
        grant = upgrade_grant(
            credit,
            whole,
            _granted_from(uow, new, shown, zone),
            own_micros=_own_credit(uow, last),
            added_micros=last.granted_micros - last.own_micros,
        )
        return _Addition(last, None, shown, grant)
    if turns_at is not None or (last is not None and last.ends_at > uow.now):
        return None  # it begins by itself, or was there already
    whole = pools.running(uow, scope, zone, new)
    begun = _since(whole, last, zone)
    grant = upgrade_grant(credit, whole, _granted_from(uow, new, begun, zone))
    return _Addition(None, last, begun, grant)


def _granted_from(uow: UnitOfWork, new: PlanVersion, cycle: Period, zone: str) -> dt.date:
    full = new.plan.terms.upgrade.allowance == "full"
    return cycle.starts_on if full else local_date(uow.now, zone)


def _own_credit(uow: UnitOfWork, stored: StoredCredit) -> int:
    """Of the plan that the cycle began with; an upgrade may have brought the first of it."""
    if not stored.own_micros:
        return 0
    version = plans.plan_version(uow.connection, stored.plan_version_id)
    return version.plan.terms.included.credit_micros


def _shown(uow: UnitOfWork, stored: StoredCredit, zone: str) -> Period:
    """The days that a cycle's credit is for, and its number."""
    cycle = pools.whole_cycle(uow, stored.plan_version_id, zone, stored.ends_at)
    starts_on = max(cycle.starts_on, local_date(stored.starts_at, zone))
    return replace(cycle, n=stored.n, starts_on=starts_on, starts_at=stored.starts_at)


# Looking.


def between(uow: UnitOfWork, scope: Scope, *, after_seq: int, last_seq: int) -> Included:
    """What included credit paid of a stretch of the ledger's charges, and what lies in the wallet
    at its end."""
    return included_of(
        store.stretches(uow.connection, scope, after_seq=after_seq, last_seq=last_seq)
    )


def count(uow: UnitOfWork, scope: Scope, locked: LockedBooks) -> None:
    """Write down what was charged so far, under the account's lock: once a day, so that whoever
    asks adds up a day's lines."""
    stored = None
    if locked.credit_turns_at is not None:
        stored = store.last_of(uow.connection, scope)
    if stored is not None and stored.closed_at is None:
        charged = store.charged_micros(uow.connection, scope)
        values = {"counted_seq": locked.seq, "charged_micros": charged}
        store.change(uow.connection, scope, stored.n, values)


def left_micros(uow: UnitOfWork, scope: Scope, turns_at: dt.datetime | None) -> int:
    """What of a balance is included credit, and pays for calls and texts alone. `turns_at` is
    that of the account: None costs no question."""
    if turns_at is None:
        return 0
    stored = store.last_of(uow.connection, scope)
    if stored is None or stored.closed_at is not None:
        return 0
    return undrawn_micros(stored.granted_micros, store.charged_micros(uow.connection, scope))


def own_micros(uow: UnitOfWork, opened: Books) -> int:
    """The balance less the included credit: what may pay rent, fees, packages and bundles."""
    left = left_micros(uow, opened.scope, opened.locked.credit_turns_at)
    return opened.balance_micros - left


def was_ever_granted(uow: UnitOfWork, scope: Scope) -> bool:
    """Whether any line of the account is about included credit."""
    return store.last_of(uow.connection, scope) is not None


def figures(uow: UnitOfWork, account: Account) -> IncludedFigures | None:
    """Granted, used and left in the cycle that runs; None without any. A client that shares its
    agency's billing sees the agency's, if that is for clients too."""
    owner = pools.owner_of(uow, account)
    if owner.credit_turns_at is None:
        return None
    stored = store.last_of(uow.connection, owner.scope)
    if stored is None or stored.closed_at is not None:
        return None
    if owner.id != account.id and not stored.shared:
        return None
    cycle = _shown(uow, stored, owner.time_zone)
    used = drawn_micros(stored.granted_micros, store.charged_micros(uow.connection, owner.scope))
    return IncludedFigures(stored.granted_micros, used, cycle.starts_on, cycle.ends_on)


def is_shared(uow: UnitOfWork, agency: Account) -> bool:
    """Whether an agency's credit of the cycle that runs pays for its clients too."""
    stored = store.last_of(uow.connection, agency.scope)
    return stored is not None and stored.closed_at is None and stored.shared
