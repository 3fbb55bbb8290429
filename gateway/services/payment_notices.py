"""Mail about cards: receipts of credits, declines, the bank's questions, recharges that wait."""

from __future__ import annotations

import datetime as dt
from functools import partial

from billing.credits import Payment
from billing.declines import cure, reason
from billing.money import format_amount
from billing.postings import PostingKind
from gateway.config import Settings
from gateway.providers.mail import Attachment, Mailer
from gateway.services import notices, receipt_files
from gateway.services.accounts import Account
from gateway.services.credit_receipts import RECEIPT
from gateway.services.deeds import Handler
from gateway.services.notices import Attach, Compose, Payload
from gateway.services.payment_deeds import ACTION, DECLINED, HELD
from gateway.services.refunding import CREDIT_NOTE, SENT_BACK
from gateway.services.statement_files import PDF
from gateway.uow import UnitsOfWork


def handlers(units: UnitsOfWork, mailer: Mailer, settings: Settings) -> dict[str, Handler]:
    composers: dict[str, Compose] = {
        DECLINED: _declined,
        ACTION: _action,
        HELD: _held,
        SENT_BACK: _sent_back,
    }

    def attach(account: Account, payload: Payload) -> tuple[Attachment, ...]:
        key = payload.get("reference")
        if key is None or not account.attach_statement:
            return ()
        read = partial(receipt_files.pdf, units, account.scope, key, settings)
        return (Attachment(receipt_files.file_name(key), PDF, read),)

    def sender(compose: Compose, attach: Attach = notices.nothing) -> Handler:
        return lambda deed: notices.send(units, mailer, settings.public_url, deed, compose, attach)

    return {kind: sender(compose) for kind, compose in composers.items()} | {
        RECEIPT: sender(receipt, attach),
        CREDIT_NOTE: sender(_credit_note, attach),
    }


def receipt(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    """Subject and body."""
    currency = payload["currency"]
    when = dt.datetime.fromisoformat(payload["at"])
    lines = [
        "Hello,",
        "",
        f"this is the receipt for a credit to the call-tracking balance of {account.name}.",
        "",
        *_row("Credit", _money(payload["amount"], currency)),
        *_tax_rows(payload),
        *_row("Balance after it", _money(payload["balance_after"], currency)),
        "",
        *_row("What", payload["description"]),
        *_row("Reason", payload["reason"]),
        *_row("When", f"{when:%Y-%m-%d %H:%M:%S} UTC"),
        *_row("Reference", payload.get("reference", "")),
        *_row("Account", str(account.id)),
        *_row("Your VAT id", payload["tax"]["vat_id"]),
        "",
        f"All lines: {url}/billing",
        "",
    ]
    credited = _money(payload["amount"], currency)
    return f"{account.name}: receipt for {credited}", "\n".join(lines)


def _tax_rows(payload: Payload) -> list[str]:
    """What was posted, and nothing that was not."""
    if payload["kind"] != PostingKind.TOPUP:
        return ["A correction by our staff, not a payment: no VAT is due on it."]
    if payload["payment"] is None:
        return _row("VAT", "none was taken with this credit")
    payment, currency = Payment(**payload["payment"]), payload["currency"]
    return [
        *_row("VAT", f"{_money(payment.vat_micros, currency)}  ({payment.note})"),
        *_row("Total with VAT", _money(payment.gross_micros, currency)),
    ]


def _credit_note(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    currency, gross = payload["currency"], payload["amount"] + payload["vat"]
    when = dt.datetime.fromisoformat(payload["at"])
    lines = [
        "Hello,",
        "",
        f"this is the credit note for money given back to {account.name}: it is on its way to"
        f" {payload['card']},",
        f"which paid on {payload['paid_at'][:10]}. Banks take five to ten days to show it.",
        "",
        *_row("Given back", _money(payload["amount"], currency)),
        *_row("VAT", f"{_money(payload['vat'], currency)}  ({payload['vat_note']})"),
        *_row("Total to card", _money(gross, currency)),
        *_row("Balance after it", _money(payload["balance_after"], currency)),
        "",
        *_row("Reason", payload["reason"]),
        *_row("When", f"{when:%Y-%m-%d %H:%M:%S} UTC"),
        *_row("Reference", payload.get("reference", "")),
        *_row("Account", str(account.id)),
        *_row("Your VAT id", payload["vat_id"]),
        "",
        f"All lines: {url}/billing",
        "",
    ]
    return f"{account.name}: credit note for {_money(gross, currency)}", "\n".join(lines)


def _sent_back(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    gross = _money(payload["amount"] + payload["vat"], payload["currency"])
    return (
        f"{account.name}: {gross} could not be given back",
        f"Hello,\n\nthe bank of {payload['card']} did not take the {gross} that we gave back, for"
        f" the reason “{payload['reason']}”.\nThe {_money(payload['amount'], payload['currency'])}"
        " that had left your balance for it are in it again, and our credit note is void.\n\n"
        f"All lines: {url}/billing\n",
    )


def _declined(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    code, amount = payload["code"], _money(payload["amount"], payload["currency"])
    again = payload.get("again_at")
    later = f"\nIt is tried again on {again[:10]}, unless you pay before that." if again else ""
    return (
        f"{account.name}: your card was declined",
        f"Hello,\n\n{payload['card']} was declined for {amount}.\n{reason(code)} {cure(code)}\n"
        f"{later}\n"
        f"The balance is {_money(payload['balance'], payload['currency'])}. When it is used up,"
        " callers no longer get through.\n\n"
        f"Your cards: {url}/billing/cards\nPay once by another card: {url}/billing/top-up\n",
    )


def _action(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    amount = _money(payload["amount"], payload["currency"])
    return (
        f"{account.name}: confirm a payment of {amount}",
        f"Hello,\n\nyour bank wants you to confirm a payment of {amount} by {payload['card']}.\n"
        "Nothing is taken before that; without it the payment is dropped after a day.\n\n"
        f"Confirm it here: {url}/billing/charges/{payload['charge_id']}\n",
    )


def _held(account: Account, payload: Payload, url: str) -> tuple[str, str]:
    balance = _money(payload["balance"], payload["currency"])
    return (
        f"{account.name}: automatic recharge waits",
        f"Hello,\n\nthe balance of {account.name} is {balance}, below the minimum that you chose,\n"
        f"but no card was charged: {payload['words']}\n\n"
        f"Settings: {url}/billing/recharge\nPay once by card: {url}/billing/top-up\n",
    )


def _row(name: str, value: str) -> list[str]:
    return [f"{name + ':':<18}{value}"] if value else []


def _money(micros: int, currency: str) -> str:
    return f"{format_amount(micros)} {currency}"
