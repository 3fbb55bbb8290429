"""Automatic recharge: chosen by the customer, decided under the account's lock, braked by staff.

Settlement leaves a look due when a balance drops below its minimum; whatever ends a charge, adds a
card or lifts a brake leaves another. A look that charges nothing says when to look again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from billing.calendar import local_date, local_midnight
from billing.charges import CHARGE_MIN_MICROS, ChargeState
from billing.credits import payment_of
from billing.minor_units import quantum_micros
from billing.money import format_amount
from billing.recharge import (
    WORTH_AN_ALERT,
    Breaker,
    Hold,
    HoldReason,
    PastCharge,
    RechargeSettings,
    decide_recharge,
    settings_problems,
)
from billing.terms import Recharge
from gateway.services import audit, charges, credit_receipts, payment_deeds, plans
from gateway.services.deeds import Handler
from gateway.services.errors import FieldError, Invalid, NotFound
from gateway.services.till import Till
from gateway.store import accounts, ledger, payment_methods
from gateway.store import charges as charge_store
from gateway.store import recharge as store
from gateway.store.base import Scope, new_id
from gateway.store.charges import AUTOMATIC, Charge
from gateway.store.ledger import LockedBooks
from gateway.store.outbox import DueDeed
from gateway.store.recharge import ChargeBrake, PausedAccount, RechargeRule
from gateway.uow import UnitOfWork, UnitsOfWork

log = structlog.get_logger(__name__)

BY_RULE = "recharge"  # the actor of what nobody asked for by hand
COUNTED = dt.timedelta(days=32)  # a month of any length, for its cap
BASELINE = dt.timedelta(days=1)
MINUTE = dt.timedelta(minutes=1)
PAUSED_SHOWN_MAX = 200


@dataclass(frozen=True, slots=True)
class RechargeView:
    """The settings as they stand; those of the plan where nothing was chosen yet. The caps of the
    plan bind as well."""

    settings: RechargeSettings
    currency: str
    hold_reason: str | None
    paused_at: dt.datetime | None
    chosen: bool


def get(uow: UnitOfWork, scope: Scope) -> RechargeView:
    account = accounts.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    rule = store.find_rule(uow.connection, scope)
    terms = plans.plan_version(uow.connection, account.plan_version_id).plan.terms.recharge
    if rule is None:
        chosen = RechargeSettings(False, terms.minimum_micros, terms.maximum_micros, terms)
        return RechargeView(chosen, account.currency, None, None, False)
    chosen = _chosen(rule, terms)
    return RechargeView(chosen, account.currency, rule.hold_reason, rule.paused_at, True)


def _chosen(rule: RechargeRule, terms: Recharge) -> RechargeSettings:
    return RechargeSettings(
        rule.enabled,
        rule.min_micros,
        rule.max_micros,
        terms,
        rule.daily_cap_micros,
        rule.monthly_cap_micros,
        rule.cooldown_seconds,
    )


def choose(
    uow: UnitOfWork,
    scope: Scope,
    *,
    on: bool,
    minimum_micros: int,
    maximum_micros: int,
    daily_cap_micros: int | None,
    monthly_cap_micros: int | None,
    cooldown_seconds: int,
    actor: str,
) -> RechargeView:
    """Keep the customer's settings, with every complaint at its field (S2-10). Already below the
    minimum, the card is charged right away."""
    locked = _lock(uow, scope)
    terms = plans.plan_version(uow.connection, locked.plan_version_id).plan.terms.recharge
    wanted = RechargeSettings(
        on,
        minimum_micros,
        maximum_micros,
        terms,
        daily_cap_micros,
        monthly_cap_micros,
        cooldown_seconds,
    )
    problems = settings_problems(wanted)
    if problems:
        raise Invalid(FieldError(problem.path, problem.message) for problem in problems)
    store.save_rule(
        uow.connection,
        scope,
        enabled=on,
        min_micros=minimum_micros,
        max_micros=maximum_micros,
        daily_cap_micros=daily_cap_micros,
        monthly_cap_micros=monthly_cap_micros,
        cooldown_seconds=cooldown_seconds,
        changed_at=uow.now,
        changed_by=actor,
    )
    audit.note(uow, scope, actor, "recharge.chosen", scope.account_id, **_told(wanted))
    if on:
        payment_deeds.look_at_recharge(uow, scope, after=f"chosen:{uow.now.isoformat()}")
    else:
        _hold(uow, scope, None)
    return get(uow, scope)


def handlers(units: UnitsOfWork, till: Till | None) -> dict[str, Handler]:
    def act(deed: DueDeed) -> None:
        if till is not None:
            run(units, till, Scope(deed.tenant_id, deed.account_id))

    return {payment_deeds.LOOK: act}


def run(units: UnitsOfWork, till: Till, scope: Scope) -> Charge | None:
    """One look: decide and write the intent, then ask for the money. A second look meanwhile finds
    the charge on its way and does nothing."""
    intended = units.retrying(lambda uow: decide(uow, till, scope))
    return None if intended is None else charges.submit(units, till, intended)


def decide(uow: UnitOfWork, till: Till, scope: Scope) -> Charge | None:
    """Under the account's lock, with the balance of this moment (S2-11): the intent, or None."""
    locked = _lock(uow, scope)
    rule = store.find_rule(uow.connection, scope)
    if rule is None or locked.status == "closed":
        return None
    terms = plans.plan_version(uow.connection, locked.plan_version_id).plan.terms.recharge
    known = brake(uow)
    choice = payment_deeds.choose_card(uow, scope)
    quantum = quantum_micros(locked.currency)
    decided = decide_recharge(
        _chosen(rule, terms),
        balance_micros=locked.balance_micros,
        charges=_past(uow, scope),
        card_id=None if choice is None else choice.card_id,
        card_free_at=None if choice is None else choice.free_at,
        system_stopped=known.stopped_at is not None,
        zone=locked.time_zone,
        now=uow.now,
        quantum_micros=quantum,
        brake_lifted_at=rule.brake_lifted_at,
    )
    if not isinstance(decided, Hold) and rule.paused_at is not None:
        decided = Hold(HoldReason.TOO_MANY_CHARGES, "Staff looks into the last charges.")
    if not isinstance(decided, Hold) and _trips(uow, known):
        decided = Hold(HoldReason.SYSTEM_STOPPED, "Charges are stopped while staff looks into it.")
    if isinstance(decided, Hold):
        _keep_hold(uow, scope, locked, rule, decided)
        return None
    if decided.amount_micros < CHARGE_MIN_MICROS:
        return None
    _hold(uow, scope, None)
    method = next(
        one for one in payment_methods.kept(uow.connection, scope) if str(one.id) == decided.card_id
    )
    facts = accounts.tax_facts(uow.connection, scope)
    tax = credit_receipts.treatment(facts, till.seller_country, uow.now)
    return charges.intend(
        uow,
        scope,
        method,
        payment_of(decided.amount_micros, tax, locked.currency),
        currency=locked.currency,
        purpose=AUTOMATIC,
        actor=BY_RULE,
        idempotency_key=f"recharge:{new_id()}",
    )


