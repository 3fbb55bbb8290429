"""The one blueprint of the business pages, and what each of its views begins with."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar

from flask import Blueprint, g

from billing.included import IncludedFigures
from billing.pools import PoolFigures
from billing.tariffs import Plan
from billing.terms import Terms
from gateway import browser, runtime
from gateway.services import bundles, included_credit, packages, plans, pools
from gateway.services.accounts import Account
from gateway.services.errors import Forbidden
from gateway.services.principals import Principal
from gateway.store.base import Scope

P = ParamSpec("P")
R = TypeVar("R")

PUBLIC = ("log_in", "log_in_now", "log_out", "set_theme", "email_link", "confirm_email")

blueprint = Blueprint("web", __name__)
browser.guard(blueprint, roles=("owner", "member"), public=PUBLIC)


@blueprint.context_processor
def _money_and_minutes() -> dict[str, Any]:
    """For the widgets of every page. `pool_now()`: the minutes of the cycle (S4-01); `plan_now()`
    and `terms_now()`: what the plan says, so that no page offers what it refuses (C6);
    `packages_now()`: whether there are minutes to buy or bought; `agency_now()`: who pays for a
    client; `credit_now()`: included credit of the cycle; `owed_now(balance)`: what is owed, which
    included credit never covers."""
    return {
        "pool_now": pool_now,
        "plan_now": plan_now,
        "terms_now": terms_now,
        "packages_now": packages_now,
        "agency_now": agency_now,
        "credit_now": credit_now,
        "owed_now": owed_now,
    }


def pool_now() -> PoolFigures | None:
    if g.get("account") is None:
        return None
    if "pool_now" not in g:
        with runtime.current().units.read() as uow:
            g.pool_now = pools.figures(uow, g.account)
    found: PoolFigures | None = g.pool_now
    return found


def credit_now() -> IncludedFigures | None:
    if g.get("account") is None:
        return None
    if "credit_now" not in g:
        with runtime.current().units.read() as uow:
            g.credit_now = included_credit.figures(uow, g.account)
    found: IncludedFigures | None = g.credit_now
    return found


def owed_now(balance_micros: int) -> int:
    credit = credit_now()
    left = credit.left_micros if credit is not None and g.account.billing == "own" else 0
    return left - balance_micros


def plan_now() -> Plan | None:
    if g.get("account") is None:
        return None
    if "plan_now" not in g:
        with runtime.current().units.read() as uow:
            g.plan_now = plans.plan_version(uow.connection, g.account.plan_version_id).plan
    found: Plan | None = g.plan_now
    return found


def terms_now() -> Terms | None:
    plan = plan_now()
    return None if plan is None else plan.terms


def packages_now() -> Literal["sold", "kept"] | None:
    """Packages and bundles alike: "sold" by the plan in force, or "kept" from an earlier one."""
    terms = terms_now()
    if terms is not None and (terms.packages or terms.topup.bundles):
        return "sold"
    if terms is None or not g.account.draws_minutes:
        return None
    with runtime.current().units.read() as uow:
        bought = (
            packages.list_packages(uow, g.account.scope, limit=1).items
            or bundles.list_bundles(uow, g.account.scope, limit=1).items
        )
    return "kept" if bought else None


def agency_now() -> Account | None:
    """Who pays for the account; None where it pays by itself."""
    if g.get("account") is None or g.account.billing == "own":
        return None
    if "agency_now" not in g:
        with runtime.current().units.read() as uow:
            g.agency_now = pools.owner_of(uow, g.account)
    found: Account = g.agency_now
    return found


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
