"""From a VAT id that is given to tax that is left out, with the Union's register in between."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator

import pytest
from register import StandIn, stand_in, unable, yes
from world import ONE_PHONE, World, world

from billing.money import parse_amount
from gateway.config import Settings
from gateway.services import accounts, card_payments, payment_methods
from gateway.store.base import Scope
from gateway.store.ledger import PostingRow
from workers.schedule import Clock

ID, PLAN = "DE136695976", "prepaid_recharge"


@pytest.fixture
def vies() -> Iterator[StandIn]:
    with stand_in() as opened:
        yield opened


@pytest.fixture
def staged(settings: Settings, vies: StandIn) -> Iterator[Callable[[str], World]]:
    """A house whose operator has set VAT_CHECK."""
    opened = []

    def by(vat_check: str) -> World:
        chosen = settings.model_copy(update={"vat_check": vat_check, "vies_url": vies.url})
        opened.append(world(chosen))
        return opened[-1].__enter__()

    yield by
    for one in opened:
        one.__exit__(None, None, None)


def tick(stage: World) -> None:
    """One look of the clock, and whatever it began brought to its end."""
    clock = Clock(stage.tools)
    assert clock.tick()
    for thread in clock._stepping_in.values():
        thread.join(20)
    clock._leave()


def joins_and_gives_its_id(stage: World) -> Scope:
    scope = stage.join("Acme", funds=1_000_000, plan=PLAN, document=ONE_PHONE, country="DE").scope
    payment_methods.attach(
        stage.units,
        stage.runtime.cards(),
        scope,
        token="pm_card_visa",
        actor="Ann",
        idempotency_key="card",
    )
    with stage.units.begin() as uow:
        accounts.update_account(uow, scope, {"vat_id": ID}, "Ann")
    return scope


def tax_of_a_top_up(stage: World, scope: Scope) -> str:
    charge = card_payments.pay(
        stage.units,
        stage.runtime.cards(),
        scope,
        amount_micros=parse_amount("20.00"),
        method_id=None,
        actor="Ann",
        idempotency_key=str(uuid.uuid4()),
    )
    stage.work()
    tax = sum(
        row.amount_micros for row in stage.rows(PostingRow, scope) if row.key == f"vat:{charge.id}"
    )
    assert charge.gross_micros == parse_amount("20.00") + tax
    return f"{tax / 1_000_000:.2f} {'reverse' if 'everse' in charge.vat_note else 'taxed'}"


def test_s5_19_a_yes_that_comes_late_leaves_tax_out_of_the_next_top_up(
    staged: Callable[[str], World], vies: StandIn
) -> None:
    stage = staged("confirm")
    vies.says(unable(), yes("ACME GMBH", "WAPIAAAA"))
    scope = joins_and_gives_its_id(stage)
    tick(stage)
    assert tax_of_a_top_up(stage, scope) == "3.80 taxed", "no payment waits for a register"
    tick(stage)
    assert len(vies.asked) == 1, "not before its pause is over"
    stage.carrier.run_for(dt.timedelta(minutes=1).total_seconds())
    tick(stage)
    assert tax_of_a_top_up(stage, scope) == "0.00 reverse"
    stage.prove_ledger()


def test_s5_19_a_yes_alone_leaves_no_tax_out_where_staff_decides(
    staged: Callable[[str], World], vies: StandIn
) -> None:
    stage = staged("ask")
    vies.says(yes("ACME GMBH"))
    scope = joins_and_gives_its_id(stage)
    tick(stage)
    assert len(vies.asked) == 1 and tax_of_a_top_up(stage, scope) == "3.80 taxed"
    with stage.units.begin() as uow:
        accounts.confirm_vat_id(uow, scope, "VIES ACME GMBH", "olga")
    assert tax_of_a_top_up(stage, scope) == "0.00 reverse"
    with stage.units.begin() as uow:
        accounts.withdraw_vat_id(uow, scope, "another company's", "olga")
    tick(stage)
    assert tax_of_a_top_up(stage, scope) == "3.80 taxed"
    stage.prove_ledger()


def test_nobody_is_asked_where_the_check_is_off(
    staged: Callable[[str], World], vies: StandIn
) -> None:
    stage = staged("off")
    joins_and_gives_its_id(stage)
    tick(stage)
    assert vies.asked == []
