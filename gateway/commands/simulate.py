"""`ringledger simulate …`: have the sandbox carrier's people call and text the demo numbers."""

import time
from typing import TYPE_CHECKING, Any

import click

from gateway.commands.common import json_option, show

if TYPE_CHECKING:
    from gateway.config import Settings

POLL_SECONDS = 0.25
TIMEOUT_SECONDS = 30


@click.group()
def simulate() -> None:
    """Sandbox traffic: a call, a text, a day's worth of calls, or a storm."""


@simulate.command()
@click.option("--to", default="", help="A tracking number; without it: the first one.")
@click.option("--from", "from_", default="", help="The caller; without it: somebody believable.")
@click.option("--talk", type=click.FloatRange(0, 14_400), help="Hang up after so many seconds.")
@click.option("--withheld", is_flag=True, help="Hide the caller's number.")
@click.option("--nobody-answers", "missed", multiple=True, help="This phone rings out.")
@click.option("--answers", multiple=True, help="This phone answers after 5 s.")
@json_option
def call(
    to: str,
    from_: str,
    talk: float | None,
    withheld: bool,
    missed: tuple[str, ...],
    answers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Place one call in real time."""
    body: dict[str, Any] = {"people": {}}
    if to:
        body["to"] = to
    if from_:
        body["from"] = from_
    if talk is not None or withheld:
        body["caller"] = {"talks_seconds": talk, "withheld": withheld}
    for phone in missed:
        body["people"][phone] = {"outcome": "no-answer"}
    for phone in answers:
        body["people"][phone] = {"outcome": "answers", "answers_after_seconds": 5}
    placed = _ask("POST", "/sandbox/calls", body)
    show(placed, as_json, f"Calling: {placed['call_sid']}")


@simulate.command()
@click.option("--to", default="", help="A tracking number; without it: the first one.")
@click.option("--from", "from_", default="", help="The sender; without it: somebody believable.")
@click.option("--body", default="", help="What it says; without it: something believable.")
@json_option
def message(to: str, from_: str, body: str, as_json: bool) -> None:
    """Have somebody text a number."""
    said = {"to": to, "from": from_, "body": body}
    wanted = {name: value for name, value in said.items() if value}
    received = _ask("POST", "/sandbox/messages", wanted)
    show(received, as_json, f"Texting: {received['message_sid']}")


@simulate.command()
@click.option("--calls", default=200, show_default=True, type=click.IntRange(1, 5_000))
@click.option("--seed", type=int, help="The same seed draws the same callers.")
@json_option
def day(calls: int, seed: int | None, as_json: bool) -> None:
    """A day of calls, busy at noon and quiet at night, as fast as they are answered."""
    _run({"kind": "day", "calls": calls, "seed": seed}, as_json)


@simulate.command()
@click.option("--calls", default=100, show_default=True, type=click.IntRange(1, 5_000))
@click.option("--over", "over_seconds", default=10.0, show_default=True, help="Seconds.")
@click.option("--seed", type=int, help="The same seed draws the same callers.")
@json_option
def storm(calls: int, over_seconds: float, seed: int | None, as_json: bool) -> None:
    """Many short calls at once, in real time."""
    _run({"kind": "storm", "calls": calls, "over_seconds": over_seconds, "seed": seed}, as_json)


def _run(body: dict[str, Any], as_json: bool) -> None:
    """Start it and follow it to its end; Ctrl-C stops the watching, not the calls."""
    started = _ask("POST", "/sandbox/simulations", body)
    with click.progressbar(
        length=started["total"],
        label=f"Simulating a {started['kind']}",
        hidden=as_json,
        show_pos=True,
    ) as bar:
        seen = 0
        while started["state"] == "running":
            time.sleep(POLL_SECONDS)
            started = _ask("GET", f"/sandbox/simulations/{started['id']}")
            bar.update(started["ended"] - seen)
            seen = started["ended"]
    show(started, as_json, f"{started['ended']} calls ended.")
    if started["state"] != "done":
        raise click.ClickException("The simulation failed: see VAR_DIR/log/carrier.log.")


def _ask(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    import requests

    from gateway.config import load_settings

    settings = load_settings()
    _only_sandbox(settings)
    try:
        answer = requests.request(
            method,
            settings.twilio_api_url + path,
            json=body,
            auth=(settings.twilio_account_sid, settings.twilio_auth_token),
            timeout=TIMEOUT_SECONDS,
        )
    except requests.RequestException as error:
        raise click.ClickException(
            f"The sandbox carrier at {settings.twilio_api_url} does not answer: "
            "start `ringledger up` in another terminal."
        ) from error
    document = answer.json()
    if answer.status_code >= 400:
        raise click.ClickException(str(document.get("message", document)))
    return document


def _only_sandbox(settings: "Settings") -> None:
    if not settings.sandbox:
        raise click.ClickException(
            "Twilio credentials are set: calls are simulated on the sandbox carrier only."
        )
