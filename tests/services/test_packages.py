"""Packages of minutes: bought once, drawn before money, stopped and taken up again."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from billing.purchases import Purchaser
from gateway.services import accounts, ledger, logins, packages, plans, statement
from gateway.services.accounts import Account, NewAccount
from gateway.services.errors import BalanceTooLow, Conflict, Forbidden, Invalid, NotFound
from gateway.services.principals import Principal
from gateway.uow import UnitsOfWork
from tests.services.conftest import NOON, OLGA
from tests.services.history import History, Target

ANN = Purchaser("login-1", "ann@acme.test")
LOCAL_10K: dict[str, Any] = {
    "code": "local-10k",
    "number_type": "local",
    "region_set": "us-ca",
    "minutes": 10_000,
    "price": "300.00",
    "leg_scope": ["inbound"],
}
SMALL: dict[str, Any] = LOCAL_10K | {"code": "small", "minutes": 2, "price": "0.06"}
US_CA = {
    "name": "us-ca",
    "include": {"countries": ["US", "CA"]},
    "exclude": {"area_codes": ["808", "907"]},
}


def sells(*offers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Pay as you go that sells packages too."""
    return load_catalogue()["payg"] | {
        "name": "Packages",
        "region_sets": [US_CA],
        "package_limits": {"minutes_min": 1, "minutes_max": 500_000},
        "packages": list(offers),
        **more,
    }


@pytest.fixture
def shop(units: UnitsOfWork, on_sale: None) -> Account:
    """Acme on a plan that sells packages."""
    with units.begin() as uow:
        plans.publish_plan(uow, "packages", sells(LOCAL_10K, SMALL), OLGA)
        return accounts.create_account(
            uow,
            NewAccount(name="Acme", billing_email="bills@acme.test", plan_code="packages"),
            OLGA,
        )


def buy(units: UnitsOfWork, account: Account, code: str = "small", key: str = "k") -> Any:
    with units.begin() as uow:
        return packages.buy(uow, account.scope, code, ANN, idempotency_key=key)


def seen(units: UnitsOfWork, account: Account) -> packages.PackageView:
    with units.read() as uow:
        return packages.list_packages(uow, account.scope).items[0]


def balance(units: UnitsOfWork, account: Account) -> int:
    with units.read() as uow:
        return accounts.get_account(uow, account.scope).balance_micros


def prove(units: UnitsOfWork) -> None:
    with units.read() as uow:
        for proof in ledger.verify(uow.connection):
            assert proof.report.ok, proof.report.fault


def test_s1_02_a_purchase_takes_the_price_and_gives_the_seconds_at_once(
    units: UnitsOfWork, shop: Account, fund: Callable[..., None]
) -> None:
    fund(shop, "300.00")
    bought = buy(units, shop, "local-10k")
    assert balance(units, shop) == 0
    assert (bought.size_seconds, bought.used_seconds, bought.remaining_seconds) == (
        600_000,
        0,
        600_000,
    )
    assert bought.purchased_by == "ann@acme.test"
    assert bought.renews_on == dt.date(2026, 4, 4)
    prove(units)


def test_s1_02_a_purchase_that_the_balance_does_not_cover_takes_nothing(
    units: UnitsOfWork, shop: Account, fund: Callable[..., None]
) -> None:
    fund(shop, "299.999999")
    with pytest.raises(BalanceTooLow, match=r"top up 0\.000001 USD"):
        buy(units, shop, "local-10k")
    assert balance(units, shop) == 299_999_999
    with units.read() as uow:
        assert packages.list_packages(uow, shop.scope).items == ()


def test_the_same_key_buys_one_package_and_another_package_needs_another_key(
    units: UnitsOfWork, shop: Account, fund: Callable[..., None]
) -> None:
    fund(shop, "1.00")
    assert buy(units, shop).id == buy(units, shop).id
    assert balance(units, shop) == 940_000
    with pytest.raises(Conflict, match="another package"):
        buy(units, shop, "local-10k")
    assert buy(units, shop, key="second").id != seen(units, shop)
    assert balance(units, shop) == 880_000


def test_a_package_that_the_plan_does_not_sell_is_named(units: UnitsOfWork, shop: Account) -> None:
    with pytest.raises(Invalid, match="your plan sells local-10k, small"):
        buy(units, shop, "toll-free-10k")


def test_s1_18_a_plan_without_packages_offers_none(units: UnitsOfWork, acme: Account) -> None:
    with units.read() as uow:
        assert packages.offers(uow, acme.scope) == ()
    with pytest.raises(Invalid, match="sells no packages"):
        buy(units, acme)


def test_s1_09_staff_that_buys_for_a_customer_stands_beside_its_name(shop: Account) -> None:
    staff = Principal("login", None, OLGA, "ops", None)
    assert packages.purchaser_of(staff, "Acme").words == f"Acme (by {OLGA})"
    ann = Principal("login", None, "ann@acme.test", "owner", shop.scope, person="Ann Acme")
    assert packages.purchaser_of(ann, "Acme").words == "Ann Acme, ann@acme.test"
    program = Principal("token", None, "token Shop", "account", shop.scope)
    assert packages.purchaser_of(program, "Acme").words == "token Shop"


