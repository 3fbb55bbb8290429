"""Included credit beside everything else that looks at money: plans, bills, cards, agencies."""

import datetime as dt
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from billing.money import parse_amount
from billing.postings import SECONDS
from billing.purchases import Purchaser
from gateway.services import (
    accounts,
    included_credit,
    ledger,
    looks,
    margins,
    memberships,
    packages,
    plan_changes,
    plans,
    renewals,
    reversals,
    settling,
    statement,
    statement_issuing,
    statements,
    subscriptions,
    what_if,
)
from gateway.services.accounts import Account
from gateway.services.errors import BalanceTooLow, Conflict
from gateway.services.plans import PlanVersion
from gateway.services.statement import StatementLine
from gateway.store import accounts as account_store
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA
from tests.services.days import Calendar, open_account, pay
from tests.services.history import History, Target

KINDS = ("included_credit", "credit_expiry")


@pytest.fixture
def calendar(units: UnitsOfWork, on_sale: None) -> Calendar:
    """3 March 2026, nine in New York."""
    return Calendar(units).at(2026, 3, 3, 9)


def publish(calendar: Calendar, code: str, credit: str, fee: str = "20.00", **more: Any) -> str:
    included = {"credit": credit} if credit else {}
    document = load_catalogue()["payg"] | {
        "name": code,
        "included": included | more.pop("included", {}),
        "access_fee": {"month": fee},
        **more,
    }
    with calendar.units.begin() as uow:
        plans.publish_plan(uow, code, document, OLGA)
    return code


def version_of(calendar: Calendar, code: str) -> PlanVersion:
    with calendar.units.read() as uow:
        return plans.get_plan(uow, code)


class Desk:
    """A business with a number; a minute costs 0.10 on both legs."""

    def __init__(self, calendar: Calendar, plan: str, name: str = "acme", **more: Any) -> None:
        self.calendar = calendar
        self.account: Account = open_account(calendar, name, plan, **more)
        self.scope = self.account.scope
        self.history = History(calendar.units, self.account)
        self.did = self.history.number(f"+1415555{len(name):02}{ord(name[-1])}")

    def use(self, amount: str) -> str:
        seconds = parse_amount(amount) * 60 // 100_000
        self.history.units = self.calendar.units
        at = self.calendar.now - dt.timedelta(seconds=seconds + 60)
        return self.history.call(self.did, Target(talk=seconds), at=at)

    def renew(self) -> None:
        renewals.drain(self.calendar.units)

    def lines(self, *kinds: str) -> list[StatementLine]:
        """Oldest first."""
        with self.calendar.units.read() as uow:
            found = statement.list_postings(uow, self.scope, limit=200).items
        return [line for line in reversed(found) if not kinds or line.kind in kinds]

    def moved(self) -> list[str]:
        return [f"{line.amount_micros / 1e6:+.2f}" for line in self.lines(*KINDS)]

    def seen(self) -> tuple[str, str, str] | None:
        """Granted, used, left."""
        with self.calendar.units.read() as uow:
            found = included_credit.figures(uow, accounts.get_account(uow, self.scope))
        if found is None:
            return None
        figures = (found.granted_micros, found.used_micros, found.left_micros)
        granted, used, left = (f"{micros / 1e6:.2f}" for micros in figures)
        return granted, used, left

    def balance(self) -> str:
        with self.calendar.units.read() as uow:
            return f"{accounts.get_account(uow, self.scope).balance_micros / 1e6:.2f}"

    def change(self, plan: str) -> None:
        with self.calendar.units.begin() as uow:
            accounts.update_account(uow, self.scope, {"plan_code": plan}, OLGA)

    def prove(self) -> None:
        with self.calendar.units.read() as uow:
            for proof in ledger.verify(uow.connection):
                assert proof.report.ok, proof.report.fault


# Plans.


@pytest.mark.parametrize(
    "share, added, after",
    [
        pytest.param("full", "+10.00", "20.00", id="full: the whole difference"),
        pytest.param("prorated", "+5.16", "15.16", id="prorated: 16 of 31 days of it"),
    ],
)
def test_an_upgrade_adds_its_part_once_however_often_the_plan_goes_up_and_down(
    calendar: Calendar, share: str, added: str, after: str
) -> None:
    publish(calendar, "ten", "10.00")
    publish(calendar, "twenty", "20.00", upgrade={"allowance": share})
    desk = Desk(calendar, "ten")
    pay(calendar, desk.account, "100.00")
    desk.use("4.00")
    calendar.at(2026, 3, 16, 12)
    with calendar.units.read() as uow:
        promised = plan_changes.preview(uow, desk.scope, "twenty").credit_micros
    for plan in ("twenty", "ten", "twenty", "ten", "twenty"):
        desk.change(plan)
    assert desk.moved() == ["+10.00", added]
    assert promised == desk.lines(*KINDS)[-1].amount_micros, "what the preview said"
    seen = desk.seen()
    assert seen is not None and seen[:2] == (after, "4.00")
    calendar.at(2026, 4, 1, 0, 1)
    desk.renew()
    assert desk.moved()[-1] == "+20.00", "the next cycle has all of it, whatever the day was"
    desk.prove()


