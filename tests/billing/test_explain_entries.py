"""Fees, rent, packages, minutes and payments: the rule in words, and a sum that comes out."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.calendar import period
from billing.credits import payment_of
from billing.explain_entries import (
    explain_access,
    explain_change,
    explain_expiry,
    explain_issue,
    explain_package,
    explain_payment,
    explain_rent,
)
from billing.pools import Given, upgrade_grant
from billing.subscriptions import preview_change
from billing.terms import Pool
from billing.vat import VatKind, VatTreatment
from tests.billing.plans import plan

PACKAGES = [{"code": "local", "number_type": "local", "minutes": 10_000, "price": "400.00"}]


def test_s2_04_rent_names_the_number_its_month_and_the_plan() -> None:
    why = explain_rent(
        2_000_000,
        description="Rent of (212) 555-0100, from 03 Mar 2026",
        month=2,
        country="US",
        number_type="local",
        plan=plan(),
        plan_version=3,
    )
    assert why.words == (
        "Rent of (212) 555-0100, from 03 Mar 2026: $2.00 a month, a US local number, "
        "month 2 of it, in advance, plan Smallest v3"
    )
    assert why.recompute() == 2_000_000


def test_s3_08_access_names_its_term() -> None:
    why = explain_access(
        490_000_000,
        description="Access to Teams, from 03 Mar 2026",
        term="year",
        n=0,
        plan=plan(),
        plan_version=1,
    )
    assert "$490.00 a year, year 1 of the access" in why.words
    assert why.recompute() == 490_000_000


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 28))
def test_c12_a_change_is_explained_by_the_sum_that_was_previewed(
    old: int, new: int, day: int
) -> None:
    cheap = plan(access_fee={"month": f"{old / 1e6:.6f}"})
    dear = plan(access_fee={"month": f"{new / 1e6:.6f}"}, upgrade={"fee": "prorated"})
    march = period(date(2026, 3, 1), 0, "America/New_York")
    shown = preview_change(cheap, dear, term_period=march, cycle=march, on=date(2026, 3, day))
    why = explain_change(
        shown.fee_micros,
        description="Change",
        formula=shown.formula,
        plan=dear,
        plan_version=1,
    )
    assert why.recompute() == shown.fee_micros
    assert "the part for the days that were left" in why.words


def test_s1_02_a_package_shows_what_a_minute_of_it_costs() -> None:
    sold = plan(packages=PACKAGES)
    why = explain_package(
        400_000_000,
        description="10,000 local minutes, from 03 Mar 2026",
        offer=sold.terms.packages[0],
        plan=sold,
        plan_version=1,
    )
    assert "that is $0.0400/min if all are used" in why.words
    assert why.recompute() == 400_000_000


@given(
    st.integers(3, 5_000), st.integers(1, 28), st.sampled_from(["full", "prorated"]), st.booleans()
)
def test_s4_05_c12_what_an_upgrade_grants_is_all_of_it_or_says_what_is_missing(
    minutes: int, day: int, share: str, had_some: bool
) -> None:
    march = period(date(2026, 3, 1), 0, "America/New_York")
    grant = upgrade_grant(
        Pool(minutes, "account"),
        march,
        date(2026, 3, day),
        share=share,  # type: ignore[arg-type]
        given=Given(minutes // 3, stays=share == "full") if had_some else Given(),
    )
    why = explain_issue(
        grant.seconds,
        description="Minutes of the cycle",
        minutes=minutes,
        plan=plan(),
        plan_version=1,
        formula=grant.formula,
    )
    assert why.recompute() == grant.seconds
    assert ("less what the cycle" in why.words) == (grant.seconds != minutes * 60)


def test_s1_16_what_expires_is_what_was_there_less_what_was_used_and_carried() -> None:
    why = explain_expiry(300, filled_seconds=600, used_seconds=200, carried_seconds=100)
    assert why.recompute() == 300
    assert "100 s (1 min 40 s) were carried over" in why.words


@given(st.integers(10_000, 10**9), st.sampled_from([0, 700, 1_900, 2_550]))
def test_s5_19_a_credit_by_card_shows_the_tax_that_came_with_it(micros: int, rate: int) -> None:
    net = micros // 10_000 * 10_000
    paid = payment_of(net, VatTreatment(VatKind.DESTINATION, rate, "VAT (DE)."), "USD")
    why = explain_payment(
        net,
        description="Top-up (visa ····4242)",
        vat_micros=paid.vat_micros,
        rate_basis_points=paid.rate_basis_points,
        quantum_micros=10_000,
        note=paid.note,
        currency="USD",
    )
    assert why.recompute() == net


@pytest.mark.parametrize("vat, words", [(0, "VAT (DE)"), (190_000, "the card paid $1.19")])
def test_s5_19_the_words_of_a_payment(vat: int, words: str) -> None:
    why = explain_payment(
        1_000_000,
        description="Top-up",
        vat_micros=vat,
        rate_basis_points=1_900,
        quantum_micros=10_000,
        note="VAT (DE).",
        currency="USD",
    )
    assert words in why.words
