"""Moving to another plan: previewed, asked for, decided by staff, applied on its day."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, replace
from typing import cast

from billing.calendar import local_date, period
from billing.fees import plan_change_posting
from billing.money import format_amount
from billing.subscriptions import (
    TERM_MONTHS,
    ChangePreview,
    TermNotOffered,
    fee_of,
    preview_change,
    preview_term,
)
from billing.terms import Term
from gateway.services import audit, included_credit, ledger, plans, pools, subscriptions
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.services.ledger import Books
from gateway.services.plans import PlanVersion
from gateway.store import accounts as account_store
from gateway.store import plan_changes as store
from gateway.store import rentals
from gateway.store import subscriptions as subscription_store
from gateway.store.accounts import Account
from gateway.store.audit import AuditLine
from gateway.store.base import Scope, new_id
from gateway.store.plan_changes import PlanChange as PlanChange
from gateway.uow import UnitOfWork

NOTE_LENGTH_MAX = 500
LISTED_MAX = 100
MOVED = "plan.changed"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would cost and give if it took effect now."""

    current: PlanVersion
    wanted: PlanVersion
    change: ChangePreview
    credit_micros: int  # included credit that is granted at once


def preview(uow: UnitOfWork, scope: Scope, plan_code: str, term: Term | None = None) -> Preview:
    """By the terms of the new plan; nothing is changed. Without a term it stays what it is."""
    account = _account(uow, scope)
    return preview_version(uow, scope, on_sale(uow, plan_code, account.currency), term)


def preview_version(
    uow: UnitOfWork, scope: Scope, wanted: PlanVersion, term: Term | None = None
) -> Preview:
    """The same for a version that was chosen already."""
    account = _account(uow, scope)
    current = plans.plan_version(uow.connection, account.plan_version_id)
    change = _preview(uow, scope, account.time_zone, current, wanted, term)
    return Preview(current, wanted, change, included_credit.upgrade_micros(uow, account, wanted))


def _account(uow: UnitOfWork, scope: Scope) -> Account:
    account = account_store.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    return account


def on_sale(uow: UnitOfWork, plan_code: str, currency: str) -> PlanVersion:
    """The newest version of a plan that an account of that currency may have."""
    try:
        version = plans.get_plan(uow, plan_code)
    except NotFound:
        version = None
    if version is None or version.kind != "retail" or version.plan.currency != currency:
        codes = ", ".join(p.plan_code for p in plans.list_plans(uow) if p.plan.currency == currency)
        raise Invalid.at("/plan", f"write one of: {codes}")
    return version


def _preview(
    uow: UnitOfWork,
    scope: Scope,
    zone: str,
    current: PlanVersion,
    wanted: PlanVersion,
    wished: Term | None,
) -> ChangePreview:
    """Without access yet, the first term of the new plan begins with the change."""
    today = local_date(uow.now, zone)
    stored = subscription_store.open_of(uow.connection, scope)
    term: Term = wished or ("month" if stored is None else cast(Term, stored.term))
    running = (
        period(today, 0, zone, TERM_MONTHS[term])
        if stored is None
        else subscriptions.subscription_of(stored).current_period(uow.now)
    )
    cycle, given = pools.given_so_far(uow, scope, zone, current, wanted)
    try:
        if stored is not None and stored.term != term:
            return preview_term(wanted.plan, term=term, term_period=running, on=today)
        found = preview_change(
            current.plan,
            wanted.plan,
            term_period=running,
            cycle=cycle,
            on=today,
            term=term,
            given=given,
        )
    except TermNotOffered as refusal:
        raise Invalid.at("/term", f"{refusal}: choose another term or plan") from None
    if stored is not None:
        return found
    fee = found.next_fee_micros
    return replace(found, fee_micros=fee, formula=str(fee), days_left=running.days)


