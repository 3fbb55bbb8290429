"""M02: a period under another plan, leg by leg; under its own plan it differs by exactly zero."""

import datetime as dt
import math
import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from billing.catalogue import CARRIER_COST, load_catalogue
from billing.purchases import Purchaser
from gateway.services import accounts, ledger, packages, plans, settlement, what_if
from gateway.services.accounts import Account, NewAccount
from gateway.services.errors import Invalid
from gateway.services.plans import PlanVersion
from gateway.services.what_if import LegLine, WhatIf
from gateway.uow import UnitsOfWork
from tests.services.conftest import NOON, OLGA
from tests.services.history import DESK, MOBILE, START, History, Target

RETAIL = sorted(load_catalogue().keys() - {CARRIER_COST})
SINCE, UNTIL = START, START + dt.timedelta(days=31)
TABLES = (
    "posting",
    "leg",
    "call",
    "daily_usage",
    "ledger_account",
    "bucket",
    "audit",
    "outbox",
)
STATE = "select count(*), md5(string_agg(t::text, '' order by t::text)) from {} as t"


def open_account(
    units: UnitsOfWork, plan: str, funds: int = 500_000_000, agency: Account | None = None
) -> Account:
    with units.begin() as uow:
        account = accounts.create_account(
            uow,
            NewAccount(
                name=f"On {plan}",
                billing_email="bills@acme.test",
                plan_code=plan,
                parent_id=agency.id if agency else None,
                billing="agency_shared" if agency else "own",
            ),
            OLGA,
        )
        if funds:
            give(uow, account, funds)
    return account


def give(uow: Any, account: Account, micros: int) -> None:
    ledger.adjust(
        uow,
        account.scope,
        amount_micros=micros,
        reason="test money",
        actor=OLGA,
        idempotency_key=str(random.random()),
    )


class Diary(History):
    """A history whose clock goes along: a call is settled when it is over, not years before."""

    def __init__(self, units: UnitsOfWork, account: Account) -> None:
        self.now = START
        super().__init__(UnitsOfWork(units.engine, lambda: self.now), account)

    def call(self, did_id: uuid.UUID, *targets: Target, at: dt.datetime = START, **how: Any) -> str:
        self.now = at + dt.timedelta(hours=2)
        return super().call(did_id, *targets, at=at, **how)


def live(history: History, *, calls: int = 18, seed: int = 7) -> None:
    """Calls of all kinds over a month: long, short, unanswered, left to voicemail."""
    rng = random.Random(seed)
    dids = [history.number(e164) for e164 in ("+14155550100", "+18005550100")]
    at = START + dt.timedelta(hours=2)
    for _ in range(calls):
        at += dt.timedelta(minutes=rng.randrange(20, 900))
        talk = rng.choice([0, 1, 5, 29, 30, 31, 59, 60, 61, 83, 119, 120, 121, 600, 3_599])
        targets = [Target(MOBILE, talk=talk or None), Target(DESK)]
        history.call(
            rng.choice(dids),
            *(targets if rng.random() < 0.8 else [Target(DESK)]),
            at=at,
            talk=talk + rng.choice([0, 0, 7]),
            settle=rng.random() < 0.5,
        )
    history.settle()


def asked(
    units: UnitsOfWork,
    account: Account,
    version: PlanVersion | None,
    each: Callable[[LegLine], None] | None = None,
) -> WhatIf:
    with units.read() as uow:
        return what_if.what_if(
            uow, account.scope, since=SINCE, until=UNTIL, version=version, each=each
        )


def version_of(units: UnitsOfWork, code: str) -> PlanVersion:
    with units.read() as uow:
        return plans.get_plan(uow, code)


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param("per_second_both_legs", id="no price depends on another leg"),
        pytest.param("answered_minutes", id="what lies past zero is forgiven"),
        pytest.param("command_center_large", id="a pool"),
    ],
)
def test_m02_the_same_plan_gives_exactly_zero_difference(
    units: UnitsOfWork, on_sale: None, plan: str
) -> None:
    account = open_account(units, plan)
    live(Diary(units, account))
    for version in (None, version_of(units, plan)):
        seen = asked(units, account, version)
        assert seen.calls.items > 20 and seen.differing_legs == 0 and seen.largest == ()
        assert seen.total.difference_micros == 0
        assert seen.calls.charged_micros == seen.calls.replayed_micros
        assert all(number.sums.difference_micros == 0 for number in seen.numbers)


