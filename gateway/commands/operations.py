"""`ringledger ops …`: what staff do to accounts, each with a reason that is kept."""

import secrets
import sys
from typing import Literal

import click

from gateway.commands.accounts import money
from gateway.commands.common import (
    ACTOR,
    find_account,
    json_option,
    open_runtime,
    parse_money,
    show,
)

key_option = click.option(
    "--key", help="The same key again moves nothing, so that a script may be run twice."
)
reason_option = click.option("--reason", required=True, help="Stands in the audit trail.")
password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


@click.group()
def ops() -> None:
    """Staff: log-ins, top-ups, adjustments."""


@ops.command(name="top-up")
@click.argument("named", metavar="ACCOUNT")
@click.argument("amount")
@reason_option
@key_option
@json_option
def top_up(named: str, amount: str, reason: str, key: str | None, as_json: bool) -> None:
    """Credit an account by hand; service is restored if it was suspended.

    AMOUNT is what the balance gets. The tax that the customer paid on top is posted beside it.
    """
    from gateway.services import accounts, credit_receipts, ledger

    micros = parse_money(amount)
    runtime = open_runtime()
    with runtime.units.begin() as uow:
        account = find_account(uow, named)
        paid = credit_receipts.paid_by_hand(
            uow, account.scope, micros, runtime.settings.seller_country
        )
        credited = ledger.top_up(
            uow,
            account.scope,
            amount_micros=micros,
            payment=paid,
            method="manual",
            reason=reason,
            actor=ACTOR,
            idempotency_key=key or secrets.token_hex(16),
        )
        after = accounts.get_account(uow, account.scope)
    show(
        {
            "id": str(credited.id),
            "repeated": credited.repeated,
            "vat": money(paid.vat_micros, after).split()[0],
            "total": money(paid.gross_micros, after).split()[0],
            "balance": money(after.balance_micros, after).split()[0],
            "currency": after.currency,
            "status": after.status,
        },
        as_json,
        f"{after.name} has {money(after.balance_micros, after)} and is {after.status}"
        + (" (that key was credited before)." if credited.repeated else "."),
    )


# "-5.00" is an amount here, not an option.
@ops.command(context_settings={"ignore_unknown_options": True})
@click.argument("named", metavar="ACCOUNT")
@click.argument("amount")
@reason_option
@key_option
@json_option
def adjust(named: str, amount: str, reason: str, key: str | None, as_json: bool) -> None:
    """Correct a balance; a negative amount takes."""
    from gateway.services import accounts, ledger

    micros = parse_money(amount)
    with open_runtime().units.begin() as uow:
        account = find_account(uow, named)
        posting = ledger.adjust(
            uow,
            account.scope,
            amount_micros=micros,
            reason=reason,
            actor=ACTOR,
            idempotency_key=key or secrets.token_hex(16),
        )
        after = accounts.get_account(uow, account.scope)
    show(
        {
            "key": posting.key,
            "balance": money(after.balance_micros, after).split()[0],
            "currency": after.currency,
            "status": after.status,
        },
        as_json,
        f"{after.name} has {money(after.balance_micros, after)} and is {after.status}.",
    )


@ops.command(name="confirm-vat-id")
@click.argument("named", metavar="ACCOUNT")
@click.option("--evidence", required=True, help="What the register answered; kept in the trail.")
@json_option
def confirm_vat_id(named: str, evidence: str, as_json: bool) -> None:
    """Say that the register has the account's VAT id, under its name."""
    from gateway.services import accounts

    with open_runtime().units.begin() as uow:
        account = find_account(uow, named)
        after = accounts.confirm_vat_id(uow, account.scope, evidence, ACTOR)
    show(
        {"vat_id": after.vat_id},
        as_json,
        f"{after.vat_id} of {after.name} is confirmed: tax is left out where the law says so.",
    )


@ops.command(name="withdraw-vat-id")
@click.argument("named", metavar="ACCOUNT")
@click.option("--reason", required=True, help="Why it is not theirs; kept in the trail.")
@json_option
def withdraw_vat_id(named: str, reason: str, as_json: bool) -> None:
    """Take the confirmation of the account's VAT id back: tax is charged again."""
    from gateway.services import accounts

    with open_runtime().units.begin() as uow:
        after = accounts.withdraw_vat_id(uow, find_account(uow, named).scope, reason, ACTOR)
    words = f"{after.vat_id} of {after.name} is not confirmed any more: tax is charged."
    show({"vat_id": after.vat_id}, as_json, words)


@ops.command(name="ask-vat-id")
@click.argument("named", metavar="ACCOUNT")
@json_option
def ask_vat_id(named: str, as_json: bool) -> None:
    """Have the register asked about the account's VAT id again, now."""
    from gateway.services import vat_checks

    runtime = open_runtime()
    with runtime.units.begin() as uow:
        scope = find_account(uow, named).scope
        asked = vat_checks.ask_again(uow, runtime.settings, scope, ACTOR)
    words = f"VIES is asked about {asked.vat_id}: look with `ringledger account show {named}`."
    show({"vat_id": asked.vat_id}, as_json, words)


@ops.command(name="create-login")
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--account", "named", help="The account's id or name; without it: staff.")
@click.option("--role", type=click.Choice(["owner", "member"]), default="owner", show_default=True)
@password_option
@json_option
def create_login(
    email: str,
    name: str,
    named: str | None,
    role: Literal["owner", "member"],
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Let somebody log in; without --password-stdin a password is made and printed once."""
    from gateway.services import logins

    password = _password(password_stdin)
    with open_runtime().units.begin() as uow:
        scope = find_account(uow, named).scope if named else None
        made = logins.create_login(
            uow,
            scope,
            email=email,
            name=name,
            password=password,
            role=role if scope else "ops",
            actor=ACTOR,
        )
    shown = None if password_stdin else password
    show(
        {"id": str(made.id), "email": made.email, "role": made.role, "password": shown},
        as_json,
        f"{made.email} may log in as {made.role}." + (f" Password: {shown}" if shown else ""),
    )


@ops.command(name="reset-password")
@click.argument("email")
@password_option
@json_option
def reset_password(email: str, password_stdin: bool, as_json: bool) -> None:
    """Give somebody a new password; their sessions end."""
    from gateway.services import logins

    password = _password(password_stdin)
    with open_runtime().units.begin() as uow:
        login = logins.reset_password(uow, email, password, ACTOR)
    shown = None if password_stdin else password
    show(
        {"id": str(login.id), "email": login.email, "password": shown},
        as_json,
        f"{login.email} has a new password." + (f" Password: {shown}" if shown else ""),
    )


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return secrets.token_urlsafe(12)
