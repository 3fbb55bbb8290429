"""What every page of an account says at its top until it is over."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from billing.alerts import Threshold
from gateway.services import alerts, call_gate, dunning, upgrades
from gateway.store import looks
from gateway.store.base import Scope
from gateway.uow import UnitOfWork


@dataclass(frozen=True, slots=True)
class ArrearsBanner:
    """`unread`: nobody of the account has said yet that it was read."""

    overdue_on: dt.date
    unread: bool
    due_for_release: bool


@dataclass(frozen=True, slots=True)
class Banners:
    reached: tuple[Threshold, ...]
    bounced_email: str | None
    unconfirmed_email: str | None
    arrears: ArrearsBanner | None
    turns_callers_away: bool  # the account is active, and its balance starts no call
    minutes_used_up: str | None  # why no upgrade comes by itself, and what helps


def banners(uow: UnitOfWork, scope: Scope) -> Banners:
    account = looks.find(uow.connection, scope)
    draws_minutes = account is not None and account.draws_minutes
    state = dunning.state_of(uow, scope)
    bounced = account is not None and account.billing_email_bounced_at is not None
    return Banners(
        reached=alerts.banners(uow, scope),
        unconfirmed_email=account.billing_email
        if account and not bounced and account.billing_email_confirmed_at is None
        else None,
        bounced_email=account.billing_email if account and bounced else None,
        arrears=None
        if state is None or state.overdue_on is None or not state.notices
        else ArrearsBanner(state.overdue_on, dunning.unread(state), state.due_for_release),
        turns_callers_away=call_gate.turns_callers_away(uow, scope),
        minutes_used_up=upgrades.words_of_refusal(uow, scope) if draws_minutes else None,
    )