@pytest.mark.parametrize(
    "funds",
    [
        pytest.param(0, id="C2 nothing left from the start"),
        pytest.param(50_001, id="C2 used up in the middle of a leg"),
        pytest.param(700_000, id="C2 used up later"),
    ],
)
def test_m02_what_an_overrun_forgave_is_forgiven_again(
    units: UnitsOfWork, on_sale: None, funds: int
) -> None:
    document = load_catalogue()["payg"] | {
        "name": "Zero",
        "suspend_when": "lte_zero",
        "in_call": {"policy": "let_finish", "overrun_price": "zero"},
    }
    with units.begin() as uow:
        zero = plans.publish_plan(uow, "zero", document, OLGA)
    account = open_account(units, "zero", funds)
    history = Diary(units, account)
    did = history.number("+14155550100")
    for minute in range(8):
        at = START + dt.timedelta(minutes=10 * minute)
        history.call(did, Target(MOBILE, talk=83), at=at)
        if minute == 5:
            with units.begin() as uow:
                give(uow, account, 90_000)
    seen = asked(units, account, zero)
    assert seen.calls.charged_micros < 8 * 2 * 69_166, "something was forgiven"
    assert seen.total.difference_micros == 0 and seen.differing_legs == 0
    payg = asked(units, account, version_of(units, "payg"))
    assert payg.calls.replayed_micros == 8 * 2 * 69_166, "under payg nothing is"


def test_m02_c15_clients_that_are_settled_together_are_forgiven_what_they_were(
    units: UnitsOfWork, on_sale: None
) -> None:
    """Their agency's balance runs out among their legs: each finds what the one before left."""
    document = load_catalogue()["payg"] | {
        "name": "Zero",
        "suspend_when": "lte_zero",
        "in_call": {"policy": "let_finish", "overrun_price": "zero"},
        "pool": {"minutes": 3, "scope": "agency_shared", "leg_scope": ["inbound"]},
        "exhaustion": "charge_plan_rate",
    }
    with units.begin() as uow:
        zero = plans.publish_plan(uow, "zero", document, OLGA)
    agency = open_account(units, "zero", 400_001)
    clients = [open_account(units, "zero", 0, agency) for _ in range(4)]
    for nth, client in enumerate(clients):
        history = Diary(units, client)
        did = history.number(f"+1415555017{nth}")
        for minute in range(3):
            at = NOON + dt.timedelta(minutes=10 * minute + nth)
            history.call(did, Target(MOBILE, talk=83), at=at, settle=False)
    later = UnitsOfWork(units.engine, lambda: NOON + dt.timedelta(hours=1))
    assert settlement.drain(later).legs == 4 * 3 * 2
    charged = 0
    for account in (agency, *clients):
        for version in (None, zero):
            seen = asked(units, account, version)
            assert seen.total.difference_micros == 0 and seen.differing_legs == 0
        charged += seen.calls.charged_micros
        if account is agency:
            on_its_bill = seen.clients.charged_micros
            assert (seen.calls.items, seen.clients.items, len(seen.names)) == (0, 24, 4)
    assert charged == on_its_bill == 400_001, "all that it had, and the rest was forgiven"


def test_m02_minutes_of_packages_are_drawn_again_as_they_were(
    units: UnitsOfWork, on_sale: None
) -> None:
    offer = {
        "code": "small",
        "number_type": "local",
        "minutes": 20,
        "price": "0.60",
        "leg_scope": ["inbound", "forwarded"],
    }
    document = load_catalogue()["payg"] | {
        "name": "Packages",
        "package_limits": {"minutes_min": 1, "minutes_max": 500_000},
        "packages": [offer],
    }
    with units.begin() as uow:
        sold = plans.publish_plan(uow, "packages", document, OLGA)
    account = open_account(units, "packages")
    history = Diary(units, account)
    did = history.number("+14155550100")
    buyer = Purchaser("login-1", "ann@acme.test")
    for minute in range(12):
        if minute in (2, 7):
            with units.begin() as uow:
                packages.buy(uow, account.scope, "small", buyer, idempotency_key=str(minute))
        at = NOON + dt.timedelta(minutes=10 * minute)
        history.call(did, Target(MOBILE, talk=250 + minute), at=at)
    for version in (None, sold):
        seen = asked(units, account, version)
        assert seen.calls.drawn_seconds == 2 * 20 * 60, "both packages were used up"
        assert seen.total.difference_micros == 0 and seen.differing_legs == 0
    other = asked(units, account, version_of(units, "started_minute"))
    assert other.calls.drawn_seconds == 2 * 20 * 60, "what was bought is still drawn first"
    assert other.calls.difference_micros > 0, "and the rest is whole minutes"


def minutes_in_whole(talk: int) -> int:
    return math.ceil(talk / 60) * 60


def test_m02_another_plan_costs_what_an_independent_sum_says(
    units: UnitsOfWork, on_sale: None
) -> None:
    """60/60 instead of 1/1: the same sum by hand, from the meter alone."""
    whole = load_catalogue()["payg"] | {"name": "Whole minutes"}
    whole["tariff"] = whole["tariff"] | {"increment": {"initial_seconds": 60, "step_seconds": 60}}
    with units.begin() as uow:
        version = plans.publish_plan(uow, "whole", whole, OLGA)
    account = open_account(units, "payg")
    history = Diary(units, account)
    live(history, calls=60)
    lines: list[LegLine] = []
    seen = asked(units, account, version, lines.append)
    with units.read() as uow:
        metered = uow.connection.execute(
            text("select leg_sid, talk_seconds, rate_micros, charge_micros from leg")
        ).all()
    by_hand = {
        leg.leg_sid: minutes_in_whole(leg.talk_seconds) * (leg.rate_micros or 0) // 60
        for leg in metered
    }
    assert {line.leg_sid: line.replayed_micros for line in lines} == by_hand
    assert seen.calls.replayed_micros == sum(by_hand.values())
    assert seen.calls.charged_micros == sum(leg.charge_micros for leg in metered)
    assert sum(n.sums.difference_micros for n in seen.numbers) == seen.total.difference_micros
    assert [abs(line.difference_micros) for line in seen.largest] == sorted(
        (abs(line.difference_micros) for line in lines if line.difference_micros), reverse=True
    )


