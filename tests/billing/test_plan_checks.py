from typing import Any

import pytest

from billing.catalogue import CARRIER_COST, load_catalogue
from billing.plan_checks import plan_warnings, tier_warnings
from billing.tariffs import Plan
from tests.billing.plans import catalogue_plan, plan

CARRIER = catalogue_plan(CARRIER_COST)
STARTED_MINUTE = {"increment": {"initial_seconds": 60, "step_seconds": 60}}


def warned(checked: Plan) -> list[tuple[str, str]]:
    return [(warning.path, warning.message) for warning in plan_warnings(checked, CARRIER)]


def outbound(prefix: str, per_minute: str = "0.05") -> dict[str, Any]:
    return {"label": f"+{prefix}", "prefixes": [prefix], "per_minute": per_minute}


def test_a_plan_that_earns_on_every_call_has_no_warning() -> None:
    dear_alaska = [outbound("1"), outbound("1907", "0.18"), outbound("1340", "0.1")]
    caribbean = [outbound(p, "0.45") for p in CARRIER.tariff.outbound if len(p) == 4]
    rest = [row for row in caribbean if row["prefixes"][0] not in ("1907", "1340")]
    assert warned(plan(tariff={**STARTED_MINUTE, "outbound": dear_alaska + rest})) == []


@pytest.mark.parametrize(
    "price, dear",
    [
        pytest.param("499.99", False, id="S1-02 0.049999 a minute in the package, 0.05 outside"),
        pytest.param("500.00", True, id="S1-02 0.05 a minute in the package, 0.05 outside"),
    ],
)
def test_a_package_dearer_than_the_plan_is_shown_before_publishing(price: str, dear: bool) -> None:
    package = {"code": "local_10k", "number_type": "local", "minutes": 10_000, "price": price}
    paths = [path for path, _ in warned(plan(packages=[package]))]
    assert ("/packages/0/price" in paths) is dear


def test_an_allowed_country_of_which_only_some_numbers_have_a_price_is_a_gap() -> None:
    mobiles_only = plan(allowed_countries=["GB"], tariff={"outbound": [outbound("447", "0.09")]})
    gaps = [words for path, words in warned(mobiles_only) if path == "/allowed_countries/0"]
    assert len(gaps) == 1
    assert "a landline in GB" in gaps[0] and "add a prefix of +44" in gaps[0]


def test_a_destination_sold_below_its_cost_through_a_shorter_prefix_is_a_gap() -> None:
    words = [words for path, words in warned(plan()) if path == "/tariff/outbound"]
    assert any("+1907" in line and "sold at 0.0500 by prefix 1" in line for line in words)


@pytest.mark.parametrize(
    "tariff, path, seconds",
    [
        pytest.param(
            {}, "/tariff/increment", "5 s", id="5 s by the second: a started minute costs"
        ),
        pytest.param(
            {**STARTED_MINUTE, "free_until_seconds": 30},
            "/tariff/free_until_seconds",
            "30 s",
            id="S4-13 30 s free, and the carrier charges them",
        ),
    ],
)
def test_calls_that_lose_money_are_shown_before_publishing(
    tariff: dict[str, Any], path: str, seconds: str
) -> None:
    assert any(found == path and seconds in words for found, words in warned(plan(tariff=tariff)))


def test_a_pool_that_costs_more_than_its_fee_is_shown() -> None:
    pool = plan(pool={"minutes": 1_000}, access_fee={"month": "22.49"})
    assert ("/pool/minutes", "1000 minutes cost up to 22.50, and the access fee is 22.49") in (
        warned(pool)
    )


def test_messages_and_numbers_below_their_cost_are_shown() -> None:
    sms = {
        "inbound_flat": "0.001",
        "outbound": [{"label": "US", "prefixes": ["1"], "price": "0.001"}],
    }
    rental = [{"country": "US", "number_type": "local", "per_month": "1.14"}]
    paths = {path for path, _ in warned(plan(tariff={"sms": sms, "rental": rental}))}
    assert paths >= {
        "/tariff/sms/inbound_flat",
        "/tariff/sms/outbound",
        "/tariff/rental/0/per_month",
    }


def test_s3_05_the_larger_tier_of_the_catalogue_is_cheaper_for_every_item() -> None:
    large, small = catalogue_plan("large_teams"), catalogue_plan("small_teams")
    assert large.terms.better_than == "small_teams"
    assert tier_warnings(large, small) == ()


def test_s3_05_a_better_tier_that_is_not_cheaper_per_unit_is_shown() -> None:
    better, lesser = plan(tariff={"outbound": [outbound("1", "0.04")]}), plan(name="Small")
    warnings = tier_warnings(better, lesser)
    assert [warning.path for warning in warnings] == ["/tariff/inbound"]
    assert "0.0500 here and 0.0500 under Small" in warnings[0].message


@pytest.mark.parametrize("name", sorted(load_catalogue()))
def test_the_catalogue_has_no_dear_package_and_no_gap(name: str) -> None:
    paths = {path for path, _ in warned(catalogue_plan(name))}
    assert paths <= {"/tariff/increment", "/tariff/free_until_seconds"}, "short calls alone lose"
