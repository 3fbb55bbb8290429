"""Upgrading by itself: ordered by the settlement that used up the minutes, carried out by renewals.

The order is a row of the transaction that drew the last second, under an id that follows from
account, cycle and plan: so it is placed once. It is looked at again when it is carried out, under
the account's lock, and is then an ordinary change of plan by "system". Where it cannot be paid it
is held, and tried again when money comes; calls are refused meanwhile. Minutes and money are those
of who pays: a client that shares its agency's billing never upgrades by itself, its agency does.
"""

from __future__ import annotations

import uuid

import structlog

from billing.lifecycle import AccountStatus
from billing.money import format_amount
from billing.renewals import renewal_shortfall
from billing.upgrades import misfits, upgrade_id
from gateway.services import audit, included_credit, plan_changes, plans, pools
from gateway.services.errors import Invalid, NotFound
from gateway.services.ledger import Books
from gateway.services.minutes import Minutes
from gateway.services.plan_changes import Preview
from gateway.services.plans import PlanVersion
from gateway.store import accounts as account_store
from gateway.store import outbox
from gateway.store import plan_changes as store
from gateway.store import subscriptions as subscription_store
from gateway.store.accounts import Account
from gateway.store.base import Scope
from gateway.store.plan_changes import SYSTEM, PlanChange
from gateway.uow import UnitOfWork

log = structlog.get_logger(__name__)


def order_where_empty(uow: UnitOfWork, owner: Books, paid: Minutes) -> None:
    """After a settlement, in its transaction: who has no minutes left, and a plan that upgrades by
    itself, is upgraded. Asks the database only then."""
    version = plans.plan_version(uow.connection, owner.locked.plan_version_id)
    if version.plan.terms.exhaustion != "auto_upgrade":
        return
    if owner.locked.status == AccountStatus.ACTIVE and not paid.left_seconds(
        owner.scope.account_id, uow.now
    ):
        _order(uow, owner, version)


def _order(uow: UnitOfWork, owner: Books, version: PlanVersion) -> None:
    wanted = _next_of(uow, version)
    if wanted is None:
        # Publishing forbids it; an account that was left on an old version can still be here.
        log.error("upgrade.no_next_plan", account_id=str(owner.scope.account_id))
        return
    change = PlanChange(
        tenant_id=owner.scope.tenant_id,
        id=_id_of(uow, owner.scope, owner.locked.time_zone, version),
        account_id=owner.scope.account_id,
        plan_version_id=wanted.id,
        term=None,
        effective_at=uow.now,
        state="scheduled",
        requested_by=SYSTEM,
        decided_by=SYSTEM,
        note="",
        created_at=uow.now,
        decided_at=None,
        automatic=True,
    )
    if store.order(uow.connection, change):
        audit.note(
            uow, owner.scope, SYSTEM, "plan_change.ordered", change.id, plan=wanted.plan_code
        )


def _next_of(uow: UnitOfWork, version: PlanVersion) -> PlanVersion | None:
    """The newest version of the plan that follows; None where it may not follow by itself."""
    try:
        wanted = plans.get_plan(uow, version.plan.terms.upgrade.next_plan)
    except NotFound:
        return None
    return None if any(misfits(version.plan, wanted.plan)) else wanted


def _id_of(uow: UnitOfWork, scope: Scope, zone: str, version: PlanVersion) -> uuid.UUID:
    cycle = pools.number_now(uow, scope, zone, version)
    return upgrade_id(scope.account_id, cycle, version.plan.terms.upgrade.next_plan)


def is_coming(uow: UnitOfWork, scope: Scope) -> bool:
    """Whether more minutes are on their way to an account that has none left: ordered, or about
    to be by the next settlement. False where the upgrade is held, was withdrawn, or was had in
    this cycle already."""
    account = account_store.find(uow.connection, scope)
    assert account is not None, "asked for an account that takes a call"
    owner = pools.owner_of(uow, account)
    version = plans.plan_version(uow.connection, owner.plan_version_id)
    if version.plan.terms.exhaustion != "auto_upgrade" or _next_of(uow, version) is None:
        return False
    change = _change_of(uow, owner, version)
    return _on_its_way(change)


def following(uow: UnitOfWork, version: PlanVersion) -> PlanVersion | None:
    """What a plan becomes by itself when its minutes are used up."""
    return _next_of(uow, version) if version.plan.terms.exhaustion == "auto_upgrade" else None


def _change_of(uow: UnitOfWork, owner: Account, version: PlanVersion) -> PlanChange | None:
    """The one of this cycle, by which the plan is left upwards."""
    id = _id_of(uow, owner.scope, owner.time_zone, version)
    return store.find(uow.connection, owner.scope, id)


def _on_its_way(change: PlanChange | None) -> bool:
    """The next settlement orders what was never ordered, or was called off for want of need."""
    if change is None or change.state == "scheduled":
        return True
    return change.state == "canceled" and change.decided_by == SYSTEM


