"""The one blueprint of the business pages, and what each of its views begins with."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Blueprint, g

from gateway import browser
from gateway.services.errors import Forbidden
from gateway.services.principals import Principal
from gateway.store.base import Scope

P = ParamSpec("P")
R = TypeVar("R")

PUBLIC = ("log_in", "log_in_now", "log_out", "set_theme")

blueprint = Blueprint("web", __name__)
browser.guard(blueprint, roles=("owner", "member"), public=PUBLIC)


def principal() -> Principal:
    found: Principal = g.principal
    return found


def scope() -> Scope:
    """Whose rows this request may see; `guard` let nobody in without one."""
    found = principal().scope
    assert found is not None
    return found


def owners_only(view: Callable[P, R]) -> Callable[P, R]:
    """Purchases, tokens and settings: members may look, owners may act."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if not principal().may_manage:
            raise Forbidden("Only an owner of the account may do that: ask one.")
        return view(*args, **kwargs)

    return checked