def test_a_plan_with_less_takes_nothing_away_before_the_cycle_ends(calendar: Calendar) -> None:
    publish(calendar, "ten", "10.00")
    publish(calendar, "five", "5.00")
    publish(calendar, "none", "")
    desk = Desk(calendar, "ten")
    pay(calendar, desk.account, "100.00")
    desk.change("five")
    assert desk.seen() == ("10.00", "0.00", "10.00")
    calendar.at(2026, 4, 1, 0, 1)
    desk.renew()
    assert desk.moved() == ["+10.00", "-10.00", "+5.00"]
    desk.change("none")
    calendar.at(2026, 5, 1, 0, 1)
    desk.renew()
    desk.renew()
    assert desk.moved() == ["+10.00", "-10.00", "+5.00", "-5.00"]
    assert desk.seen() is None
    calendar.at(2026, 7, 9, 12)
    desk.change("ten")
    assert desk.moved()[4:] == ["+10.00"], "the months between are not made up for"
    desk.prove()


@pytest.mark.parametrize(
    "old, new, moved",
    [
        pytest.param(1, 15, {"04-01": 14 / 31, "04-15": 1, "05-15": 1}, id="later in the month"),
        pytest.param(15, 1, {"03-15": 17 / 31, "04-01": 1, "05-01": 1}, id="earlier"),
        pytest.param(1, 31, {"04-01": 29 / 30, "04-30": 1}, id="the last day of the month"),
    ],
)
def test_a_new_day_of_the_cycle_leaves_no_day_without_credit_and_gives_none_twice(
    calendar: Calendar, old: int, new: int, moved: dict[str, float]
) -> None:
    """Looked at every day, and once after months: the same credit for the same days."""
    for code, day in (("old", old), ("new", new)):
        publish(calendar, code, "10.00", statement={"period": "cycle", "anchor_day": day})
    daily, late = Desk(calendar, "old", "daily"), Desk(calendar, "old", "late")
    for desk in (daily, late):
        pay(calendar, desk.account, "900.00")
        desk.change("new")
        assert desk.moved() == ["+10.00"], "a cycle that has begun keeps its end"
    days = {}
    for _ in range(75):
        before = len(daily.lines("included_credit"))
        calendar.now += dt.timedelta(days=1)
        renewals.renew_account(calendar.units, daily.scope)
        assert daily.seen() is not None, "no day without"
        for line in daily.lines("included_credit")[before:]:
            days[f"{calendar.now:%m-%d}"] = line.amount_micros
    late.renew()
    assert days == {on: int(10_000_000 * part) for on, part in moved.items()}
    assert late.moved() == daily.moved()
    for line in daily.lines(*KINDS):
        with calendar.units.read() as uow:
            assert statement.explain(uow, daily.scope, line.id).recompute() == abs(
                line.amount_micros
            )
    daily.prove()


