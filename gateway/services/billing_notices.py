"""Mail and webhooks about debits, alerts and arrears; and what became of them."""

from __future__ import annotations

from gateway.providers.hooks import Hooks
from gateway.providers.mail import Mailer
from gateway.services import alerts, debits, dunning, notices
from gateway.services.accounts import Account
from gateway.services.deeds import Handler
from gateway.services.notices import Compose, Payload
from gateway.store.base import Scope
from gateway.store.outbox import DueDeed
from gateway.uow import UnitsOfWork


def handlers(
    units: UnitsOfWork, mailer: Mailer, hooks: Hooks, public_url: str
) -> dict[str, Handler]:
    def mail(deed: DueDeed) -> None:
        notices.send(units, mailer, public_url, deed, COMPOSERS[deed.kind])

    def hook(deed: DueDeed) -> None:
        _post(units, hooks, deed)

    return {
        debits.RETURNED: mail,
        "alert": mail,
        "alert_hook": hook,
        dunning.NOTICE: dunning.followed(units, mail),
        dunning.HOOK_NOTICE: dunning.followed(units, hook),
    }


def _post(units: UnitsOfWork, hooks: Hooks, deed: DueDeed) -> None:
    """To the address of the moment: it may have been mended since the event."""
    with units.read() as uow:
        reach = alerts.find_reach(uow, Scope(deed.tenant_id, deed.account_id))
    if not reach.hook_url:
        return
    event = {
        "id": deed.key,
        "type": deed.kind.removesuffix("_hook"),
        "account_id": str(deed.account_id),
        **deed.payload,
    }
    hooks.post(reach.hook_url, reach.hook_secret, event)


def _debit_returned(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    amount = f"{payload['amount']} {payload['currency']}"
    return (
        f"{account.name}: a debit came back",
        f"Hello,\n\nyour bank gave back our debit of {amount} from {payload['iban']} for"
        f" {payload['label']}.\n{payload['words']}\n\n"
        f"The amount is due now: please pay it by transfer and write {payload['label']} as the"
        f" reference.\n{url}/billing/statements\n",
    )


def _alert(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    return (
        f"{account.name}: {payload['words']}",
        f"Hello,\n\n{payload['words']}\nNow: {_reading(payload)}.\n\n"
        "This is sent once, and again only after it has risen above that.\n"
        f"See the account: {url}/billing\nChange the warnings: {url}/billing/alerts\n",
    )


def _reading(payload: Payload) -> str:
    unit = {"money": payload["currency"], "minutes": "minutes", "days": "days"}[payload["measure"]]
    return f"{payload['reading']} {unit}"


def _arrears(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    owed = (
        f"{payload['owed']} {payload['currency']} has been due since {payload['overdue_on']}."
        if payload["owed"] != "0.00"
        else f"The balance has been used up since {payload['overdue_on']}."
    )
    return (
        f"{account.name}: payment is overdue",
        f"Hello,\n\n{owed}\nPlease pay, or tell us when you will. No number is given up by this"
        " notice, and none without a person having looked.\n\n"
        f"Balance: {payload['balance']} {payload['currency']}\n{url}/billing\n",
    )


COMPOSERS: dict[str, Compose] = {
    debits.RETURNED: _debit_returned,
    "alert": _alert,
    dunning.NOTICE: _arrears,
}