def _past(uow: UnitOfWork, scope: Scope) -> list[PastCharge]:
    """By the credit, tax apart: caps limit what is added, whatever the tax is."""
    made = charge_store.since(uow.connection, scope, uow.now - COUNTED)
    return [PastCharge(one.net_micros, one.created_at, ChargeState(one.state)) for one in made]


def _keep_hold(
    uow: UnitOfWork, scope: Scope, locked: LockedBooks, rule: RechargeRule, hold: Hold
) -> None:
    reason = hold.reason.value if hold.reason in WORTH_AN_ALERT else None
    if reason is not None and reason != rule.hold_reason:
        log.warning("recharge.held", account_id=str(scope.account_id), reason=reason)
        audit.note(uow, scope, BY_RULE, "recharge.held", scope.account_id, reason=hold.words)
        payment_deeds.tell_held(
            uow,
            scope,
            reason,
            hold.words,
            balance_micros=locked.balance_micros,
            currency=locked.currency,
        )
    if hold.reason != HoldReason.IN_FLIGHT:
        _hold(uow, scope, reason)
    if hold.reason == HoldReason.TOO_MANY_CHARGES and rule.paused_at is None:
        store.change_rule(uow.connection, scope, paused_at=uow.now)
    until = hold.until or _cap_ends_at(hold.reason, locked.time_zone, uow.now)
    if until is not None and hold.reason != HoldReason.TOO_MANY_CHARGES:
        payment_deeds.look_at_recharge(
            uow, scope, after=f"held:{until.isoformat()}", due_at=max(until, uow.now)
        )


