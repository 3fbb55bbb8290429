"""A statement as PDF/A-3B: figures, rates, credits, shares. Every amount to the micro."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from fpdf import FPDF, FontFace
from fpdf.enums import DocumentCompliance, TableBordersLayout, TableCellFillMode

from billing.money import format_rate
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

FONT = "DejaVu"
MARGIN = 18.0
INK, QUIET, RULE = (24, 24, 27), (104, 104, 112), (210, 210, 216)
SHADE, PAPER = (244, 244, 246), (255, 255, 255)

Document = Mapping[str, Any]
Align = Sequence[str]


@dataclass(frozen=True, slots=True)
class Group:
    """A row in bold: what the rows below it, or above it, come to."""

    words: str
    amount: str


Row = Sequence[str] | Group

# Subsetting an embedded font tells at length what it leaves out.
logging.getLogger("fontTools").setLevel(logging.WARNING)


def render(document: Document, seller: Seller, issued_at: dt.datetime) -> bytes:
    """Whoever needs the same bytes twice keeps them: the file says when it was written."""
    paper = _Paper(document, seller)
    paper.set_creation_date(issued_at)
    paper.set_title(f"{title(document)} {document['number']}")
    paper.set_author(seller.name)
    paper.set_lang("en-US")
    paper.add_page()
    paper.head()
    paper.totals()
    paper.invoice()
    paper.charges()
    paper.credits()
    paper.minutes()
    paper.clients()
    return bytes(paper.output())


class _Paper(FPDF):
    def __init__(self, document: Document, seller: Seller) -> None:
        super().__init__(format="A4", enforce_compliance=DocumentCompliance.PDFA_3B)
        self.document, self.seller = document, seller
        self.currency = str(document["currency"])
        fonts = files("gateway.papers").joinpath("fonts")
        for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            with as_file(fonts.joinpath(name)) as path:
                self.add_font(FONT, style, path)
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(True, margin=22)
        self.alias_nb_pages()
        self.write_in(9)

    def write_in(self, size: float, style: str = "", colour: tuple[int, int, int] = INK) -> None:
        self.set_font(FONT, style, size)
        self.set_text_color(*colour)

    def footer(self) -> None:
        self.set_y(-15)
        self.write_in(7, colour=QUIET)
        bank = " · ".join(self.seller.bank)
        self.cell(0, 4, f"{self.seller.name} · {self.document['number']}", align="L")
        self.set_x(MARGIN)
        self.cell(0, 4, f"{self.page_no()} / {{nb}}", align="R", new_x="LMARGIN", new_y="NEXT")
        if bank and self.document["due_on"]:
            self.cell(0, 4, bank, align="L")

    def head(self) -> None:
        document, customer = self.document, self.document["customer"]
        top = self.get_y()
        self.write_in(11, "B")
        self.cell(90, 6, self.seller.name, new_x="LMARGIN", new_y="NEXT")
        self.write_in(8, colour=QUIET)
        for line in (*self.seller.address, *_vat_line(self.seller.vat_id)):
            self.cell(90, 4, line, new_x="LMARGIN", new_y="NEXT")
        left_end = self.get_y()
        self.set_xy(110, top)
        self.write_in(16, "B")
        self.cell(0, 8, title(self.document), align="R", new_x="LMARGIN", new_y="NEXT")
        self.write_in(8.5)
        facts = [
            ("Number", document["number"]),
            ("Period", period(document["starts_on"], document["last_on"])),
            ("Issued", day(document["issued_on"])),
            *([("Please pay by", day(document["due_on"]))] if document["due_on"] else []),
            ("Plan", f"{document['plan']['name']}, version {document['plan']['version']}"),
        ]
        for label, value in facts:
            self.set_x(95)
            self.write_in(8.5, colour=QUIET)
            self.cell(27, 4.6, label)
            self.write_in(8.5)
            self.cell(0, 4.6, value, align="R", new_x="LMARGIN", new_y="NEXT")
        self.set_y(max(left_end + 8, top + 18))
        self.write_in(9.5, "B")
        self.cell(75, 5, customer["legal_name"] or customer["name"], new_x="LMARGIN", new_y="NEXT")
        self.write_in(8.5)
        address = [line for line in customer["address"].splitlines() if line.strip()]
        for line in (*address, customer["country"], *_vat_line(customer["vat_id"])):
            self.cell(75, 4.4, line, new_x="LMARGIN", new_y="NEXT")
        self.set_y(max(self.get_y(), top + 46) + 4)

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
        self.ln(2)
        self.set_fill_color(*SHADE)
        self.write_in(10.5, "B")
        self.cell(110, 9, "  Total owed", fill=True)
        owed = f"{amount(document['owed_micros'], at_least=2)} {self.currency}  "
        self.cell(0, 9, owed, fill=True, align="R", new_x="LMARGIN", new_y="NEXT")
        self.ln(1.5)
        self.set_fill_color(*PAPER)
        self.write_in(8, colour=QUIET)
        note = closing_note(document)
        if document.get("debit"):
            note += f" Our creditor identifier is {self.seller.creditor_id}."
        self.multi_cell(0, 4.2, note, align="L", new_x="LMARGIN", new_y="NEXT")

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

    def heading(self, text: str) -> None:
        self.ln(5)
        if self.will_page_break(24):
            self.add_page()
        self.write_in(11, "B")
        self.cell(0, 6, text, new_x="LMARGIN", new_y="NEXT")
        self.ln(1)

    def nothing(self, text: str) -> None:
        self.write_in(8.5, colour=QUIET)
        self.cell(0, 5, text, new_x="LMARGIN", new_y="NEXT")

    def rows(
        self,
        head: Sequence[str],
        cells: Sequence[Row],
        *,
        widths: tuple[float, ...],
        align: Align,
    ) -> None:
        """A table whose head is repeated on every page that it reaches."""
        self.write_in(8)
        self.set_draw_color(*RULE)
        self.set_line_width(0.15)
        with self.table(
            col_widths=widths,
            text_align=tuple(align),
            line_height=4.6,
            padding=(0.5, 1, 0.5, 1),
            headings_style=FontFace(emphasis="", color=QUIET, size_pt=7.2),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            cell_fill_mode=TableCellFillMode.NONE,
        ) as table:
            table.row(head)
            for cell in cells:
                if isinstance(cell, Group):
                    row = table.row(style=FontFace(emphasis="BOLD"))
                    row.cell(cell.words, colspan=len(head) - 1)
                    row.cell(cell.amount)
                else:
                    table.row(cell)


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


def _vat_line(vat_id: str) -> Iterator[str]:
    if vat_id:
        yield f"VAT id {vat_id}"
