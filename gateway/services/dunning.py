"""The ladder of an account in arrears: notices, suspension, due for release. Releases nothing.

Each look asks the rule what is due and does it in one transaction under the account's lock, so
that two clocks send one notice. "Due for release" is a list for people, and only an account
whose warnings arrived gets on it.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import replace

from billing import dunning as rules
from billing.calendar import local_date
from billing.dunning import (
    GOOD_STANDING,
    Delivery,
    DunningState,
    DunningStep,
    ListForRelease,
    SendNotice,
    Suspend,
    fall_due,
    next_steps,
    note_step,
)
from billing.money import format_amount
from gateway.providers.telephony import ProviderError
from gateway.services import alerts, arrears, audit, ledger, plans
from gateway.services.arrears import ARREARS, Arrears
from gateway.services.deeds import Handler
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.services.ledger import Books
from gateway.services.pages import (
    LIMIT_DEFAULT,
    Page,
    clamp,
    cut,
    decode_cursor,
    encode_cursor,
)
from gateway.store import accounts as account_store
from gateway.store import dunning as store
from gateway.store import looks
from gateway.store.base import Scope
from gateway.store.dunning import Overdue
from gateway.store.looks import BilledAccount
from gateway.store.outbox import DueDeed
from gateway.uow import UnitOfWork, UnitsOfWork

NOTICE = "arrears"
HOOK_NOTICE = "arrears_hook"


def look(uow: UnitOfWork, scope: Scope) -> DunningState:
    """Do what is due for one account; a second look finds nothing left to do."""
    with ledger.books(uow, scope) as opened:
        account = _account(uow, scope)
        plan = plans.plan_version(uow.connection, account.plan_version_id).plan
        before = store.find(uow.connection, scope) or GOOD_STANDING
        found = None if account.status == "closed" else arrears.find(uow, account, plan)
        if found is None:
            if before != GOOD_STANDING or account.held == ARREARS:
                _relieve(uow, opened)
            return GOOD_STANDING
        if before.overdue_on is not None and before.overdue_on < found.overdue_on:
            # What was overdue longest is paid, and something younger is not: a ladder of its own.
            before = GOOD_STANDING
            if account.held == ARREARS:
                account = replace(account, held=None)
                _release(uow, opened)
        state = fall_due(before, found.overdue_on)
        policy = plan.terms.suspension
        for step in next_steps(state, policy, zone=account.time_zone, now=uow.now):
            state = _do(uow, opened, account, found, note_step(state, step), step)
        if state.suspended and account.held is None:
            _hold(uow, opened)
        if state != before:
            store.put(uow.connection, scope, state, now=uow.now)
        return state


def _do(
    uow: UnitOfWork,
    opened: Books,
    account: BilledAccount,
    found: Arrears,
    state: DunningState,
    step: DunningStep,
) -> DunningState:
    """The state after the step; a channel that leads nowhere is noted as bounced at once."""
    match step:
        case SendNotice(day, channel):
            if not _send(uow, account, found, day, channel):
                return rules.note_delivery(state, day, channel, Delivery.BOUNCED)
        case Suspend():
            _note(uow, account.scope, "arrears.suspended", found)
        case ListForRelease():
            _note(uow, account.scope, "arrears.due_for_release", found)
    return state


def _send(uow: UnitOfWork, account: BilledAccount, found: Arrears, day: int, channel: str) -> bool:
    """By whatever way the ladder names; False where it leads nowhere."""
    return alerts.leave_due(
        uow,
        account.scope,
        NOTICE,
        channel,
        alerts.find_reach(uow, account.scope),
        f"{account.id}:{found.overdue_on.isoformat()}:{day}",
        {
            "day": day,
            "channel": channel,
            "overdue_on": found.overdue_on.isoformat(),
            "owed": format_amount(found.owed_micros),
            "balance": format_amount(account.balance_micros),
            "currency": account.currency,
            "words": f"The account is in arrears since {found.overdue_on.isoformat()}.",
            "at": uow.now.isoformat(),
        },
    )


def _hold(uow: UnitOfWork, opened: Books) -> None:
    """Prepaid service stopped with the money already; postpaid service stops here."""
    if opened.hold(ARREARS):
        account_store.change(uow.connection, opened.scope, {"held": ARREARS})


def _release(uow: UnitOfWork, opened: Books) -> None:
    opened.hold(None)
    account_store.change(uow.connection, opened.scope, {"held": None})


def _relieve(uow: UnitOfWork, opened: Books) -> None:
    """Paid: the ladder is left, and service is back with this commit."""
    store.remove(uow.connection, opened.scope)
    if opened.locked.held == ARREARS:
        _release(uow, opened)
    audit.note(uow, opened.scope, "system", "arrears.ended", opened.scope.account_id)


def followed(units: UnitsOfWork, send: Handler) -> Handler:
    """A notice that arrived counts for the ladder; one that was refused for good does not."""

    def handle(deed: DueDeed) -> None:
        try:
            send(deed)
        except ProviderError as refusal:
            if refusal.permanent:
                _note_deed(units, deed, arrived=False)
            raise
        _note_deed(units, deed, arrived=True)

    return handle


def _note_deed(units: UnitsOfWork, deed: DueDeed, *, arrived: bool) -> None:
    with units.begin() as uow:
        note_delivery(
            uow,
            Scope(deed.tenant_id, deed.account_id),
            day=int(deed.payload["day"]),
            channel=str(deed.payload["channel"]),
            arrived=arrived,
        )


def note_delivery(uow: UnitOfWork, scope: Scope, *, day: int, channel: str, arrived: bool) -> None:
    """What became of a notice. A bounce is believed, and takes the account off the list where
    the warning no longer holds (S2-14)."""
    with ledger.books(uow, scope):
        state = store.find(uow.connection, scope)
        if state is None:
            return
        delivery = Delivery.DELIVERED if arrived else Delivery.BOUNCED
        noted = rules.note_delivery(state, day, channel, delivery)
        if noted != state:
            store.put(uow.connection, scope, noted, now=uow.now)


def acknowledge(uow: UnitOfWork, scope: Scope, actor: str) -> None:
    """Somebody of the account has read what its pages say: the notices there have arrived."""
    with ledger.books(uow, scope):
        state = store.find(uow.connection, scope)
        if state is None:
            return
        noted = state
        for sent in state.notices:
            if sent.channel == "in_app" and sent.delivery == Delivery.SENT:
                noted = rules.note_delivery(noted, sent.day, "in_app", Delivery.DELIVERED)
        if noted != state:
            store.put(uow.connection, scope, noted, now=uow.now)
            audit.note(uow, scope, actor, "arrears.acknowledged", scope.account_id)


def pause(uow: UnitOfWork, scope: Scope, reason: str, actor: str) -> DunningState:
    """A payment is announced: the ladder stands still, and its days do not count."""
    return _move(uow, scope, reason, actor, "arrears.paused")


def resume(uow: UnitOfWork, scope: Scope, reason: str, actor: str) -> DunningState:
    """The payment did not come."""
    return _move(uow, scope, reason, actor, "arrears.resumed")


def _move(uow: UnitOfWork, scope: Scope, reason: str, actor: str, action: str) -> DunningState:
    if not reason.strip():
        raise Invalid.at("/reason", "Say why: the reason stands in the account's trail.")
    with ledger.books(uow, scope):
        account = _account(uow, scope)
        state = store.find(uow.connection, scope)
        if state is None:
            raise Conflict("The account is in good standing.")
        today = local_date(uow.now, account.time_zone)
        step = rules.pause if action == "arrears.paused" else rules.resume
        moved = step(state, today)
        store.put(uow.connection, scope, moved, now=uow.now)
        audit.note(uow, scope, actor, action, scope.account_id, reason=reason.strip())
        return moved


def state_of(uow: UnitOfWork, scope: Scope) -> DunningState | None:
    """None in good standing."""
    return store.find(uow.connection, scope)


def unread(state: DunningState) -> bool:
    """Whether the pages have a notice that nobody of the account has acknowledged."""
    return any(
        sent.channel == "in_app" and sent.delivery == Delivery.SENT for sent in state.notices
    )


def days_overdue(uow: UnitOfWork, overdue: Overdue) -> int:
    account = _account(uow, overdue.scope)
    return rules.days_overdue(overdue.state, local_date(uow.now, account.time_zone))


def queue(
    uow: UnitOfWork,
    after: str | None = None,
    limit: int = LIMIT_DEFAULT,
    *,
    release_only: bool = False,
) -> Page[Overdue]:
    """Accounts in arrears, the longest first; for staff."""
    limit = clamp(limit)
    behind = decode_cursor(after, _position) if after else None
    found = store.queue(uow.connection, after=behind, release_only=release_only, limit=limit + 1)
    return cut(
        found, limit, lambda line: encode_cursor(line.state.overdue_on, line.scope.account_id)
    )


def _position(parts: list[str]) -> tuple[dt.date, uuid.UUID]:
    overdue_on, account_id = parts
    return dt.date.fromisoformat(overdue_on), uuid.UUID(account_id)


def _note(uow: UnitOfWork, scope: Scope, action: str, found: Arrears) -> None:
    audit.note(
        uow,
        scope,
        "system",
        action,
        scope.account_id,
        overdue_on=found.overdue_on.isoformat(),
        owed=format_amount(found.owed_micros),
    )


def _account(uow: UnitOfWork, scope: Scope) -> BilledAccount:
    account = looks.find(uow.connection, scope)
    if account is None:
        raise NotFound("account", scope.account_id)
    return account
