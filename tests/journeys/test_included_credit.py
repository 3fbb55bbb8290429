"""Credit that the access fee includes: granted by the cycle, drawn first, gone at its end."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from world import CALLER, FRONT_DESK, ONE_PHONE, Member, World

from billing.catalogue import load_catalogue
from gateway.services import accounts, included_credit, memberships, message_settlement, plans
from gateway.store.ledger import PostingRow

NEW_YORK = ZoneInfo("America/New_York")
CREDIT = 10_000_000


def publish(stage: World, code: str = "story", credit: str = "10.00", **more: Any) -> str:
    payg = load_catalogue()["payg"]
    included = {"credit": credit, **more.pop("included", {})}
    document = payg | {"name": code, "included": included, "access_fee": {"month": "20.00"}, **more}
    with stage.units.begin() as uow:
        plans.publish_plan(uow, code, document, "Olga")
    return code


def midnight(year: int, month: int, day: int) -> dt.datetime:
    return dt.datetime(year, month, day, tzinfo=NEW_YORK)


def lines(stage: World, member: Member, *kinds: str) -> list[Any]:
    rows = [row for row in stage.rows(PostingRow, member.scope) if row.kind in kinds]
    return [row for row in rows if row.account_id == member.scope.account_id]


def moved(stage: World, member: Member) -> list[tuple[str, int]]:
    """Grants and expiries in the ledger's order."""
    found = lines(stage, member, "included_credit", "credit_expiry")
    return [(row.kind.removeprefix("included_"), row.amount_micros) for row in found]


def used(stage: World, member: Member) -> int:
    return sum(row.amount_micros for row in lines(stage, member, "usage", "surcharge", "sms"))


def figures(stage: World, member: Member) -> Any:
    with stage.units.read() as uow:
        return included_credit.figures(uow, accounts.get_account(uow, member.scope))


def talk(stage: World, member: Member, seconds: float) -> None:
    stage.person(FRONT_DESK, talks=seconds)
    stage.call(member.e164)
    stage.settle()


def test_a_cycles_credit_pays_calls_first_and_the_rest_is_gone_at_its_end(stage: World) -> None:
    acme = stage.join("Acme", plan=publish(stage), document=ONE_PHONE)
    start = stage.balance(acme.scope)
    assert moved(stage, acme) == [("credit", CREDIT)]
    talk(stage, acme, 600)
    cost = used(stage, acme)
    seen = figures(stage, acme)
    assert 0 < cost < CREDIT
    assert (seen.granted_micros, seen.used_micros, seen.left_micros) == (
        CREDIT,
        cost,
        CREDIT - cost,
    )
    assert seen.cycle_ends_on == dt.date(2026, 4, 1)
    assert stage.balance(acme.scope) == start - cost, "the balance has the credit in it"
    stage.wait_until(midnight(2026, 4, 1))
    stage.renew()
    stage.renew()
    assert moved(stage, acme) == [
        ("credit", CREDIT),
        ("credit_expiry", CREDIT - cost),
        ("credit", CREDIT),
    ]
    assert stage.balance(acme.scope) == start, "the calls of March were on the house"
    stage.prove_ledger()


def test_after_days_of_downtime_calls_draw_the_credit_of_their_own_cycle(stage: World) -> None:
    """Nobody settled and nobody renewed from 30 March to 3 May: two turns are made up for."""
    acme = stage.join("Acme", plan=publish(stage), document=ONE_PHONE, funds=100_000_000)
    for minutes, day in enumerate(("2026-03-30", "2026-04-02", "2026-05-02"), 1):
        stage.wait_until(dt.datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=NEW_YORK))
        stage.person(FRONT_DESK, talks=60 * minutes)
        stage.call(acme.e164)
    stage.wait_until(midnight(2026, 5, 3))
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(look) for look in (stage.renew, stage.settle) * 2]:
            done.result(60)
    for _ in range(3):
        stage.wait_until(stage.carrier.clock.now() + dt.timedelta(minutes=1))
        stage.settle()
        stage.renew()
    charged = [row.amount_micros for row in lines(stage, acme, "usage")]
    per_call = [sum(charged[at : at + 2]) for at in (0, 2, 4)]
    assert per_call[0] < per_call[1] < per_call[2]
    assert moved(stage, acme) == [
        ("credit", CREDIT),
        ("credit_expiry", CREDIT - per_call[0]),
        ("credit", CREDIT),
        ("credit_expiry", CREDIT - per_call[1]),
        ("credit", CREDIT),
    ]
    assert figures(stage, acme).used_micros == per_call[2]
    keys = [row.key for row in lines(stage, acme, "included_credit", "credit_expiry")]
    assert len(set(keys)) == 5
    stage.prove_ledger()


