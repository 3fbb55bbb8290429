"""`ringledger ops reverse`, `re-rate` and `reconcile`: mistakes put right by new lines."""

import datetime as dt

import click

from gateway.commands.common import ACTOR, find_account, json_option, open_runtime, show
from gateway.commands.operations import reason_option

DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.command()
@click.argument("named", metavar="ACCOUNT")
@click.argument("posting")
@reason_option
@json_option
def reverse(named: str, posting: str, reason: str, as_json: bool) -> None:
    """Undo a line of the ledger by a line that points at it; a second time changes nothing."""
    from billing.money import format_amount
    from gateway.services import reversals

    with open_runtime().units.begin() as uow:
        account = find_account(uow, named)
        line = reversals.reverse_posting(uow, account.scope, posting, reason=reason, actor=ACTOR)
    left = format_amount(line.balance_after_micros)
    show(
        {"id": line.id, "amount": format_amount(line.amount_micros), "balance": left},
        as_json,
        f"{line.description}: {format_amount(line.amount_micros)} {line.unit}, {left} left "
        f"({line.id}).",
    )


@click.command(name="re-rate")
@click.argument("named", metavar="ACCOUNT")
@click.option("--plan", "code", required=True, help="The plan with the mistake.")
@click.option("--wrong", type=int, required=True, help="The version that priced the legs.")
@click.option("--right", type=int, required=True, help="The version that should have.")
@click.option("--since", type=DAY, required=True, help="First day, UTC.")
@click.option("--until", type=DAY, required=True, help="Last day, UTC, included.")
@click.option("--reason", help="Given: do it. Left out: only show what would change.")
@json_option
def re_rate(
    named: str,
    code: str,
    wrong: int,
    right: int,
    since: dt.datetime,
    until: dt.datetime,
    reason: str | None,
    as_json: bool,
) -> None:
    """Price a period anew: a preview first, then reversals and new lines."""
    from billing.money import format_amount
    from gateway.services import plans, rerating
    from gateway.services.errors import NotFound

    units = open_runtime().units
    with units.read() as uow:
        account = find_account(uow, named)
        found = {version.version: version for version in plans.versions(uow, code)}
        for number in (wrong, right):
            if number not in found:
                raise NotFound("version", number)
        mistake = rerating.Mistake(
            since.replace(tzinfo=dt.UTC),
            until.replace(tzinfo=dt.UTC) + dt.timedelta(days=1),
            found[wrong],
            found[right],
        )
        seen = rerating.preview(uow, account.scope, mistake)
    legs, given, taken = seen.changing, seen.given_back_micros, seen.taken_micros
    if reason is not None:
        done = rerating.correct(units, account.scope, mistake, reason=reason, actor=ACTOR)
        legs, given, taken = done.legs, done.given_back_micros, done.taken_micros
    show(
        {
            "done": reason is not None,
            "legs": legs,
            "given_back": format_amount(given),
            "charged_instead": format_amount(taken),
        },
        as_json,
        f"{legs} legs {'priced' if reason is not None else 'would be priced'} anew: "
        f"{format_amount(given)} given back, {format_amount(taken)} charged instead.",
    )


@click.command()
@click.argument("day", type=DAY)
@json_option
def reconcile(day: dt.datetime, as_json: bool) -> None:
    """Compare a UTC day with the carrier's records, now."""
    from gateway.services import reconciling

    runtime = open_runtime()
    done = reconciling.reconcile(runtime.units, runtime.telephony, day.date())
    show(
        {
            "day": done.day.isoformat(),
            "legs_ours": done.legs_ours,
            "legs_theirs": done.legs_theirs,
            "found": done.found,
            "healed": done.healed,
        },
        as_json,
        f"{done.day}: {done.legs_ours} legs here, {done.legs_theirs} at the carrier, "
        f"{done.found} differences, {done.healed} healed.",
    )
