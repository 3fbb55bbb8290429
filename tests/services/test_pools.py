"""Minutes of the cycle across changes of plan: never fewer by an upgrade, never a day without."""

import datetime as dt
from typing import Any

import pytest

from billing.calendar import billing_cycle, local_date
from billing.catalogue import load_catalogue
from billing.purchases import Purchaser
from gateway.services import (
    accounts,
    bundles,
    ledger,
    plan_changes,
    plans,
    pools,
    renewals,
    statement,
    what_if,
)
from gateway.services.accounts import Account
from gateway.services.statement import StatementLine
from gateway.store.buckets import BucketRow
from gateway.store.included_credit import IncludedCreditRow
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.days import Calendar, open_account, pay
from tests.services.history import History, Target

DAY = dt.timedelta(days=1)
PRORATED = {"allowance": "prorated"}


@pytest.fixture
def calendar(units: UnitsOfWork, on_sale: None) -> Calendar:
    """3 March 2026, nine in New York."""
    return Calendar(units).at(2026, 3, 3, 9)


def publish(calendar: Calendar, minutes: int, day: int = 1, **more: Any) -> str:
    code = f"pool_{minutes}_{day}" if minutes else "none"
    document = load_catalogue()["payg"] | {
        "name": code,
        "statement": {"period": "cycle", "anchor_day": day},
        **({"pool": {"minutes": minutes}, "exhaustion": "block_new"} if minutes else {}),
        **more,
    }
    with calendar.units.begin() as uow:
        plans.publish_plan(uow, code, document, OLGA)
    return code


class Desk:
    """An account that looks at its minutes."""

    def __init__(self, calendar: Calendar, plan: str, name: str = "acme", **more: Any) -> None:
        self.calendar = calendar
        self.account: Account = open_account(calendar, name, plan, **more)
        self.scope = self.account.scope

    def change(self, plan: str) -> None:
        with self.calendar.units.begin() as uow:
            accounts.update_account(uow, self.scope, {"plan_code": plan}, OLGA)

    def promised(self, plan: str) -> int:
        with self.calendar.units.read() as uow:
            return plan_changes.preview(uow, self.scope, plan).change.allowance_seconds

    def left(self) -> int:
        with self.calendar.units.read() as uow:
            return pools.remaining_seconds(uow, self.scope)

    def figures(self) -> pools.PoolFigures:
        with self.calendar.units.read() as uow:
            found = pools.figures(uow, accounts.get_account(uow, self.scope))
        assert found is not None
        return found

    def days(self) -> tuple[str, str]:
        seen = self.figures()
        return f"{seen.cycle_starts_on:%m-%d}", f"{seen.cycle_ends_on:%m-%d}"

    def renew(self) -> None:
        renewals.drain(self.calendar.units)

    def issued(self) -> list[int]:
        """Seconds, oldest first; each line's explanation comes to them."""
        found: list[StatementLine] = []
        with self.calendar.units.read() as uow:
            for line in reversed(statement.list_postings(uow, self.scope, limit=200).items):
                if line.kind == "issue":
                    why = statement.explain(uow, self.scope, line.id)
                    assert why.recompute() == line.amount_micros
                    found.append(line)
        return [line.amount_micros for line in found]

    def stretches(self) -> list[tuple[dt.datetime, dt.datetime]]:
        with self.calendar.units.read() as uow:
            rows = uow.connection.execute(
                BucketRow.__table__.select()
                .where(BucketRow.account_id == self.scope.account_id)
                .order_by(BucketRow.starts_at)
            )
            return [(row.starts_at, row.ends_at) for row in rows]

    def credits(self) -> list[tuple[dt.datetime, dt.datetime, int]]:
        with self.calendar.units.read() as uow:
            rows = uow.connection.execute(
                IncludedCreditRow.__table__.select()
                .where(IncludedCreditRow.account_id == self.scope.account_id)
                .order_by(IncludedCreditRow.n)
            )
            return [(row.starts_at, row.ends_at, row.granted_micros) for row in rows]

    def prove(self) -> None:
        with self.calendar.units.read() as uow:
            for proof in ledger.verify(uow.connection):
                assert proof.report.ok, proof.report.fault


# Up and down within a cycle.


def test_c12_a_prorated_upgrade_adds_its_part_and_takes_nothing_away(calendar: Calendar) -> None:
    small, large = publish(calendar, 100), publish(calendar, 1_000, upgrade=PRORATED)
    desk = Desk(calendar, small)
    calendar.at(2026, 3, 30, 12)
    part = 900 * 60 * 2 // 31
    assert desk.promised(large) == part
    desk.change(large)
    assert (desk.left(), desk.figures().allocated_seconds) == (6_000 + part, 6_000 + part)
    assert desk.days() == ("03-01", "04-01")
    calendar.at(2026, 4, 1, 0, 1)
    desk.renew()
    assert desk.issued() == [6_000, part, 60_000], "the next cycle has all of it"
    assert desk.left() == 60_000
    desk.prove()


