"""`ringledger numbers …`"""

import click

from gateway.commands.common import find_account, json_option, open_runtime, show


@click.group()
def numbers() -> None:
    """Tracking numbers at the carrier."""


@numbers.command()
@click.argument("named", metavar="ACCOUNT")
@json_option
def connect(named: str, as_json: bool) -> None:
    """Point an account's numbers at PUBLIC_URL again, after it changed."""
    from gateway.services import numbers as service

    runtime = open_runtime()
    with runtime.units.read() as uow:
        owned = [
            number
            for number in service.every_number(uow, find_account(uow, named).scope)
            if number.carrier_sid
        ]
    for number in owned:
        service.configure_on_carrier(runtime.telephony, runtime.links, number)
    show(
        [number.e164 for number in owned],
        as_json,
        *(f"{number.e164} calls {runtime.settings.public_url}" for number in owned),
    )
