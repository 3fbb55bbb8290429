from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.calendar import billing_cycle
from billing.credits import payment_in, payment_of
from billing.invoices import Price, TaxCategory, Unit, asked_for, invoice_of, tax_category
from billing.postings import PostingKind
from billing.statements import ChargeLine, Statement
from billing.terms import Mode
from billing.vat import VatKind, VatTreatment, vat_for

CENT = 10_000
GERMAN = VatTreatment(VatKind.DOMESTIC, 1900, "VAT 19 % (DE).")
UNTAXED = VatTreatment(VatKind.OUTSIDE_SCOPE, 0, "No VAT.")
MONTH = billing_cycle(1, datetime(2026, 11, 20, tzinfo=UTC), "Europe/Berlin")


def line(
    amount: int,
    *,
    rate: int | None = 50_000,
    seconds: int = 0,
    count: int = 1,
    kind: PostingKind = PostingKind.USAGE,
) -> ChargeLine:
    return ChargeLine(kind, "Inbound leg", "+1415", rate, count, seconds, amount)


def month(
    *charges: ChargeLine, mode: Mode = "postpaid", before: int = 0, currency: str = "EUR"
) -> Statement:
    return Statement(
        mode=mode,
        currency=currency,
        period=MONTH,
        opening_micros=before,
        charges=charges,
        credits=(),
        seconds=(),
        vat_micros=0,
        closing_micros=before - sum(charge.amount_micros for charge in charges),
    )


@pytest.mark.parametrize(
    "tax, net, vat, paid, rounding, due, before, mode",
    [
        pytest.param(
            GERMAN, 10_000_000, 1_900_000, 0, 0, 11_900_000, 0, "postpaid",
            id="S5-18 postpaid asks for the net and its tax",
        ),
        pytest.param(
            GERMAN, 10_000_000, 1_900_000, 11_900_000, 0, 0, 50_000_000, "prepaid",
            id="S5-17 prepaid: paid from credit, nothing due",
        ),
        pytest.param(
            GERMAN, 10_000_000, 1_900_000, 11_900_000, 0, 0, -3_000_000, "prepaid",
            id="S5-17 prepaid and overdrawn: nothing due",
        ),
        pytest.param(
            GERMAN, 10_000_000, 1_900_000, 4_760_000, 0, 7_140_000, 4_000_000, "postpaid",
            id="S5-18 what was paid before is taken off, with its tax",
        ),
        pytest.param(
            GERMAN, 10_000_000, 1_900_000, 0, 0, 11_900_000, -30_000_000, "postpaid",
            id="S5-18 an older debt is asked for by its own invoice",
        ),
        pytest.param(
            UNTAXED, 10_000_000, 0, 0, 0, 10_000_000, 0, "card_daily",
            id="S3-08 by card, no tax",
        ),
    ],
)  # fmt: skip
def test_an_invoice_says_what_is_due_of_its_own_charges(
    tax: VatTreatment,
    net: int,
    vat: int,
    paid: int,
    rounding: int,
    due: int,
    before: int,
    mode: Mode,
) -> None:
    found = invoice_of(month(line(10_000_000), mode=mode, before=before), tax)
    assert found is not None
    assert (found.net_micros, found.vat_micros, found.paid_micros) == (net, vat, paid)
    assert (found.rounding_micros, found.due_micros) == (rounding, due)


def test_a_quiet_month_is_no_invoice() -> None:
    assert invoice_of(month(), GERMAN) is None


def test_micros_become_coins_so_that_the_lines_sum_to_the_nearest_one() -> None:
    found = invoice_of(month(line(69_166), line(69_166), line(4_900)), UNTAXED)
    assert found is not None
    assert [part.net_micros for part in found.lines] == [70_000, 70_000, 0]
    assert found.net_micros == 140_000, "0.143232 is 0.14"
    assert found.due_micros == 150_000, "asked for is more, so that no micro stays open"
    assert found.rounding_micros == 10_000