@pytest.fixture
def line(units: UnitsOfWork, shop: Account, fund: Callable[..., None]) -> History:
    """Acme's number, 1.00 and two minutes bought at noon."""
    fund(shop, "1.00")
    buy(units, shop)
    return History(units, shop)


LATER = NOON + dt.timedelta(hours=1)


def test_s1_03_a_leg_that_crosses_the_boundary_is_two_lines(
    units: UnitsOfWork, shop: Account, line: History
) -> None:
    did = line.number("+14155550100")
    line.call(did, Target(talk=100), at=LATER)  # 100 s of 120: the forwarded leg is in money
    assert balance(units, shop) == 940_000 - 83_333
    assert seen(units, shop).remaining_seconds == 20
    call_sid = line.call(did, Target(talk=83), at=LATER + dt.timedelta(minutes=10))
    # 20 s from the package, 63 s inbound and 83 s forwarded at 0.05 a minute, each rounded down.
    assert balance(units, shop) == 940_000 - 83_333 - 52_500 - 69_166
    view = seen(units, shop)
    assert (view.used_seconds, view.remaining_seconds) == (120, 0)
    with units.read() as uow:
        lines = statement.of_legs(uow, shop.scope, [call_sid])
    assert [(x.kind, x.unit, x.amount_micros, x.billed_seconds) for x in lines] == [
        ("draw", "SECONDS", -20, 20),
        ("usage", "USD", -52_500, 63),
    ]
    with units.read() as uow:
        drawn, paid = (statement.explain(uow, shop.scope, x.id) for x in lines)
        whole = statement.explain_legs(uow, shop.scope, {call_sid: 52_500})[call_sid]
    assert drawn.words.startswith("20 s of 83 s from package small, inbound leg")
    assert paid.words.startswith("63 s of 83 s × $0.0500/min, inbound leg")
    assert (drawn.recompute(), paid.recompute(), whole.recompute()) == (20, 52_500, 52_500)
    prove(units)


def test_s1_02_a_call_that_began_before_the_purchase_draws_nothing(
    units: UnitsOfWork, shop: Account, line: History
) -> None:
    line.call(line.number("+14155550100"), Target(talk=60), at=NOON - dt.timedelta(seconds=1))
    assert seen(units, shop).used_seconds == 0
    assert balance(units, shop) == 940_000 - 100_000


@pytest.mark.parametrize(
    "e164, used",
    [
        pytest.param("+14155550100", 60, id="S1-17 California is covered"),
        pytest.param("+18085550100", 0, id="S1-17 Hawaii is not"),
        pytest.param("+19075550100", 0, id="S1-17 Alaska is not"),
    ],
)
def test_s1_17_only_numbers_of_the_region_set_draw(
    units: UnitsOfWork, shop: Account, line: History, e164: str, used: int
) -> None:
    line.call(line.number(e164), Target(talk=60), at=LATER)
    assert seen(units, shop).used_seconds == used
    prove(units)


def test_a_second_settlement_draws_nothing_more(
    units: UnitsOfWork, shop: Account, line: History
) -> None:
    line.call(line.number("+14155550100"), Target(talk=60), at=LATER)
    before = (seen(units, shop), balance(units, shop))
    assert line.settle() == 0
    assert (seen(units, shop), balance(units, shop)) == before


def test_s1_10_stop_is_idempotent_and_can_be_undone(
    units: UnitsOfWork, shop: Account, line: History
) -> None:
    package_id = seen(units, shop).id
    for actor in ("ann", "ben"):
        with units.begin() as uow:
            stopped = packages.stop_renewal(uow, shop.scope, package_id, actor)
        assert (stopped.status, stopped.stopped_by, stopped.renews_on) == ("stopped", "ann", None)
        assert stopped.ends_on == dt.date(2026, 4, 4)
    with units.begin() as uow:
        again = packages.undo_stop(uow, shop.scope, package_id, "ann")
    assert (again.status, again.stopped_by, again.renews_on) == (
        "active",
        None,
        dt.date(2026, 4, 4),
    )


def test_another_accounts_package_is_not_there(
    units: UnitsOfWork, shop: Account, cobalt: Account, line: History
) -> None:
    package_id = seen(units, shop).id
    with units.begin() as uow, pytest.raises(NotFound):
        packages.stop_renewal(uow, cobalt.scope, package_id, "cobalt")
    with units.read() as uow:
        assert packages.list_packages(uow, cobalt.scope).items == ()


def test_s4_12_seats_are_those_of_the_plan(units: UnitsOfWork, shop: Account) -> None:
    with units.begin() as uow:
        entitled = sells(entitlements={"seats": 1})
        plans.publish_plan(uow, "one_seat", entitled, OLGA)
        accounts.update_account(uow, shop.scope, {"plan_code": "one_seat"}, OLGA)

    def let_in(email: str) -> None:
        with units.begin() as uow:
            logins.create_login(
                uow,
                shop.scope,
                email=email,
                name="Somebody",
                password="a long pass phrase for them",
                role="member",
                actor=OLGA,
            )

    let_in("ann@acme.test")
    with pytest.raises(Forbidden, match="has 1 seats"):
        let_in("ben@acme.test")
