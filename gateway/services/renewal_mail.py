"""Mail about what renews: what will be missing, what waits, what was dropped."""

from __future__ import annotations

import datetime as dt

from gateway.providers.mail import Mailer
from gateway.services import notices
from gateway.services.accounts import Account
from gateway.services.deeds import Handler
from gateway.services.notices import Payload
from gateway.uow import UnitsOfWork

_POLICIES = {
    "post_anyway": "It is charged all the same; a balance below zero suspends your numbers.",
    "suspend": "What is not covered waits, and service with it, until you top up.",
    "drop": "What is not covered is not renewed and ends on that day.",
}


def _short(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    day = dt.datetime.fromisoformat(payload["on"]).strftime("%d %b %Y")
    money = payload["currency"]
    lines = "\n".join(f"  {line}" for line in payload["lines"])
    return (
        f"{account.name}: {payload['missing']} {money} missing for what renews by {day}",
        f"Hello,\n\nby {day} these renew for {account.name}:\n\n{lines}\n\n"
        f"Together {payload['total']} {money}; the balance is {payload['balance']} {money}.\n"
        f"{_POLICIES[payload['policy']]}\n\nTop up before: {url}/billing\n",
    )


def _waits(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    return (
        f"{account.name}: {payload['what']} waits for a top-up",
        f"Hello,\n\nthe balance of {account.name} is {_balance(payload)} and does not cover"
        f" {payload['what']}.\nIt renews as soon as the balance allows. No number is given up.\n\n"
        f"Top up: {url}/billing\n",
    )


def _dropped(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    return (
        f"{account.name}: {payload['what']} was not renewed",
        f"Hello,\n\nthe balance of {account.name} is {_balance(payload)} and did not cover"
        f" {payload['what']}, which has ended.\n\nSee your plan: {url}/billing\n",
    )


def _balance(payload: Payload) -> str:
    return f"{payload['balance']} {payload['currency']}"


COMPOSERS = {
    "renewal_short": _short,
    "renewal_waits": _waits,
    "renewal_dropped": _dropped,
}


def handlers(units: UnitsOfWork, mailer: Mailer, public_url: str) -> dict[str, Handler]:
    return {
        kind: lambda deed: notices.send(units, mailer, public_url, deed, COMPOSERS[deed.kind])
        for kind in COMPOSERS
    }
