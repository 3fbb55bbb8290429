"""The one blueprint of the console, and what every page of an account begins with."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, g

from gateway import browser, runtime
from gateway.services import accounts
from gateway.services.accounts import Account
from gateway.services.errors import NotFound
from gateway.services.principals import Principal
from gateway.uow import UnitOfWork

PAGE = 50

blueprint = Blueprint("ops", __name__, url_prefix="/ops")
browser.guard(blueprint, roles=("ops",))


def staff() -> Principal:
    found: Principal = g.principal
    return found


def account_of(uow: UnitOfWork, account_id: UUID) -> Account:
    scope = accounts.find_scope(uow, account_id)
    if scope is None:
        raise NotFound("account", account_id)
    return accounts.get_account(uow, scope)


def read_account(account_id: UUID) -> Account:
    with runtime.current().units.read() as uow:
        return account_of(uow, account_id)
