"""Pools at the gate, and an agency whose clients draw its minutes and its money."""

import datetime as dt
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from world import FRONT_DESK, ONE_PHONE, Member, World

from billing.catalogue import load_catalogue
from billing.purchases import Purchaser
from gateway.services import (
    accounts,
    ledger,
    memberships,
    message_settlement,
    messages,
    packages,
    plans,
    pools,
    settlement,
    statement,
    statements,
)
from gateway.services.accounts import NewAccount
from gateway.services.messages import NewText
from gateway.store.calls import CallRow
from gateway.store.ledger import PostingRow
from gateway.store.legs import LegRow

INBOUND_ONLY = {
    "inbound": True,
    "forwarded": False,
    "transfer": False,
    "ring_time": False,
    "ivr_time": False,
}


def a_plan(**more: Any) -> dict[str, Any]:
    payg = load_catalogue()["payg"]
    return payg | {
        "name": "Story",
        "package_limits": {"minutes_min": 1, "minutes_max": 500_000},
        "tariff": payg["tariff"] | {"billable_legs": INBOUND_ONLY},
        **more,
    }


def publish(stage: World, code: str, **more: Any) -> str:
    with stage.units.begin() as uow:
        plans.publish_plan(uow, code, a_plan(**more), "Olga")
    return code


def figures(stage: World, member: Member) -> pools.PoolFigures:
    with stage.units.read() as uow:
        found = pools.figures(uow, accounts.get_account(uow, member.scope))
    assert found is not None
    return found


def talk(stage: World, member: Member, seconds: float) -> str:
    stage.person(FRONT_DESK, talks=seconds)
    call_sid = stage.call(member.e164)
    stage.settle()
    return call_sid


def test_s4_08_s4_09_a_call_overruns_the_pool_and_the_next_is_refused_until_an_upgrade(
    stage: World,
) -> None:
    more = {"exhaustion": "block_new", "mode": "postpaid", "credit_limit": "300.00"}
    zero = {"policy": "let_finish", "overrun_price": "zero"}
    publish(stage, "two", pool={"minutes": 2, "scope": "account"}, in_call=zero, **more)
    publish(stage, "ten", pool={"minutes": 10, "scope": "account"}, in_call=zero, **more)
    acme = stage.join("Acme", plan="two", document=ONE_PHONE)
    talk(stage, acme, 200)
    seen = figures(stage, acme)
    assert (seen.allocated_seconds, seen.used_seconds) == (120, 200)
    assert (seen.remaining_seconds, seen.overrun_seconds) == (0, 80)
    assert stage.balance(acme.scope) == 50_000_000, "the overrun is priced zero"
    assert "<Reject" in stage.ask(acme.e164)
    assert [row.refused for row in stage.rows(CallRow, acme.scope)].count("minutes_exhausted") == 1
    with stage.units.begin() as uow:
        accounts.update_account(uow, acme.scope, {"plan_code": "ten"}, "Olga")
    talk(stage, acme, 60)
    assert (figures(stage, acme).used_seconds, figures(stage, acme).overrun_seconds) == (60, 0)
    stage.prove_ledger()


def test_s4_09_while_one_call_overruns_a_second_is_refused(stage: World) -> None:
    publish(stage, "two", pool={"minutes": 2, "scope": "account"}, exhaustion="block_new")
    acme = stage.join("Acme", plan="two", document=ONE_PHONE)
    stage.person(FRONT_DESK, talks=600)
    stage.ring(acme.e164, seconds=60)
    assert "<Dial" in stage.ask(acme.e164), "sixty seconds are left"
    stage.carrier.run_for(120)
    assert "<Reject" in stage.ask(acme.e164)


def test_s4_13_thirty_seconds_count_nothing_and_thirty_one_count_whole(stage: World) -> None:
    tariff = a_plan()["tariff"] | {"free_until_seconds": 30, "threshold_mode": "all_or_nothing"}
    publish(stage, "pool", pool={"minutes": 2, "scope": "account"}, tariff=tariff)
    acme = stage.join("Acme", plan="pool", document=ONE_PHONE)
    talk(stage, acme, 30)
    assert figures(stage, acme).used_seconds == 0
    talk(stage, acme, 31)
    assert figures(stage, acme).used_seconds == 31


