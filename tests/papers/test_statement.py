"""The statement as a file: every figure readable (S5-16, S5-17)."""

import io
from dataclasses import replace
from typing import Any

import pytest
from pypdf import PdfReader

from gateway.papers.seller import lines
from gateway.papers.statement import render
from gateway.papers.words import amount, closing_note, duration
from tests.papers.documents import CALL, ISSUED, SELLER, document


def read(**changes: Any) -> PdfReader:
    return PdfReader(io.BytesIO(render(document(CALL, **changes), SELLER, ISSUED)))


def words(reader: PdfReader) -> str:
    return "\n".join(page.extract_text() for page in reader.pages)


def test_it_is_titled_by_its_number() -> None:
    said = read().trailer["/Root"]["/Metadata"].get_data().decode()  # type: ignore[index]
    assert ">Invoice and statement 9F3A01BC-000012<" in said


def test_every_figure_can_be_read_from_it() -> None:
    found = words(read(customer={"vat_id": "DE136695976"}))
    for wanted in (
        "9F3A01BC-000012",
        "1 November 2026 to 30 November 2026",
        "Größe Ελλάς Ω Ltd",
        "VAT id DE136695976",
        "50.000000",
        "0.0500 / min",
        "83 s",
        "49.930834",
        "Total owed 0.00 USD",
        "Paid already, from your credit",
        "Questions about billing? (800) 577-1872",
    ):
        assert wanted in found, wanted


def test_a_quiet_month_is_a_statement_and_no_invoice() -> None:
    reader = PdfReader(io.BytesIO(render(document(), SELLER, ISSUED)))
    found = words(reader)
    assert "Invoice" not in found and "Nothing was charged in this period." in found


def test_long_statements_run_over_pages_and_repeat_their_heads() -> None:
    calls = [replace(CALL, number=f"+1415555{n:04}") for n in range(60)]
    reader = PdfReader(io.BytesIO(render(document(*calls), SELLER, ISSUED)))
    assert len(reader.pages) > 2
    assert all("Billed time" in page.extract_text() for page in reader.pages)
    assert words(reader).count("0.069166") == 120, "of each number, and of its line"


@pytest.mark.parametrize(
    "changes, wanted",
    [
        pytest.param({}, "nothing to pay", id="S5-17 prepaid owes nothing"),
        pytest.param(
            {"overdrawn_micros": 1_500_000}, "1.50 USD below zero", id="C8 prepaid, overdrawn"
        ),
        pytest.param(
            {"mode": "postpaid", "before": 0},
            "Please pay 0.07 USD, tax included, by 15 December 2026 and write 9F3A01BC-000012",
            id="S5-18 postpaid says when and how",
        ),
        pytest.param({"mode": "postpaid"}, "nothing to pay", id="S5-18 postpaid, paid"),
        pytest.param(
            {"mode": "card_daily", "before": 0, "due_on": None}, "Your card", id="S3-08 by card"
        ),
    ],
)
def test_it_says_why_so_much_is_owed(changes: dict[str, Any], wanted: str) -> None:
    assert wanted in closing_note(document(CALL, **changes))


@pytest.mark.parametrize(
    "creditor_id, said",
    [
        pytest.param("GB98ZZZ09999999999", True, id="S5-18 on each debit's announcement"),
        pytest.param("", False, id="where the setting is empty by now"),
    ],
)
def test_the_creditor_is_named_beside_the_mandate(creditor_id: str, said: bool) -> None:
    debit = {
        "amount": "0.07",
        "iban": "DE02",
        "collect_on": "2026-12-15",
        "mandate": "M-17",
        "signed_on": "2026-03-02",
    }
    owing = document(CALL, mode="postpaid", before=0, debit=debit)
    seller = replace(SELLER, creditor_id=creditor_id)
    found = words(PdfReader(io.BytesIO(render(owing, seller, ISSUED))))
    assert "under your mandate" in " ".join(found.split())
    assert ("creditor identifier" in " ".join(found.split())) == said


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
    assert lines(" | ") == ()
