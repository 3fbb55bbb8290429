"""The one blueprint of the console, and the frame of its pages and deeds."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from uuid import UUID

from flask import Blueprint, current_app, flash, g, redirect, request, url_for
from werkzeug.wrappers import Response

from gateway import browser, runtime
from gateway.services import accounts
from gateway.services.accounts import Account
from gateway.services.errors import Conflict, Invalid, NotFound
from gateway.services.principals import Principal
from gateway.uow import UnitOfWork

P = ParamSpec("P")

PAGE = 50

blueprint = Blueprint("ops", __name__, url_prefix="/ops")
browser.guard(blueprint, roles=("ops",))


def staff() -> Principal:
    found: Principal = g.principal
    return found


def deed(
    *, back: str
) -> Callable[[Callable[Concatenate[UnitOfWork, P], str]], Callable[P, Response]]:
    """A form's deed in one unit of work: what it answers, or the words of what refused it, stand on
    the page `back`."""

    def framed(act: Callable[Concatenate[UnitOfWork, P], str]) -> Callable[P, Response]:
        @wraps(act)
        def view(*args: P.args, **kwargs: P.kwargs) -> Response:
            try:
                with runtime.current().units.begin() as uow:
                    done = act(uow, *args, **kwargs)
            except (Conflict, Invalid) as refusal:
                flash(refusal.words, "error")
            else:
                flash(done)
            return redirect(_url_of(back))

        return view

    return framed


def _url_of(page: str) -> str:
    """Of a page whose address asks for nothing that this request's does not name."""
    expects = current_app.url_map.is_endpoint_expecting
    named = (request.view_args or {}).items()
    return url_for(page, **{name: value for name, value in named if expects(page, name)})


def account_of(uow: UnitOfWork, account_id: UUID) -> Account:
    scope = accounts.find_scope(uow, account_id)
    if scope is None:
        raise NotFound("account", account_id)
    return accounts.get_account(uow, scope)


def read_account(account_id: UUID) -> Account:
    with runtime.current().units.read() as uow:
        return account_of(uow, account_id)
