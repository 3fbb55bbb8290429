"""A statement as PDF/A-3B: figures, rates, credits, shares. Every amount to the micro."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from billing.money import format_rate
from gateway.papers.paper import Document, Group, Paper, Row
from gateway.papers.seller import Seller
from gateway.papers.words import (
    KINDS,
    SECONDS_WORDS,
    TOTALS,
    amount,
    closing_note,
    day,
    duration,
    invoice_rows,
    period,
    rate_words,
    title,
)


def render(document: Document, seller: Seller, issued_at: dt.datetime) -> bytes:
    """Whoever needs the same bytes twice keeps them: the file says when it was written."""
    paper = _Statement(document, seller, issued_at)
    paper.add_page()
    paper.head()
    paper.totals()
    paper.invoice()
    paper.charges()
    paper.credits()
    paper.minutes()
    paper.clients()
    paper.questions(document.get("support_contact", ""))
    return bytes(paper.output())


class _Statement(Paper):
    def __init__(self, document: Document, seller: Seller, issued_at: dt.datetime) -> None:
        super().__init__(seller, f"{title(document)} {document['number']}", issued_at)
        self.document = document
        self.currency = str(document["currency"])

    def footer(self) -> None:
        bank = " · ".join(self.seller.bank) if self.document["due_on"] else ""
        self.foot(self.document["number"], bank)

    def head(self) -> None:
        document = self.document
        facts = [
            ("Number", document["number"]),
            ("Period", period(document["starts_on"], document["last_on"])),
            ("Issued", day(document["issued_on"])),
            *([("Please pay by", day(document["due_on"]))] if document["due_on"] else []),
            ("Plan", f"{document['plan']['name']}, version {document['plan']['version']}"),
        ]
        self.parties(title(document), facts, document["customer"])

    def totals(self) -> None:
        """Opening, charges, credits, closing, and what is to be paid."""
        document = self.document
        self.heading("Summary")
        rows = [
            (label, amount(sign * document[field]))
            for field, label, sign in TOTALS
            if document[field] or field in ("opening_micros", "charges_micros", "closing_micros")
        ]
        self.rows(("", f"Amount ({self.currency})"), rows, widths=(130, 44), align=("L", "R"))
        owed = f"{amount(document['owed_micros'], at_least=2)} {self.currency}"
        self.total("Total owed", owed)
        note = closing_note(document)
        if document.get("debit") and self.seller.creditor_id:
            note += f" Our creditor identifier is {self.seller.creditor_id}."
        self.note(note)

    def charges(self) -> None:
        lines = self.document["charges"]
        self.heading("Charges")
        if not lines:
            self.nothing("Nothing was charged in this period.")
            return
        rows: list[Row] = []
        for number, group in groupby(lines, key=lambda line: line["number"]):
            found = list(group)
            together = sum(line["amount_micros"] for line in found)
            rows.append(Group(number or "Account", amount(together)))
            rows += [_charge_cells(line) for line in found]
        rows.append(Group("Together", amount(self.document["charges_micros"])))
        head = ("What", f"Rate ({self.currency})", "Count", "Billed time", "Amount")
        self.rows(head, rows, widths=(70, 34, 15, 26, 29), align=("L", "R", "R", "R", "R"))

    def invoice(self) -> None:
        """The charges as tax offices read them: in whole coins, with the tax."""
        found = self.document.get("invoice")
        if found is None:
            return
        self.heading("Invoice of this period")
        rows: list[Row] = [
            (label, amount(micros, at_least=2)) for label, micros in invoice_rows(self.document)
        ]
        rows.append(Group("Due for this period", amount(found["due_micros"], at_least=2)))
        self.rows(("", f"Amount ({self.currency})"), rows, widths=(130, 44), align=("L", "R"))

    def credits(self) -> None:
        lines = self.document["credits"]
        if not lines:
            return
        self.heading("Credits")
        zone = ZoneInfo(self.document["time_zone"])
        rows = [
            (
                f"{dt.datetime.fromisoformat(line['at']).astimezone(zone):%d %b %Y, %H:%M}",
                line["description"],
                amount(line["amount_micros"]),
                amount(line["balance_after_micros"]),
            )
            for line in lines
        ]
        head = ("When", "What", f"Amount ({self.currency})", "Balance after")
        self.rows(head, rows, widths=(38, 64, 36, 36), align=("L", "L", "R", "R"))

    def minutes(self) -> None:
        lines = self.document["seconds"]
        if not lines:
            return
        self.heading("Minutes paid in advance")
        rows = [(SECONDS_WORDS[line["kind"]], duration(line["seconds"])) for line in lines]
        self.rows(("", "Time"), rows, widths=(130, 44), align=("L", "R"))

    def clients(self) -> None:
        lines = self.document["clients"]
        if not lines:
            return
        self.heading("Shares of the charges, by client")
        rows: list[Row] = [
            (
                line["name"],
                duration(line["used_seconds"]),
                amount(line["own_micros"]),
                amount(line["shared_micros"]),
                amount(line["total_micros"]),
            )
            for line in lines
        ]
        rows.append(Group("Together", amount(self.document["charges_micros"])))
        head = ("Client", "Shared minutes", "Own", "Part of shared", f"Total ({self.currency})")
        self.rows(head, rows, widths=(56, 28, 28, 30, 32), align=("L", "R", "R", "R", "R"))


def _charge_cells(line: Mapping[str, Any]) -> tuple[str, ...]:
    words = line["description"] or KINDS.get(line["kind"], line["kind"])
    rate = line["rate_micros"]
    return (
        words,
        "" if rate is None else f"{format_rate(rate)} {rate_words(line['kind'])}",
        f"{line['count']:,}",
        duration(line["seconds"]) if line["seconds"] else "",
        amount(line["amount_micros"]),
    )