def test_two_clocks_at_once_turn_the_cycle_once(stage: World) -> None:
    acme = stage.join("Acme", plan=publish(stage), document=None)
    stage.wait_until(midnight(2026, 4, 1))
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(stage.renew) for _ in range(4)]:
            done.result(60)
    assert [kind for kind, _ in moved(stage, acme)] == ["credit", "credit_expiry", "credit"]
    stage.prove_ledger()


def test_cycles_keep_their_day_over_the_clocks_and_29_february(stage: World) -> None:
    """Anchor day 31: every month's last day; clocks go forward in March and back in November."""
    plan = publish(stage, statement={"period": "cycle", "anchor_day": 31})
    stage.wait_until(midnight(2028, 1, 31) + dt.timedelta(hours=9))
    acme = stage.join("Acme", plan=plan, document=None, funds=900_000_000)
    while (now := stage.carrier.clock.now()) < midnight(2028, 12, 1):
        stage.wait_until(now + dt.timedelta(hours=24))
        stage.renew()
    days = [
        f"{row.at.astimezone(NEW_YORK):%m-%d}"
        for row in lines(stage, acme, "included_credit")
        if row.kind == "included_credit"
    ]
    assert days == [
        *("01-31", "02-29", "03-31", "04-30", "05-31", "06-30"),
        *("07-31", "08-31", "09-30", "10-31", "11-30"),
    ]
    assert len(lines(stage, acme, "credit_expiry")) == len(days) - 1
    stage.prove_ledger()


def test_rent_fees_and_packages_are_not_paid_from_included_credit(stage: World) -> None:
    """Own money of 0.50 and 10.00 of credit: a fee of 5.00 waits for a top-up, and so does rent."""
    more = {"renewal_without_balance": "suspend", "access_fee": {"month": "5.00"}}
    plan = publish(stage, **more)
    acme = stage.join("Acme", plan=plan, document=ONE_PHONE, funds=CREDIT + 500_000)
    stage.wait_until(midnight(2026, 4, 4))
    stage.renew()
    assert len(lines(stage, acme, "access_fee", "rental")) == 2, "those of March"
    assert stage.balance(acme.scope) == CREDIT + 500_000
    assert stage.status(acme.scope) == "suspended"
    stage.top_up(acme.scope, 30_000_000)
    stage.renew()
    assert len(lines(stage, acme, "access_fee", "rental")) == 4
    assert stage.status(acme.scope) == "active"
    stage.prove_ledger()


@pytest.mark.parametrize("scope", ["agency_shared", "account"])
def test_texts_draw_it_too_and_those_of_clients_where_the_plan_shares_it(
    stage: World, scope: str
) -> None:
    plan = publish(stage, included={"scope": scope})
    agency = stage.join("Agency", plan=plan, document=None)
    parent = agency.scope.account_id
    client = stage.join("Client", plan="payg", document=None, parent_id=parent, area_code="212")
    with stage.units.begin() as uow:
        memberships.set_billing(uow, client.scope, "agency_shared", "Olga")
    for member in (agency, client):
        stage.carrier.receive_message(CALLER, member.e164, "Hello")
    stage.carrier.run_until_idle()
    assert message_settlement.drain(stage.units).texts == 2
    both = used(stage, agency)
    assert both > 0
    drawn = both if scope == "agency_shared" else both // 2
    assert figures(stage, agency).used_micros == drawn
    assert (figures(stage, client) is None) == (scope == "account")
    stage.prove_ledger()
