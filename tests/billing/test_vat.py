from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.vat import (
    NoVatRate,
    VatKind,
    VatSplit,
    add_vat,
    parse_rates,
    split_gross,
    standard_rate,
    vat_for,
)

TODAY = date(2026, 11, 22)
UNION = (
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
    *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
)


@pytest.mark.parametrize(
    "country, on, basis_points",
    [
        pytest.param("DE", date(2020, 6, 30), 1900, id="S5-19 Germany before the cut: 19 %"),
        pytest.param("DE", date(2020, 7, 1), 1600, id="S5-19 Germany on its first day: 16 %"),
        pytest.param("DE", date(2020, 12, 31), 1600, id="S5-19 Germany on its last day: 16 %"),
        pytest.param("DE", date(2021, 1, 1), 1900, id="S5-19 Germany after the cut: 19 %"),
        pytest.param("FI", TODAY, 2550, id="S5-19 Finland: 25.5 %"),
        pytest.param("EE", date(2025, 6, 30), 2200, id="S5-19 Estonia until June 2025: 22 %"),
        pytest.param("EE", date(2025, 7, 1), 2400, id="S5-19 Estonia from July 2025: 24 %"),
        pytest.param("RO", date(2025, 8, 1), 2100, id="S5-19 Romania from August 2025: 21 %"),
        pytest.param("SK", date(2025, 1, 1), 2300, id="S5-19 Slovakia from 2025: 23 %"),
        pytest.param("CH", date(2023, 12, 31), 770, id="S5-19 Switzerland until 2023: 7.7 %"),
        pytest.param("CH", TODAY, 810, id="S5-19 Switzerland: 8.1 %"),
        pytest.param("GB", TODAY, 2000, id="S5-19 Great Britain: 20 %"),
        pytest.param("NO", TODAY, 2500, id="S5-19 Norway: 25 %"),
        pytest.param("US", TODAY, None, id="S5-19 the United States have none"),
    ],
)
def test_the_rate_is_that_of_the_country_and_the_day(
    country: str, on: date, basis_points: int | None
) -> None:
    assert standard_rate(country, on) == basis_points


def test_the_table_holds_every_country_of_the_union_and_its_neighbours() -> None:
    assert len(set(UNION)) == 27
    for country in (*UNION, "GB", "NO", "CH"):
        rate = standard_rate(country, TODAY)
        assert rate is not None and 800 <= rate <= 2700
    with pytest.raises(NoVatRate, match="CH is known for 2017-12-31"):
        standard_rate("CH", date(2017, 12, 31))


def test_rates_are_read_oldest_first_whatever_their_order() -> None:
    rows = [
        "# words",
        "country,rate_basis_points,valid_from",
        "DE,16,2020-07-01",
        "DE,19,2007-01-01",
    ]
    assert parse_rates(rows) == {"DE": ((date(2007, 1, 1), 19), (date(2020, 7, 1), 16))}


@pytest.mark.parametrize(
    "customer, checked, seller, kind, basis_points",
    [
        pytest.param("FR", False, "FR", VatKind.DOMESTIC, 2000, id="S5-19 at home: 20 %"),
        pytest.param("FR", True, "FR", VatKind.DOMESTIC, 2000, id="S5-19 at home, VAT id: 20 %"),
        pytest.param("DE", False, "FR", VatKind.DESTINATION, 1900, id="S5-19 private, abroad"),
        pytest.param("DE", True, "FR", VatKind.REVERSE_CHARGE, 0, id="S5-19 business, abroad"),
        pytest.param("DE", True, "US", VatKind.REVERSE_CHARGE, 0, id="S5-19 seller outside"),
        pytest.param(
            "DE", False, "US", VatKind.DESTINATION, 1900, id="S5-19 private, from outside"
        ),
        pytest.param("GB", True, "FR", VatKind.REVERSE_CHARGE, 0, id="S5-19 business in Britain"),
        pytest.param("US", False, "FR", VatKind.OUTSIDE_SCOPE, 0, id="S5-19 American customer"),
        pytest.param("US", True, "US", VatKind.OUTSIDE_SCOPE, 0, id="S5-19 no VAT at all"),
    ],
)
def test_who_owes_the_tax_depends_on_both_countries_and_the_checked_id(
    customer: str, checked: bool, seller: str, kind: VatKind, basis_points: int
) -> None:
    treatment = vat_for(customer, business_id_checked=checked, seller_country=seller, on=TODAY)
    assert (treatment.kind, treatment.rate_basis_points) == (kind, basis_points)
    assert treatment.note.endswith(".")
    assert ("Reverse charge" in treatment.note) == (kind == VatKind.REVERSE_CHARGE)


@pytest.mark.parametrize(
    "split, net, vat",
    [
        pytest.param(split_gross(50_000_000, 0), 50_000_000, 0, id="S5-19 50.00 without VAT"),
        pytest.param(
            split_gross(50_000_000, 2000), 41_666_667, 8_333_333, id="S5-19 50.00 with 20 %"
        ),
        pytest.param(
            split_gross(50_000_000, 2000, quantum_micros=10_000),
            41_670_000,
            8_330_000,
            id="S5-19 50.00 with 20 % in whole cents",
        ),
        pytest.param(add_vat(100_000_000, 2550), 100_000_000, 25_500_000, id="S5-19 25.5 % on 100"),
        pytest.param(add_vat(25, 2000), 25, 5, id="S5-19 exact"),
        pytest.param(add_vat(5, 1000), 5, 0, id="S5-19 half goes to even, down"),
        pytest.param(add_vat(15, 1000), 15, 2, id="S5-19 half goes to even, up"),
    ],
)
def test_vat_is_rounded_once(split: VatSplit, net: int, vat: int) -> None:
    assert (split.net_micros, split.vat_micros) == (net, vat)


@given(st.integers(-(10**15), 10**15), st.integers(0, 3000), st.sampled_from([1, 100, 10_000]))
def test_net_and_vat_are_always_exactly_the_gross(gross: int, rate: int, quantum: int) -> None:
    split = split_gross(gross, rate, quantum_micros=quantum)
    assert split.gross_micros == gross
    assert split.vat_micros % quantum == 0
    exact = gross * rate
    assert abs(split.vat_micros * (10_000 + rate) - exact) * 2 <= quantum * (10_000 + rate)
    assert abs(add_vat(split.net_micros, rate).vat_micros - split.vat_micros) <= quantum


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(0, 3000))
def test_more_money_never_contains_less_tax(smaller: int, more: int, rate: int) -> None:
    assert split_gross(smaller, rate).vat_micros <= split_gross(smaller + more, rate).vat_micros