def test_s4_02_the_figures_are_those_of_the_cycle_not_of_the_month(stage: World) -> None:
    publish(stage, "pool", pool={"minutes": 2}, statement={"period": "cycle", "anchor_day": 17})
    acme = stage.join("Acme", plan="pool", document=ONE_PHONE)
    talk(stage, acme, 60)
    seen = figures(stage, acme)
    assert (seen.cycle_starts_on, seen.cycle_ends_on) == (
        dt.date(2026, 2, 17),
        dt.date(2026, 3, 17),
    )
    stage.wait_until(dt.datetime(2026, 3, 17, 4, 0, tzinfo=dt.UTC))  # midnight in New York
    stage.renew()
    seen = figures(stage, acme)
    assert (seen.allocated_seconds, seen.used_seconds) == (120, 0)
    assert seen.cycle_starts_on == dt.date(2026, 3, 17)
    stage.prove_ledger()


# An agency.

SHARED = {"pool": {"minutes": 10, "scope": "agency_shared"}}


def agency_and_clients(
    stage: World, count: int, plan: str, shared: bool = True, clients_plan: str = ""
) -> tuple[Member, list[Member]]:
    agency = stage.join("Agency", plan=plan, document=ONE_PHONE)
    clients = []
    for n in range(count):
        client = stage.join(
            f"Client{n}",
            document=ONE_PHONE,
            plan=clients_plan or plan,
            parent_id=agency.scope.account_id,
            area_code="212",
        )
        clients.append(client)
        if shared:
            share(stage, client)
    return agency, clients


def share(stage: World, client: Member, billing: Any = "agency_shared") -> None:
    with stage.units.begin() as uow:
        memberships.set_billing(uow, client.scope, billing, "Olga")


PACKAGE: dict[str, Any] = {
    "code": "small",
    "number_type": "local",
    "minutes": 10,
    "price": "0.30",
    "leg_scope": ["inbound"],
}


def remaining(stage: World, member: Member) -> int:
    with stage.units.read() as uow:
        return packages.list_packages(uow, member.scope).items[0].remaining_seconds


def buy(stage: World, member: Member) -> None:
    with stage.units.begin() as uow:
        packages.buy(uow, member.scope, "small", Purchaser("", "ann"), idempotency_key="k")


def test_s1_14_a_client_draws_the_agencys_package_and_money_only_while_it_shares(
    stage: World,
) -> None:
    publish(stage, "pack", packages=[PACKAGE])
    agency, (client,) = agency_and_clients(stage, 1, "pack", shared=False)
    buy(stage, agency)
    talk(stage, client, 60)
    assert remaining(stage, agency) == 600
    assert stage.balance(client.scope) == 50_000_000 - 50_000, "on its own billing"
    share(stage, client)
    talk(stage, client, 590)
    assert remaining(stage, agency) == 10
    call_sid = talk(stage, client, 70)
    assert remaining(stage, agency) == 0
    assert stage.balance(client.scope) == 50_000_000 - 50_000
    assert stage.balance(agency.scope) == 50_000_000 - 300_000 - 50_000, (
        "60 s in the agency's money"
    )
    with stage.units.read() as uow:
        page = statement.list_postings(uow, agency.scope)
        line = next(x for x in page.items if x.call_sid == call_sid)
        assert statement.explain(uow, agency.scope, line.id).recompute() == 50_000
    share(stage, client, "own")
    talk(stage, client, 60)
    assert stage.balance(client.scope) == 50_000_000 - 100_000
    stage.prove_ledger()


def test_s1_14_a_client_that_moves_during_a_call_pays_as_the_call_began(stage: World) -> None:
    publish(stage, "pack", packages=[PACKAGE])
    agency, (client,) = agency_and_clients(stage, 1, "pack")
    buy(stage, agency)
    stage.person(FRONT_DESK, talks=100)
    stage.ring(client.e164, seconds=50)
    share(stage, client, "own")
    stage.carrier.run_until_idle()
    stage.settle()
    assert remaining(stage, agency) == 500
    assert stage.balance(client.scope) == 50_000_000
    stage.prove_ledger()


def test_c15_the_gate_of_a_client_looks_at_the_agencys_money_while_it_shares(stage: World) -> None:
    publish(stage, "plain")
    agency, (client,) = agency_and_clients(stage, 1, "plain")
    set_balance(stage, client, -1)
    set_balance(stage, client, 0)
    assert "<Dial" in stage.ask(client.e164)
    set_balance(stage, agency, -1)
    assert "<Reject" in stage.ask(client.e164)
    share(stage, client, "own")
    assert "<Dial" in stage.ask(client.e164)


def set_balance(stage: World, member: Member, micros: int) -> None:
    with stage.units.begin() as uow:
        ledger.adjust(
            uow,
            member.scope,
            amount_micros=micros - stage.balance(member.scope),
            reason="story",
            actor="Olga",
            idempotency_key=str(random.random()),
        )


