"""Packages and the plan on pages: found in three clicks, confirmed, stopped, previewed."""

import datetime as dt
import re
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from gateway.services import accounts, packages, plan_changes, plans, renewals, settlement
from tests.web.conftest import NOON, OLGA, World, fund, take_call

SELLS: dict[str, Any] = load_catalogue()["payg"] | {
    "name": "Packages",
    "package_limits": {"minutes_min": 1, "minutes_max": 500_000},
    "region_sets": [
        {
            "name": "us_ca",
            "include": {"countries": ["US", "CA"]},
            "exclude": {"area_codes": ["808", "907"]},
        }
    ],
    "packages": [
        {
            "code": "small",
            "number_type": "local",
            "region_set": "us_ca",
            "minutes": 10,
            "price": "0.30",
        }
    ],
    "pool": {"minutes": 100},
    "access_fee": {"month": "5.00"},
    "support_contact": "(800) 577-1872",
}


@pytest.fixture
def shop(world: World) -> World:
    with world.units.begin() as uow:
        plans.publish_plan(uow, "packages", SELLS, OLGA)
        accounts.update_account(uow, world.acme.scope, {"plan_code": "packages"}, OLGA)
    return world


def key_of(page: str) -> str:
    found = re.search(r'name="key" value="([^"]+)"', page)
    assert found is not None
    return found.group(1)


def owned(world: World) -> tuple[packages.PackageView, ...]:
    with world.units.read() as uow:
        return packages.list_packages(uow, world.acme.scope).items


def test_s1_05_settings_billing_buy_package_are_three_clicks(shop: World) -> None:
    owner = shop.logged_in("owner@acme.test")
    assert 'href="/billing"' in owner.page("/settings")
    assert 'href="/billing/packages"' in owner.page("/billing")
    assert "/billing/packages/buy?code=small" in owner.page("/billing/packages")


def test_s1_05_a_member_sees_packages_and_gets_403_for_buying(shop: World) -> None:
    member = shop.logged_in("member@acme.test")
    assert "/billing/packages/buy" not in member.page("/billing/packages")
    assert member.get("/billing/packages/buy?code=small").status_code == 403
    assert member.post("/billing/packages/buy", {"code": "small", "key": "k"}).status_code == 403
    assert owned(shop) == ()


def test_the_price_is_confirmed_and_a_second_press_buys_nothing_more(shop: World) -> None:
    owner = shop.logged_in("owner@acme.test")
    page = owner.page("/billing/packages/buy?code=small")
    assert "Buy for $0.30" in page and "not refundable" in page
    assert "US, CA" in page or "CA and US" in page
    form = {"code": "small", "key": key_of(page)}
    for _ in range(2):
        assert owner.post("/billing/packages/buy", form).status_code == 302
    (bought,) = owned(shop)
    assert bought.purchased_by == "Acme owner, owner@acme.test"


def test_s1_06_to_s1_10_the_page_shows_kind_renewal_used_remaining_purchaser_and_stop(
    shop: World,
) -> None:
    owner = shop.logged_in("owner@acme.test")
    owner.post("/billing/packages/buy", {"code": "small", "key": "k"})
    page = owner.page("/billing/packages")
    for words in ("10 local minutes", "Renews", "0 min", "10 min", "owner@acme.test"):
        assert words in page
    (bought,) = owned(shop)
    assert owner.post(f"/billing/packages/{bought.id}/stop").status_code == 302
    assert "Renew after all" in owner.page("/billing/packages")
    owner.post(f"/billing/packages/{bought.id}/renew")
    assert "Stop renewal" in owner.page("/billing/packages")


def test_each_line_of_minutes_names_the_package_whose_balance_it_shows(world: World) -> None:
    large = {**SELLS["packages"][0], "code": "large", "number_type": "toll-free", "minutes": 20}
    terms = SELLS | {"packages": [*SELLS["packages"], large]}
    del terms["pool"]
    with world.units.begin() as uow:
        plans.publish_plan(uow, "packages", terms, OLGA)
        accounts.update_account(uow, world.acme.scope, {"plan_code": "packages"}, OLGA)
    owner = world.logged_in("owner@acme.test")
    for code in ("small", "large"):
        owner.post("/billing/packages/buy", {"code": code, "key": code})
    take_call(world.units, world.number, sid="d", at=NOON + dt.timedelta(minutes=5))
    settlement.drain(world.units)
    lines = re.findall(r"<tr>.*?</tr>", owner.page("/billing?kind=minutes"), re.DOTALL)
    drawn = [line for line in lines if "Minutes of the package" in line]
    assert drawn and all("<small>10 local minutes</small>" in line for line in drawn)
    assert sum("20 toll-free minutes" in line for line in lines) == 2, "its price, and its minutes"


