"""The receipt of one credit (S5-19), or the credit note of one refund (C10), as PDF/A-3B: amount,
tax, and the balance after this entry."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from billing.postings import PostingKind
from gateway.papers.paper import Document, Group, Paper, Row
from gateway.papers.seller import Seller
from gateway.papers.words import amount, day


def render(document: Document, seller: Seller) -> bytes:
    """`document` as `gateway.services.credit_receipts` froze it with the credit, or
    `credit_notes` with the refund."""
    kind = _CreditNote if document["kind"] == PostingKind.REFUND else _Receipt
    paper = kind(document, seller)
    paper.add_page()
    paper.head()
    paper.figures()
    paper.references()
    paper.questions(document["support_contact"])
    return bytes(paper.output())


class _Receipt(Paper):
    what = "Receipt"

    def __init__(self, document: Document, seller: Seller) -> None:
        at = dt.datetime.fromisoformat(document["at"])
        super().__init__(seller, f"{self.what} {document['reference']}", at)
        self.document, self.at = document, at

    def footer(self) -> None:
        self.foot(self.document["reference"])

    def head(self) -> None:
        facts = [
            ("Date", self.day_of(self.at)),
            ("Time", f"{self.local(self.at):%H:%M} ({self.document['time_zone']})"),
        ]
        self.parties(self.what, facts, self.document["customer"])

    def local(self, at: dt.datetime) -> dt.datetime:
        return at.astimezone(ZoneInfo(self.document["time_zone"]))

    def day_of(self, at: dt.datetime) -> str:
        return day(self.local(at).date().isoformat())

    def figures(self) -> None:
        document = self.document
        currency, paid = document["currency"], document["payment"]
        self.heading(document["description"])
        rows: list[Row] = [("Credit to your balance", _figure(document["amount"]))]
        if paid:
            rows.append((paid["note"].removesuffix("."), _figure(paid["vat_micros"])))
            rows.append(Group("Total paid", _figure(document["amount"] + paid["vat_micros"])))
        self.rows(("", f"Amount ({currency})"), rows, widths=(130, 44), align=("L", "R"))
        self.total("Balance after this entry", f"{_figure(document['balance_after'])} {currency}")
        if document["kind"] != PostingKind.TOPUP:
            self.note("A correction by our staff, not a payment: no VAT is due on it.")
        elif not paid:
            self.note("No VAT was taken with this credit.")

    def references(self) -> None:
        document = self.document
        if document["reason"]:
            self.note(f"Reason: {document['reason']}")
        self.note(f"Reference: {document['reference']}")
        self.note(f"Account: {document['customer']['id']}")


class _CreditNote(_Receipt):
    what = "Credit note"

    def figures(self) -> None:
        document = self.document
        currency, parts = document["currency"], document["payment"]
        self.heading(document["description"])
        rows: list[Row] = [
            ("Given back of your balance", _figure(document["amount"])),
            (parts["note"].removesuffix("."), _figure(parts["vat_micros"])),
            Group("Total given back", _figure(document["amount"] + parts["vat_micros"])),
        ]
        self.rows(("", f"Amount ({currency})"), rows, widths=(130, 44), align=("L", "R"))
        self.total("Balance after this entry", f"{_figure(document['balance_after'])} {currency}")
        paid_on = self.day_of(dt.datetime.fromisoformat(document["paid_at"]))
        self.note(f"Given back to {document['card']}, which paid on {paid_on}.")
        self.note(
            f"Corrects receipt {document['corrects']}: price and VAT of that payment are less by"
            " these amounts."
        )


def _figure(micros: int) -> str:
    return amount(micros, at_least=2)