def request(
    uow: UnitOfWork,
    scope: Scope,
    plan_code: str,
    actor: str,
    note: str = "",
    term: Term | None = None,
) -> PlanChange:
    """An owner asks (S3-03); staff decides, unless the plan leaves it to customers. The same wish
    again is the first one. Another term begins when the one that was paid is over."""
    if len(note) > NOTE_LENGTH_MAX:
        raise Invalid.at("/note", f"use at most {NOTE_LENGTH_MAX} characters")
    with ledger.books(uow, scope) as opened:
        version = on_sale(uow, plan_code, opened.currency)
        term = _another_term(uow, scope, version, term)
        first = store.open_of(uow.connection, scope)
        if first is not None and first.automatic:
            first = None  # people choose beside it; what they choose takes its place
        if first is not None and (first.plan_version_id, first.term) == (version.id, term):
            return first
        if first is not None:
            raise Conflict("A change of plan is under way: take it back first.")
        if version.id == opened.locked.plan_version_id and term is None:
            raise Conflict("That is the plan you have.")
        change = PlanChange(
            tenant_id=scope.tenant_id,
            id=new_id(),
            account_id=scope.account_id,
            plan_version_id=version.id,
            term=term,
            effective_at=uow.now,
            state="requested",
            requested_by=actor,
            decided_by=None,
            note=note.strip(),
            created_at=uow.now,
            decided_at=None,
        )
        if version.plan.terms.upgrade.channel == "self":
            at = _own_day(uow, opened, version, term)
            change = replace(
                change, state="scheduled", effective_at=at, decided_by=actor, decided_at=uow.now
            )
        store.add(uow.connection, change)
    audit.note(uow, scope, actor, "plan_change.requested", change.id, plan=plan_code)
    return change


def _another_term(
    uow: UnitOfWork, scope: Scope, wanted: PlanVersion, term: Term | None
) -> Term | None:
    """The term that is wished for; None where it is the one that runs."""
    if term is None:
        return None
    try:
        fee_of(wanted.plan, term)
    except TermNotOffered as refusal:
        raise Invalid.at("/term", f"{refusal}: choose another term or plan") from None
    stored = subscription_store.open_of(uow.connection, scope)
    running = "month" if stored is None else stored.term
    return None if term == running else term


def _own_day(uow: UnitOfWork, opened: Books, wanted: PlanVersion, term: Term | None) -> dt.datetime:
    """Where the plan lets customers change by themselves: at once to a dearer plan, and to a
    cheaper one or another term when the term that was paid is over."""
    stored = subscription_store.open_of(uow.connection, opened.scope)
    if stored is None:
        return uow.now
    if term is not None:
        return stored.ends_at
    fee = wanted.plan.terms.access_fee.for_term(cast(Term, stored.term)) or 0
    return uow.now if fee >= stored.fee_micros else stored.ends_at


def schedule(
    uow: UnitOfWork,
    scope: Scope,
    change_id: uuid.UUID,
    effective_at: dt.datetime | None,
    actor: str,
) -> PlanChange:
    """Staff agrees; None or a past instant means at once (the next look of the clock)."""
    with ledger.books(uow, scope):
        change = _undecided(uow, scope, change_id)
        at = max(uow.now, effective_at or uow.now)
        if change.automatic:
            at = uow.now  # tried again: callers would draw minutes that are days away
        stored = subscription_store.open_of(uow.connection, scope)
        if change.term is not None and stored is not None:
            at = max(at, stored.ends_at)
        _decide(uow, scope, change_id, "scheduled", actor, effective_at=at)
    audit.note(uow, scope, actor, "plan_change.scheduled", change_id, effective_at=at.isoformat())
    return get(uow, scope, change_id)


def cancel(uow: UnitOfWork, scope: Scope, change_id: uuid.UUID, actor: str) -> PlanChange:
    """Turned down by staff, or taken back by who asked."""
    with ledger.books(uow, scope):
        _undecided(uow, scope, change_id)
        _decide(uow, scope, change_id, "canceled", actor)
    audit.note(uow, scope, actor, "plan_change.canceled", change_id)
    return get(uow, scope, change_id)


def get(uow: UnitOfWork, scope: Scope, change_id: uuid.UUID) -> PlanChange:
    found = store.find(uow.connection, scope, change_id)
    if found is None:
        raise NotFound("change of plan", change_id)
    return found


def open_change(uow: UnitOfWork, scope: Scope) -> PlanChange | None:
    return store.open_of(uow.connection, scope)


def history(uow: UnitOfWork, scope: Scope) -> tuple[AuditLine, ...]:
    """Every plan that the account was moved to and by whom, the newest first: `detail` has before,
    after and seconds_granted. "system" is an upgrade by itself."""
    return audit.of_action(uow, scope, MOVED)


def waiting(uow: UnitOfWork) -> tuple[PlanChange, ...]:
    """Of all accounts, for staff, the oldest first."""
    return store.waiting(uow.connection, limit=LISTED_MAX)


def _undecided(uow: UnitOfWork, scope: Scope, change_id: uuid.UUID) -> PlanChange:
    found = get(uow, scope, change_id)
    if found.state not in store.OPEN_STATES:
        raise Conflict(f"That change of plan is {found.state} already: look at it again.")
    return found


