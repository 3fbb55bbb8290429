import pytest

from billing.catalogue import load_catalogue
from billing.plan_diff import DiffLine, compare
from billing.rate_page import RateRow, rate_page
from billing.rating import rate_leg
from tests.billing.buckets import inbound
from tests.billing.plans import SMALLEST, catalogue_plan, document, plan


@pytest.mark.parametrize("name", sorted(load_catalogue()))
def test_s5_06_what_is_shown_is_what_is_billed(name: str) -> None:
    sold = catalogue_plan(name)
    rows = rate_page(sold)
    shown = {prefix: row for row in rows if row.section == "outbound" for prefix in row.prefixes}
    if sold.tariff.billable_legs.forwarded:
        assert shown.keys() == sold.tariff.outbound.keys()
    for prefix, row in shown.items():
        rate = sold.tariff.outbound_rate(f"+{prefix}")
        assert rate is not None and rate.per_minute_micros == row.price_micros
    numbers = {row.label: row.price_micros for row in rows if row.section == "numbers"}
    for (country, kind), micros in sold.tariff.rental.items():
        assert numbers[f"{country} {kind}"] == micros
    messages = {p: row for row in rows if row.section == "messages" for p in row.prefixes}
    if sold.tariff.sms is not None:
        assert messages.keys() == sold.tariff.sms.outbound.keys()
        for prefix, row in messages.items():
            priced = sold.tariff.sms.outbound_rate(f"+{prefix}")
            assert priced is not None and priced.price_micros == row.price_micros
    packages = [row.price_micros for row in rows if row.section == "packages"]
    assert packages == [offer.price_micros for offer in sold.terms.packages]


def test_s5_01_a_minute_of_talk_costs_the_price_per_minute_that_is_shown() -> None:
    payg = catalogue_plan("payg")
    row = next(row for row in rate_page(payg) if row.label == "US local" and row.unit == "minute")
    assert row.price_micros == rate_leg(inbound(60), payg.tariff).charge_micros
    assert row.note == "per second"


def test_a_rate_page_has_a_row_for_every_kind_of_price() -> None:
    full = plan(
        access_fee={"month": "39.00", "year": "390.00"},
        pool={"minutes": 500},
        packages=[{"code": "local", "number_type": "local", "minutes": 10_000, "price": "1"}],
        topup={"bundles": [{"minutes": 100, "price": "5.00"}]},
        tariff={
            "connect_fee": "0.01",
            "free_until_seconds": 30,
            "rental": [{"country": "US", "number_type": "local", "per_month": "2.00"}],
            "rental_trial": {"days": 7},
            "surcharges": [{"label": "Premium", "prefixes": ["1900"], "per_minute": "1.00"}],
            "sms": {"inbound_flat": "0.01"},
        },
    )
    rows = rate_page(full)
    assert {row.section for row in rows} == {
        "access",
        "numbers",
        "inbound",
        "outbound",
        "surcharges",
        "messages",
        "packages",
        "bundles",
    }
    assert rows[0] == RateRow("access", "Access by the month", 39_000_000, "month", rows[0].note)
    assert rows[0].note == "500 minutes in each cycle"
    assert "first number free for 7 days" in {row.note for row in rows}
    assert "per second, free up to 30 s" in {row.note for row in rows}


def test_the_same_document_has_no_difference() -> None:
    for shipped in load_catalogue().values():
        assert compare(shipped, shipped) == ()


def test_two_versions_are_compared_field_by_field() -> None:
    old = document(allowed_countries=["US", "CA"], suspend_when="lt_zero")
    new = document(
        allowed_countries=["CA", "US"],
        concurrent_calls=2,
        tariff={
            "inbound": [
                {"country": "CA", "number_type": "local", "per_minute": "0.05"},
                {"country": "US", "number_type": "local", "per_minute": "0.06"},
            ]
        },
    )
    lines = compare(old, new)
    assert [line.words for line in lines] == [
        "/concurrent_calls: added, 2",
        "/suspend_when: removed, was lt_zero",
        "/tariff/inbound/CA local/country: added, CA",
        "/tariff/inbound/CA local/number_type: added, local",
        "/tariff/inbound/CA local/per_minute: added, 0.05",
        "/tariff/inbound/US local/per_minute: 0.05 → 0.06",
    ], "a moved entry and another order of countries are no change"


def test_a_comparison_read_backwards_says_the_opposite() -> None:
    new = document(in_call={"policy": "cut"}, topup={"manual": False})
    forward, backward = compare(SMALLEST, new), compare(new, SMALLEST)
    assert [DiffLine(line.path, line.after, line.before) for line in forward] == list(backward)
    assert ("/topup/manual", "no") in {(line.path, line.after) for line in forward}
