"""Every paper is PDF/A-3B as an independent reader sees it. veraPDF says the same; it needs Java,
and is run by hand."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pypdf import PdfReader
from pypdf.generic import DictionaryObject, IndirectObject

from gateway.papers import receipt, statement
from tests.papers.documents import CALL, CREDIT_NOTE, ISSUED, RECEIPT, SELLER, document

PAPERS: dict[str, Callable[[], bytes]] = {
    "statement": lambda: statement.render(document(CALL), SELLER, ISSUED),
    "receipt": lambda: receipt.render(RECEIPT, SELLER),
    "credit note": lambda: receipt.render(CREDIT_NOTE, SELLER),
}


@pytest.fixture(scope="module", params=PAPERS)
def paper(request: pytest.FixtureRequest) -> bytes:
    return PAPERS[request.param]()


def objects(reader: PdfReader) -> Iterator[Any]:
    """Everything in the file, each once."""
    for generation in reader.xref.values():
        for number in generation:
            found = IndirectObject(number, 0, reader).get_object()
            yield found
            if isinstance(found, DictionaryObject):
                yield from (v for v in found.values() if isinstance(v, DictionaryObject))


def test_it_says_pdf_a_3b_and_when_it_was_issued(paper: bytes) -> None:
    reader = PdfReader(io.BytesIO(paper))
    said = reader.trailer["/Root"]["/Metadata"].get_data().decode()  # type: ignore[index]
    assert "<pdfaid:part>3</pdfaid:part>" in said
    assert "<pdfaid:conformance>B</pdfaid:conformance>" in said
    assert "2026-12-01T05:06:00+00:00" in said
    assert reader.metadata is None, "nothing is said twice, so nothing can differ"
    assert reader.trailer["/Root"]["/Lang"] == "en-US"  # type: ignore[index]


def test_it_has_an_id_and_an_output_intent_with_its_profile(paper: bytes) -> None:
    reader = PdfReader(io.BytesIO(paper))
    assert len(reader.trailer["/ID"]) == 2  # type: ignore[arg-type]
    (intent,) = reader.trailer["/Root"]["/OutputIntents"]  # type: ignore[index]
    profile = intent.get_object()["/DestOutputProfile"].get_object()
    assert intent.get_object()["/S"] == "/GTS_PDFA1"
    assert profile["/N"] == 3 and profile.get_data()[36:40] == b"acsp", "an ICC profile of RGB"


def test_every_font_is_inside_and_nothing_is_see_through_or_moves(paper: bytes) -> None:
    reader = PdfReader(io.BytesIO(paper))
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
