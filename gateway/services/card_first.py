"""Plans that are paid by card begin with one (S3-07): service waits until the first is there."""

from __future__ import annotations

from gateway.services import ledger, plans
from gateway.services.ledger import Books
from gateway.store import accounts
from gateway.store.base import Scope
from gateway.uow import UnitOfWork

AWAITS_CARD = "card"
"""Why service is held back (`Books.hold`)."""


def begin(uow: UnitOfWork, scope: Scope) -> None:
    """Of a new account: hold service where its plan charges a card day by day."""
    with ledger.books(uow, scope) as opened:
        plan = plans.plan_version(uow.connection, opened.locked.plan_version_id).plan
        if plan.mode == "card_daily" and opened.locked.held is None:
            _hold(uow, opened, AWAITS_CARD)


def card_came(uow: UnitOfWork, opened: Books) -> None:
    if opened.locked.held == AWAITS_CARD:
        _hold(uow, opened, None)


def _hold(uow: UnitOfWork, opened: Books, why: str | None) -> None:
    if opened.hold(why):
        accounts.change(uow.connection, opened.scope, {"held": why})