@pytest.mark.parametrize("share", ["full", "prorated"])
def test_c12_each_rung_is_granted_once_however_often_the_plan_goes_up_and_down(
    calendar: Calendar, share: str
) -> None:
    rules = {"allowance": share}
    codes = [publish(calendar, minutes, upgrade=rules) for minutes in (100, 400, 1_000)]
    small, medium, large = codes
    desk = Desk(calendar, small)
    calendar.at(2026, 3, 17, 12)
    before = desk.left()
    for code in (medium, small, medium, large, small, large, medium, large):
        promised = desk.promised(code)
        desk.change(code)
        after = desk.left()
        assert after >= before, "an upgrade never takes minutes away, nor does the way down"
        assert share == "full" or after == before + promised
        before = after
    if share == "full":
        assert desk.issued() == [6_000, 24_000, 36_000]
    else:
        assert desk.issued() == [6_000, 18_000 * 15 // 31, 36_000 * 15 // 31]
    desk.prove()


def test_s4_05_a_full_complement_comes_once_also_where_the_cycle_began_with_it(
    calendar: Calendar,
) -> None:
    """And a middle plan, after the way down, takes nothing of the cycle's own minutes."""
    small, medium, large = (publish(calendar, minutes) for minutes in (100, 400, 1_000))
    desk = Desk(calendar, large)
    for code in (small, medium, small, large):
        desk.change(code)
        assert (desk.left(), desk.issued()) == (60_000, [60_000])


def test_c12_s4_05_a_full_complement_takes_the_place_of_what_was_prorated(
    calendar: Calendar,
) -> None:
    small, large = publish(calendar, 100), publish(calendar, 1_000)
    medium = publish(calendar, 400, upgrade=PRORATED)
    desk = Desk(calendar, small)
    calendar.at(2026, 3, 17, 12)
    desk.change(medium)
    calendar.now += DAY
    desk.change(large)
    assert desk.left() == 60_000
    desk.prove()


def test_c12_from_a_plan_without_minutes_the_part_is_of_the_cycle(calendar: Calendar) -> None:
    none, large = publish(calendar, 0), publish(calendar, 1_000, upgrade=PRORATED)
    desk = Desk(calendar, none)
    calendar.at(2026, 3, 30, 12)
    desk.change(large)
    desk.change(none)
    desk.change(large)
    assert desk.issued() == [60_000 * 2 // 31]
    calendar.at(2026, 7, 1, 9)
    desk.renew()
    assert desk.left() == 60_000


def test_c12_a_change_after_a_downtime_finds_the_next_cycle_whole(calendar: Calendar) -> None:
    """The cycle ended before anybody came: the change must not have it in part."""
    small, large = publish(calendar, 100), publish(calendar, 1_000, upgrade=PRORATED)
    desk = Desk(calendar, small)
    calendar.at(2026, 4, 11, 9)
    assert desk.promised(large) == 0
    desk.change(large)
    assert desk.issued() == [6_000, 60_000]
    midnight = dt.datetime(2026, 4, 1, 4, tzinfo=dt.UTC)
    assert desk.stretches()[-1][0] == midnight, "and since it began"
    desk.prove()


def test_c4_c12_the_cap_of_what_rolls_over_is_the_cycles_whatever_grants_it_had(
    calendar: Calendar,
) -> None:
    capped = {"rollover": {"mode": "capped", "cap_minutes": 10}}
    small = publish(calendar, 100, **capped)
    large = publish(calendar, 1_000, upgrade=PRORATED, **capped)
    desk = Desk(calendar, small)
    calendar.at(2026, 3, 17, 12)
    desk.change(large)
    calendar.at(2026, 4, 1, 0, 1)
    desk.renew()
    assert desk.left() == 60_000 + 600
    calendar.at(2026, 5, 3)
    desk.renew()
    assert desk.left() == 60_000 + 600
    desk.prove()


def test_c4_s4_05_a_full_complement_takes_nothing_of_what_rolled_over(calendar: Calendar) -> None:
    kept = {"rollover": {"mode": "unlimited"}}
    small, medium, large = (publish(calendar, minutes, **kept) for minutes in (100, 150, 1_000))
    desk = Desk(calendar, small)
    calendar.at(2026, 4, 1, 9)
    desk.renew()
    assert desk.left() == 12_000
    assert desk.promised(medium) == 3_000, "what it has more: the whole would be fewer"
    desk.change(medium)
    assert desk.left() == 15_000
    desk.change(large)
    assert desk.left() == 15_000 + 51_000
    calendar.at(2026, 5, 1, 9)
    desk.renew()
    assert desk.left() == 15_000 + 51_000 + 60_000
    desk.prove()


@pytest.mark.parametrize("daily", [True, False], ids=["every day", "after a downtime"])
def test_c4_what_rolls_over_is_all_there_however_late_it_is_looked_at(
    calendar: Calendar, daily: bool
) -> None:
    desk = Desk(calendar, publish(calendar, 100, rollover={"mode": "unlimited"}))
    for _ in range(100):
        calendar.now += DAY
        if daily:
            desk.renew()
    desk.renew()
    assert desk.left() == 4 * 6_000
    desk.prove()


# Another day of the cycle.


@pytest.mark.parametrize(
    "goes, old, new, share",
    [
        pytest.param("down", 17, 20, 3 / 31, id="later in the month: the days between"),
        pytest.param("up", 17, 20, 3 / 31, id="and after an upgrade"),
        pytest.param("down", 17, 10, 23 / 30, id="earlier: the rest of the cycle that has begun"),
        pytest.param("up", 17, 17, None, id="the same day"),
        pytest.param("down", 1, 31, 29 / 30, id="the last day of the month"),
        pytest.param("down", 31, 1, 1 / 30, id="from the last day to the first"),
    ],
)
def test_s4_02_s4_06_a_new_day_of_the_cycle_leaves_no_day_without_minutes(
    calendar: Calendar, goes: str, old: int, new: int, share: float | None
) -> None:
    """Looked at every day, and once after months: the same minutes at the same times."""
    minutes = (1_000, 500) if goes == "down" else (500, 1_000)
    before = publish(calendar, minutes[0], old)
    after = publish(calendar, minutes[1], new)
    calendar.at(2026, 3, 31, 9) if old == 31 else calendar.at(2026, 3, 17, 9)
    daily = Desk(calendar, before)
    late = Desk(calendar, before, "late")
    start = calendar.now
    calendar.now += DAY
    for desk in (daily, late):
        desk.change(after)
    for _ in range(64):
        calendar.now += DAY
        renewals.renew_account(calendar.units, daily.scope)
        assert daily.left() > 0
    late.renew()
    assert daily.issued() == late.issued() and daily.stretches() == late.stretches()
    ends = start
    for begins, end in daily.stretches():
        assert begins <= ends, "no gap"
        ends = max(ends, end)
    whole = minutes[1] * 60
    granted = daily.issued()[2 if goes == "up" else 1 :]
    short = [seconds for seconds in granted if seconds != whole]
    assert short == ([] if share is None else [pytest.approx(whole * share, abs=1)])
    daily.prove()


def test_s4_06_from_every_day_of_the_month_to_every_other_after_a_downtime(
    calendar: Calendar,
) -> None:
    """Over 29 February and the change of the clocks, in one look: each day is paid for once, and
    included credit has the days that the minutes have."""
    calendar.at(2028, 1, 20, 9)
    fee = {"access_fee": {"month": "31.00"}, "included": {"credit": "31.00"}}
    desks = {}
    for day in range(1, 32):
        old = publish(calendar, 310, day, **fee)
        desks[day * 7 % 31 + 1] = Desk(calendar, old, f"from-{day}")
    calendar.now += DAY
    for day, desk in desks.items():
        desk.change(f"pool_310_{day}")
    calendar.now += 75 * DAY
    desks[1].renew()
    for day, desk in desks.items():
        (_, first_end), *later = desk.stretches()
        zone = desk.account.time_zone
        ends, sums = first_end, []
        for begins, end in later:
            assert begins == ends, "neither a gap nor two at once"
            cycle = billing_cycle(day, begins, zone)
            assert end == cycle.ends_at
            sums.append(18_600 * cycle.days_left(local_date(begins, zone)) // cycle.days)
            ends = end
        assert ends > calendar.now and desk.issued() == [18_600, *sums]
        (_, credit_end, whole), *credits = desk.credits()
        assert (credit_end, whole) == (first_end, 31_000_000)
        assert [(begins, end) for begins, end, _ in credits] == later
        for (begins, _, micros), seconds in zip(credits, sums, strict=True):
            cycle = billing_cycle(day, begins, zone)
            left = cycle.days_left(local_date(begins, zone))
            assert micros == 31_000_000 * left // cycle.days
            assert (micros == 31_000_000) == (seconds == 18_600)
        assert set(sums[1:]) == {18_600} and desk.left() > 0
    desks[1].renew()
    assert all(len(desk.issued()) == len(desk.stretches()) for desk in desks.values())
    desks[1].prove()


def test_s4_02_the_figures_of_the_short_cycle_have_its_own_dates(calendar: Calendar) -> None:
    first, second = publish(calendar, 300, 17), publish(calendar, 300, 20)
    desk = Desk(calendar, first)
    desk.change(second)
    seen = []
    for _ in range(60):
        desk.renew()
        if desk.days() not in seen:
            seen.append(desk.days())
        calendar.now += DAY
    assert seen == [("02-17", "03-17"), ("03-17", "03-20"), ("03-20", "04-20"), ("04-20", "05-20")]


def test_s4_11_what_lasts_the_cycle_ends_with_the_one_that_runs(calendar: Calendar) -> None:
    """Minutes, credit and bundles have one notion of it, whichever of them the account has."""
    month = {"access_fee": {"month": "1.00"}, "included": {"credit": "1.00"}}
    sold = {"topup": {"bundles": [{"minutes": 60, "price": "0.00"}]}}
    pool, credit = publish(calendar, 100, 17), publish(calendar, 0, 17, **month)
    later = publish(calendar, 200, 20, **sold, **month)
    ends = []
    for day in (9, 18, 21):  # in the old cycle, in the short one, in the first by the new day
        for plan in (pool, credit):
            calendar.at(2026, 4, 9, 9)
            desk = Desk(calendar, plan, f"{plan.replace('_', '-')}-at-{day}")
            pay(calendar, desk.account, "9.00")
            desk.change(later)
            calendar.at(2026, 4, day, 9)
            desk.renew()
            with calendar.units.begin() as uow:
                bought = bundles.buy(
                    uow, desk.scope, 60, Purchaser("", "ann@acme.test"), idempotency_key="k"
                )
            assert bought.ends_at == max(end for _, end, _ in desk.credits())
            assert bought.ends_at == max(end for _, end in desk.stretches())
            assert f"{bought.ends_at:%m-%d}" == desk.days()[1]
            ends.append(f"{bought.ends_at:%m-%d}")
    assert ends == ["04-17", "04-17", "04-20", "04-20", "05-20", "05-20"]


def test_s4_05_an_upgrade_to_another_day_is_of_the_cycle_that_runs(calendar: Calendar) -> None:
    """On the new day's last day but one: the old cycle goes on, and its upgrade with it."""
    small, large = publish(calendar, 100, 17), publish(calendar, 1_000, 20)
    calendar.at(2026, 3, 17, 9)
    desk = Desk(calendar, small)
    calendar.at(2026, 3, 19, 9)
    desk.change(large)
    assert desk.days() == ("03-17", "04-17")
    calendar.at(2026, 4, 16, 9)
    desk.renew()
    assert desk.left() == 60_000
    calendar.at(2026, 4, 18, 9)
    desk.renew()
    assert desk.left() == 60_000 * 3 // 31
    calendar.at(2026, 4, 21, 9)
    desk.renew()
    assert desk.left() == 60_000
    desk.prove()


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Europe/Berlin", "Pacific/Kiritimati"])
def test_s4_02_an_account_that_moves_to_another_zone_has_minutes_on_every_day(
    calendar: Calendar, zone: str
) -> None:
    desk = Desk(calendar, publish(calendar, 300, 17))
    with calendar.units.begin() as uow:
        accounts.update_account(uow, desk.scope, {"time_zone": zone}, OLGA)
    for _ in range(40 * 4):
        calendar.now += DAY / 4
        desk.renew()
        assert desk.left() > 0
    assert desk.days() == ("03-17", "04-17") or desk.days() == ("04-17", "05-17")
    assert desk.issued()[0] == desk.issued()[-1] == 18_000


# Looking back.


@pytest.mark.parametrize("share", ["full", "prorated"])
def test_m02_legs_of_before_an_upgrade_are_replayed_with_what_they_found(
    calendar: Calendar, share: str
) -> None:
    """Also one that ended later than the upgrade by the carrier's clock, which was ahead."""
    small = publish(calendar, 2)
    large = publish(calendar, 10, upgrade={"allowance": share})
    desk = Desk(calendar, small)
    history = History(calendar.units, desk.account)
    did = history.number("+14155550188")
    calendar.now += DAY / 24
    history.call(did, Target(talk=50), at=calendar.now - dt.timedelta(seconds=10))
    desk.change(large)
    with calendar.units.read() as uow:
        seen = what_if.what_if(
            uow, desk.scope, since=calendar.now - DAY, until=calendar.now + DAY, version=None
        )
    assert desk.figures().allocated_seconds == (600 if share == "full" else 120 + 480 * 29 // 31)
    assert (seen.calls.items, seen.differing_legs) == (2, 0)
