"""`ringledger account …`"""

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

import click

from gateway.commands.common import ACTOR, find_account, json_option, open_runtime, show, table

if TYPE_CHECKING:
    from billing.terms import Term
    from gateway.services.accounts import Account
    from gateway.services.vat_checks import Standing


@click.group()
def account() -> None:
    """Open, list and show accounts."""


@account.command()
@click.option("--name", required=True, help="As it stands on statements.")
@click.option("--email", required=True, help="Where billing mail goes.")
@click.option("--plan", default="payg", show_default=True, help="The code of a published plan.")
@click.option("--currency", default="USD", show_default=True)
@click.option("--country", default="US", show_default=True, help="ISO 3166 code.")
@click.option("--time-zone", default="America/New_York", show_default=True, help="IANA name.")
@click.option("--term", type=click.Choice(["month", "year"]), default="month", show_default=True)
@click.option("--parent", type=click.UUID, help="The agency's account id.")
@json_option
def create(
    name: str,
    email: str,
    plan: str,
    currency: str,
    country: str,
    time_zone: str,
    term: "Term",
    parent: uuid.UUID | None,
    as_json: bool,
) -> None:
    """Open an account with an empty wallet."""
    from gateway.services import accounts

    new = accounts.NewAccount(
        name=name,
        billing_email=email,
        plan_code=plan,
        currency=currency,
        country=country,
        time_zone=time_zone,
        term=term,
        parent_id=parent,
    )
    with open_runtime().units.begin() as uow:
        made = accounts.create_account(uow, new, ACTOR)
    show(document(made), as_json, f"{made.name} is open: {made.id}")


@account.command(name="list")
@click.option("--query", default="", help="Part of a name or an e-mail address.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 200))
@json_option
def list_(query: str, limit: int, as_json: bool) -> None:
    """The newest accounts first."""
    from gateway.services import accounts

    with open_runtime().units.read() as uow:
        found = accounts.list_accounts(uow, query=query, limit=limit)
    rows = [
        (one.id, one.name, one.status, money(one.balance_micros, one), _plan(one)) for one in found
    ]
    show(
        [document(one) for one in found],
        as_json,
        *table(rows, ("id", "name", "status", "balance", "plan")),
    )


@account.command(name="show")
@click.argument("named", metavar="ACCOUNT")
@json_option
def show_(named: str, as_json: bool) -> None:
    """One account, by its id or its name."""
    from gateway.services import vat_checks

    runtime = open_runtime()
    with runtime.units.read() as uow:
        found = find_account(uow, named)
        standing = vat_checks.standing(uow, runtime.settings, found)
    details = document(found) | _vat_id(found, standing)
    width = max(len(name) for name in details)
    show(details, as_json, *(f"{name:<{width}}  {value}" for name, value in details.items()))


def document(one: "Account") -> dict[str, Any]:
    from billing.money import format_amount

    return {
        "id": str(one.id),
        "name": one.name,
        "status": one.status,
        "balance": format_amount(one.balance_micros),
        "currency": one.currency,
        "plan": one.plan_code,
        "plan_version": one.plan_version,
        "country": one.country,
        "time_zone": one.time_zone,
        "billing_email": one.billing_email,
        "parent": str(one.parent_id) if one.parent_id else None,
        "created_at": one.created_at.isoformat(),
    }


def _vat_id(one: "Account", standing: "Standing | None") -> dict[str, Any]:
    """What is known of its VAT id; nothing where it has none."""
    if standing is None:
        return {}
    said, withdrawn = standing.answer, standing.withdrawn
    return {
        "vat_id": one.vat_id,
        "vat_id_confirmed_at": _instant(one.vat_id_checked_at),
        "vat_id_withdrawn_at": _instant(withdrawn.at if withdrawn else None),
        "register_said": said.answer if said else None,
        "register_said_at": _instant(said.answered_at if said else None),
        "register_name": said.name if said else None,
        "register_words": said.words if said else None,
        "register_asked_next_at": _instant(standing.ask_at),
    }


def _instant(at: dt.datetime | None) -> str | None:
    return at.isoformat() if at else None


def money(micros: int, one: "Account") -> str:
    from billing.money import format_amount

    return f"{format_amount(micros)} {one.currency}"


def _plan(one: "Account") -> str:
    return f"{one.plan_code} v{one.plan_version}"
