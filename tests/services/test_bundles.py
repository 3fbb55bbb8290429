"""Bundles of minutes: bought once, drawn last, expired with an entry, never refunded (S4-11)."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from billing.purchases import Purchaser
from gateway.services import accounts, bundles, ledger, plans, pools, renewals, statement
from gateway.services.accounts import Account, NewAccount
from gateway.services.errors import BalanceTooLow, Conflict, NotForSale, NotFound
from gateway.uow import UnitsOfWork
from tests.services.conftest import NOON, OLGA
from tests.services.history import History, Target

ANN = Purchaser("login-1", "ann@acme.test")
TWO: dict[str, Any] = {"minutes": 2, "price": "0.06"}
HUNDRED: dict[str, Any] = {"minutes": 100, "price": "3.00", "valid_days": 90}
LATER = NOON + dt.timedelta(hours=1)


def sells(**more: Any) -> dict[str, Any]:
    """A pool of one minute, and bundles when it is used up."""
    return load_catalogue()["payg"] | {
        "name": "Bundles",
        "pool": {"minutes": 1},
        "statement": {"period": "cycle", "anchor_day": 17},
        "topup": {"bundles": [HUNDRED, TWO]},
        **more,
    }


@pytest.fixture
def shop(units: UnitsOfWork, on_sale: None) -> Account:
    """Acme on a plan that sells bundles."""
    with units.begin() as uow:
        plans.publish_plan(uow, "bundles", sells(), OLGA)
        new = NewAccount(name="Acme", billing_email="bills@acme.test", plan_code="bundles")
        return accounts.create_account(uow, new, OLGA)


def buy(units: UnitsOfWork, account: Account, minutes: int = 2, key: str = "k") -> Any:
    with units.begin() as uow:
        return bundles.buy(uow, account.scope, minutes, ANN, idempotency_key=key)


def seen(units: UnitsOfWork, account: Account) -> bundles.BundleView:
    with units.read() as uow:
        return bundles.list_bundles(uow, account.scope).items[0]


def balance(units: UnitsOfWork, account: Account) -> int:
    with units.read() as uow:
        return accounts.get_account(uow, account.scope).balance_micros


def figures(units: UnitsOfWork, account: Account) -> tuple[int, int, int]:
    """Allocated, used, remaining: what every screen shows."""
    with units.read() as uow:
        found = pools.figures(uow, accounts.get_account(uow, account.scope))
    assert found is not None
    return found.allocated_seconds, found.used_seconds, found.remaining_seconds


def prove(units: UnitsOfWork) -> None:
    with units.read() as uow:
        for proof in ledger.verify(uow.connection):
            assert proof.report.ok, proof.report.fault


def test_s4_11_a_bundle_takes_its_price_and_gives_its_seconds_at_once(
    units: UnitsOfWork, shop: Account, fund: Callable[..., None]
) -> None:
    fund(shop, "3.00")
    bought = buy(units, shop, 100)
    assert balance(units, shop) == 0
    assert (bought.size_seconds, bought.used_seconds, bought.remaining_seconds) == (6_000, 0, 6_000)
    assert (bought.purchased_by, bought.is_over) == ("ann@acme.test", False)
    assert bought.ends_at == dt.datetime(2026, 6, 2, 4, 0, tzinfo=dt.UTC), "ninety days, midnight"
    assert figures(units, shop) == (60 + 6_000, 0, 60 + 6_000)
    with units.read() as uow:
        issue, price = (
            line
            for line in statement.list_postings(uow, shop.scope).items
            if line.description == "Bundle of 100 minutes"
        )
    assert (price.kind, price.amount_micros, price.actor) == (
        "package",
        -3_000_000,
        "ann@acme.test",
    )
    assert (issue.kind, issue.unit, issue.amount_micros) == ("issue", "SECONDS", 6_000)
    prove(units)


def test_s4_11_a_bundle_that_the_balance_does_not_cover_takes_nothing(
    units: UnitsOfWork, shop: Account, fund: Callable[..., None]
) -> None:
    fund(shop, "0.05")
    with pytest.raises(BalanceTooLow, match=r"The bundle costs 0\.06 USD; top up 0\.01 USD first"):
        buy(units, shop)
    assert balance(units, shop) == 50_000
    with units.read() as uow:
        assert bundles.list_bundles(uow, shop.scope).items == ()


def test_s4_11_a_plan_that_sells_no_single_minutes_says_what_to_do_instead(
    units: UnitsOfWork, shop: Account, acme: Account, fund: Callable[..., None]
) -> None:
    fund(acme, "5.00")
    with pytest.raises(NotForSale, match="sells no single minutes: ask for a larger plan"):
        buy(units, acme)
    with pytest.raises(NotForSale, match="sells bundles of 100, 2 minutes: choose"):
        buy(units, shop, 150)
    assert balance(units, acme) == 5_000_000


def test_the_same_key_buys_one_bundle_and_another_size_needs_another_key(
    units: UnitsOfWork, shop: Account, fund: Callable[..., None]
) -> None:
    fund(shop, "5.00")
    assert buy(units, shop).id == buy(units, shop).id
    assert balance(units, shop) == 4_940_000
    with pytest.raises(Conflict, match="another bundle"):
        buy(units, shop, 100)
    assert buy(units, shop, key="second").id != buy(units, shop).id
    assert balance(units, shop) == 4_880_000


def test_another_accounts_bundle_is_not_there(
    units: UnitsOfWork, shop: Account, cobalt: Account, fund: Callable[..., None]
) -> None:
    fund(shop, "1.00")
    bought = buy(units, shop)
    with units.read() as uow, pytest.raises(NotFound):
        bundles.get(uow, cobalt.scope, bought.id)


def test_bundles_are_listed_newest_first_page_by_page(
    units: UnitsOfWork, shop: Account, fund: Callable[..., None]
) -> None:
    fund(shop, "1.00")
    found, after = set(), None
    wanted = {buy(units, shop, key=str(n)).id for n in range(3)}
    for _ in range(2):
        with units.read() as uow:
            page = bundles.list_bundles(uow, shop.scope, after, 2)
        found |= {view.id for view in page.items}
        after = page.next
    assert found == wanted and after is None


@pytest.fixture
def line(units: UnitsOfWork, shop: Account, fund: Callable[..., None]) -> History:
    """Acme's number, 1.00, a minute of the pool and two bought at noon."""
    fund(shop, "1.00")
    buy(units, shop)
    return History(units, shop)


