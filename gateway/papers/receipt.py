"""The receipt of one credit as PDF/A-3B: amount, tax, and the balance after this entry (S5-19)."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from billing.postings import PostingKind
from gateway.papers.paper import Document, Group, Paper, Row
from gateway.papers.seller import Seller
from gateway.papers.words import amount, day


def render(document: Document, seller: Seller) -> bytes:
    """`document` as `gateway.services.credit_receipts` froze it with the credit."""
    paper = _Receipt(document, seller)
    paper.add_page()
    paper.head()
    paper.figures()
    paper.questions(document["support_contact"])
    return bytes(paper.output())


class _Receipt(Paper):
    def __init__(self, document: Document, seller: Seller) -> None:
        at = dt.datetime.fromisoformat(document["at"])
        super().__init__(seller, f"Receipt {document['reference']}", at)
        self.document, self.at = document, at

    def footer(self) -> None:
        self.foot(self.document["reference"])

    def head(self) -> None:
        local = self.at.astimezone(ZoneInfo(self.document["time_zone"]))
        facts = [
            ("Date", day(local.date().isoformat())),
            ("Time", f"{local:%H:%M} ({self.document['time_zone']})"),
        ]
        self.parties("Receipt", facts, self.document["customer"])

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
        if document["reason"]:
            self.note(f"Reason: {document['reason']}")
        self.note(f"Reference: {document['reference']}")
        self.note(f"Account: {document['customer']['id']}")


def _figure(micros: int) -> str:
    return amount(micros, at_least=2)
