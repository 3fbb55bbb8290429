"""May a call begin, and how long may it talk: by its number, its routing, and what its account has.

What other live calls have used counts, though nobody has posted it yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from billing import lifecycle
from billing.lifecycle import AccountStatus, RefusalReason
from billing.money import format_amount
from billing.pools import may_start_on_pool
from billing.rating import TalkRates, first_block_cost
from billing.tariffs import Plan
from gateway.services import exposure, plans, pools, published_routing, upgrades
from gateway.services.exposure import Exposure
from gateway.services.published_routing import Published
from gateway.store import call_events, outbox
from gateway.store.base import Scope
from gateway.store.call_events import Arrival, KnownCall
from gateway.uow import UnitOfWork

NOT_CONNECTED = "This number is not connected yet. Please call later."
# The account stays active, so nothing else would tell its owner that callers are turned away.
TOO_LITTLE = (RefusalReason.BALANCE_BELOW_MINIMUM, RefusalReason.FIRST_BLOCK_NOT_COVERED)


@dataclass(frozen=True, slots=True)
class Refused:
    """The gate sent the call away; `notice` is said instead of a bare, unbilled <Reject>."""

    reason: str
    notice: str | None


def used_by_live_calls(uow: UnitOfWork, scope: Scope, live_calls: int, plan: Plan) -> Exposure:
    """Asked only where other calls are live: the usual call pays no round trip for it."""
    if live_calls == 0:
        return exposure.NONE
    legs = call_events.live_legs(uow.connection, scope)
    return exposure.of_live_legs(legs, plan, now=uow.now)


def refusal(
    uow: UnitOfWork, arrival: Arrival, plan: Plan, published: Published | None, spent: Exposure
) -> Refused | None:
    """May this call begin? A call that is already known keeps its first answer."""
    if arrival.known:
        reason = arrival.refused or (None if published else "no_forwarding")
    else:
        reason = _reason(arrival, plan, published, spent) or _exhausted(uow, arrival, plan, spent)
    if reason is None:
        return None
    notice = NOT_CONNECTED if reason == "no_forwarding" else arrival.suspended_notice
    return Refused(reason, notice)


def _reason(
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


def time_limit(call: Arrival | KnownCall, plan: Plan, published: Published, spent: Exposure) -> int:
    """Seconds that the balance pays for."""
    return lifecycle.dial_time_limit(
        plan,
        call.balance_micros,
        _rates(call, plan, published),
        live_rates=spent.rates,
        accrued_micros=spent.accrued_micros,
    )


def _rates(call: Arrival | KnownCall, plan: Plan, published: Published) -> TalkRates:
    return exposure.of_call(call.number_country, call.number_type, published.targets, plan.tariff)


def turns_callers_away(uow: UnitOfWork, scope: Scope) -> bool:
    """The last call was refused for too little money, and would be refused again now."""
    last = call_events.last_call(uow.connection, scope)
    if last is None or last.refused not in TOO_LITTLE:
        return False
    arrival = call_events.arrival(uow.connection, last.to_number, call_sid="")
    if arrival is None or arrival.account_id != scope.account_id:
        return False
    plan = plans.plan_version(uow.connection, arrival.plan_version_id).plan
    published = published_routing.find(uow, arrival.tenant_id, arrival.forwarding_version_id)
    spent = used_by_live_calls(uow, scope, arrival.live_calls, plan)
    return _reason(arrival, plan, published, spent) in TOO_LITTLE


def tell_owner(uow: UnitOfWork, arrival: Arrival) -> None:
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