def _decide(
    uow: UnitOfWork,
    scope: Scope,
    change_id: uuid.UUID,
    state: str,
    actor: str,
    **more: dt.datetime,
) -> None:
    values = {"state": state, "decided_by": actor, "decided_at": uow.now, **more}
    store.decide(uow.connection, scope, change_id, values)


def apply_due(uow: UnitOfWork, opened: Books) -> None:
    """What people scheduled and whose day has come; each once, under the account's lock."""
    for change in store.due(uow.connection, opened.scope, now=uow.now, automatic=False):
        version = plans.plan_version(uow.connection, change.plan_version_id)
        actor = change.decided_by or change.requested_by
        move(uow, opened, version, change.id, actor, cast("Term | None", change.term))
        store.decide(uow.connection, opened.scope, change.id, {"state": "applied"})


def move(
    uow: UnitOfWork,
    opened: Books,
    wanted: PlanVersion,
    change_id: uuid.UUID,
    actor: str,
    term: Term | None = None,
) -> None:
    """The plan itself, the fee and the minutes that the change brings, and the rents to come."""
    scope, locked = opened.scope, opened.locked
    if wanted.id == locked.plan_version_id and term is None:
        return
    current = plans.plan_version(uow.connection, locked.plan_version_id)
    ended_at = None
    if term is None:
        _access(uow, opened, current, wanted, change_id, actor)
    else:
        ended_at = _end_term(uow, opened)
    store.call_off(uow.connection, scope, now=uow.now)
    account_store.change(uow.connection, scope, {"plan_version_id": wanted.id})
    opened.locked = replace(locked, plan_version_id=wanted.id)
    granted = pools.upgrade(uow, opened, current, wanted)
    credit = included_credit.upgrade(uow, opened, wanted)
    for rented in rentals.kept(uow.connection, scope):
        rent = wanted.plan.tariff.rental_per_month_micros(rented.country, rented.number_type)
        if rent is not None and rent != rented.rental_micros:
            rentals.change(uow.connection, scope, rented.id, {"rental_micros": rent})
    subscriptions.begin(uow, opened, term or "month", starts_at=ended_at)
    audit.note(
        uow,
        scope,
        actor,
        MOVED,
        change_id,
        before=current.label,
        after=wanted.label,
        seconds_granted=granted,
        **({"credit_granted": format_amount(credit)} if credit else {}),
        **({"term": term} if term else {}),
    )


def _end_term(uow: UnitOfWork, opened: Books) -> dt.datetime | None:
    """The term that was paid is over, the next one is another: where the new one begins."""
    stored = subscription_store.open_of(uow.connection, opened.scope)
    if stored is None:
        return None
    ended_at = min(stored.ends_at, uow.now)
    subscription_store.change(uow.connection, opened.scope, stored.id, {"ended_at": ended_at})
    return ended_at


def _access(
    uow: UnitOfWork,
    opened: Books,
    current: PlanVersion,
    wanted: PlanVersion,
    change_id: uuid.UUID,
    actor: str,
) -> None:
    """A running term goes on under the new plan: what it costs more is due now. A plan without
    an access fee ends it; nothing is given back (S3-06)."""
    stored = subscription_store.open_of(uow.connection, opened.scope)
    if stored is None:
        return
    fee = wanted.plan.terms.access_fee.for_term(cast(Term, stored.term))
    if not fee and not wanted.plan.terms.access_fee.month_micros:
        values = {"ended_at": uow.now}
        subscription_store.change(uow.connection, opened.scope, stored.id, values)
        return
    change = _preview(uow, opened.scope, opened.locked.time_zone, current, wanted, None)
    if change.fee_micros and stored.n >= 0:
        money = opened.money
        money.post(
            lambda balance: plan_change_posting(
                change_id,
                amount=change.fee_micros,
                unit=money.currency,
                at=uow.now,
                account_id=money.scope.account_id,
                balance_before=balance,
                description=f"Change from {current.plan.name} to {wanted.plan.name}, "
                f"{change.days_left} of {change.days} days, until {change.next_fee_on:%d %b %Y}",
                plan_version_id=wanted.id,
                actor=actor,
                formula=change.formula,
            )
        )
    subscription_store.change(
        uow.connection,
        opened.scope,
        stored.id,
        {"fee_micros": change.next_fee_micros, "plan_version_id": wanted.id},
    )
