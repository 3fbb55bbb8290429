"""Operator S1 sells minutes by the package: its plan as it ships, rule by rule."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from world import ONE_PHONE, Member, World

from billing.calendar import nth_period
from billing.catalogue import load_catalogue
from billing.packages import draw, price_rest
from billing.plan_checks import plan_warnings
from billing.purchases import Package, Purchaser
from billing.rating import rate_leg
from billing.tariffs import PlanInvalid, parse_plan
from gateway.services import (
    accounts,
    ledger,
    logins,
    memberships,
    numbers,
    packages,
    reversals,
    statement,
)
from gateway.services.errors import BalanceTooLow, Conflict, Invalid
from gateway.store.ledger import PostingRow
from tests.billing.buckets import (
    ACME,
    HONOLULU,
    NOON,
    SAN_FRANCISCO,
    forwarded,
    inbound,
    moment,
)
from tests.billing.plans import catalogue_plan
from tests.rules.story import amounts, lines, midnight, talk, today
from tests.web.conftest import PASSWORD, Browser

CODE = "package_minutes"
PLAN = catalogue_plan(CODE)
ANN = Purchaser("", "Ann Acme")
FUNDS = 1_000_000_000
PRICE = 400_000_000  # of local_10k
SIZE = 600_000  # seconds of local_10k
CREDITS = ("topup", "adjustment", "reversal")
MINUTE = 50_000  # of inbound talk on a local number


def owned(code: str = "local_10k") -> Package:
    offer = PLAN.terms.find_package(code)
    assert offer is not None
    return Package(
        id=ACME,
        owner_id=ACME,
        offer=offer,
        zone="America/New_York",
        anchor=NOON.date() - dt.timedelta(days=1),
        purchased_at=NOON - dt.timedelta(days=1),
        purchaser=ANN,
    )


def in_a_month(stage: World) -> dt.date:
    return nth_period(today(stage), 1)


def heavy_user(stage: World, name: str = "Acme", **more: Any) -> Member:
    return stage.join(name, funds=FUNDS, plan=CODE, document=ONE_PHONE, **more)


def buy(stage: World, member: Member, code: str = "local_10k", key: str = "k") -> Any:
    with stage.units.begin() as uow:
        return packages.buy(uow, member.scope, code, ANN, idempotency_key=key)


def views(stage: World, member: Member) -> tuple[packages.PackageView, ...]:
    with stage.units.read() as uow:
        return packages.list_packages(uow, member.scope).items


def test_s1_01_without_a_package_every_started_minute_and_every_number_is_paid() -> None:
    for leg in (inbound(83), forwarded(83)):
        rated = rate_leg(leg, PLAN.tariff)
        assert (rated.billed_seconds, rated.charge_micros) == (120, 2 * MINUTE)
        drawn = draw(rated.billed_seconds, leg, [], moment())
        assert price_rest(rated, drawn.rest_seconds, PLAN.tariff) == rated.charge_micros


def test_s1_01_a_month_without_a_call_costs_the_rent_alone(stage: World) -> None:
    acme = heavy_user(stage)
    stage.wait_until(midnight(in_a_month(stage)))
    stage.renew()
    assert stage.balance(acme.scope) == FUNDS - acme.number.rental_micros


def test_s1_02_every_package_is_cheaper_by_the_minute_than_the_plan() -> None:
    for offer in PLAN.terms.packages:
        rate = PLAN.tariff.inbound["US", offer.number_type].per_minute_micros
        assert offer.price_micros < rate * offer.minutes, offer.code
    warnings = plan_warnings(PLAN, catalogue_plan("carrier_cost"))
    assert [w for w in warnings if w.path.startswith("/packages")] == []


def test_s1_02_a_package_is_paid_in_full_at_once_or_not_sold(stage: World) -> None:
    acme = heavy_user(stage)
    buy(stage, acme)
    assert stage.balance(acme.scope) == FUNDS - PRICE
    with pytest.raises(BalanceTooLow), stage.units.begin() as uow:
        packages.buy(uow, acme.scope, "local_500k", ANN, idempotency_key="dear")
    assert stage.balance(acme.scope) == FUNDS - PRICE


def test_s1_03_minutes_beyond_the_package_cost_the_regular_rate() -> None:
    leg = inbound(83)
    rated = rate_leg(leg, PLAN.tariff)
    nearly_empty = owned().bucket(0, remaining_seconds=20)
    drawn = draw(rated.billed_seconds, leg, [nearly_empty], moment())
    assert (drawn.drawn_seconds, drawn.rest_seconds) == (20, 100)
    assert price_rest(rated, drawn.rest_seconds, PLAN.tariff) == MINUTE * 100 // 60


@pytest.mark.parametrize(
    "number_type, drawn_from",
    [
        pytest.param("local", "local_10k", id="S1-04 a local leg draws local minutes"),
        pytest.param("toll-free", "toll_free_10k", id="S1-04 toll-free draws toll-free minutes"),
    ],
)
def test_local_and_toll_free_packages_stay_apart(number_type: str, drawn_from: str) -> None:
    both = {
        code: replace(owned(code).bucket(0, 1_000), id=id)
        for code, id in (("local_10k", ACME), ("toll_free_10k", owned().bucket_id(7)))
    }
    drawn = draw(60, inbound(60, number_type=number_type), list(both.values()), moment())
    assert [one.bucket_id for one in drawn.draws] == [both[drawn_from].id]


def test_s1_06_to_s1_09_the_list_says_kind_renewal_used_remaining_and_who_bought(
    stage: World,
) -> None:
    acme = heavy_user(stage)
    first, second = buy(stage, acme), buy(stage, acme, key="another")
    talk(stage, acme, 83)
    newest, oldest = views(stage, acme)
    assert [newest.id, oldest.id] == [second.id, first.id], "two of one kind are two rows"
    for view in (newest, oldest):
        offer = view.offer
        assert (offer.number_type, offer.minutes, offer.price_micros) == ("local", 10_000, PRICE)
        assert offer.region_set is not None and offer.region_set.name == "us_ca_contiguous"
        assert view.renews_on == in_a_month(stage), "S1-07"
        assert view.purchased_by == "Ann Acme", "S1-09"
        assert view.used_seconds + view.remaining_seconds == view.size_seconds == SIZE, "S1-08"
    assert {newest.used_seconds, oldest.used_seconds} == {0, 120}, "S1-08"


def test_s1_09_the_purchaser_stays_though_the_login_is_renamed_or_gone(stage: World) -> None:
    acme = heavy_user(stage)
    with stage.units.begin() as uow:
        login = logins.create_login(
            uow,
            acme.scope,
            email=f"ann{acme.e164}@acme.test",
            name="Ann Acme",
            password=PASSWORD,
            role="owner",
            actor="Olga",
        )
        bought_by = Purchaser(str(login.id), login.name)
        packages.buy(uow, acme.scope, "local_10k", bought_by, idempotency_key="k")
        uow.connection.exec_driver_sql(
            "update login set name = 'Somebody Else' where id = %s", (login.id,)
        )
    assert views(stage, acme)[0].purchased_by == "Ann Acme"


def test_s1_10_s1_11_a_stopped_package_ends_with_its_month_and_regular_billing_follows(
    stage: World,
) -> None:
    acme = heavy_user(stage)
    package = buy(stage, acme)
    ends_on = in_a_month(stage)
    with stage.units.begin() as uow:
        for _ in range(2):
            packages.stop_renewal(uow, acme.scope, package.id, "Ann")
        packages.undo_stop(uow, acme.scope, package.id, "Ann")
        packages.stop_renewal(uow, acme.scope, package.id, "Ann")
    talk(stage, acme, 83)
    assert views(stage, acme)[0].used_seconds == 120, "usable until then"
    stage.wait_until(midnight(ends_on))
    stage.renew()
    before = stage.balance(acme.scope)
    assert len(lines(stage, acme.scope, "package")) == 1, "nothing is debited on the day"
    talk(stage, acme, 83)
    assert before - stage.balance(acme.scope) == 4 * MINUTE, "both legs at the plan's rate"


@pytest.mark.parametrize(
    "minutes, sold",
    [
        pytest.param(9_999, False, id="S1-12 9,999 is too small"),
        pytest.param(10_000, True, id="S1-12 10,000 is the smallest"),
        pytest.param(500_000, True, id="S1-12 500,000 is the largest"),
        pytest.param(500_001, False, id="S1-12 500,001 is too large"),
    ],
)
def test_a_package_has_a_size_that_the_operator_sells(minutes: int, sold: bool) -> None:
    document = dict(load_catalogue()[CODE])
    document["packages"] = [document["packages"][0] | {"minutes": minutes}]
    if sold:
        assert parse_plan(document).terms.packages[0].minutes == minutes
        return
    with pytest.raises(PlanInvalid) as refused:
        parse_plan(document)
    assert [error.path for error in refused.value.errors] == ["/packages/0/minutes"]


def test_s1_13_s1_16_two_clocks_after_a_downtime_renew_each_month_once_and_nothing_rolls_over(
    stage: World,
) -> None:
    acme = heavy_user(stage)
    buy(stage, acme)
    talk(stage, acme, 83)
    stage.wait_until(midnight(in_a_month(stage)) + dt.timedelta(days=1))
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(stage.renew) for _ in range(2)]:
            done.result(60)
    assert amounts(stage, acme.scope, "package") == [PRICE, PRICE]
    (view,) = views(stage, acme)
    assert (view.size_seconds, view.remaining_seconds) == (SIZE, SIZE), "not added to"
    expired = [row for row in stage.rows(PostingRow, acme.scope) if row.kind == "expire"]
    assert [row.amount_micros for row in expired] == [SIZE - 120], "S1-16"
    stage.prove_ledger()


def test_s1_14_clients_on_shared_billing_draw_the_agencys_package_and_others_do_not(
    stage: World,
) -> None:
    agency = heavy_user(stage, "Agency")
    sharing, apart = (
        heavy_user(stage, name, parent_id=agency.scope.account_id) for name in ("One", "Two")
    )
    with stage.units.begin() as uow:
        memberships.set_billing(uow, sharing.scope, "agency_shared", "Olga")
    buy(stage, agency)
    talk(stage, apart, 83)
    assert views(stage, agency)[0].used_seconds == 0
    talk(stage, sharing, 83)
    assert views(stage, agency)[0].used_seconds == 120


def test_s1_15_no_way_through_the_product_returns_what_a_package_cost(stage: World) -> None:
    """Stopped, given up with its number, left for another plan, run out, reversed by staff:
    nothing comes back. A correction is an adjustment, with a reason and a name."""
    acme = heavy_user(stage)
    paid = len(lines(stage, acme.scope, *CREDITS))
    package = buy(stage, acme)
    with stage.units.begin() as uow:
        packages.stop_renewal(uow, acme.scope, package.id, "Ann")
        numbers.request_release(uow, acme.scope, acme.number.id, "Ann")
        accounts.update_account(uow, acme.scope, {"plan_code": "payg"}, "Olga")
        (price,) = statement.list_postings(uow, acme.scope, None, 200, ("package",)).items
    with pytest.raises(Conflict, match="adjustment"), stage.units.begin() as uow:
        reversals.reverse_posting(uow, acme.scope, price.id, reason="asked to", actor="Olga")
    stage.wait_until(midnight(in_a_month(stage)) + dt.timedelta(days=1))
    stage.renew()
    assert len(lines(stage, acme.scope, *CREDITS)) == paid
    with pytest.raises(Invalid), stage.units.begin() as uow:
        adjust(uow, acme, reason="")
    with stage.units.begin() as uow:
        adjust(uow, acme, reason="sold by mistake")
    correction = lines(stage, acme.scope, *CREDITS)[-1]
    assert (correction.amount_micros, correction.actor) == (PRICE, "Olga")
    assert correction.reason == "sold by mistake"


def adjust(uow: Any, member: Member, *, reason: str) -> None:
    ledger.adjust(
        uow,
        member.scope,
        amount_micros=PRICE,
        reason=reason,
        actor="Olga",
        idempotency_key="correction",
    )


@pytest.mark.parametrize(
    "number, inside",
    [
        pytest.param(SAN_FRANCISCO, True, id="S1-17 California"),
        pytest.param("+16045550101", True, id="S1-17 British Columbia"),
        pytest.param(HONOLULU, False, id="S1-17 Hawaii"),
        pytest.param("+19075550101", False, id="S1-17 Alaska"),
        pytest.param("+17875550101", False, id="S1-17 Puerto Rico"),
    ],
)
def test_a_package_is_for_numbers_of_its_region(number: str, inside: bool) -> None:
    drawn = draw(60, inbound(60), [owned().bucket(0, SIZE)], moment(number_e164=number))
    assert (drawn.drawn_seconds == 60) is inside


def test_s1_18_an_account_without_a_package_takes_calls_like_any_other(stage: World) -> None:
    acme = heavy_user(stage)
    talk(stage, acme, 83)
    assert views(stage, acme) == ()
    assert FUNDS - stage.balance(acme.scope) == 4 * MINUTE


def test_s1_19_the_operators_telephone_number_stands_where_the_plan_is_explained(
    stage: World,
) -> None:
    acme = heavy_user(stage)
    with stage.units.begin() as uow:
        email = f"owner{acme.e164}@acme.test"
        logins.create_login(
            uow, acme.scope, email=email, name="Ann", password=PASSWORD, role="owner", actor="Olga"
        )
    browser = Browser(stage.app.test_client())
    assert browser.log_in(email).status_code == 302
    assert PLAN.terms.support_contact in browser.page("/billing/plan")