def test_an_empty_balance_buys_nothing_and_is_told_what_is_missing(world: World) -> None:
    with world.units.begin() as uow:
        plans.publish_plan(uow, "packages", SELLS | {"access_fee": {"month": "0"}}, OLGA)
        accounts.update_account(uow, world.cobalt.scope, {"plan_code": "packages"}, OLGA)
    cobalt = world.logged_in("owner@cobalt.test")
    refused = cobalt.post("/billing/packages/buy", {"code": "small", "key": "k"})
    assert refused.status_code == 402
    assert "top up 0.30 USD first" in refused.text


@pytest.mark.parametrize(
    "path", ["/", "/numbers", "/calls", "/billing", "/settings", "/billing/packages"]
)
def test_s4_01_the_minutes_left_stand_on_every_page(shop: World, path: str) -> None:
    page = shop.logged_in("owner@acme.test").page(path)
    assert "Minutes left" in page and "of 100" in page


def test_s4_01_to_s4_03_settings_calls_shows_the_minutes_of_the_cycle(shop: World) -> None:
    """One click from the widget of any screen."""
    owner = shop.logged_in("owner@acme.test")
    assert 'href="/settings#calls"' in owner.page("/numbers")
    page = owner.page("/settings")
    section = page[page.index('id="calls"') : page.index('id="password"')]
    for words in ("Billing cycle", "Time allocated", "Currently used", "Time remaining"):
        assert words in section
    assert "1 h 40 min" in section, "100 minutes"


def test_s5_20_the_sum_behind_minutes_stands_in_their_explanation_alone(shop: World) -> None:
    owner = shop.logged_in("owner@acme.test")
    bill = owner.page("/billing")
    assert "Minutes of the cycle" in bill and "100 × 60" not in bill
    line = re.search(r'href="([^"]+)">Minutes of the cycle', bill)
    assert line is not None
    page = owner.page(line.group(1))
    assert page.count("100 × 60") == 1 and "Because" not in page


def test_accounts_without_a_pool_have_no_minutes_on_their_pages(world: World) -> None:
    assert "Minutes left" not in world.logged_in("owner@cobalt.test").page("/")


def test_s3_03_a_plan_is_previewed_asked_for_and_taken_back(shop: World) -> None:
    owner = shop.logged_in("owner@acme.test")
    assert "Access fee" in owner.page("/billing/plan")
    assert "(800) 577-1872" in owner.page("/billing/plan"), "S1-19"
    preview = owner.page("/billing/plan?to=large_teams")
    assert "Taken at the change" in preview and "Ask for" in preview
    assert owner.post("/billing/plan", {"to": "large_teams"}).status_code == 302
    assert "Our team will answer" in owner.page("/billing/plan")
    staff = shop.logged_in(OLGA)
    assert "Acme" in staff.page("/ops/plan-changes")
    owner.post("/billing/plan/withdraw")
    assert "Nobody waits" in staff.page("/ops/plan-changes")


def test_s3_03_a_plan_is_chosen_by_the_year_or_by_the_month_and_each_says_its_fee(
    world: World,
) -> None:
    both = load_catalogue()["payg"] | {"access_fee": {"month": "5.00", "year": "50.00"}}
    with world.units.begin() as uow:
        plans.publish_plan(uow, "both", both | {"name": "Both", "topup": {"card": True}}, OLGA)
        plans.publish_plan(uow, "other", both | {"name": "Other"}, OLGA)
        accounts.update_account(uow, world.acme.scope, {"plan_code": "both"}, OLGA)
    owner = world.logged_in("owner@acme.test")
    page = owner.page("/billing/plan")
    assert '<option value="other">Other, $5.00 a month' in page
    assert '<option value="other/year">Other, $50.00 a year' in page
    assert '<option value="both/year">Both, $50.00 a year' in page, "the same plan by the year"
    assert '<option value="both">' not in page, "it is that already"
    assert "$50.00 a year" in owner.page("/billing/plan?to=other/year")
    assert "$5.00 a month" in owner.page("/billing/plan?to=other")
    assert owner.post("/billing/plan", {"to": "other/year"}).status_code == 302
    with world.units.read() as uow:
        wish = plan_changes.open_change(uow, world.acme.scope)
    assert wish is not None and wish.term == "year"
    assert "You asked for Other" in owner.page("/billing/plan")


