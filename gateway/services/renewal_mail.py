"""Mail about what renews and upgrades by itself: what happened, what waits, what was dropped."""

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


def _upgraded(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    """What happened, what it costs now and later, what it gave, and the way back."""
    money, day = payload["currency"], _day(payload["next_fee_on"])
    each = "year" if payload["term"] == "year" else "month"
    later = (
        f"{payload['next_fee']} {money} a {each}, next on {day}"
        if payload["has_fee"]
        else "no access fee"
    )
    return (
        f"{account.name}: your plan is {payload['after']} now",
        f"Hello,\n\nthe minutes of {account.name} were used up, and your plan has become what its"
        f" terms say:\n\n  From        {payload['before']}\n  To          {payload['after']}\n"
        f"  Taken now   {payload['fee']} {money}\n  From now on {later}\n"
        f"  Minutes     {payload['minutes']:,} added for this cycle, which calls draw from now on\n"
        f"\nTo go back to {payload['before']}, choose it under {url}/billing/plan. A cheaper plan"
        f" begins when\nthe period that is paid ends{f', on {day}' if payload['has_fee'] else ''};"
        " nothing is paid back for it.\n",
    )


def _upgrade_held(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    return (
        f"{account.name}: the minutes are used up, and new callers are turned away",
        f"Hello,\n\nthe minutes of {account.name} are used up. {payload['words']}\n\n"
        "Until then new callers do not get through; calls that were on went on. Your numbers are"
        f" kept.\n\nYour balance: {url}/billing\nYour plan: {url}/billing/plan\n",
    )


def _day(text: str) -> str:
    return dt.date.fromisoformat(text).strftime("%d %b %Y")


def _balance(payload: Payload) -> str:
    return f"{payload['balance']} {payload['currency']}"


COMPOSERS = {
    "renewal_short": _short,
    "renewal_waits": _waits,
    "renewal_dropped": _dropped,
    "upgraded": _upgraded,
    "upgrade_held": _upgrade_held,
}


def handlers(units: UnitsOfWork, mailer: Mailer, public_url: str) -> dict[str, Handler]:
    return {
        kind: lambda deed: notices.send(units, mailer, public_url, deed, COMPOSERS[deed.kind])
        for kind in COMPOSERS
    }
