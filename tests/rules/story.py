"""What the operators' stories are told with."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from world import FRONT_DESK, Member, World

from gateway.services import accounts, ledger, logins
from gateway.store.base import Scope
from gateway.store.ledger import PostingRow
from tests.web.conftest import PASSWORD, Browser

NEW_YORK = ZoneInfo("America/New_York")


def midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), NEW_YORK)


def today(stage: World) -> dt.date:
    return stage.carrier.clock.now().astimezone(NEW_YORK).date()


def talk(stage: World, member: Member, seconds: float) -> str:
    """A caller and the front desk talk so long, and it is settled."""
    stage.person(FRONT_DESK, talks=seconds)
    call_sid = stage.call(member.e164)
    stage.settle()
    return call_sid


def lines(stage: World, scope: Scope, *kinds: str) -> list[Any]:
    """An account's lines of money of these kinds, oldest first."""
    wallet = f"wallet:{scope.account_id.hex}"
    return [
        row
        for row in stage.rows(PostingRow, scope)
        if row.kind in kinds and wallet in (row.debit, row.credit)
    ]


def amounts(stage: World, scope: Scope, *kinds: str) -> list[int]:
    return [row.amount_micros for row in lines(stage, scope, *kinds)]


def set_balance(stage: World, scope: Scope, micros: int) -> None:
    with stage.units.begin() as uow:
        ledger.adjust(
            uow,
            scope,
            amount_micros=micros - accounts.get_account(uow, scope).balance_micros,
            reason="the story goes on from here",
            actor="Olga",
            idempotency_key=f"to {micros} at {uow.now}",
        )


def owner_of(stage: World, member: Member) -> Browser:
    """The account's owner, logged in."""
    email = f"owner{member.e164[1:]}@acme.test"
    with stage.units.begin() as uow:
        logins.create_login(
            uow,
            member.scope,
            email=email,
            name="Ann Acme",
            password=PASSWORD,
            role="owner",
            actor="Olga",
        )
    browser = Browser(stage.app.test_client())
    assert browser.log_in(email).status_code == 302
    return browser