@pytest.mark.parametrize(
    "charge, price",
    [
        pytest.param(
            line(69_166, seconds=83), Price(83, Unit.SECOND, 50_000, 60), id="seconds by the rate"
        ),
        pytest.param(
            line(22_500, rate=7_500, count=3, kind=PostingKind.SMS),
            Price(3, Unit.ONE, 7_500),
            id="texts by the piece",
        ),
        pytest.param(
            line(500_000, seconds=83), Price(1, Unit.ONE, 500_000), id="a minimum: as it is"
        ),
        pytest.param(line(9_990_001, rate=None), Price(1, Unit.ONE, 9_990_001), id="a fee"),
        pytest.param(
            line(-9_990_001, rate=None), Price(-1, Unit.ONE, 9_990_001), id="a correction"
        ),
    ],
)
def test_s5_01_a_line_is_priced_by_its_rate_where_that_says_the_amount(
    charge: ChargeLine, price: Price
) -> None:
    found = invoice_of(month(charge), UNTAXED)
    assert found is not None
    assert found.lines[0].price == price


def test_more_corrections_than_charges_ask_for_nothing() -> None:
    found = invoice_of(month(line(-2_500_000), line(500_000)), GERMAN)
    assert found is not None
    assert (found.net_micros, found.vat_micros) == (-2_000_000, -380_000)
    assert (found.paid_micros, found.rounding_micros, found.due_micros) == (-2_380_000, 0, 0)


@pytest.mark.parametrize(
    "country, checked, seller, category",
    [
        pytest.param("DE", False, "DE", TaxCategory.STANDARD, id="S5-19 S: at home"),
        pytest.param("FR", False, "DE", TaxCategory.STANDARD, id="S5-19 S: private, abroad"),
        pytest.param("FR", True, "DE", TaxCategory.REVERSE_CHARGE, id="S5-19 AE: business, abroad"),
        pytest.param("US", False, "DE", TaxCategory.OUTSIDE_SCOPE, id="S5-19 O: American customer"),
    ],
)
def test_the_category_of_the_tax_follows_from_both_countries(
    country: str, checked: bool, seller: str, category: TaxCategory
) -> None:
    on = date(2026, 11, 30)
    tax = vat_for(country, business_id_checked=checked, seller_country=seller, on=on)
    assert tax_category(tax) == category
    assert tax_category(VatTreatment(VatKind.DOMESTIC, 0, "")) == TaxCategory.ZERO


amounts = st.lists(st.integers(-(10**9), 10**11), min_size=1, max_size=40)
taxes = st.builds(VatTreatment, st.just(VatKind.DOMESTIC), st.integers(0, 3000), st.just(""))
currencies = st.sampled_from(["EUR", "USD", "JPY"])


@given(amounts, taxes, currencies, st.integers(-(10**11), 10**11))
def test_lines_sum_to_the_net_and_everything_is_whole_coins(
    charged: list[int], tax: VatTreatment, currency: str, before: int
) -> None:
    coin = 1_000_000 if currency == "JPY" else CENT
    statement = month(*map(line, charged), before=before, currency=currency)
    found = invoice_of(statement, tax)
    assert found is not None
    assert sum(part.net_micros for part in found.lines) == found.net_micros
    assert abs(found.net_micros - sum(charged)) * 2 <= coin
    for part in found.lines:
        assert abs(part.net_micros - part.charge.amount_micros) < coin
        assert part.net_micros % coin == 0
        assert part.price.micros >= 0, "BR-27"
    assert found.due_micros == found.total_micros - found.paid_micros + found.rounding_micros
    assert abs(found.rounding_micros) <= 3 * coin
    assert 0 <= found.due_micros <= asked_for(statement.owed_micros, tax, currency)
    assert found.due_micros % coin == found.vat_micros % coin == 0


@given(st.integers(0, 10**13), taxes, currencies)
def test_paying_what_is_asked_for_leaves_nothing_owed(
    owed: int, tax: VatTreatment, currency: str
) -> None:
    coin = 1_000_000 if currency == "JPY" else CENT
    came = payment_in(asked_for(owed, tax, currency), tax, currency)
    assert 0 <= came.net_micros - owed < coin
    assert came == payment_of(came.net_micros, tax, currency)
