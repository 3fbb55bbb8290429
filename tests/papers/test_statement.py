"""The statement as a file: every figure readable, fonts inside, PDF/A-3B said (S5-16, S5-17)."""

import datetime as dt
import re
import zlib
from typing import Any

import pytest

from gateway.papers.seller import Seller
from gateway.papers.statement import render
from gateway.papers.words import amount, closing_note, duration

ISSUED = dt.datetime(2026, 12, 1, 5, 6, tzinfo=dt.UTC)
SELLER = Seller.of("Wire & Co", "12 Wire Road | London EC1A 1BB", "GB123456789", "IBAN GB29|BIC X")


def charge(**changes: Any) -> dict[str, Any]:
    return {
        "kind": "usage",
        "description": "Inbound leg",
        "number": "+14155550100",
        "rate_micros": 50_000,
        "count": 1,
        "seconds": 83,
        "amount_micros": 69_166,
        **changes,
    }


def document(**changes: Any) -> dict[str, Any]:
    return {
        "number": "9F3A01BC-000012",
        "issued_on": "2026-12-01",
        "starts_on": "2026-11-01",
        "last_on": "2026-11-30",
        "due_on": None,
        "time_zone": "America/New_York",
        "currency": "USD",
        "mode": "prepaid",
        "customer": {
            "id": "x",
            "name": "Acme",
            "legal_name": "Größe Ελλάς Ω Ltd",
            "address": "1 Main Street\nReno",
            "country": "US",
            "vat_id": "",
        },
        "plan": {"code": "payg", "name": "PAYG", "version": 1, "id": "x"},
        "opening_micros": 50_000_000,
        "charges": [charge()],
        "credits": [],
        "seconds": [],
        "clients": [],
        "charges_micros": 69_166,
        "credits_micros": 0,
        "paid_from_credit_micros": 69_166,
        "vat_micros": 0,
        "closing_micros": 49_930_834,
        "owed_micros": 0,
        "overdrawn_micros": 0,
        "tax": {
            "kind": "outside_scope",
            "rate_basis_points": 0,
            "note": "No VAT: the customer is in US.",
        },
        "payable_micros": 0,
        "invoice": {
            "net_micros": 70_000,
            "vat_micros": 0,
            "total_micros": 70_000,
            "paid_micros": 70_000,
            "rounding_micros": 0,
            "due_micros": 0,
            "category": "O",
            "lines": [
                {
                    "net_micros": 70_000,
                    "quantity": 83,
                    "unit": "SEC",
                    "price_micros": 50_000,
                    "per": 60,
                }
            ],
        },
        **changes,
    }


def glyphs(pdf: bytes) -> int:
    """How much is drawn: the length of all text operations of all pages."""
    found = 0
    for stream in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL):
        try:
            found += len(re.findall(rb"Tj", zlib.decompress(stream)))
        except zlib.error:
            continue
    return found


def test_it_is_pdf_a_3b_with_its_fonts_inside() -> None:
    pdf = render(document(), SELLER, ISSUED)
    assert pdf.startswith(b"%PDF-1.7")
    assert b"<pdfaid:part>3" in pdf and b"<pdfaid:conformance>B" in pdf
    assert pdf.count(b"/FontFile2") == 2, "regular and bold, as subsets"
    assert b"2026-12-01T05:06:00+00:00" in pdf


def test_long_statements_run_over_pages() -> None:
    lines = [charge(number=f"+1415555{n:04}") for n in range(60)]
    pdf = render(document(charges=lines), SELLER, ISSUED)
    assert pdf.count(b"/Type /Page\n") > 3
    assert glyphs(pdf) > glyphs(render(document(), SELLER, ISSUED)) + 60 * 5


@pytest.mark.parametrize(
    "changes, words",
    [
        pytest.param({}, "nothing to pay", id="S5-17 prepaid owes nothing"),
        pytest.param(
            {"overdrawn_micros": 1_500_000}, "1.50 USD below zero", id="C8 prepaid, overdrawn"
        ),
        pytest.param(
            {
                "mode": "postpaid",
                "owed_micros": 1,
                "payable_micros": 20_000,
                "due_on": "2026-12-15",
            },
            "Please pay 0.02 USD, tax included, by 15 December 2026 and write 9F3A01BC-000012",
            id="S5-18 postpaid says when and how",
        ),
        pytest.param({"mode": "postpaid"}, "nothing to pay", id="S5-18 postpaid, paid"),
        pytest.param({"mode": "card_daily", "owed_micros": 1}, "Your card", id="S3-08 by card"),
    ],
)
def test_it_says_why_so_much_is_owed(changes: dict[str, Any], words: str) -> None:
    assert words in closing_note(document(**changes))


@pytest.mark.parametrize(
    "micros, text",
    [
        pytest.param(49_930_834, "49.930834", id="every micro"),
        pytest.param(-1_234_500_000, "\N{MINUS SIGN}1,234.500000", id="a real minus"),
        pytest.param(0, "0.000000", id="zero"),
    ],
)
def test_amounts_line_up_and_lose_nothing(micros: int, text: str) -> None:
    assert amount(micros) == text


@pytest.mark.parametrize(
    "seconds, text",
    [(83, "83 s"), (125, "2 min 05 s"), (112_029, "31 h 07 min 09 s")],
)
def test_time_is_exact_and_readable(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_settings_write_lines_with_bars() -> None:
    assert SELLER.address == ("12 Wire Road", "London EC1A 1BB")
    assert Seller.of("X", "", "", "") == Seller("X")
