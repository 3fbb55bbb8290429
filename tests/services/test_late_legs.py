"""ARCHITECTURE: legs that are known settle in the order in which they ended, whatever order their
webhooks came in; one that is found late is priced by what is there then, and moves no other."""

import datetime as dt
import itertools
from typing import Any

import pytest
from sqlalchemy import text

from billing.catalogue import load_catalogue
from gateway.services import accounts, plans, pools, renewals, settlement, what_if
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.days import Calendar, open_account, pay
from tests.services.history import History, Target

CALLS = {"first": 9, "second": 10, "third": 11}
"""The hour at which each begins, in New York; each takes a minute, and costs 0.10 in money."""


@pytest.fixture
def calendar(units: UnitsOfWork, on_sale: None) -> Calendar:
    return Calendar(units).at(2026, 3, 3, 8)


class Desk:
    """With money for one call and a half; what lies past zero is forgiven (C2)."""

    def __init__(self, calendar: Calendar, n: int = 0, **plan: Any) -> None:
        self.calendar = calendar
        document = load_catalogue()["payg"] | {
            "name": "Zero",
            "suspend_when": "lte_zero",
            "in_call": {"policy": "let_finish", "overrun_price": "zero"},
            **plan,
        }
        with calendar.units.begin() as uow:
            plans.publish_plan(uow, f"zero{n}", document, OLGA)
        self.account = open_account(calendar, f"desk{n}", f"zero{n}")
        pay(calendar, self.account, "0.15")
        self.history = History(calendar.units, self.account)
        self.did = self.history.number(f"+1415555010{n}")
        self.sids: dict[str, str] = {}

    def learns_of(self, *names: str, day: int = 3) -> None:
        """The carrier's news of calls come in, in this order."""
        for name in names:
            at = Calendar(self.calendar.units).at(2026, 3, day, CALLS[name]).now
            self.history.units = self.calendar.units
            self.sids[name] = self.history.call(self.did, Target(talk=60), at=at, settle=False)

    def settles(self, *when: int) -> None:
        self.calendar.at(*when)
        assert settlement.drain(self.calendar.units).failed == 0

    def charged(self) -> dict[str, int]:
        with self.calendar.units.read() as uow:
            rows = uow.connection.execute(
                text(
                    "select call_sid, sum(charge_micros)::bigint from leg"
                    " where account_id = :id and settled_at is not null group by 1"
                ),
                {"id": self.account.id},
            ).all()
        by_sid = {row[0]: row[1] for row in rows}
        return {name: by_sid[sid] for name, sid in self.sids.items() if sid in by_sid}

    def differs(self) -> int:
        """A replay of the books as they are, leg by leg."""
        with self.calendar.units.read() as uow:
            seen = what_if.what_if(
                uow, self.account.scope, since=self.account.created_at, until=uow.now, version=None
            )
        return seen.differing_legs


def test_c2_of_legs_that_are_known_the_balance_ends_at_the_same_one_in_whatever_order_they_came(
    calendar: Calendar,
) -> None:
    for n, order in enumerate(itertools.permutations(CALLS)):
        calendar.at(2026, 3, 3, 8)
        desk = Desk(calendar, n)
        desk.learns_of(*order)
        desk.settles(2026, 3, 3, 12)
        assert desk.charged() == {"first": 100_000, "second": 50_000, "third": 0}, order
        assert desk.differs() == 0


@pytest.mark.parametrize("order", list(itertools.permutations(("first", "second"))))
def test_c2_a_leg_that_is_found_late_is_priced_by_what_is_left_then(
    calendar: Calendar, order: tuple[str, ...]
) -> None:
    desk = Desk(calendar)
    desk.learns_of("third")
    desk.settles(2026, 3, 3, 12)
    assert desk.charged() == {"third": 100_000}
    desk.learns_of(*order)
    desk.settles(2026, 3, 3, 13)
    assert desk.charged() == {"third": 100_000, "first": 50_000, "second": 0}, (
        "those found together settle in their order, and what was settled stays"
    )
    assert desk.differs() == 0, "every replay of the books finds each leg at its place in them"


@pytest.mark.parametrize(
    "minutes_later, used",
    [pytest.param(0, 60, id="its cycle's minutes are open"), pytest.param(1, 0, id="expired")],
)
def test_s4_06_a_leg_that_is_found_late_draws_the_minutes_of_its_own_time_while_they_are_open(
    calendar: Calendar, minutes_later: int, used: int
) -> None:
    desk = Desk(
        calendar,
        pool={"minutes": 100, "leg_scope": ["inbound", "forwarded"]},
        exhaustion="charge_plan_rate",
        statement={"period": "cycle", "anchor_day": 4},
    )
    calendar.at(2026, 3, 4, 0)
    if minutes_later:
        calendar.now += dt.timedelta(minutes=minutes_later)
        renewals.drain(calendar.units)
        calendar.now += dt.timedelta(days=1)
        renewals.drain(calendar.units)
    desk.learns_of("third")
    desk.settles(2026, 3, 6, 12)
    assert (sum(desk.charged().values()) == 0) == bool(used)
    with calendar.units.read() as uow:
        found = pools.figures(uow, accounts.get_account(uow, desk.account.scope))
    assert found is not None and found.used_seconds == 0, "the next cycle's are not touched"
    assert desk.differs() == 0
