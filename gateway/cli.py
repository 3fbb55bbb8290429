"""`ringledger`: every deed of the installation from a terminal.

Exit codes: 0 done; 1 refused, not found or not proven, with the reason on standard error; 2 the
command or a setting is wrong. `--json` prints one document on standard output and nothing else.
"""

import sys
from typing import Any

import click

from gateway.commands.accounts import account
from gateway.commands.corrections import re_rate, reconcile, reverse
from gateway.commands.database import db, up
from gateway.commands.debits import debits
from gateway.commands.ledger import explain, ledger, settle
from gateway.commands.numbers import numbers
from gateway.commands.operations import ops
from gateway.commands.simulate import simulate
from gateway.commands.tokens import token
from gateway.commands.transfers import transfers
from gateway.commands.what_if import what_if

REFUSED, WRONG = 1, 2


class Commands(click.Group):
    """Turns refusals into one sentence and an exit code; a traceback is a fault of ours."""

    def invoke(self, ctx: click.Context) -> Any:
        from sqlalchemy.exc import OperationalError

        from gateway.config import SettingsInvalid
        from gateway.embedded.process import CannotStart
        from gateway.providers.telephony import ProviderError
        from gateway.services.errors import Invalid, ServiceError

        try:
            return super().invoke(ctx)
        except SettingsInvalid as invalid:
            _say(*invalid.problems)
            ctx.exit(WRONG)
        except Invalid as refusal:
            _say(*(f"{e.path.lstrip('/') or 'value'}: {e.message}" for e in refusal.errors))
            ctx.exit(REFUSED)
        except (ServiceError, ProviderError) as refusal:
            _say(refusal.words)
            ctx.exit(REFUSED)
        except CannotStart as refusal:
            _say(str(refusal))
            ctx.exit(REFUSED)
        except OperationalError as error:
            _say(
                f"The database cannot be used ({str(error.orig).splitlines()[0]}): "
                "start `ringledger up` in another terminal, or set DATABASE_URL."
            )
            ctx.exit(REFUSED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ringledger", message="ringledger %(version)s")
def main() -> None:
    """Self-hosted call tracking: run it, open accounts, move money, prove the ledger."""


def _say(*lines: str) -> None:
    for line in lines:
        click.echo(f"ringledger: {line}", err=True)


for command in (
    up,
    db,
    account,
    token,
    numbers,
    ops,
    simulate,
    ledger,
    settle,
    explain,
    transfers,
    debits,
    what_if,
):
    main.add_command(command)
for correction in (reverse, re_rate, reconcile):
    ops.add_command(correction)


if __name__ == "__main__":
    sys.exit(main())
