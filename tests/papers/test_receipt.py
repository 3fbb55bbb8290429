"""The receipt of a credit as a file: amount, tax, balance after it, reference, contact (S5-19)."""

import io
from typing import Any

import pytest
from pypdf import PdfReader

from gateway.papers.receipt import render
from tests.papers.documents import CREDIT_NOTE, RECEIPT, SELLER

MINUS = "\N{MINUS SIGN}"
TAXED = {
    "net_micros": 50_000_000,
    "vat_micros": 9_500_000,
    "rate_basis_points": 1_900,
    "note": "VAT 19 % (DE).",
}


def words(**changes: Any) -> str:
    reader = PdfReader(io.BytesIO(render(RECEIPT | changes, SELLER)))
    (page,) = reader.pages
    return page.extract_text()


def test_s5_19_reverse_charge_names_both_vat_ids_and_the_law() -> None:
    found = words()
    for wanted in (
        "Dora Télécom SARL",
        "VAT id FR40303265045",
        "VAT id GB123456789",
        "Reverse charge: VAT is due from the customer (article 196, Directive 2006/112/EC)",
        "Automatic recharge (Visa ····4242)",
        "Balance after this entry 57.123456 EUR",
        "topup:0197a1b2-0000-7000-8000-000000000009",
        "06:06 (Europe/Paris)",
        "Questions about billing? billing@wire.test",
    ):
        assert wanted in found, wanted
    assert "1 December 2026" in found, "the day where the customer is"


@pytest.mark.parametrize(
    "changes, there, absent",
    [
        pytest.param(
            {"payment": TAXED},
            ("VAT 19 % (DE)", "9.50", "Total paid", "59.50"),
            "No VAT",
            id="the rate of the country",
        ),
        pytest.param(
            {"payment": None}, ("No VAT was taken",), "Total paid", id="no tax was posted"
        ),
        pytest.param(
            {"kind": "adjustment", "payment": None, "reason": "goodwill", "support_contact": ""},
            ("not a payment: no VAT is due", "Reason: goodwill"),
            "Questions",
            id="a correction by staff",
        ),
        pytest.param(
            {"balance_after": -1_500_000}, (f"{MINUS}1.50 EUR",), "No VAT", id="still below zero"
        ),
    ],
)
def test_it_says_what_was_posted_and_nothing_else(
    changes: dict[str, Any], there: tuple[str, ...], absent: str
) -> None:
    found = words(**changes)
    assert all(wanted in found for wanted in there), found
    assert absent not in found


def test_c10_a_credit_note_names_the_receipt_that_it_corrects_and_the_tax_that_goes_back() -> None:
    reader = PdfReader(io.BytesIO(render(CREDIT_NOTE, SELLER)))
    found = reader.pages[0].extract_text()
    for wanted in (
        "Credit note",
        "Given back of your balance 5.00",
        "VAT 20 % (FR) 1.00",
        "Total given back 6.00",
        "Balance after this entry 52.123456 EUR",
        "visa ····4242, which paid on 21 November 2026",
        f"Corrects receipt {RECEIPT['reference']}",
        "Reason: paid twice",
        "Reference: refund:0197a1b2-0000-7000-8000-000000000011",
        "VAT id FR40303265045",
        "Questions about billing? billing@wire.test",
    ):
        assert wanted in found, wanted
    assert "Receipt" not in found
