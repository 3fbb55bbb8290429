"""Calls in progress when the money runs out: who must be ended now (C2).

A Dial's timeLimit covers one call; several can drain a balance together, and a grace ends some
time after it began. So the clock looks at live calls every few seconds.
"""

from __future__ import annotations

import datetime as dt

from billing import lifecycle
from gateway.services import exposure, plans
from gateway.store import call_events, outbox, watch
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

# One order to end a call per this many seconds: an order that was refused because a top-up came
# in between must not stand in the way of the next one.
ORDER_EVERY_SECONDS = 10


def order_ends(uow: UnitOfWork) -> int:
    """Put an end-call deed into the outbox for each call that its plan does not let go on."""
    ordered = 0
    for account in watch.accounts_with_live_calls(uow.connection):
        plan = plans.plan_version(uow.connection, account.plan_version_id).plan
        if plan.in_call.policy == "let_finish":
            continue
        for call_sid in _overdrawn(uow, account):
            bucket = int(uow.now.timestamp()) // ORDER_EVERY_SECONDS
            outbox.add(
                uow.connection,
                account.scope,
                queue="carrier",
                kind="end_call",
                key=f"end_call:{call_sid}:{bucket}",
                payload={"call_sid": call_sid},
                now=uow.now,
            )
            ordered += 1
    return ordered


def must_end(uow: UnitOfWork, scope: Scope, call_sid: str) -> bool:
    """Looked at again just before the deed: a top-up may have come in since it was ordered."""
    account = watch.account(uow.connection, scope)
    return account is not None and call_sid in _overdrawn(uow, account)


def _overdrawn(uow: UnitOfWork, account: watch.WatchedAccount) -> tuple[str, ...]:
    plan = plans.plan_version(uow.connection, account.plan_version_id).plan
    legs = call_events.live_legs(uow.connection, account.scope)
    spent = exposure.of_live_legs(legs, plan, now=uow.now)
    below = _seconds_below_zero(account, spent, plan.credit_limit_micros, now=uow.now)
    if not lifecycle.must_end_live_calls(plan, account.balance_micros, spent.accrued_micros, below):
        return ()
    return tuple(sorted({leg.call_sid for leg in legs}))


def _seconds_below_zero(
    account: watch.WatchedAccount,
    spent: exposure.Exposure,
    credit_limit_micros: int,
    *,
    now: dt.datetime,
) -> int:
    """How long the live calls have talked past the money, at the speed at which they spend it;
    at least as long as the account has been suspended."""
    overrun = spent.accrued_micros - account.balance_micros - credit_limit_micros
    per_minute = spent.rates.per_minute_micros
    seconds = overrun * 60 // per_minute if overrun > 0 and per_minute else 0
    if account.suspended_at is not None:
        seconds = max(seconds, int((now - account.suspended_at).total_seconds()))
    return seconds