@pytest.mark.parametrize(
    "share, added",
    [
        pytest.param("full", 10_000_000 * 14 // 31, id="full: for the days of the short cycle"),
        pytest.param("prorated", 10_000_000 * 4 // 31, id="prorated: for those that are left"),
    ],
)
def test_an_upgrade_in_a_short_cycle_adds_for_its_days_alone(
    calendar: Calendar, share: str, added: int
) -> None:
    fifteenth = {"period": "cycle", "anchor_day": 15}
    publish(calendar, "first", "10.00")
    publish(calendar, "small", "10.00", statement=fifteenth)
    publish(calendar, "large", "20.00", statement=fifteenth, upgrade={"allowance": share})
    desk = Desk(calendar, "first")
    pay(calendar, desk.account, "900.00")
    desk.change("small")
    calendar.at(2026, 4, 11, 9)
    desk.renew()
    for plan in ("large", "small", "large"):
        desk.change(plan)
    own = 10_000_000 * 14 // 31
    granted = [line.amount_micros for line in desk.lines("included_credit")]
    assert granted == [10_000_000, own, added]
    with calendar.units.read() as uow:
        found = included_credit.figures(uow, accounts.get_account(uow, desk.scope))
    assert found is not None
    assert (f"{found.cycle_starts_on:%m-%d}", f"{found.cycle_ends_on:%m-%d}") == ("04-01", "04-15")
    calendar.at(2026, 4, 15, 9)
    desk.renew()
    assert desk.moved()[-1] == "+20.00"
    desk.prove()


def test_credit_that_comes_back_by_another_day_is_not_given_for_days_that_had_it(
    calendar: Calendar,
) -> None:
    publish(calendar, "fifteenth", "10.00", statement={"period": "cycle", "anchor_day": 15})
    publish(calendar, "first", "10.00")
    publish(calendar, "none", "")
    desk = Desk(calendar, "fifteenth")
    pay(calendar, desk.account, "900.00")
    desk.change("none")
    calendar.at(2026, 3, 18, 9)
    desk.renew()
    assert desk.moved() == ["+10.00", "-10.00"]
    desk.change("first")
    assert desk.lines("included_credit")[-1].amount_micros == 10_000_000 * 17 // 31
    calendar.at(2026, 4, 1, 9)
    desk.renew()
    assert desk.moved()[-1] == "+10.00"


def test_access_that_has_ended_brings_no_credit_any_more(calendar: Calendar) -> None:
    publish(calendar, "ten", "10.00")
    desk = Desk(calendar, "ten")
    pay(calendar, desk.account, "100.00")
    with calendar.units.begin() as uow:
        subscriptions.cancel_renewal(uow, desk.scope, OLGA)
    for month in (4, 5, 6):
        calendar.at(2026, month, 1, 0, 1)
        desk.renew()
    assert desk.moved() == ["+10.00", "-10.00", "+10.00", "-10.00"], "April began while it lasted"
    desk.prove()


def test_a_package_is_not_bought_with_included_credit(calendar: Calendar) -> None:
    offer = {"code": "local", "number_type": "local", "minutes": 10_000, "price": "9.00"}
    publish(calendar, "ten", "10.00", fee="0.00", packages=[offer])
    desk = Desk(calendar, "ten")
    ann = Purchaser("", "ann@acme.test")
    assert desk.balance() == "10.00"
    with calendar.units.begin() as uow, pytest.raises(BalanceTooLow) as refusal:
        packages.buy(uow, desk.scope, "local", ann, idempotency_key="k")
    assert (refusal.value.needed_micros, refusal.value.balance_micros) == (9_000_000, 0)
    pay(calendar, desk.account, "9.00")
    with calendar.units.begin() as uow:
        packages.buy(uow, desk.scope, "local", ann, idempotency_key="k")
    assert desk.seen() == ("10.00", "0.00", "10.00")
    assert desk.balance() == "10.00"


# Agencies.


@pytest.mark.parametrize(
    "scope, used", [pytest.param("agency_shared", "3.00"), pytest.param("account", "1.00")]
)
def test_clients_draw_their_agencys_credit_where_the_plan_shares_it(
    calendar: Calendar, scope: str, used: str
) -> None:
    publish(calendar, "ten", "10.00", included={"scope": scope})
    agency = Desk(calendar, "ten", "agency")
    pay(calendar, agency.account, "100.00")
    client = Desk(calendar, "ten", "client", parent_id=agency.account.id)
    with calendar.units.begin() as uow:
        memberships.set_billing(uow, client.scope, "agency_shared", OLGA)
    calendar.at(2026, 3, 5, 12)
    agency.use("1.00")
    client.use("2.00")
    assert agency.balance() == "87.00", "20.00 of access, 10.00 of credit, all 3.00 of calls"
    assert agency.seen() == ("10.00", used, f"{10 - float(used):.2f}")
    assert client.seen() == (agency.seen() if scope == "agency_shared" else None)
    calendar.at(2026, 4, 1, 0, 1)
    client.renew()
    assert client.moved() == ["+10.00", "-10.00"], "its own ends with the cycle, and none follows"
    assert agency.moved() == ["+10.00", f"-{10 - float(used):.2f}", "+10.00"]
    agency.prove()


# Corrections.


def test_a_corrected_call_gives_its_credit_back_while_the_cycle_lasts(calendar: Calendar) -> None:
    publish(calendar, "ten", "10.00")
    desk = Desk(calendar, "ten")
    pay(calendar, desk.account, "100.00")
    desk.use("6.00")
    wrong = desk.lines("usage")[0]
    with calendar.units.begin() as uow:
        reversals.reverse_posting(uow, desk.scope, wrong.id, reason="A wrong rate", actor=OLGA)
    assert desk.seen() == ("10.00", f"{6 + wrong.amount_micros / 1e6:.2f}", "7.00")
    late = desk.lines("usage")[1]
    calendar.at(2026, 4, 1, 0, 1)
    desk.renew()
    before = desk.balance()
    with calendar.units.begin() as uow:
        reversals.reverse_posting(uow, desk.scope, late.id, reason="Wrong, too", actor=OLGA)
    assert float(desk.balance()) == float(before) + 3.0, "the customer's own from now on"
    assert desk.seen() == ("10.00", "0.00", "10.00")
    desk.use("2.00")
    assert desk.seen() == ("10.00", "2.00", "8.00"), "and it hides no use of the new credit"
    desk.prove()


def test_the_daily_count_changes_no_figure(calendar: Calendar) -> None:
    publish(calendar, "ten", "10.00")
    desk = Desk(calendar, "ten")
    pay(calendar, desk.account, "100.00")
    for day in (4, 5, 6):
        calendar.at(2026, 3, day, 12)
        desk.use("2.00")
        looks.look(calendar.units, desk.scope, "US")
        looks.look(calendar.units, desk.scope, "US")
    assert desk.seen() == ("10.00", "6.00", "4.00")
    counted = desk.lines("usage")[0]
    with calendar.units.begin() as uow:
        reversals.reverse_posting(uow, desk.scope, counted.id, reason="A wrong rate", actor=OLGA)
    assert desk.seen() == ("10.00", "5.00", "5.00"), "also of a line that was counted"
    looks.look(calendar.units, desk.scope, "US")
    assert desk.seen() == ("10.00", "5.00", "5.00")


def test_neither_line_is_reversed_and_both_are_explained(calendar: Calendar) -> None:
    publish(calendar, "ten", "10.00")
    desk = Desk(calendar, "ten")
    pay(calendar, desk.account, "100.00")
    desk.use("4.00")
    calendar.at(2026, 4, 1, 0, 1)
    desk.renew()
    grant, expiry, _ = desk.lines(*KINDS)
    for line, formula in ((grant, "1 × 10000000"), (expiry, "10000000 - 4000000")):
        with calendar.units.begin() as uow, pytest.raises(Conflict, match="included credit"):
            reversals.reverse_posting(uow, desk.scope, line.id, reason="no", actor=OLGA)
        with calendar.units.read() as uow:
            why = statement.explain(uow, desk.scope, line.id)
        assert [step.formula for step in why.steps] == [formula]
        assert why.recompute() == abs(line.amount_micros)
        assert "plan ten v1" in why.words


# Bills.


def test_a_statement_shows_the_credit_and_bills_what_it_did_not_pay(calendar: Calendar) -> None:
    publish(calendar, "later", "10.00", mode="postpaid", credit_limit="300.00")
    desk = Desk(calendar, "later")
    calendar.at(2026, 3, 20, 12)
    desk.use("4.00")
    for day in (1, 3):  # a cycle, and a month of access
        calendar.at(2026, 4, day, 0, 1)
        desk.renew()
    calendar.at(2026, 4, 20, 12)
    desk.use("15.00")
    calendar.at(2026, 5, 1, 0, 6)
    desk.renew()
    assert statement_issuing.issue_due(calendar.units, desk.scope, "US") == 2
    with calendar.units.read() as uow:
        march, april = reversed(statements.list_statements(uow, desk.scope).items)
    for view, paid, owed in ((march, "-4.00", "20.00"), (april, "-10.00", "45.00")):
        document = view.document
        charges = {line["kind"]: line["amount_micros"] for line in document["charges"]}
        assert charges["included_credit"] / 1e6 == float(paid)
        assert document["invoice"]["net_micros"] == document["charges_micros"]
        moved = document["credits_micros"] - document["charges_micros"]
        assert document["opening_micros"] + moved == document["closing_micros"]
        assert f"{document['owed_micros'] / 1e6:.2f}" == owed
    assert march.stored.charges_micros == 20_000_000, "the fee; the credit paid the calls"
    assert march.document["included_left_micros"] == 6_000_000
    assert march.document["invoice"]["due_micros"] == 20_000_000, "unused credit pays no fee"
    assert [line["amount_micros"] for line in march.document["credits"]] == [
        10_000_000,
        -4_000_000,
    ]
    assert april.document["included_left_micros"] == 0
    with calendar.units.read() as uow:
        lines = statement.list_postings(uow, desk.scope, limit=200).items
    upto = [line for line in lines if line.seq <= april.stored.last_seq and line.unit != SECONDS]
    assert upto[0].balance_after_micros == april.stored.closing_micros
    assert sum(line.amount_micros for line in upto) == april.stored.closing_micros
    desk.prove()


def test_a_card_pays_the_fee_and_only_the_calls_that_the_credit_did_not(
    calendar: Calendar,
) -> None:
    more = {"mode": "card_daily", "credit_limit": "300.00", "settlement": "daily"}
    publish(calendar, "card", "10.00", **more)
    desk = Desk(calendar, "card", needs_card=False)

    def asked() -> list[str]:
        with calendar.units.begin() as uow:
            due = settling.due_for_card(uow, desk.scope, calendar.now)
        return [f"{d.day:%m-%d} {d.amount_micros / 1e6:.2f}" for d in due]

    calendar.at(2026, 3, 4, 0, 10)
    assert asked() == ["03-03 20.00"], "the credit in the wallet pays no fee"
    calendar.at(2026, 3, 4, 12)
    desk.use("4.00")
    assert asked() == ["03-03 20.00"], "nor is a fee paid by calls that the credit paid"
    calendar.at(2026, 3, 5, 12)
    assert asked() == ["03-03 20.00"]
    desk.use("9.00")
    calendar.at(2026, 3, 6, 0, 10)
    assert asked() == ["03-03 20.00", "03-05 3.00"]
    pay(calendar, desk.account, "23.00")
    looks.drain(calendar.units, "US")
    assert asked() == []
    calendar.at(2026, 4, 2, 0, 10)
    desk.renew()
    assert asked() == [], "no expiry is asked for"
    desk.prove()


# Looking back.


def test_m02_a_month_under_its_own_plan_differs_by_exactly_zero_and_another_ones_credit_counts(
    calendar: Calendar,
) -> None:
    publish(calendar, "ten", "10.00")
    publish(calendar, "generous", "12.00")
    since = calendar.now
    desk = Desk(calendar, "ten")
    pay(calendar, desk.account, "100.00")
    calendar.at(2026, 3, 20, 12)
    desk.use("15.00")
    calendar.at(2026, 4, 1, 0, 1)
    desk.renew()
    calendar.at(2026, 4, 10, 12)
    desk.use("4.00")

    def replayed(version: PlanVersion | None) -> Any:
        with calendar.units.read() as uow:
            return what_if.what_if(
                uow,
                desk.scope,
                since=since,
                until=calendar.now + dt.timedelta(minutes=1),
                version=version,
            )

    for version in (None, version_of(calendar, "ten")):
        seen = replayed(version)
        assert seen.total.difference_micros == 0
        assert seen.included.charged_micros == -14_000_000, "10.00 of March, 4.00 of April"
    seen = replayed(version_of(calendar, "generous"))
    assert seen.included.replayed_micros == -16_000_000
    assert seen.included.difference_micros == -2_000_000
    assert replayed(version_of(calendar, "payg")).included.replayed_micros == 0


def test_margins_count_no_charge_that_included_credit_paid(calendar: Calendar) -> None:
    publish(calendar, "ten", "10.00")
    desk = Desk(calendar, "ten")
    pay(calendar, desk.account, "100.00")
    calendar.at(2026, 3, 20, 12)
    desk.use("15.00")
    with calendar.units.read() as uow:
        (found,) = margins.by_account(uow)
    assert (found.charge_micros, found.included_micros) == (15_000_000, 10_000_000)
    assert found.margin_micros == 5_000_000 - found.cost_micros


def test_an_account_of_before_this_release_is_granted_when_something_of_it_renews(
    calendar: Calendar,
) -> None:
    """The plan said so already, and nothing acted on it."""
    publish(calendar, "ten", "10.00")
    publish(calendar, "plain", "")
    desk = Desk(calendar, "plain")
    pay(calendar, desk.account, "100.00")
    with calendar.units.begin() as uow:
        version = plans.get_plan(uow, "ten")
        account_store.change(uow.connection, desk.scope, {"plan_version_id": version.id})
    calendar.at(2026, 4, 5, 12)
    desk.renew()
    assert desk.moved() == ["+10.00"], "from its month on, and none for what is past"
    calendar.at(2026, 5, 1, 0, 1)
    desk.renew()
    assert desk.moved() == ["+10.00", "-10.00", "+10.00"]
    desk.prove()
