from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.credits import credit_of, payment_of, vat_posting
from billing.minor_units import NotWhole, from_minor, quantum_micros, to_minor
from billing.postings import AccountKind
from billing.vat import VatKind, VatTreatment

GERMAN = VatTreatment(VatKind.DOMESTIC, 1900, "VAT 19 % (DE).")
NONE = VatTreatment(VatKind.OUTSIDE_SCOPE, 0, "No VAT.")


@pytest.mark.parametrize(
    "micros, currency, minor",
    [
        pytest.param(40_070_000, "USD", 4007, id="40.07 USD"),
        pytest.param(5_000_000, "JPY", 5, id="5 JPY have no cents"),
        pytest.param(1_230_000, "KWD", 1230, id="1.230 KWD"),
    ],
)
def test_a_card_is_told_the_number_of_its_smallest_coins(
    micros: int, currency: str, minor: int
) -> None:
    assert to_minor(micros, currency) == minor
    assert from_minor(minor, currency) == micros


@pytest.mark.parametrize("micros, currency", [(40_069_166, "USD"), (5_500_000, "JPY")])
def test_a_part_of_a_coin_cannot_be_paid(micros: int, currency: str) -> None:
    with pytest.raises(NotWhole):
        to_minor(micros, currency)


@pytest.mark.parametrize(
    "net, treatment, vat",
    [
        pytest.param(50_000_000, GERMAN, 9_500_000, id="S5-19 50.00 and 19 %"),
        pytest.param(50_000_000, NONE, 0, id="S5-19 50.00 without VAT"),
        pytest.param(10_010_000, GERMAN, 1_900_000, id="S5-19 1.9019 is rounded to 1.90"),
    ],
)
def test_tax_comes_on_top_in_whole_cents(net: int, treatment: VatTreatment, vat: int) -> None:
    payment = payment_of(net, treatment, "EUR")
    assert (payment.net_micros, payment.vat_micros) == (net, vat)
    assert payment.gross_micros % quantum_micros("EUR") == 0


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_what_was_taken_is_what_is_credited_and_taxed(cents: int, taken_cents: int) -> None:
    payment = payment_of(cents * 10_000, GERMAN, "EUR")
    assert credit_of(payment, payment.gross_micros, "EUR").net_micros == payment.net_micros
    assert credit_of(payment, taken_cents * 10_000, "EUR").gross_micros == taken_cents * 10_000


def test_the_tax_of_a_payment_moves_no_wallet() -> None:
    line = vat_posting(
        UUID(int=1),
        amount=9_500_000,
        unit="EUR",
        at=datetime(2026, 11, 22, tzinfo=UTC),
        account_id=UUID(int=2),
        note=GERMAN.note,
    )
    assert (line.debit, line.credit) == (AccountKind.CASH, AccountKind.TAX)
    assert line.owned is None and line.balance_after is None
