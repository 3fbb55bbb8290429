"""C15, S1-14: who pays for a client is planned for days to come; each leg's own time counts."""

import datetime as dt
import threading
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from billing.catalogue import load_catalogue
from gateway.services import (
    accounts,
    audit,
    clients,
    memberships,
    payer_preview,
    plans,
    pools,
    renewals,
    settlement,
    what_if,
)
from gateway.services.accounts import Account
from gateway.services.errors import Conflict, Invalid
from gateway.services.memberships import Billing
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.days import NEW_YORK, Calendar, open_account, pay
from tests.services.history import History, Target

ZONE = "America/Los_Angeles"
MINUTE = dt.timedelta(minutes=1)


def date(text: str) -> dt.date | None:
    return dt.date.fromisoformat(f"2026-{text}") if text else None


class House:
    """An agency with a pool that its clients share, and a client in Los Angeles."""

    def __init__(self, calendar: Calendar, **plan: Any) -> None:
        self.calendar = calendar
        document = load_catalogue()["payg"] | {"name": "Agency", **plan}
        with calendar.units.begin() as uow:
            plans.publish_plan(uow, "agency", document, OLGA)
        self.agency: Account = open_account(calendar, "agency", "agency")
        self.client: Account = open_account(
            calendar, "client", "payg", parent_id=self.agency.id, time_zone=ZONE
        )
        for account in (self.agency, self.client):
            pay(calendar, account, "500.00")
        self.history = History(calendar.units, self.client)
        self.did = self.history.number("+14155550100")

    def plan(
        self, first: str = "", last: str = "", billing: Billing = "agency_shared"
    ) -> tuple[memberships.Upcoming, ...]:
        with self.calendar.units.begin() as uow:
            return memberships.schedule(
                uow,
                self.client.scope,
                billing,
                first_on=date(first),
                last_on=date(last),
                actor=OLGA,
            )

    def upcoming(self) -> list[tuple[str, str]]:
        with self.calendar.units.read() as uow:
            found = memberships.upcoming(uow, self.client.scope)
        return [(f"{change.from_at:%m-%d %H:%M}", change.billing) for change in found]

    def cancel(self) -> None:
        with self.calendar.units.begin() as uow:
            memberships.cancel(uow, self.client.scope, OLGA)

    def billing(self) -> str:
        with self.calendar.units.read() as uow:
            return accounts.get_account(uow, self.client.scope).billing

    def call(self, *when: int, talk: int = 60) -> str:
        """At wall time of Los Angeles; settled later."""
        self.history.units = self.calendar.units
        at = dt.datetime(2026, *when, tzinfo=NEW_YORK) + dt.timedelta(hours=3)  # type: ignore[misc]
        return self.history.call(self.did, Target(talk=talk), at=at, settle=False)

    def settle(self) -> None:
        assert settlement.drain(self.calendar.units).failed == 0

    def payers(self) -> dict[str, str]:
        """By CallSid, who paid in money."""
        with self.calendar.units.read() as uow:
            rows = uow.connection.execute(
                text("select distinct call_sid, account_id from posting where kind = 'usage'")
            ).all()
        names = {self.agency.id: "agency", self.client.id: "client"}
        found = Counter(row[0] for row in rows)
        assert set(found.values()) <= {1}, "the legs of a call have one payer"
        return {row[0]: names[row[1]] for row in rows}


@pytest.fixture
def calendar(units: UnitsOfWork, on_sale: None) -> Calendar:
    """3 March 2026, nine in New York."""
    return Calendar(units).at(2026, 3, 3, 9)


@pytest.mark.parametrize("looks", [True, False], ids=["the clock looks", "nobody looks meanwhile"])
def test_s1_14_each_call_is_paid_by_whoever_pays_when_it_begins(
    calendar: Calendar, looks: bool
) -> None:
    house = House(calendar)
    house.plan("03-10", "03-31")
    assert house.upcoming() == [("03-10 07:00", "agency_shared"), ("04-01 07:00", "own")]
    expected = {}
    for when, talk, payer in (
        ((3, 9, 23, 59), 30, "client"),
        ((3, 9, 23, 58), 600, "client"),  # goes on beyond midnight
        ((3, 10, 0, 0), 61, "agency"),
        ((3, 31, 23, 59), 1_200, "agency"),  # and this one beyond the end
        ((4, 1, 0, 0), 62, "client"),
    ):
        expected[house.call(*when, talk=talk)] = payer
        calendar.now = dt.datetime(2026, *when, tzinfo=NEW_YORK) + dt.timedelta(hours=4)
        if looks:
            renewals.drain(calendar.units)
            house.settle()
    calendar.at(2026, 4, 20, 9)
    house.settle()
    assert house.payers() == expected
    renewals.drain(calendar.units)
    assert house.billing() == "own" and house.upcoming() == []
    with calendar.units.read() as uow:
        seen = what_if.what_if(
            uow, house.client.scope, since=house.client.created_at, until=uow.now, version=None
        )
        trail = [line.action for line in audit.trail(uow, house.client.scope)]
    assert seen.total.difference_micros == 0 and seen.calls.items == 10
    assert trail.count("account.billing_changed") == (2 if looks else 1)