def apply_due(uow: UnitOfWork, opened: Books) -> None:
    """Those that were ordered, or woken; each is carried out, held or called off."""
    for change in store.due(uow.connection, opened.scope, now=uow.now, automatic=True):
        needless = _needless(uow, opened, change)
        if needless:
            store.call_off(uow.connection, opened.scope, now=uow.now)
            audit.note(uow, opened.scope, SYSTEM, "plan_change.canceled", change.id, why=needless)
            continue
        wanted = plans.plan_version(uow.connection, change.plan_version_id)
        try:
            preview = plan_changes.preview_version(uow, opened.scope, wanted)
        except Invalid as refusal:
            _hold(uow, opened, change, wanted, f"{refusal.words}.")
            continue
        problem = _problem(uow, opened, preview)
        if problem:
            _hold(uow, opened, change, wanted, problem)
        else:
            _carry_out(uow, opened, change, preview)


def _needless(uow: UnitOfWork, opened: Books, change: PlanChange) -> str | None:
    """Why there is nothing to do any more; settlement orders it again when there is."""
    version = plans.plan_version(uow.connection, opened.locked.plan_version_id)
    if opened.payer is not None:
        return "the agency's minutes count"
    if version.plan.terms.exhaustion != "auto_upgrade" or change.id != _id_of(
        uow, opened.scope, opened.locked.time_zone, version
    ):
        return "another plan or another cycle"
    if pools.remaining_seconds(uow, opened.scope):
        return "there are minutes again"
    if opened.locked.held is not None or opened.locked.status == AccountStatus.CLOSED:
        return "service is held back"
    return None


def _problem(uow: UnitOfWork, opened: Books, preview: Preview) -> str | None:
    """What keeps the upgrade from being carried out, with its cure."""
    name = preview.wanted.plan.name
    access = subscription_store.open_of(uow.connection, opened.scope)
    if access is not None and access.canceled_at is not None:
        return (
            f"Your access is cancelled, so the upgrade to {name} waits: take the cancellation"
            " back, or choose a plan yourself."
        )
    fee, limit = preview.change.fee_micros, preview.current.plan.credit_limit_micros
    own = included_credit.own_micros(uow, opened)
    short = renewal_shortfall(fee, own, limit)
    if short == 0:
        return None
    apart = "" if own == opened.balance_micros else ", included credit apart,"
    return (
        f"The upgrade to {name} costs {_money(fee, opened)} now, and your balance of"
        f" {_money(own, opened)}{apart} does not cover it: pay in"
        f" {_money(short, opened)} or more and it follows by itself, or choose a plan yourself."
    )


def _hold(
    uow: UnitOfWork, opened: Books, change: PlanChange, wanted: PlanVersion, words: str
) -> None:
    store.decide(
        uow.connection,
        opened.scope,
        change.id,
        {"state": "held", "note": words, "decided_at": uow.now},
    )
    audit.note(uow, opened.scope, SYSTEM, "plan_change.held", change.id, words=words)
    outbox.add(
        uow.connection,
        opened.scope,
        queue="notify",
        kind="upgrade_held",
        key=f"upgrade_held:{change.id}",
        payload={"plan": wanted.plan.name, "words": words},
        now=uow.now,
    )


def _carry_out(uow: UnitOfWork, opened: Books, change: PlanChange, preview: Preview) -> None:
    wanted, found = preview.wanted, preview.change
    plan_changes.move(uow, opened, wanted, change.id, SYSTEM)
    store.decide(
        uow.connection,
        opened.scope,
        change.id,
        {"state": "applied", "note": "", "decided_by": SYSTEM, "decided_at": uow.now},
    )
    outbox.add(
        uow.connection,
        opened.scope,
        queue="notify",
        kind="upgraded",
        key=f"upgraded:{change.id}",
        payload={
            "before": preview.current.plan.name,
            "after": wanted.plan.name,
            "fee": format_amount(found.fee_micros),
            "next_fee": format_amount(found.next_fee_micros),
            "has_fee": found.next_fee_micros > 0,
            "next_fee_on": found.next_fee_on.isoformat(),
            "term": found.term,
            "minutes": found.allowance_seconds // 60,
            "currency": opened.currency,
        },
        now=uow.now,
    )


def words_of_refusal(uow: UnitOfWork, scope: Scope) -> str | None:
    """What a page says while calls are refused because no upgrade comes; None while they are not.
    A client that shares its agency's billing reads nothing of its agency's money."""
    account = account_store.find(uow.connection, scope)
    assert account is not None, "asked for an account that has pages"
    version = plans.plan_version(uow.connection, account.plan_version_id)
    if version.plan.terms.exhaustion != "auto_upgrade":
        return None
    if pools.remaining_seconds(uow, scope) or is_coming(uow, scope):
        return None
    if pools.owner_of(uow, account).id != account.id:
        return "The minutes that your agency shares are used up: it has to upgrade its plan."
    change = _change_of(uow, account, version)
    if change is not None and change.state == "held":
        return change.note
    return "The minutes of this cycle are used up: choose a larger plan."


def _money(micros: int, opened: Books) -> str:
    return f"{format_amount(micros)} {opened.currency}"