def test_m02_a_pool_of_another_plan_is_full_in_each_cycle_and_its_access_is_counted(
    units: UnitsOfWork, on_sale: None
) -> None:
    account = open_account(units, "payg")
    history = Diary(units, account)
    did = history.number("+14155550100")
    history.call(did, Target(MOBILE, talk=3_000), at=NOON)
    history.call(did, Target(MOBILE, talk=20), at=NOON + dt.timedelta(hours=2))
    seen = asked(units, account, version_of(units, "command_center"))
    assert seen.calls.drawn_seconds == 3_000, "S4-13 the short call does not count"
    assert seen.calls.replayed_micros == 0 and seen.calls.difference_micros < 0
    assert seen.access.replayed_micros == 39_000_000 * (seen.access.replayed_micros // 39_000_000)
    assert seen.access.replayed_micros >= 39_000_000


def test_c14_the_cycles_of_another_plan_begin_on_its_own_anchor_day(
    units: UnitsOfWork, on_sale: None
) -> None:
    """Not on the day on which the account was opened, which is the fourth."""
    pool = {"minutes": 50, "scope": "account", "leg_scope": ["inbound"]}
    whole = load_catalogue()["payg"] | {
        "name": "On the fifth",
        "pool": pool,
        "statement": {"period": "cycle", "anchor_day": 5},
    }
    with units.begin() as uow:
        version = plans.publish_plan(uow, "fifth", whole, OLGA)
    account = open_account(units, "payg")
    history = Diary(units, account)
    did = history.number("+14155550100")
    for hours in (2, 20):  # in the afternoon of the fourth, in the morning of the fifth
        history.call(did, Target(MOBILE, talk=2_900), at=NOON + dt.timedelta(hours=hours))
    assert asked(units, account, version).calls.drawn_seconds == 2 * 2_900


def test_m02_rent_is_that_of_the_other_plan(
    units: UnitsOfWork, fund: Callable[..., None], desk: Any, acme: Account
) -> None:
    whole = load_catalogue()["payg"] | {"name": "Dear rent"}
    whole["tariff"] = whole["tariff"] | {
        "rental": [{"country": "US", "number_type": "local", "per_month": "7.77"}]
    }
    with units.begin() as uow:
        version = plans.publish_plan(uow, "dear", whole, OLGA)
    seen = asked(units, acme, version)
    assert (seen.rent.items, seen.rent.replayed_micros) == (1, 7_770_000)
    assert seen.rent.charged_micros == desk.rental_micros
    assert seen.numbers[0].e164 == desk.e164
    assert asked(units, acme, version_of(units, "payg")).rent.difference_micros == 0


@pytest.fixture
def counted(units: UnitsOfWork) -> Iterator[None]:
    """Whatever happens meanwhile leaves the database as it was."""

    def state() -> list[Any]:
        with units.read() as uow:
            return [uow.connection.execute(text(STATE.format(name))).one() for name in TABLES]

    before = state()
    yield
    assert state() == before


def test_m02_a_replay_writes_nothing(
    units: UnitsOfWork, on_sale: None, request: pytest.FixtureRequest
) -> None:
    account = open_account(units, "payg")
    live(Diary(units, account))
    request.getfixturevalue("counted")
    for plan in RETAIL:
        asked(units, account, version_of(units, plan))


@pytest.mark.parametrize(
    ("days", "plan", "words"),
    [
        pytest.param(0, "payg", "after the first", id="an empty period"),
        pytest.param(401, "payg", "at most 400 days", id="more than a year"),
        pytest.param(31, CARRIER_COST, "for sale", id="what we pay ourselves"),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_at_its_field(
    units: UnitsOfWork, acme: Account, days: int, plan: str, words: str
) -> None:
    until = SINCE + dt.timedelta(days=days)
    with units.read() as uow, pytest.raises(Invalid, match=words):
        what_if.what_if(
            uow,
            acme.scope,
            since=SINCE,
            until=until,
            version=plans.get_plan(uow, plan),
        )


def test_another_accounts_calls_are_not_replayed(
    units: UnitsOfWork, acme: Account, bolt: Account
) -> None:
    history = Diary(units, bolt)
    history.call(history.number("+14155550100"), Target(MOBILE, talk=60))
    assert asked(units, acme, None).calls.items == 0
    assert asked(units, bolt, None).calls.items == 2