def test_pages_and_gates_are_told_when_it_begins_and_when_it_ends(calendar: Calendar) -> None:
    house = House(calendar)
    house.plan("03-10", "03-10")
    for when, billing in (
        ((3, 10, 2, 59), "own"),  # in New York
        ((3, 10, 3, 0), "agency_shared"),
        ((3, 11, 2, 59), "agency_shared"),
        ((3, 11, 3, 0), "own"),
    ):
        calendar.at(2026, *when)
        renewals.drain(calendar.units)
        renewals.drain(calendar.units)
        assert house.billing() == billing, when
        with calendar.units.read() as uow:
            (client,) = clients.list_clients(uow, house.agency.scope).clients
        since = f"{client.billing_since.astimezone(NEW_YORK):%d %H:%M}"
        assert (client.billing, since) == (
            billing,
            {"own": "03 09:00", "agency_shared": "10 03:00"}[billing]
            if when[1] == 10
            else {"own": "11 03:00", "agency_shared": "10 03:00"}[billing],
        )


def test_s1_14_an_agencys_pool_is_drawn_by_legs_of_the_stretch_alone(calendar: Calendar) -> None:
    house = House(
        calendar, pool={"minutes": 100, "scope": "agency_shared", "leg_scope": ["inbound"]}
    )
    house.plan("03-10", "03-11")
    for day in (9, 10, 11, 12):
        house.call(3, day, 12, 0, talk=60)
    house.call(3, 11, 23, 59, talk=180)  # began in it, and draws what lies behind it too
    calendar.at(2026, 3, 13, 9)
    house.settle()
    with calendar.units.read() as uow:
        found = pools.figures(uow, accounts.get_account(uow, house.agency.scope))
    assert found is not None and found.used_seconds == 60 + 60 + 180


def test_what_is_planned_is_cancelled_before_it_begins(calendar: Calendar) -> None:
    house = House(calendar)
    house.plan("03-10", "03-20")
    house.cancel()
    assert house.upcoming() == []
    with pytest.raises(Conflict, match="No change"):
        house.cancel()
    sid = house.call(3, 12, 12, 0)
    calendar.at(2026, 3, 13, 9)
    renewals.drain(calendar.units)
    house.settle()
    assert house.payers() == {sid: "client"} and house.billing() == "own"
    house.plan("03-14")
    calendar.at(2026, 3, 20, 9)
    house.plan("", "03-25")
    assert house.upcoming() == [("03-26 07:00", "own")]
    house.cancel()
    assert house.upcoming() == [], "what began goes on, without its end"
    calendar.at(2026, 4, 2, 9)
    sid = house.call(4, 1, 12, 0)
    house.settle()
    assert house.payers()[sid] == "agency"


@pytest.mark.parametrize(
    "first, last, billing, path",
    [
        pytest.param("", "", "own", "/billing", id="it is so"),
        pytest.param("03-10", "", "own", "/billing", id="it is so then too"),
        pytest.param("03-03", "", "agency_shared", "/first_on", id="today"),
        pytest.param("03-01", "", "agency_shared", "/first_on", id="past"),
        pytest.param("03-10", "03-09", "agency_shared", "/last_on", id="ends before it begins"),
        pytest.param("", "03-02", "agency_shared", "/last_on", id="ended yesterday"),
    ],
)
def test_a_plan_that_makes_no_sense_is_answered_at_its_field(
    calendar: Calendar, first: str, last: str, billing: Billing, path: str
) -> None:
    house = House(calendar)
    with pytest.raises(Invalid) as refused:
        house.plan(first, last, billing)
    assert [error.path for error in refused.value.errors] == [path]
    assert house.upcoming() == []


