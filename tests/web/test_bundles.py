"""What pages offer of a plan: bundles in two steps, and no button for what it refuses (C6)."""

from typing import Any

import pytest

from billing.catalogue import load_catalogue
from gateway.services import accounts, bundles, plans
from tests.web.conftest import OLGA, Browser, World
from tests.web.test_packages import key_of

PAYG: dict[str, Any] = load_catalogue()["payg"]
SELLS = PAYG | {
    "name": "Bundles",
    "pool": {"minutes": 10},
    "topup": {"manual": False, "card": False, "bundles": [{"minutes": 100, "price": "0.50"}]},
}
CLOSED = SELLS | {"name": "Nothing", "topup": {"manual": False, "card": False}}


def move(world: World, document: dict[str, Any]) -> Browser:
    """Acme's owner, on such a plan."""
    with world.units.begin() as uow:
        plans.publish_plan(uow, "moved", document, OLGA)
        accounts.update_account(uow, world.acme.scope, {"plan_code": "moved"}, OLGA)
    return world.logged_in("owner@acme.test")


def owned(world: World) -> tuple[bundles.BundleView, ...]:
    with world.units.read() as uow:
        return bundles.list_bundles(uow, world.acme.scope).items


def test_s4_11_the_price_of_a_bundle_is_confirmed_and_a_second_press_buys_nothing_more(
    world: World,
) -> None:
    owner = move(world, SELLS)
    assert "/billing/bundles/buy?minutes=100" in owner.page("/billing/packages")
    page = owner.page("/billing/bundles/buy?minutes=100")
    assert "Buy for $0.50" in page and "not refundable" in page and "Last until" in page
    form = {"minutes": "100", "key": key_of(page)}
    for _ in range(2):
        assert owner.post("/billing/bundles/buy", form).status_code == 302
    (bought,) = owned(world)
    assert bought.purchased_by == "Acme owner, owner@acme.test"
    page = owner.page("/billing/packages")
    assert "100 minutes" in page and "100 min" in page and "owner@acme.test" in page


def test_s4_01_bundles_count_in_the_minutes_of_every_page(world: World) -> None:
    owner = move(world, SELLS)
    owner.post("/billing/bundles/buy", {"minutes": "100", "key": "k"})
    for path in ("/", "/calls", "/numbers", "/billing", "/settings"):
        assert "of 110</small>" in owner.page(path), path
    assert "1 h 50 min" in owner.page("/billing/plan")


def test_s4_11_a_balance_that_does_not_cover_a_bundle_is_told_what_is_missing(
    world: World,
) -> None:
    dear = SELLS | {"topup": {"bundles": [{"minutes": 100, "price": "900.00"}]}}
    refused = move(world, dear).post("/billing/bundles/buy", {"minutes": "100", "key": "k"})
    assert refused.status_code == 402 and "The bundle costs 900.00 USD" in refused.text
    assert owned(world) == ()


@pytest.mark.parametrize("minutes", ["50", "x", ""])
def test_s4_11_a_size_that_the_plan_does_not_sell_leads_to_what_it_sells(
    world: World, minutes: str
) -> None:
    owner = move(world, SELLS)
    for answer in (
        owner.get(f"/billing/bundles/buy?minutes={minutes}"),
        owner.post("/billing/bundles/buy", {"minutes": minutes, "key": "k"}),
    ):
        assert answer.status_code == 403
        assert "sells bundles of 100 minutes" in answer.text
        assert 'href="/billing/plan"' in answer.text
    assert owned(world) == ()


def test_a_member_sees_bundles_and_buys_none(world: World) -> None:
    move(world, SELLS)
    member = world.logged_in("member@acme.test")
    assert "/billing/bundles/buy" not in member.page("/billing/packages")
    assert member.post("/billing/bundles/buy", {"minutes": "100", "key": "k"}).status_code == 403
    assert owned(world) == ()


def test_s4_11_where_the_plan_sells_none_no_page_offers_any(world: World) -> None:
    owner = move(world, CLOSED)
    assert "ask for a larger plan" in owner.page("/billing/packages")
    refused = owner.post("/billing/bundles/buy", {"minutes": "100", "key": "k"})
    assert refused.status_code == 403
    assert "Your plan sells no single minutes: ask for a larger plan." in refused.text
    for path in ("/", "/billing", "/billing/cards", "/billing/recharge", "/billing/packages"):
        page = owner.page(path)
        assert 'href="/billing/top-up"' not in page, path
        assert "/billing/bundles/buy" not in page, path
    assert 'href="/billing/plan#change"' in owner.page("/billing")


def test_no_page_offers_packages_minutes_or_included_credit_where_the_plan_has_none(
    world: World, acme: Browser
) -> None:
    """S1-05 is for plans that sell packages; on the others the way there leads nowhere."""
    for path in ("/billing", "/settings"):
        assert "/billing/packages" not in acme.page(path), path
    bill = acme.page("/billing")
    for kind in ("minutes", "included"):
        assert f"/billing?kind={kind}" not in bill
    assert "/billing?kind=texts" in bill and "/billing?kind=rental" in bill
    alone = acme.page("/billing/packages")
    assert "Your plan sells no packages" in alone and "No packages yet" not in alone
    assert "No included credit yet" in acme.page("/billing?kind=included"), "an old bookmark"
    assert "No text was charged yet" in acme.page("/billing?kind=texts")


def test_what_the_plan_in_force_offers_is_shown_and_what_was_bought_stays_in_reach(
    world: World,
) -> None:
    owner = move(world, SELLS)
    page = owner.page("/billing")
    assert 'href="/billing/packages">Buy package' in page and "/billing?kind=minutes" in page
    assert "No packages yet" not in owner.page("/billing/packages"), "it sells bundles alone"
    owner.post("/billing/bundles/buy", {"minutes": "100", "key": "k"})
    without = {name: SELLS[name] for name in SELLS if name not in ("topup", "pool")}
    owner = move(world, without)
    for path in ("/billing", "/settings"):
        page = owner.page(path)
        assert 'href="/billing/packages">Packages' in page and "Buy package" not in page
    assert "/billing?kind=minutes" in owner.page("/billing")
    assert "Bundle of 100 minutes" in owner.page("/billing?kind=minutes")


def test_a_plan_with_included_credit_has_its_filter_before_the_first_line(world: World) -> None:
    owner = move(world, PAYG | {"included": {"credit": "1.00"}})
    assert "/billing?kind=included" in owner.page("/billing")
    assert "/billing?kind=included" in move(world, PAYG).page("/billing"), "its lines are there"
    assert "/billing?kind=included" not in world.logged_in("owner@cobalt.test").page("/billing")


def test_c6_the_page_of_top_ups_leads_to_what_the_plan_sells_instead(world: World) -> None:
    page = move(world, CLOSED).page("/billing/top-up")
    assert "Your plan takes no top-ups by card." in page and 'name="amount"' not in page
    assert 'href="/billing/plan#change"' in page and "#bundles" not in page
    assert 'href="/billing/packages#bundles"' in move(world, SELLS).page("/billing/top-up")