def test_s1_03_s4_10_many_drains_never_draw_the_last_minute_twice(stage: World) -> None:
    publish(stage, "shared", **SHARED)
    publish(stage, "plain")
    agency, clients = agency_and_clients(stage, 6, "shared", clients_plan="plain")
    seconds = 0
    stage.person(FRONT_DESK, talks=70)
    for client in (agency, *clients):
        for _ in range(3):
            stage.call(client.e164)
            seconds += 70
    with ThreadPoolExecutor(4) as pool:
        drained = [
            f.result(60) for f in [pool.submit(settlement.drain, stage.units) for _ in "1234"]
        ]
    assert sum(d.failed for d in drained) == 0
    while stage.settle():
        pass
    draws = [row for row in stage.rows(PostingRow, agency.scope) if row.kind == "draw"]
    assert sum(row.amount_micros for row in draws) == 600, "ten minutes, and not a second more"
    paid = [row for row in stage.rows(PostingRow, agency.scope) if row.kind == "usage"]
    assert sum(row.billed_seconds for row in paid) == seconds - 600
    assert {row.debit for row in paid} == {f"wallet:{agency.scope.account_id.hex}"}
    charged = sum(row.charge_micros for row in stage.rows(LegRow, agency.scope))
    assert charged == sum(row.amount_micros for row in paid), "clients' shares sum to the bill"
    stage.prove_ledger()


def test_c15_texts_rent_and_access_of_a_client_are_the_agencys_while_it_shares(
    stage: World,
) -> None:
    """A client on shared billing needs no money of its own, and what it caused is its share."""
    publish(stage, "club", access_fee={"month": "5.00"})
    agency = stage.join("Agency", plan="club", document=ONE_PHONE)
    with stage.units.begin() as uow:
        opened = accounts.create_account(
            uow,
            NewAccount(
                name="Client",
                billing_email="client@example.com",
                plan_code="club",
                parent_id=agency.scope.account_id,
                billing="agency_shared",
            ),
            "Olga",
        )
    number = stage.buy(opened.scope, area_code="212")
    client = Member(opened.scope, number)
    text(stage, client)
    assert stage.balance(client.scope) == 0 and stage.status(client.scope) == "active"
    rent, texts = number.rental_micros, load_catalogue()["payg"]["tariff"]["sms"]["outbound"]
    price = round(float(texts[0]["price"]) * 1_000_000)
    assert stage.balance(agency.scope) == 50_000_000 - 5_000_000 - rent - price
    for posting in stage.rows(PostingRow, agency.scope):
        if posting.kind in ("sms", "rental", "access_fee"):
            id = f"{agency.scope.tenant_id}-{posting.seq}"
            with stage.units.read() as uow:
                why = statement.explain(uow, agency.scope, id)
            assert why.recompute() == posting.amount_micros
    stage.wait_until(dt.datetime(2026, 4, 3, 5, 0, tzinfo=dt.UTC))
    stage.renew()
    assert stage.balance(client.scope) == 0
    view = statements_of(stage, agency)[0]
    shares = {share["name"]: share for share in view.document["clients"]}
    assert shares["Client"]["own_micros"] == 5_000_000 + rent + price
    assert sum(s["total_micros"] for s in shares.values()) == view.document["charges_micros"]
    share(stage, client, "own")
    set_balance(stage, client, 10_000_000)
    text(stage, client)
    assert stage.balance(client.scope) == 10_000_000 - price
    stage.prove_ledger()


def text(stage: World, sender: Member) -> None:
    with stage.units.begin() as uow:
        messages.send(
            uow,
            sender.scope,
            NewText(sender.number.id, FRONT_DESK, "Hello"),
            actor="Ann",
            idempotency_key=str(random.random()),
        )
    stage.work()
    stage.carrier.run_until_idle()
    message_settlement.drain(stage.units)


def statements_of(stage: World, member: Member) -> tuple[statements.StatementView, ...]:
    with stage.units.read() as uow:
        return statements.list_statements(uow, member.scope).items


def test_c15_a_rent_that_the_agencys_balance_does_not_cover_waits_for_the_agencys_top_up(
    stage: World,
) -> None:
    publish(stage, "waits", renewal_without_balance="suspend")
    agency, (client,) = agency_and_clients(stage, 1, "waits")
    set_balance(stage, agency, 0)
    stage.wait_until(dt.datetime(2026, 4, 3, 5, 0, tzinfo=dt.UTC))
    stage.renew()
    assert stage.status(client.scope) == "suspended"
    stage.top_up(agency.scope, 20_000_000)
    stage.renew()
    assert stage.status(client.scope) == "active"
    both = agency.number.rental_micros + client.number.rental_micros
    assert stage.balance(agency.scope) == 20_000_000 - both
    assert stage.balance(client.scope) == 50_000_000
    stage.prove_ledger()
