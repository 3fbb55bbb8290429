"""Mail to a business about its balance, its service and its texts: composed, sent once, kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.providers.mail import Attachment, Mail, Mailer, SandboxMailer
from gateway.providers.telephony import ProviderError
from gateway.services import accounts, plans
from gateway.services.accounts import Account
from gateway.services.deeds import Handler
from gateway.store import mail as mailbox
from gateway.store.base import Scope
from gateway.store.outbox import DueDeed
from gateway.uow import UnitOfWork, UnitsOfWork

Payload = Mapping[str, Any]
Compose = Callable[[Account, Payload, str], tuple[str, str]]
Attach = Callable[[Account, Payload], tuple[Attachment, ...]]


def handlers(units: UnitsOfWork, mailer: Mailer, public_url: str) -> dict[str, Handler]:
    return {
        kind: lambda deed: send(units, mailer, public_url, deed, COMPOSERS[deed.kind])
        for kind in COMPOSERS
    }


def nothing(account: Account, payload: Payload) -> tuple[Attachment, ...]:
    return ()


def send(
    units: UnitsOfWork,
    mailer: Mailer,
    public_url: str,
    deed: DueDeed,
    compose: Compose,
    attach: Attach = nothing,
    secret: str = "",
) -> None:
    """A second run finds the stored copy and sends nothing. A crash between sending and storing
    sends the same mail twice: a doubled warning is better than a lost one. `secret` stands in the
    mail, and in no stored copy of one that was delivered."""
    scope = Scope(deed.tenant_id, deed.account_id)
    with units.read() as uow:
        if mailbox.is_sent(uow.connection, deed.key):
            return
        account = accounts.get_account(uow, scope)
        signature = "" if deed.kind == "text_received" else _signature(uow, account)
    subject, body = compose(account, deed.payload, public_url)
    to = str(deed.payload.get("to", account.billing_email))
    mail = Mail(to, subject, body + signature, attach(account, deed.payload))
    try:
        mailer.send(mail)
    except ProviderError as refusal:
        if refusal.permanent and mail.to == account.billing_email:
            with units.begin() as uow:
                accounts.note_bounce(uow, scope, mail.to, refusal.words)
        raise
    with units.begin() as uow:
        mailbox.keep(
            uow.connection,
            scope,
            key=deed.key,
            to_address=mail.to,
            subject=mail.subject,
            body=_kept(mail.body, secret, mailer),
            attachments=[attached.name for attached in mail.attachments],
            transport=mailer.name,
            now=uow.now,
        )


def _kept(body: str, secret: str, mailer: Mailer) -> str:
    """The sandbox delivers nothing, so its copy is the mail itself."""
    if not secret or mailer.name == SandboxMailer.name:
        return body
    return body.replace(secret, "(not kept)")


def _signature(uow: UnitOfWork, account: Account) -> str:
    """Whom to ask about a bill, as the plan says (S1-19); nothing where it says nothing."""
    contact = plans.plan_version(uow.connection, account.plan_version_id).plan.terms.support_contact
    return f"\nQuestions about billing? {contact}\n" if contact else ""


def _low_balance(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    return (
        f"{account.name}: the balance is down to {_money(payload)}",
        f"Hello,\n\nthe call-tracking balance of {account.name} has dropped to"
        f" {_money(payload)}.\nWhen it is used up, callers no longer get through.\n\n"
        f"See the balance and top it up: {url}/billing\n",
    )


def _suspended(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    return (
        f"{account.name}: tracking numbers are suspended",
        f"Hello,\n\nthe balance of {account.name} is {_money(payload)}, and its tracking numbers"
        " are suspended:\nnew callers do not get through. No number is released by this.\n\n"
        f"Service is back within seconds of a top-up: {url}/billing\n",
    )


def _callers_refused(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    return (
        f"{account.name}: new callers are turned away",
        f"Hello,\n\nthe balance of {account.name} is {_money(payload)}, which does not cover the"
        " start of a call:\nnew callers do not get through. Your numbers are kept.\n\n"
        f"They get through again from the moment of a top-up: {url}/billing\n",
    )


def _restored(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    return (
        f"{account.name}: service is restored",
        f"Hello,\n\nthe balance of {account.name} is {_money(payload)} again, and all tracking"
        f" numbers work.\n\n{url}/\n",
    )


def _text_received(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    name = payload["label"] or payload["number"]
    pictures = f"\n({payload['pictures']} pictures came along.)" if payload["pictures"] else ""
    return (
        f"Text from {payload['from']} to {name}",
        f"{payload['body']}{pictures}\n\n"
        f"From {payload['from']} to {payload['number']}.\n"
        f"Answer from the same number: {url}{payload['path']}\n",
    )


def _money(payload: Payload) -> str:
    return f"{payload['balance']} {payload['currency']}"


COMPOSERS: dict[str, Compose] = {
    "low_balance": _low_balance,
    "callers_refused": _callers_refused,
    "suspended": _suspended,
    "restored": _restored,
    "text_received": _text_received,
}