def test_s4_11_a_leg_draws_the_pool_then_the_bundle_then_money(
    units: UnitsOfWork, shop: Account, line: History
) -> None:
    did = line.number("+14155550100")
    call_sid = line.call(did, Target(talk=83), at=LATER)  # both legs are billed: 166 s of 180
    assert balance(units, shop) == 940_000
    view = seen(units, shop)
    assert (view.used_seconds, view.remaining_seconds) == (106, 14)
    assert figures(units, shop) == (180, 166, 14)
    with units.read() as uow:
        inbound = statement.of_legs(uow, shop.scope, [call_sid])
        words = [statement.explain(uow, shop.scope, one.id).words for one in inbound]
    assert any("from the bundle of 2 minutes" in each for each in words)
    line.call(did, Target(talk=20), at=LATER + dt.timedelta(minutes=10))
    assert balance(units, shop) == 940_000 - 26 * 50_000 // 60, "14 of 40 s were left"
    assert figures(units, shop) == (180, 180, 0)
    prove(units)


def test_s4_11_what_is_left_at_the_end_of_the_cycle_expires_with_an_entry_and_no_refund(
    units: UnitsOfWork, shop: Account, line: History
) -> None:
    line.call(line.number("+14155550100"), Target(talk=60), at=LATER)
    april = UnitsOfWork(units.engine, lambda: dt.datetime(2026, 3, 17, 4, 1, tzinfo=dt.UTC))
    renewals.drain(april)
    renewals.drain(april)
    with april.read() as uow:
        (view,) = bundles.list_bundles(uow, shop.scope).items
        expiries = [
            found.amount_micros
            for found in statement.list_postings(uow, shop.scope, None, 50, ("expire",)).items
        ]
    assert (view.is_over, view.used_seconds, view.remaining_seconds) == (True, 60, 0)
    assert view.expired_seconds == 60 and expiries == [-60]
    assert balance(april, shop) == 940_000
    assert figures(april, shop) == (60, 0, 60), "the next cycle's minute alone"
    prove(april)


def test_s4_11_a_bundle_never_rolls_over_into_the_next(
    units: UnitsOfWork, on_sale: None, fund: Callable[..., None]
) -> None:
    with units.begin() as uow:
        plans.publish_plan(uow, "rolling", sells(rollover={"mode": "unlimited"}), OLGA)
        new = NewAccount(name="Roll", billing_email="bills@roll.test", plan_code="rolling")
        shop = accounts.create_account(uow, new, OLGA)
    fund(shop, "1.00")
    buy(units, shop)
    april = UnitsOfWork(units.engine, lambda: dt.datetime(2026, 3, 17, 4, 1, tzinfo=dt.UTC))
    with april.begin() as uow:
        bundles.buy(uow, shop.scope, 2, ANN, idempotency_key="april")
    renewals.drain(april)
    assert figures(april, shop) == (120 + 120, 0, 240), "the pool's minute was carried, no other"
    prove(april)


def test_s4_09_a_bundle_opens_the_door_that_an_overrun_closed(
    units: UnitsOfWork, on_sale: None, fund: Callable[..., None]
) -> None:
    blocking = sells(
        exhaustion="block_new", in_call={"policy": "let_finish", "overrun_price": "zero"}
    )
    with units.begin() as uow:
        plans.publish_plan(uow, "blocking", blocking, OLGA)
        new = NewAccount(name="Over", billing_email="bills@over.test", plan_code="blocking")
        shop = accounts.create_account(uow, new, OLGA)
    fund(shop, "1.00")
    history = History(units, shop)
    history.call(history.number("+14155550100"), Target(talk=600), at=LATER)
    with units.read() as uow:
        assert pools.remaining_seconds(uow, shop.scope) == 0
    buy(units, shop)
    with units.read() as uow:
        assert pools.remaining_seconds(uow, shop.scope) == 120
    assert figures(units, shop) == (180, 1_200, 120)
    prove(units)
