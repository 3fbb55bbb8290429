"""The statement as a file: every figure readable, and PDF/A-3B as an independent reader sees it
(S5-16, S5-17). veraPDF says the same; it needs Java, and is run by hand."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pypdf import PdfReader
from pypdf.generic import DictionaryObject, IndirectObject

from gateway.papers.seller import lines
from gateway.papers.statement import render
from gateway.papers.words import amount, closing_note, duration
from tests.papers.documents import CALL, ISSUED, SELLER, document


def read(**changes: Any) -> PdfReader:
    return PdfReader(io.BytesIO(render(document(CALL, **changes), SELLER, ISSUED)))


def words(reader: PdfReader) -> str:
    return "\n".join(page.extract_text() for page in reader.pages)


def objects(reader: PdfReader) -> Iterator[Any]:
    """Everything in the file, each once."""
    for generation in reader.xref.values():
        for number in generation:
            found = IndirectObject(number, 0, reader).get_object()
            yield found
            if isinstance(found, DictionaryObject):
                yield from (v for v in found.values() if isinstance(v, DictionaryObject))


def test_it_says_pdf_a_3b_in_its_metadata() -> None:
    reader = read()
    said = reader.trailer["/Root"]["/Metadata"].get_data().decode()  # type: ignore[index]
    assert "<pdfaid:part>3</pdfaid:part>" in said
    assert "<pdfaid:conformance>B</pdfaid:conformance>" in said
    assert "2026-12-01T05:06:00+00:00" in said
    assert ">Invoice and statement 9F3A01BC-000012<" in said
    assert reader.metadata is None, "nothing is said twice, so nothing can differ"
    assert reader.trailer["/Root"]["/Lang"] == "en-US"  # type: ignore[index]


def test_it_has_an_id_and_an_output_intent_with_its_profile() -> None:
    reader = read()
    assert len(reader.trailer["/ID"]) == 2  # type: ignore[arg-type]
    (intent,) = reader.trailer["/Root"]["/OutputIntents"]  # type: ignore[index]
    profile = intent.get_object()["/DestOutputProfile"].get_object()
    assert intent.get_object()["/S"] == "/GTS_PDFA1"
    assert profile["/N"] == 3 and profile.get_data()[36:40] == b"acsp", "an ICC profile of RGB"


def test_every_font_is_inside_and_nothing_is_see_through_or_moves() -> None:
    reader = read()
    fonts = [o for o in objects(reader) if isinstance(o, dict) and o.get("/Type") == "/Font"]
    described = [o for o in objects(reader) if isinstance(o, dict) and "/FontName" in o]
    assert fonts and described
    assert all("/FontFile2" in descriptor for descriptor in described)
    assert not [font for font in fonts if font.get("/Subtype") == "/Type1"], "all fonts are ours"
    for found in objects(reader):
        if isinstance(found, dict):
            assert found.get("/SMask", "/None") == "/None"
            assert found.get("/ca", 1) == found.get("/CA", 1) == 1
            assert "/JS" not in found and "/AA" not in found
    assert not reader.is_encrypted


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
