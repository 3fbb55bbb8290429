"""Charges on a network that loses answers, in virtual time: no cent is lost, doubled or invented.

The network is the sandbox's own, asked without HTTP; everything else is the real thing.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import uuid
from collections.abc import Callable

import pytest
from direct_cards import DirectCards, direct_network

from billing.money import parse_amount
from gateway.providers.payments import SavedCard
from gateway.sandbox.cards import CardFaults, CardNetwork
from gateway.sandbox.clock import VirtualClock, VirtualScheduler
from gateway.services import card_payments, charges, ledger, payment_methods, plans
from gateway.services.accounts import Account, NewAccount, create_account, get_account
from gateway.services.errors import Conflict
from gateway.services.till import Till
from gateway.store.charges import ChargeRow
from gateway.store.ledger import PostingRow
from gateway.uow import UnitsOfWork

ATTEMPTS = int(os.environ.get("CHARGE_ATTEMPTS", "150"))
ACCOUNTS = 6
START = dt.datetime(2026, 3, 4, 17, 0, tzinfo=dt.UTC)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
def shop(clock: VirtualClock) -> tuple[CardNetwork, VirtualScheduler]:
    return direct_network(clock)


@pytest.fixture
def scheduler(shop: tuple[CardNetwork, VirtualScheduler]) -> VirtualScheduler:
    return shop[1]


@pytest.fixture
def network(shop: tuple[CardNetwork, VirtualScheduler]) -> CardNetwork:
    return shop[0]


@pytest.fixture
def till(network: CardNetwork) -> Till:
    cards = DirectCards(network)
    return Till("sandbox", "US", "https://calls.test", lambda: cards)


@pytest.fixture
def house(units: UnitsOfWork, on_sale: None, clock: VirtualClock) -> UnitsOfWork:
    return UnitsOfWork(units.engine, clock.now)


@pytest.fixture
def open_account(house: UnitsOfWork, network: CardNetwork) -> Callable[[str], Account]:
    def open_one(token: str) -> Account:
        with house.begin() as uow:
            account = create_account(
                uow,
                NewAccount(
                    name="Acme", billing_email="billing@acme.test", plan_code="prepaid_recharge"
                ),
                "test",
            )
            customer = network.make_customer("Acme", "billing@acme.test", {})["id"]
            setup = network.save_card(customer, token)
            saved = SavedCard(customer, setup["payment_method"], "visa", "4242", "2029-12")
            payment_methods.keep(uow, "sandbox", account.scope, saved, "Ann")
            return account

    return open_one


def test_e1_with_four_answers_in_ten_lost_charged_equals_credited(
    house: UnitsOfWork,
    till: Till,
    network: CardNetwork,
    scheduler: VirtualScheduler,
    clock: VirtualClock,
    open_account: Callable[[str], Account],
) -> None:
    """CHARGE_ATTEMPTS=3000 pytest --timeout 0 makes a longer storm of it."""
    dice = random.Random(40)
    network.faults = CardFaults(lose_request=0.15, lose_answer=0.4, seed=40)
    accounts = [open_account("pm_card_visa") for _ in range(ACCOUNTS)]
    made = 0
    while made < ATTEMPTS:
        network.tell("4242", dice.choice(["pays", "pays", "pays", "slow", "insufficient_funds"]))
        for account in accounts:
            amount = dice.randrange(100, 20_000) * 10_000
            try:
                card_payments.pay(
                    house,
                    till,
                    account.scope,
                    amount_micros=amount,
                    method_id=None,
                    actor="Ann",
                    idempotency_key=str(uuid.uuid4()),
                )
                made += 1
            except Conflict:
                pass  # the last one is not known yet
        for _ in range(dice.randrange(1, 4)):
            scheduler.run_until(clock.now() + dt.timedelta(seconds=dice.choice([5, 60, 3_600])))
            charges.sweep(house, till)
    network.faults = CardFaults()
    for _ in range(30):
        scheduler.run_until(clock.now() + dt.timedelta(hours=2))
        charges.sweep(house, till)

    with house.read() as uow:
        rows = list(uow.connection.execute(ChargeRow.__table__.select()))
        lines = list(uow.connection.execute(PostingRow.__table__.select()))
        balances = {one.id: get_account(uow, one.scope).balance_micros for one in accounts}
        assert all(proof.report.ok for proof in ledger.verify(uow.connection))
    assert len(rows) == made and {row.state for row in rows} == {"ok", "failed"}
    credited = sum(row.credited_micros or 0 for row in rows)
    assert credited == network.taken() * 10_000
    assert credited == sum(line.amount_micros for line in lines) == sum(balances.values())
    assert len({line.key for line in lines}) == sum(row.state == "ok" for row in rows)
    assert till.provider.calls > made  # type: ignore[attr-defined]  # some were sent again


def test_s3_07_a_plan_that_wants_a_card_begins_with_one(
    house: UnitsOfWork, open_account: Callable[[str], Account], network: CardNetwork
) -> None:
    with house.begin() as uow:
        waiting = create_account(
            uow,
            NewAccount(name="Cora", billing_email="cora@cora.test", plan_code="small_teams"),
            "test",
        )
        assert plans.get_plan(uow, "small_teams").plan.mode == "card_daily"
        assert waiting.status == "suspended"
        ledger.top_up(
            uow,
            waiting.scope,
            amount_micros=parse_amount("10.00"),
            method="transfer",  # the plan takes no top-ups by hand
            reason="money alone does not do it",
            actor="Olga",
            idempotency_key="gift",
        )
        assert get_account(uow, waiting.scope).status == "suspended"
        saved = SavedCard("cus_1", "pm_1", "visa", "4242", "2029-12")
        payment_methods.keep(uow, "sandbox", waiting.scope, saved, "Cora")
        assert get_account(uow, waiting.scope).status == "active"


def test_s3_07_staff_may_let_an_account_pay_by_other_means(house: UnitsOfWork) -> None:
    with house.begin() as uow:
        account = create_account(
            uow,
            NewAccount(
                name="Mona",
                billing_email="mona@mona.test",
                plan_code="small_teams",
                needs_card=False,
            ),
            "Olga",
        )
        assert account.status == "active"