def _cap_ends_at(reason: HoldReason, zone: str, now: dt.datetime) -> dt.datetime | None:
    today = local_date(now, zone)
    if reason == HoldReason.DAILY_CAP:
        return local_midnight(today + dt.timedelta(days=1), zone)
    if reason == HoldReason.MONTHLY_CAP:
        return local_midnight((today.replace(day=28) + dt.timedelta(days=4)).replace(day=1), zone)
    return None


def _hold(uow: UnitOfWork, scope: Scope, reason: str | None) -> None:
    store.change_rule(uow.connection, scope, hold_reason=reason)
    if reason is None:
        store.clear_hold_notice(uow.connection, scope)


# The brakes.


def brake(uow: UnitOfWork) -> ChargeBrake:
    return store.brake(uow.connection)


def _trips(uow: UnitOfWork, known: ChargeBrake) -> bool:
    """Count before one more is written; the brake stays on until a person lifts it (E3)."""
    now = uow.now
    since = max(now - MINUTE, known.lifted_at or now - MINUTE)
    until = now + dt.datetime.resolution
    watched = Breaker(known.stopped_at).watch(
        charges_last_minute=charge_store.automatic_since(uow.connection, since, until) + 1,
        charges_baseline=charge_store.automatic_since(uow.connection, now - BASELINE, now - MINUTE),
        baseline_minutes=int(BASELINE / MINUTE),
        now=now,
    )
    if watched.stopped_at is None:
        return False
    words = "More than five times the usual number of charges in a minute."
    store.set_brake(uow.connection, stopped_at=now, words=words)
    audit.note(uow, None, BY_RULE, "charges.stopped", "all accounts", words=words)
    log.error("recharge.stopped", words=words)
    return True


def stop_all(uow: UnitOfWork, actor: str, reason: str) -> None:
    """Staff pulls the brake: no automatic charge of any account until it is lifted."""
    _check_reason(reason)
    store.set_brake(uow.connection, stopped_at=uow.now, words=reason.strip())
    audit.note(uow, None, actor, "charges.stopped", "all accounts", words=reason.strip())


def lift_all(uow: UnitOfWork, actor: str, reason: str) -> None:
    """Staff has looked: accounts that waited are decided anew. Charges before now do not count
    towards the next trip."""
    _check_reason(reason)
    store.set_brake(uow.connection, stopped_at=None, lifted_at=uow.now, lifted_by=actor)
    audit.note(uow, None, actor, "charges.resumed", "all accounts", reason=reason.strip())
    for scope in store.stopped_by_system(uow.connection):
        payment_deeds.look_at_recharge(uow, scope, after=f"lifted:{uow.now.isoformat()}")


def paused(uow: UnitOfWork) -> list[PausedAccount]:
    return store.paused(uow.connection, limit=PAUSED_SHOWN_MAX)


def lift(uow: UnitOfWork, scope: Scope, actor: str, reason: str) -> None:
    """Staff found an account's many charges right."""
    _check_reason(reason)
    _lock(uow, scope)
    store.change_rule(uow.connection, scope, paused_at=None, brake_lifted_at=uow.now)
    _hold(uow, scope, None)
    audit.note(uow, scope, actor, "recharge.resumed", scope.account_id, reason=reason.strip())
    payment_deeds.look_at_recharge(uow, scope, after=f"lifted:{uow.now.isoformat()}")


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise Invalid.at("/reason", "Say why: it stands in the trail.")


def _lock(uow: UnitOfWork, scope: Scope) -> LockedBooks:
    locked = ledger.lock_books(uow.connection, scope)
    if locked is None:
        raise NotFound("account", scope.account_id)
    return locked


def _told(wanted: RechargeSettings) -> Mapping[str, Any]:
    """For the trail, in amounts as people write them."""
    amounts = {
        "minimum": wanted.minimum_micros,
        "maximum": wanted.maximum_micros,
        "daily_cap": wanted.daily_cap_micros,
        "monthly_cap": wanted.monthly_cap_micros,
    }
    return {
        "on": "yes" if wanted.on else "no",
        **{name: format_amount(micros) for name, micros in amounts.items() if micros is not None},
        "cooldown": f"{wanted.cooldown_seconds} s",
    }