def test_a_day_is_that_of_the_clients_zone_also_when_the_clocks_change(calendar: Calendar) -> None:
    house = House(calendar)
    calendar.at(2026, 3, 8, 2, 30)  # still the seventh in Los Angeles
    house.plan("03-08", "03-08")
    assert house.upcoming() == [("03-08 08:00", "agency_shared"), ("03-09 07:00", "own")]


def test_an_account_without_an_agency_has_nobody_else_to_pay(calendar: Calendar) -> None:
    house = House(calendar)
    with calendar.units.begin() as uow, pytest.raises(Invalid, match="without an agency"):
        memberships.schedule(
            uow,
            house.agency.scope,
            "agency_shared",
            first_on=date("03-10"),
            last_on=None,
            actor=OLGA,
        )


# Races.


@pytest.mark.parametrize("seconds", [0, 1, 59, 60])
def test_within_a_minute_of_its_instant_nothing_is_planned_or_cancelled(
    calendar: Calendar, seconds: int
) -> None:
    """A settlement could have gone by what is withdrawn, or without what is written down."""
    house = House(calendar)
    house.plan("03-10")
    midnight = dt.datetime(2026, 3, 10, 7, tzinfo=dt.UTC)
    calendar.now = midnight - dt.timedelta(seconds=seconds)
    with pytest.raises(Conflict):
        house.cancel()
    assert len(house.upcoming()) == (1 if seconds else 0)
    other = open_account(calendar, "other", "payg", parent_id=house.agency.id, time_zone=ZONE)
    house.client = other
    with pytest.raises(Invalid, match="or a later day") as refused:
        house.plan("03-10")
    assert refused.value.errors[0].path == "/first_on"


def test_two_who_plan_at_once_plan_one_stretch(calendar: Calendar) -> None:
    house = House(calendar)
    start = threading.Barrier(4)
    outcomes = []

    def plan(day: int) -> None:
        start.wait()
        try:
            house.plan(f"03-{day}", f"04-{day}")
            outcomes.append("planned")
        except Conflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=plan, args=(day,)) for day in (10, 11, 12, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["planned", "refused", "refused", "refused"]
    assert [billing for _, billing in house.upcoming()] == ["agency_shared", "own"]


def test_settlement_and_the_clock_at_the_boundary_at_once_leave_each_call_its_payer(
    calendar: Calendar,
) -> None:
    house = House(calendar)
    house.plan("03-10", "03-10")
    expected = {}
    for second in range(-6, 6):
        at = dt.datetime(2026, 3, 10, 7, tzinfo=dt.UTC) + dt.timedelta(seconds=10 * second)
        sid = house.history.call(house.did, Target(talk=33), at=at, settle=False)
        expected[sid] = "agency" if second >= 0 else "client"
    calendar.now = dt.datetime(2026, 3, 10, 7, 5, tzinfo=dt.UTC)
    deeds = [lambda: settlement.drain(calendar.units), lambda: renewals.drain(calendar.units)] * 3
    threads = [threading.Thread(target=deed) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    house.settle()
    assert house.payers() == expected and house.billing() == "agency_shared"


# What it would change.


def test_staff_sees_what_another_payer_changes_before_anything_does(calendar: Calendar) -> None:
    house = House(
        calendar,
        pool={"minutes": 100, "scope": "agency_shared"},
        included={"credit": "7.00", "scope": "agency_shared"},
    )
    house.call(3, 2, 12, 0, talk=60)
    house.settle()
    with calendar.units.begin() as uow:
        accounts.update_account(uow, house.client.scope, {"plan_code": "small_teams"}, OLGA)
    with calendar.units.read() as uow:
        seen = payer_preview.preview(
            uow, house.client.scope, "agency_shared", first_on=date("03-20"), last_on=date("04-10")
        )
    assert [(f"{c.from_at:%m-%d}", c.shared) for c in seen.changes] == [
        ("03-20", True),
        ("04-11", False),
    ]
    assert not seen.shares_now and seen.agency.id == house.agency.id
    assert [(f"{f.at:%m-%d}", f.words, f.by_agency) for f in seen.fees] == [
        ("04-03", "Access fee", True)
    ]
    assert seen.usage_micros == 100_000 and seen.agency_seconds == 6_000
    assert (seen.own_seconds, seen.own_credit_micros) == (0, 0)
    assert seen.agency_credit_micros == 7_000_000
    assert house.upcoming() == [], "nothing is written"
