"""What all our papers have in common: PDF/A-3B, our fonts, tables, who issues it to whom."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any

from fpdf import FPDF, FontFace
from fpdf.enums import DocumentCompliance, TableBordersLayout, TableCellFillMode

from gateway.papers.seller import Seller

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


class Paper(FPDF):
    """A4, with the seller on its head and on the foot of every page."""

    def __init__(self, seller: Seller, title: str, issued_at: dt.datetime) -> None:
        super().__init__(format="A4", enforce_compliance=DocumentCompliance.PDFA_3B)
        self.seller = seller
        fonts = files("gateway.papers").joinpath("fonts")
        for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            with as_file(fonts.joinpath(name)) as path:
                self.add_font(FONT, style, path)
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(True, margin=22)
        self.alias_nb_pages()
        self.set_creation_date(issued_at)
        self.set_title(title)
        self.set_author(seller.name)
        self.set_lang("en-US")
        self.write_in(9)

    def write_in(self, size: float, style: str = "", colour: tuple[int, int, int] = INK) -> None:
        self.set_font(FONT, style, size)
        self.set_text_color(*colour)

    def foot(self, reference: str, bank: str = "") -> None:
        self.set_y(-15)
        self.write_in(7, colour=QUIET)
        self.cell(0, 4, f"{self.seller.name} · {reference}", align="L")
        self.set_x(MARGIN)
        self.cell(0, 4, f"{self.page_no()} / {{nb}}", align="R", new_x="LMARGIN", new_y="NEXT")
        if bank:
            self.cell(0, 4, bank, align="L")

    def parties(
        self, title: str, facts: Iterable[tuple[str, str]], customer: Mapping[str, str]
    ) -> None:
        """The seller on the left, what this is on the right, and for whom it is below."""
        top = self.get_y()
        self.write_in(11, "B")
        self.cell(90, 6, self.seller.name, new_x="LMARGIN", new_y="NEXT")
        self.write_in(8, colour=QUIET)
        for line in (*self.seller.address, *_vat_line(self.seller.vat_id)):
            self.cell(90, 4, line, new_x="LMARGIN", new_y="NEXT")
        left_end = self.get_y()
        self.set_xy(110, top)
        self.write_in(16, "B")
        self.cell(0, 8, title, align="R", new_x="LMARGIN", new_y="NEXT")
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

    def total(self, words: str, figure: str) -> None:
        """The figure that the paper is about, on a shade."""
        self.ln(2)
        self.set_fill_color(*SHADE)
        self.write_in(10.5, "B")
        self.cell(110, 9, f"  {words}", fill=True)
        self.cell(0, 9, f"{figure}  ", fill=True, align="R", new_x="LMARGIN", new_y="NEXT")
        self.ln(1.5)
        self.set_fill_color(*PAPER)

    def note(self, text: str) -> None:
        self.write_in(8, colour=QUIET)
        self.multi_cell(0, 4.2, text, align="L", new_x="LMARGIN", new_y="NEXT")

    def questions(self, contact: str) -> None:
        """Whom to ask, where the plan says it (S1-19)."""
        if contact:
            self.ln(5)
            self.note(f"Questions about billing? {contact}")

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


def _vat_line(vat_id: str) -> Iterator[str]:
    if vat_id:
        yield f"VAT id {vat_id}"
