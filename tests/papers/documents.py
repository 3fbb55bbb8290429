"""Documents of statements as the service freezes them: lines from here, figures by the rules."""

import datetime as dt
from typing import Any

from billing.calendar import billing_cycle
from billing.postings import PostingKind
from billing.statements import ChargeLine, Statement
from billing.terms import Mode
from billing.vat import VatKind, VatTreatment
from gateway.papers.seller import Seller, lines
from gateway.services.statement_documents import invoice_fields

ISSUED = dt.datetime(2026, 12, 1, 5, 6, tzinfo=dt.UTC)
SELLER = Seller(
    "Wire & Co",
    lines("12 Wire Road | London EC1A 1BB"),
    "GB",
    "GB123456789",
    tax_number="12/345/678",
    bank=lines("IBAN GB29|BIC X"),
    iban="GB29NWBK60161331926819",
    creditor_id="GB98ZZZ09999999999",
)
MONTH = billing_cycle(1, dt.datetime(2026, 11, 20, tzinfo=dt.UTC), "America/New_York")
UNTAXED = VatTreatment(VatKind.OUTSIDE_SCOPE, 0, "No VAT: the customer is in US.")
CALL = ChargeLine(PostingKind.USAGE, "Inbound leg", "+14155550100", 50_000, 1, 83, 69_166)


RECEIPT: dict[str, Any] = {
    "kind": "topup",
    "description": "Automatic recharge (Visa ····4242)",
    "reason": "",
    "reference": "topup:0197a1b2-0000-7000-8000-000000000009",
    "amount": 50_000_000,
    "balance_after": 57_123_456,
    "currency": "EUR",
    "at": ISSUED.isoformat(),
    "time_zone": "Europe/Paris",
    "payment": {
        "net_micros": 50_000_000,
        "vat_micros": 0,
        "rate_basis_points": 0,
        "note": "Reverse charge: VAT is due from the customer"
        " (article 196, Directive 2006/112/EC).",
    },
    "customer": {
        "id": "0197a1b2-0000-7000-8000-000000000001",
        "name": "Dora",
        "legal_name": "Dora Télécom SARL",
        "address": "1 rue des Fils\n75001 Paris",
        "country": "FR",
        "vat_id": "FR40303265045",
    },
    "support_contact": "billing@wire.test",
}


CREDIT_NOTE: dict[str, Any] = RECEIPT | {
    "kind": "refund",
    "description": "Refund (visa ····4242)",
    "reason": "paid twice",
    "reference": "refund:0197a1b2-0000-7000-8000-000000000011",
    "corrects": RECEIPT["reference"],
    "paid_at": "2026-11-20T23:30:00+00:00",
    "card": "visa ····4242",
    "amount": 5_000_000,
    "balance_after": 52_123_456,
    "payment": {"net_micros": 5_000_000, "vat_micros": 1_000_000, "note": "VAT 20 % (FR)."},
}


def document(
    *charges: ChargeLine,
    tax: VatTreatment = UNTAXED,
    mode: Mode = "prepaid",
    currency: str = "USD",
    before: int = 50_000_000,
    customer: dict[str, str] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    charged = sum(charge.amount_micros for charge in charges)
    figures = Statement(mode, currency, MONTH, before, charges, (), (), 0, before - charged)
    return {
        "number": "9F3A01BC-000012",
        "issued_on": "2026-12-01",
        "starts_on": "2026-11-01",
        "last_on": "2026-11-30",
        "due_on": "2026-12-15" if figures.owed_micros else None,
        "time_zone": "America/New_York",
        "currency": currency,
        "mode": mode,
        "customer": {
            "id": "0197a1b2-0000-7000-8000-000000000001",
            "name": "Acme",
            "legal_name": "Größe Ελλάς Ω Ltd",
            "address": "1 Main Street\nReno",
            "country": "US",
            "vat_id": "",
            **(customer or {}),
        },
        "support_contact": "(800) 577-1872",
        "plan": {"code": "payg", "name": "PAYG", "version": 1, "id": "x"},
        "opening_micros": before,
        "charges": [
            {
                "kind": charge.kind.value,
                "description": charge.description,
                "number": charge.number,
                "rate_micros": charge.rate_micros,
                "count": charge.count,
                "seconds": charge.seconds,
                "amount_micros": charge.amount_micros,
            }
            for charge in charges
        ],
        "credits": [],
        "seconds": [],
        "clients": [],
        "charges_micros": charged,
        "credits_micros": 0,
        "paid_from_credit_micros": figures.paid_from_credit_micros,
        "vat_micros": 0,
        "closing_micros": figures.closing_micros,
        "owed_micros": figures.owed_micros,
        "overdrawn_micros": figures.overdrawn_micros,
        **invoice_fields(figures, tax),
        **changes,
    }
