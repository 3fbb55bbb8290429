"""Months in virtual time: rent, packages and access renew once each, whoever looks and when."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from world import FRONT_DESK, ONE_PHONE, Member, World

from billing.catalogue import load_catalogue
from billing.purchases import Purchaser
from gateway.services import accounts as account_service
from gateway.services import ledger, packages, plan_changes, plans, pools, subscriptions
from gateway.store.ledger import PostingRow
from gateway.store.mail import MailRow

NEW_YORK = ZoneInfo("America/New_York")
ANN = Purchaser("", "ann@acme.test")
DAY = dt.timedelta(days=1)
SMALL: dict[str, Any] = {
    "code": "small",
    "number_type": "local",
    "minutes": 10,
    "price": "0.30",
    "leg_scope": ["inbound"],
}


def a_plan(**more: Any) -> dict[str, Any]:
    return load_catalogue()["payg"] | {
        "name": "Story",
        "package_limits": {"minutes_min": 1, "minutes_max": 500_000},
        **more,
    }


def publish(stage: World, **more: Any) -> str:
    with stage.units.begin() as uow:
        plans.publish_plan(uow, "story", a_plan(**more), "Olga")
    return "story"


def midnight(year: int, month: int, day: int) -> dt.datetime:
    return dt.datetime(year, month, day, tzinfo=NEW_YORK)


def lines(stage: World, member: Member, kind: str) -> list[Any]:
    return [row for row in stage.rows(PostingRow, member.scope) if row.kind == kind]


def days_of(stage: World, member: Member, kind: str) -> list[str]:
    return [f"{row.at.astimezone(NEW_YORK):%Y-%m-%d}" for row in lines(stage, member, kind)]


def pass_days(stage: World, until: dt.datetime, *, hours: int = 24) -> None:
    """The clock looks once each so many hours."""
    while (now := stage.carrier.clock.now()) < until:
        stage.wait_until(min(now + dt.timedelta(hours=hours), until))
        stage.renew()


def buy(stage: World, member: Member, key: str = "k") -> packages.PackageView:
    with stage.units.begin() as uow:
        return packages.buy(uow, member.scope, "small", ANN, idempotency_key=key)


def seen(stage: World, member: Member) -> packages.PackageView:
    with stage.units.read() as uow:
        return packages.list_packages(uow, member.scope).items[0]


def test_s2_04_rent_keeps_its_anchor_over_short_months_and_the_clocks(stage: World) -> None:
    stage.wait_until(midnight(2027, 1, 31) + dt.timedelta(hours=9))
    acme = stage.join("Acme", document=None)
    pass_days(stage, midnight(2027, 6, 2))
    assert days_of(stage, acme, "rental") == [
        "2027-01-31",
        "2027-02-28",
        "2027-03-31",
        "2027-04-30",
        "2027-05-31",
    ]
    assert [row.key.rpartition(":")[2] for row in lines(stage, acme, "rental")] == list("12345")
    stage.prove_ledger()


def test_s2_04_a_downtime_of_ten_weeks_is_caught_up_month_by_month_once(stage: World) -> None:
    acme = stage.join("Acme", document=None)  # 3 March
    stage.wait_until(midnight(2026, 5, 14))
    assert stage.renew() == 1
    assert [row.key.rpartition(":")[2] for row in lines(stage, acme, "rental")] == list("123")
    assert stage.renew() == 0
    assert stage.balance(acme.scope) == 50_000_000 - 2 * acme.number.rental_micros
    stage.prove_ledger()


def test_s1_13_two_clocks_at_once_renew_everything_once(stage: World) -> None:
    plan = publish(stage, packages=[SMALL], access_fee={"month": "5.00"})
    acme = stage.join("Acme", plan=plan, document=None)
    buy(stage, acme)
    stage.wait_until(midnight(2026, 4, 3) + dt.timedelta(minutes=1))
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(stage.renew) for _ in range(4)]:
            done.result(60)
    assert len(lines(stage, acme, "rental")) == 2
    assert len(lines(stage, acme, "package")) == 2
    assert len(lines(stage, acme, "access_fee")) == 2
    assert len(lines(stage, acme, "expire")) == 1
    rent = acme.number.rental_micros
    assert stage.balance(acme.scope) == 50_000_000 - 300_000 - 300_000 - 5_000_000 - rent
    stage.prove_ledger()


def test_s5_13_the_first_number_is_free_for_seven_days_and_the_second_pays_at_once(
    stage: World,
) -> None:
    tariff = load_catalogue()["payg"]["tariff"]
    trial = {"days": 7, "scope": "first_number"}
    plan = publish(stage, tariff=tariff | {"rental_trial": trial})
    acme = stage.join("Acme", plan=plan, document=None)
    assert lines(stage, acme, "rental") == []
    stage.buy(acme.scope)
    assert days_of(stage, acme, "rental") == ["2026-03-03"]
    pass_days(stage, dt.datetime(2026, 3, 11, tzinfo=dt.UTC), hours=6)
    assert days_of(stage, acme, "rental") == ["2026-03-03", "2026-03-10"]
    stage.prove_ledger()


def test_s1_16_unused_minutes_expire_with_a_line_and_the_next_month_is_full(stage: World) -> None:
    plan = publish(stage, packages=[SMALL])
    acme = stage.join("Acme", plan=plan, document=ONE_PHONE)
    buy(stage, acme)
    stage.person(FRONT_DESK, talks=60)
    stage.call(acme.e164)
    stage.settle()
    assert seen(stage, acme).used_seconds == 60
    stage.wait_until(midnight(2026, 4, 3))
    stage.renew()
    (expired,) = lines(stage, acme, "expire")
    assert (expired.unit, expired.amount_micros, expired.balance_after_micros) == (
        "SECONDS",
        540,
        0,
    )
    view = seen(stage, acme)
    assert (view.size_seconds, view.used_seconds, view.remaining_seconds) == (600, 0, 600)
    assert view.renews_on == dt.date(2026, 5, 3)
    stage.prove_ledger()


def test_s1_11_after_a_stop_the_minutes_last_to_the_end_and_then_regular_billing(
    stage: World,
) -> None:
    plan = publish(stage, packages=[SMALL])
    acme = stage.join("Acme", plan=plan, document=ONE_PHONE)
    package_id = buy(stage, acme).id
    with stage.units.begin() as uow:
        packages.stop_renewal(uow, acme.scope, package_id, "ann")
    # A call from 23:59:30 on: thirty seconds lie before the end of the package.
    stage.wait_until(midnight(2026, 4, 3) - dt.timedelta(seconds=35))
    stage.person(FRONT_DESK, talks=60, after=5)
    stage.call(acme.e164)
    stage.settle()
    rent = acme.number.rental_micros
    used = seen(stage, acme).used_seconds
    assert used == 30
    assert stage.balance(acme.scope) == 50_000_000 - 300_000 - 25_000 - 50_000 - rent
    assert seen(stage, acme).status == "ended"
    assert len(lines(stage, acme, "package")) == 1
    stage.renew()
    stage.wait_until(stage.carrier.clock.now() + dt.timedelta(minutes=2))
    stage.renew()
    assert [line.amount_micros for line in lines(stage, acme, "expire")] == [570]
    stage.prove_ledger()


def test_s1_13_a_leg_across_the_renewal_is_met_by_both_months(stage: World) -> None:
    plan = publish(stage, packages=[SMALL])
    acme = stage.join("Acme", plan=plan, document=ONE_PHONE)
    buy(stage, acme)
    stage.wait_until(midnight(2026, 4, 3) - dt.timedelta(seconds=35))
    stage.person(FRONT_DESK, talks=60, after=5)
    stage.call(acme.e164)
    stage.settle()  # before anybody renewed: settlement lets the renewal go first
    assert [line.amount_micros for line in lines(stage, acme, "draw")] == [30, 30]
    assert len(lines(stage, acme, "package")) == 2
    stage.prove_ledger()


@pytest.mark.parametrize(
    "policy, status, left",
    [
        pytest.param("post_anyway", "suspended", -200_000, id="C7 charged all the same"),
        pytest.param("suspend", "active", 100_000, id="C7 the package waits"),
        pytest.param("drop", "active", 100_000, id="C7 the package ends"),
    ],
)
def test_s1_13_a_renewal_that_the_balance_does_not_cover(
    stage: World, policy: str, status: str, left: int
) -> None:
    plan = publish(stage, packages=[SMALL], renewal_without_balance=policy)
    stage.wait_until(midnight(2026, 3, 4))
    acme = stage.join("Acme", plan=plan, document=None)
    buy(stage, acme)
    with stage.units.begin() as uow:
        ledger.adjust(
            uow, acme.scope, amount_micros=100_000 - 49_700_000, reason="story",
            actor="test", idempotency_key="less",
        )  # fmt: skip
    # Rent is due the same day: made free, so that the package alone decides.
    free_rent(stage, acme)
    stage.wait_until(midnight(2026, 4, 4) - DAY / 2)
    stage.work()  # the look ahead
    stage.work()  # its mail
    subjects = [mail.subject for mail in stage.rows(MailRow, acme.scope)]
    assert any("0.20 USD missing" in subject for subject in subjects), "announced before"
    stage.wait_until(midnight(2026, 4, 4))
    stage.renew()
    assert (stage.status(acme.scope), stage.balance(acme.scope)) == (status, left)
    if policy == "suspend":
        assert seen(stage, acme).status == "waiting"
        stage.top_up(acme.scope, 1_000_000)
        pass_days(stage, midnight(2026, 4, 5), hours=6)
        assert seen(stage, acme).status == "active"
        assert stage.balance(acme.scope) == 800_000
    if policy == "drop":
        assert seen(stage, acme).status == "ended"
        stage.top_up(acme.scope, 1_000_000)
        pass_days(stage, midnight(2026, 4, 6))
        assert len(lines(stage, acme, "package")) == 1
    stage.prove_ledger()


def free_rent(stage: World, member: Member) -> None:
    from gateway.store import rentals

    with stage.units.begin() as uow:
        rentals.change(uow.connection, member.scope, member.number.id, {"rental_micros": 0})


def test_s3_04_access_that_waits_holds_service_and_a_top_up_brings_it_back_at_once(
    stage: World,
) -> None:
    plan = publish(stage, access_fee={"month": "5.00"}, renewal_without_balance="suspend")
    acme = stage.join("Acme", plan=plan, funds=4_000_000, document=None)
    free_rent(stage, acme)
    stage.wait_until(midnight(2026, 4, 3))
    stage.renew()
    assert (stage.status(acme.scope), stage.balance(acme.scope)) == ("suspended", 4_000_000)
    stage.top_up(acme.scope, 1_000_000)
    assert stage.status(acme.scope) == "suspended", "the fee is not posted yet"
    assert stage.renew() == 1
    assert (stage.status(acme.scope), stage.balance(acme.scope)) == ("active", 0)
    stage.prove_ledger()


def test_s3_01_a_cancelled_month_ends_with_its_period_and_can_be_taken_up_before(
    stage: World,
) -> None:
    plan = publish(stage, access_fee={"month": "5.00"})
    acme = stage.join("Acme", plan=plan, document=None)
    with stage.units.begin() as uow:
        ends = subscriptions.cancel_renewal(uow, acme.scope, "ann").access_ends_at
        assert ends == midnight(2026, 4, 3)
        subscriptions.resume(uow, acme.scope, "ann")
        assert subscriptions.cancel_renewal(uow, acme.scope, "ann").renews_on is None
    stage.wait_until(midnight(2026, 4, 2))
    stage.renew()
    assert stage.status(acme.scope) == "active"
    stage.wait_until(midnight(2026, 4, 3))
    stage.renew()
    assert stage.status(acme.scope) == "suspended"
    assert len(lines(stage, acme, "access_fee")) == 1
    stage.top_up(acme.scope, 1_000_000)
    assert stage.status(acme.scope) == "suspended", "money does not bring ended access back"
    stage.prove_ledger()


def test_s4_05_an_upgrade_on_the_last_day_gives_the_full_complement_once(stage: World) -> None:
    with stage.units.begin() as uow:
        for code, minutes in (("small_pool", 10), ("big_pool", 100)):
            plans.publish_plan(
                uow, code, a_plan(pool={"minutes": minutes}, exhaustion="block_new"), "Olga"
            )
    acme = stage.join("Acme", plan="small_pool", document=None)

    def allocated() -> int:
        with stage.units.read() as uow:
            account = account_service.get_account(uow, acme.scope)
            figures = pools.figures(uow, account)
        assert figures is not None
        return figures.allocated_seconds

    def move(code: str) -> None:
        with stage.units.begin() as uow:
            account_service.update_account(uow, acme.scope, {"plan_code": code}, "Olga")

    assert allocated() == 600
    stage.wait_until(midnight(2026, 3, 31))
    for code, seconds in (("big_pool", 6_000), ("small_pool", 6_000), ("big_pool", 6_000)):
        move(code)
        assert allocated() == seconds, "once for a cycle, however often it goes up and down"
    stage.wait_until(midnight(2026, 4, 1))
    stage.renew()
    assert allocated() == 6_000, "reset, not added (S4-06)"
    assert sum(line.amount_micros for line in lines(stage, acme, "issue")) == 600 + 6_000 + 6_000
    stage.prove_ledger()


def test_s3_03_a_change_asked_for_is_previewed_decided_and_applied_on_its_day(
    stage: World,
) -> None:
    with stage.units.begin() as uow:
        plans.publish_plan(uow, "basic", a_plan(access_fee={"month": "3.10"}), "Olga")
        plans.publish_plan(
            uow,
            "better",
            a_plan(access_fee={"month": "6.20"}, upgrade={"fee": "prorated"}),
            "Olga",
        )
    stage.wait_until(midnight(2026, 5, 1))
    acme = stage.join("Acme", plan="basic", document=None)
    free_rent(stage, acme)
    stage.wait_until(midnight(2026, 5, 16))
    with stage.units.begin() as uow:
        seen = plan_changes.preview(uow, acme.scope, "better")
        assert (seen.change.fee_micros, seen.change.days_left, seen.change.days) == (
            1_600_000,
            16,
            31,
        )
        asked = plan_changes.request(uow, acme.scope, "better", "ann", "we grow")
        assert plan_changes.request(uow, acme.scope, "better", "ann").id == asked.id
    stage.renew()
    assert stage.balance(acme.scope) == 50_000_000, "asked is not decided"
    with stage.units.begin() as uow:
        plan_changes.schedule(uow, acme.scope, asked.id, midnight(2026, 5, 17), "Olga")
    pass_days(stage, midnight(2026, 5, 20))
    (change,) = lines(stage, acme, "plan_change")
    assert (change.amount_micros, change.key) == (1_500_000, f"change:{asked.id}")
    pass_days(stage, midnight(2026, 6, 2))
    assert [line.amount_micros for line in lines(stage, acme, "access_fee")] == [
        3_100_000,
        6_200_000,
    ]
    stage.prove_ledger()


YEARLY: dict[str, Any] = {"access_fee": {"month": "5.00", "year": "50.00"}}


def test_s3_02_a_year_is_paid_once_and_its_access_lasts_to_the_end_of_the_term(
    stage: World,
) -> None:
    plan = publish(stage, **YEARLY)
    stage.wait_until(dt.datetime(2028, 2, 29, 15, 0, tzinfo=dt.UTC))
    acme = stage.join("Acme", plan=plan, document=None, funds=100_000_000, term="year")
    pass_days(stage, midnight(2028, 5, 1), hours=24 * 20)
    with stage.units.begin() as uow:
        found = subscriptions.cancel_renewal(uow, acme.scope, "Ann")
    assert found.renews_on is None
    pass_days(stage, midnight(2029, 2, 28) + dt.timedelta(hours=12), hours=24 * 20)
    assert [row.amount_micros for row in lines(stage, acme, "access_fee")] == [50_000_000]
    assert stage.status(acme.scope) == "active", "through the day of the anniversary"
    stage.wait_until(midnight(2029, 3, 1))
    stage.renew()
    assert stage.status(acme.scope) == "suspended"
    stage.prove_ledger()


def test_s3_02_from_the_month_to_the_year_when_the_month_is_over(stage: World) -> None:
    """Whoever pays by the month may ask for the year: what was paid is used up first."""
    plan = publish(stage, **YEARLY)
    acme = stage.join("Acme", plan=plan, document=None, funds=100_000_000)
    with stage.units.begin() as uow:
        shown = plan_changes.preview(uow, acme.scope, plan, "year").change
        assert (shown.fee_micros, shown.next_fee_micros) == (0, 50_000_000)
        assert shown.next_fee_on == dt.date(2026, 4, 3)
        wish = plan_changes.request(uow, acme.scope, plan, "Ann", term="year")
        agreed = plan_changes.schedule(uow, acme.scope, wish.id, None, "Olga")
    assert agreed.effective_at == midnight(2026, 4, 3)
    stage.wait_until(midnight(2026, 4, 5))  # the clock was down for two days
    stage.renew()
    assert [row.amount_micros for row in lines(stage, acme, "access_fee")] == [
        5_000_000,
        50_000_000,
    ]
    with stage.units.read() as uow:
        access = subscriptions.view(uow, acme.scope)
    assert access is not None
    assert (access.term, access.renews_on) == ("year", dt.date(2027, 4, 3))
    stage.prove_ledger()
