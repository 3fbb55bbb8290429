"""`ringledger what-if`: a period of an account under another plan; nothing is written."""

import csv
import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import click

from gateway.commands.common import find_account, json_option, open_runtime, show, table

DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.command(name="what-if")
@click.argument("named", metavar="ACCOUNT")
@click.option("--plan", "code", help="Code of a plan; without it: as it was billed.")
@click.option("--version", type=int, help="Of the plan; without it: the newest.")
@click.option("--since", type=DAY, required=True, help="First day, UTC.")
@click.option("--until", type=DAY, required=True, help="Last day, UTC, included.")
@click.option(
    "--legs",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every leg into this CSV file.",
)
@json_option
def what_if(
    named: str,
    code: str | None,
    version: int | None,
    since: dt.datetime,
    until: dt.datetime,
    legs: Path | None,
    as_json: bool,
) -> None:
    """Replay a period under another plan: the difference by number and by leg."""
    from billing.money import format_amount
    from gateway import db
    from gateway.services import plans
    from gateway.services import what_if as service
    from gateway.services.errors import NotFound
    from gateway.uow import UnitOfWork

    runtime = open_runtime()
    # A year of legs takes longer to read than any page may.
    engine = db.engine_for(runtime.settings.database_url, statement_timeout_ms=0)
    with engine.connect() as connection:
        uow = UnitOfWork(connection, runtime.units.clock())
        account = find_account(uow, named)
        chosen = None
        if code is not None:
            found = plans.versions(uow, code)
            chosen = next((v for v in found if version in (None, v.version)), None)
            if chosen is None:
                raise NotFound("version", version)
        with _written(legs) if legs else nullcontext() as each:
            seen = service.what_if(
                uow,
                account.scope,
                since=since.replace(tzinfo=dt.UTC),
                until=until.replace(tzinfo=dt.UTC) + dt.timedelta(days=1),
                version=chosen,
                each=each,
            )
    document: dict[str, Any] = {
        "plan": chosen.plan_code if chosen else None,
        "version": chosen.version if chosen else None,
        "legs": seen.replayed_legs,
        "differing_legs": seen.differing_legs,
        "charged": format_amount(seen.total.charged_micros),
        "would_have_been": format_amount(seen.total.replayed_micros),
        "difference": format_amount(seen.total.difference_micros),
        "numbers": {n.e164: format_amount(n.sums.difference_micros) for n in seen.numbers},
    }
    parts = {
        "calls": seen.calls,
        "texts": seen.texts,
        "clients": seen.clients,
        "rent": seen.rent,
        "access": seen.access,
        "included credit": seen.included,
    }
    if not seen.names:
        del parts["clients"]
    figures = [
        [name, part.items, *map(format_amount, (part.charged_micros, part.replayed_micros))]
        for name, part in parts.items()
    ]
    show(
        document,
        as_json,
        *table(figures, ("", "items", "was charged", "would have been")),
        f"The difference is {document['difference']} {account.currency}; "
        f"{seen.differing_legs} of {seen.replayed_legs} legs differ.",
    )


@contextmanager
def _written(path: Path) -> Iterator[Callable[[Any], None]]:
    """Each leg goes to the file at once, and the file to its place when all are there."""
    from billing.money import format_amount

    partial = path.with_name(f"{path.name}.part")
    with partial.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(
            ("leg", "call", "started_at", "number", "kind", "to", "talk_seconds", "billed_seconds",
             "charged", "would_have_billed_seconds", "drawn_seconds", "would_have_been", "account")
        )  # fmt: skip

        def write(leg: Any) -> None:
            # A leading apostrophe keeps a spreadsheet from taking +1415… for a sum.
            out.writerow(
                (leg.leg_sid, leg.call_sid, leg.started_at.isoformat(), f"'{leg.number_e164}",
                 leg.kind, f"'{leg.to_address}", leg.talk_seconds, leg.billed_seconds,
                 format_amount(leg.charged_micros), leg.replayed_billed_seconds,
                 leg.drawn_seconds, format_amount(leg.replayed_micros), leg.account_id)
            )  # fmt: skip

        try:
            yield write
        except BaseException:
            partial.unlink()
            raise
    partial.replace(path)
