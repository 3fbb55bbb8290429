"""`ringledger debits …`: mandates, and the file that asks the bank to collect by them."""

import datetime as dt
import uuid
from pathlib import Path

import click

from gateway.commands.common import ACTOR, find_account, json_option, open_runtime, show, table

DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def debits() -> None:
    """SEPA debits: keep mandates, write the bank's file, see what became of each."""


@debits.command()
@click.argument("account")
@click.option("--reference", required=True, help="Of the mandate: letters and digits, 35 at most.")
@click.option("--signed-on", required=True, type=DAY, help="The day of the signature.")
@click.option("--iban", required=True)
@click.option("--holder", default="", help="Whose bank account it is; empty: the account's name.")
@json_option
def mandate(
    account: str, reference: str, signed_on: dt.datetime, iban: str, holder: str, as_json: bool
) -> None:
    """Keep the mandate that the customer of ACCOUNT has signed; it replaces the one in force."""
    from gateway.services import mandates

    with open_runtime().units.begin() as uow:
        kept = mandates.keep(
            uow,
            find_account(uow, account).scope,
            reference=reference,
            signed_on=signed_on.date(),
            holder=holder,
            iban=iban,
            actor=ACTOR,
        )
    shown = kept.masked_iban
    document = {"reference": kept.reference, "holder": kept.holder, "iban": shown}
    show(document, as_json, f"{kept.reference}: {kept.holder}, {shown}.")


@debits.command()
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False))
@click.option("--until", type=DAY, help="Statements due until then; else the next seven days.")
@json_option
def prepare(path: str, until: dt.datetime | None, as_json: bool) -> None:
    """Write FILE (pain.008) for the bank: every statement that falls due and has a mandate.

    A statement is in one file only. What the bank says comes in by `transfers import`.
    """
    from billing.money import format_amount
    from gateway.services import debit_runs as service

    runtime = open_runtime()
    run = service.prepare(
        runtime.units, runtime.settings, ACTOR, None if until is None else until.date()
    )
    if run is None:
        show({"run": None}, as_json, "Nothing falls due that has a mandate: no file was written.")
        return
    Path(path).write_bytes(service.file(runtime.units, runtime.settings, run.id))
    amount = format_amount(run.amount_micros)
    document = {"run": str(run.id), "count": run.count, "amount": amount, "file": path}
    show(document, as_json, f"{run.count} debits, {amount} EUR together: {path}.")


@debits.command(name="list")
@click.option("--state", type=click.Choice(["submitted", "collected", "returned", "canceled"]))
@json_option
def list_(state: str | None, as_json: bool) -> None:
    """The newest debits, and what the bank said of each."""
    from billing.money import format_amount
    from gateway.services import debits as service

    with open_runtime().units.read() as uow:
        found = service.list_debits(uow, state=state).items
    documents = [
        {
            "id": one.debit.id,
            "account_id": one.debit.account_id,
            "account": one.account_name,
            "debit": one.debit.end_to_end_id,
            "amount": format_amount(one.debit.amount_micros),
            "collect_on": one.debit.collect_on,
            "state": one.debit.state,
            "why": one.debit.why,
        }
        for one in found
    ]
    heads = ("id", "account", "debit", "amount", "collect_on", "state", "why")
    rows = [[document[head] for head in heads] for document in documents]
    show(documents, as_json, *table(rows, heads))


@debits.command()
@click.argument("debit_id", metavar="ID", type=click.UUID)
@click.argument("deed", type=click.Choice(["cancel", "collected", "returned"]))
@click.option("--reason", required=True)
def decide(debit_id: uuid.UUID, deed: str, reason: str) -> None:
    """Say what the bank's file does not: the debit was never sent, came, or went back."""
    from gateway.services import debits as service

    with open_runtime().units.begin() as uow:
        done = service.decide(uow, debit_id, deed, reason, ACTOR)
    click.echo(f"{done.end_to_end_id} is {done.state}.")