def test_a_year_that_a_plan_does_not_sell_is_refused_in_words(world: World) -> None:
    with world.units.begin() as uow:
        monthly = SELLS | {"name": "Monthly", "access_fee": {"month": "5.00"}}
        plans.publish_plan(uow, "monthly", monthly, OLGA)
    owner = world.logged_in("owner@acme.test")
    assert "monthly/year" not in owner.page("/billing/plan")
    refused = owner.page("/billing/plan?to=monthly/year")
    assert 'role="alert"' in refused and "Monthly is not sold by the year" in refused


def test_c5_an_upgrade_by_itself_is_announced_shown_while_it_waits_and_kept_in_the_history(
    world: World,
) -> None:
    plain = SELLS | {"packages": [], "access_fee": {"month": "1.00"}}
    rule = {"exhaustion": "auto_upgrade", "upgrade": {"next_plan": "large"}}
    with world.units.begin() as uow:
        large = plain | {"name": "Large", "pool": {"minutes": 9}, "access_fee": {"month": "90.00"}}
        plans.publish_plan(uow, "large", large, OLGA)
        plans.publish_plan(uow, "small", plain | {"pool": {"minutes": 1}, **rule}, OLGA)
        accounts.update_account(uow, world.acme.scope, {"plan_code": "small"}, OLGA)
    owner, staff = world.logged_in("owner@acme.test"), world.logged_in(OLGA)
    cobalt = world.logged_in("owner@cobalt.test")
    for plan, words in (
        ("small", "the plan becomes Large by itself"),
        ("large", "price by the minute"),
        ("command_center", "new calls are refused"),
    ):
        assert words in cobalt.page(f"/billing/plan?to={plan}"), "before anybody chooses it"
    assert "your plan becomes Large by itself" in owner.page("/billing/plan")
    call = take_call(world.units, world.number, sid="b1")
    settlement.drain(world.units)
    assert "becomes Large by itself, in a moment" in owner.page("/billing/plan")
    assert "An upgrade by itself is on its way" in staff.page(f"/ops/accounts/{world.acme.id}")
    renewals.drain(world.units)
    for page in ("/", "/billing", f"/calls/{call}"):
        assert "New callers are turned away. The upgrade to Large costs 89.00" in owner.page(page)
    asked = owner.page("/billing/plan?to=payg")
    assert "pay in" in asked and "Taken at the change" in asked, "people may choose beside it"
    waits = staff.page("/ops/plan-changes")
    assert "waits for the customer" in waits and "Turn down" in waits and "Agree" not in waits
    assert "An upgrade by itself waits" in staff.page(f"/ops/accounts/{world.acme.id}")
    fund(world.units, world.acme, "100.00")
    renewals.drain(world.units)
    for page in (owner.page("/billing/plan"), staff.page(f"/ops/accounts/{world.acme.id}")):
        assert "itself: the minutes were used up" in page and "large v1" in page
    assert "turned away" not in owner.page("/billing/plan")
    assert "Nobody waits" in staff.page("/ops/plan-changes")


def test_s3_01_what_a_cancellation_ends_is_shown_before_it_is_done(shop: World) -> None:
    owner = shop.logged_in("owner@acme.test")
    asked = owner.post("/billing/access/cancel")
    assert "Your numbers stay yours" in asked.text
    assert "Cancelled: access lasts until" not in owner.page("/billing/plan")
    owner.post("/billing/access/cancel", {"confirmed": "yes"})
    assert "Cancelled: access lasts until" in owner.page("/billing/plan")
    owner.post("/billing/access/resume")
    assert "Cancelled" not in owner.page("/billing/plan")
