"""The mail about a statement: what it comes to, how it is paid, and its paper.

The paper is the e-invoice (Factur-X) where one can be made, else the plain PDF; an account that
keeps its mail small gets neither.
"""

from __future__ import annotations

from functools import partial
from uuid import UUID

from gateway.config import Settings
from gateway.providers.mail import Attachment, Mailer
from gateway.services import einvoices, notices, statement_files
from gateway.services.accounts import Account
from gateway.services.deeds import Handler
from gateway.services.notices import Payload
from gateway.store.outbox import DueDeed
from gateway.uow import UnitsOfWork

STATEMENT = "statement"


def handlers(units: UnitsOfWork, mailer: Mailer, settings: Settings) -> dict[str, Handler]:
    def attach(account: Account, payload: Payload) -> tuple[Attachment, ...]:
        if not account.attach_statement:
            return ()
        statement_id = UUID(payload["id"])
        read = partial(einvoices.best_pdf, units, account.scope, statement_id, settings)
        return (Attachment(f"{payload['label']}.pdf", statement_files.PDF, read),)

    def mail(deed: DueDeed) -> None:
        notices.send(units, mailer, settings.public_url, deed, _statement, attach)

    return {STATEMENT: mail}


def _statement(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    currency = payload["currency"]
    owed = f"Total owed: {payload['owed']} {currency}.\n{_how_to_pay(payload)}"
    return (
        f"{account.name}: statement {payload['label']}",
        f"Hello,\n\nthe statement of {account.name} from {payload['starts_on']} to"
        f" {payload['last_on']} is ready.\n\n"
        f"Charges: {payload['charges']} {currency}\n"
        f"Balance at the end: {payload['closing']} {currency}\n{owed}\n"
        "As PDF with every rate, and as CSV with every leg:"
        f" {url}/billing/statements/{payload['id']}\n",
    )


def _how_to_pay(payload: Payload) -> str:
    if not payload["due_on"]:
        return ""
    payable, debit = f"{payload['payable']} {payload['currency']}", payload["debit"]
    if debit:
        return (
            f"{payload['tax']} We collect {debit['amount']} {payload['currency']} from"
            f" {debit['iban']} on {debit['collect_on']} under your mandate {debit['mandate']}:"
            " there is nothing for you to do.\n"
        )
    return (
        f"{payload['tax']} Please pay {payable} by {payload['due_on']} and write"
        f" {payload['label']} as the reference.\n"
    )
