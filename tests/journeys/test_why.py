"""Any amount opens its explanation, and the explanation alone gives the amount: every kind."""

import datetime as dt
import random
from typing import Any

from world import FRONT_DESK, ONE_PHONE, World

from billing.catalogue import load_catalogue
from billing.postings import PostingKind
from billing.purchases import Purchaser
from gateway.services import (
    accounts,
    ledger,
    message_settlement,
    messages,
    packages,
    payment_methods,
    plan_changes,
    plans,
    refunds,
    reversals,
    statement,
)
from gateway.services.card_payments import pay
from gateway.services.messages import NewText

UNSEEN = {PostingKind.CARRIER_COST, PostingKind.VAT}
"""Lines of the house alone: what we owe the carrier and the tax office."""


def a_plan(name: str, **more: Any) -> dict[str, Any]:
    payg = load_catalogue()["payg"]
    dear = {"label": "Front desks", "prefixes": [FRONT_DESK[1:]], "per_minute": "0.0207"}
    small = {"code": "small", "number_type": "local", "minutes": 2, "price": "0.09"}
    return payg | {
        "name": name,
        "topup": {"manual": True, "card": True},
        "package_limits": {"minutes_min": 1, "minutes_max": 500_000},
        "packages": [small | {"leg_scope": ["inbound"]}],
        "tariff": payg["tariff"] | {"surcharges": [dear]},
        "refunds": "card_payments",
        "upgrade": {"fee": "prorated", "allowance": "prorated"},
        **more,
    }


def test_s5_20_every_line_of_every_kind_is_recomputed_from_its_explanation(stage: World) -> None:
    rng = random.Random(7)
    with stage.units.begin() as uow:
        credit = {"included": {"credit": "1.00"}}
        small = a_plan("Small", access_fee={"month": "5.00"}, pool={"minutes": 3}, **credit)
        large = a_plan("Large", access_fee={"month": "19.99"}, pool={"minutes": 10})
        plans.publish_plan(uow, "small", small, "Olga")
        plans.publish_plan(uow, "large", large, "Olga")
    acme = stage.join("Acme", plan="small", document=ONE_PHONE, country="DE")
    till = stage.runtime.cards()
    payment_methods.attach(
        stage.units, till, acme.scope, token="pm_card_visa", actor="ann", idempotency_key="card"
    )
    paid = pay(
        stage.units,
        till,
        acme.scope,
        amount_micros=25_000_000,
        method_id=None,
        actor="ann",
        idempotency_key="pay",
    )
    assert paid.vat_micros
    refunds.refund(
        stage.units,
        till,
        acme.scope,
        paid.id,
        amount_micros=3_330_000,
        reason="too much",
        actor="Olga",
        idempotency_key="back",
    )
    with stage.units.begin() as uow:
        packages.buy(uow, acme.scope, "small", Purchaser("", "Ann"), idempotency_key="p")
        messages.send(
            uow,
            acme.scope,
            NewText(acme.number.id, FRONT_DESK, "Hello"),
            actor="Ann",
            idempotency_key="text",
        )
    stage.work()
    stage.carrier.run_until_idle()
    message_settlement.drain(stage.units)
    for _ in range(6):
        stage.person(FRONT_DESK, talks=rng.randrange(20, 200))
        stage.call(acme.e164)
        stage.settle()
    stage.wait_until(dt.datetime(2026, 3, 12, 9, 0, tzinfo=dt.UTC))
    with stage.units.begin() as uow:
        wish = plan_changes.request(uow, acme.scope, "large", "Ann")
        plan_changes.schedule(uow, acme.scope, wish.id, None, "Olga")
    stage.renew()
    stage.wait_until(dt.datetime(2026, 4, 4, 9, 0, tzinfo=dt.UTC))
    stage.renew()
    with stage.units.begin() as uow:
        ledger.adjust(
            uow,
            acme.scope,
            amount_micros=-1_234_567,
            reason="a mistake",
            actor="Olga",
            idempotency_key="a",
        )
        line = next(
            one for one in statement.list_postings(uow, acme.scope).items if one.kind == "rental"
        )
        reversals.reverse_posting(uow, acme.scope, line.id, reason="goodwill", actor="Olga")
    seen = {}
    with stage.units.read() as uow:
        after = None
        while True:
            page = statement.list_postings(uow, acme.scope, after)
            for line in page.items:
                why = statement.explain(uow, acme.scope, line.id)
                assert why.recompute() == abs(line.amount_micros) == why.amount_micros, line.key
                seen[line.kind] = why.words
            if page.next is None:
                break
            after = page.next
        account = accounts.get_account(uow, acme.scope)
    assert set(PostingKind) - UNSEEN == seen.keys()
    assert "surcharge Front desks on top of the call" in seen["surcharge"]
    assert account.plan_name == "Large" and "plan Small v1" in seen["access_fee"]
    assert "the part for the days that were left" in seen["plan_change"]
    stage.prove_ledger()
