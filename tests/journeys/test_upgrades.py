"""C5: minutes run out, and the plan becomes the next one by itself: once, paid for, told."""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from world import FRONT_DESK, ONE_PHONE, Member, World

from billing.catalogue import load_catalogue
from billing.purchases import Purchaser
from gateway.services import (
    accounts,
    audit,
    bundles,
    memberships,
    plan_changes,
    plans,
    pools,
    renewals,
    settlement,
    statement,
    subscriptions,
    what_if,
)
from gateway.services.banners import banners
from gateway.store.calls import CallRow
from gateway.store.ledger import PostingRow
from gateway.store.mail import MailRow
from gateway.store.plan_changes import PlanChangeRow
from tests.rules.story import amounts, lines, set_balance, talk

SMALL_FEE, LARGE_FEE = 10_000_000, 30_000_000
FULL_FEE = LARGE_FEE - SMALL_FEE
DAY = dt.timedelta(days=1)
numbers = count()


def a_plan(minutes: int, fee: str, shared: bool = False, **more: Any) -> dict[str, Any]:
    """A pool that inbound legs draw, at 0.05 a minute beyond it where the plan charges that."""
    payg = load_catalogue()["payg"]
    legs = {"inbound": True, "forwarded": False, "transfer": False}
    return payg | {
        "name": f"{minutes} minutes",
        "pool": {"minutes": minutes, "scope": "agency_shared" if shared else "account"},
        "access_fee": {"month": fee},
        "upgrade": {"channel": "self"},
        "exhaustion": "block_new",
        "topup": {"bundles": [{"minutes": 1, "price": "0.10"}]},
        "tariff": payg["tariff"]
        | {"billable_legs": legs | {"ring_time": False, "ivr_time": False}},
        **more,
    }


@pytest.fixture
def ladder(stage: World) -> Iterator[str]:
    """small (2 min) leads to large (10 min) by itself; at the top calls are refused."""
    yield publish(stage)


def publish(stage: World, upgrade: dict[str, str] | None = None, **more: Any) -> str:
    n = next(numbers)
    small, large = f"small_{n}", f"large_{n}"
    rules = {"channel": "self", **(upgrade or {})}
    with stage.units.begin() as uow:
        plans.publish_plan(uow, large, a_plan(10, "30.00", **more, upgrade=rules), "Olga")
        document = a_plan(2, "10.00", **more)
        document |= {"exhaustion": "auto_upgrade", "upgrade": rules | {"next_plan": large}}
        plans.publish_plan(uow, small, document, "Olga")
    return small


def join(stage: World, plan: str, **more: Any) -> Member:
    return stage.join(f"Acme{next(numbers)}", plan=plan, document=ONE_PHONE, **more)


def plan_of(stage: World, member: Member) -> str:
    with stage.units.read() as uow:
        return accounts.get_account(uow, member.scope).plan_code.rpartition("_")[0]


def changes(stage: World, member: Member) -> list[Any]:
    rows = stage.rows(PlanChangeRow, member.scope)
    return [row for row in rows if row.account_id == member.scope.account_id]


def state(stage: World, member: Member) -> str:
    (change,) = changes(stage, member)
    assert change.automatic
    return str(change.state)


def mails(stage: World, member: Member, words: str) -> list[Any]:
    stage.work()
    rows = stage.rows(MailRow, member.scope)
    return [
        row for row in rows if row.account_id == member.scope.account_id and words in row.subject
    ]


def noted(stage: World, member: Member, action: str) -> int:
    with stage.units.read() as uow:
        return len(audit.of_action(uow, member.scope, action))


def figures(stage: World, member: Member) -> pools.PoolFigures:
    with stage.units.read() as uow:
        found = pools.figures(uow, accounts.get_account(uow, member.scope))
    assert found is not None
    return found


def test_c5_s4_05_when_the_minutes_are_used_up_the_plan_becomes_the_next_one_once(
    stage: World, ladder: str
) -> None:
    acme = join(stage, ladder)
    talk(stage, acme, 60)
    assert changes(stage, acme) == [], "there are minutes left"
    talk(stage, acme, 60)
    assert (state(stage, acme), plan_of(stage, acme)) == ("scheduled", "small")
    assert "<Dial" in stage.ask(acme.e164), "more minutes are on their way"
    stage.renew()
    stage.renew()
    assert (state(stage, acme), plan_of(stage, acme)) == ("applied", "large")
    (fee,) = lines(stage, acme.scope, "plan_change")
    (change,) = changes(stage, acme)
    assert (fee.amount_micros, fee.key, fee.actor) == (FULL_FEE, f"change:{change.id}", "system")
    assert figures(stage, acme).remaining_seconds == 600, "S4-05"
    (mail,) = mails(stage, acme, "your plan is 10 minutes now")
    for words in ("2 minutes", "20.00 USD", "30.00 USD a month", "10 added", "go back"):
        assert words in mail.body
    assert noted(stage, acme, "plan_change.ordered") == noted(stage, acme, "plan.changed") == 1
    talk(stage, acme, 60)
    assert figures(stage, acme).remaining_seconds == 540
    stage.prove_ledger()


def test_c5_s4_08_a_call_outlasts_the_minutes_and_what_overruns_them_has_its_price(
    stage: World, ladder: str
) -> None:
    """Up to the upgrade: here the plan's rate, by `in_call.overrun_price`."""
    acme = join(stage, ladder)
    before = stage.balance(acme.scope)
    talk(stage, acme, 400)
    seen = figures(stage, acme)
    assert (seen.remaining_seconds, seen.overrun_seconds) == (0, 280)
    assert before - stage.balance(acme.scope) == 280 * 50_000 // 60
    assert state(stage, acme) == "scheduled"
    stage.renew()
    assert figures(stage, acme).remaining_seconds == 600, "an overrun takes nothing from them"
    assert_nothing_differs(stage, acme)
    stage.prove_ledger()


def test_c5_a_call_that_is_on_during_the_upgrade_draws_both(stage: World, ladder: str) -> None:
    acme = join(stage, ladder)
    talk(stage, acme, 120)
    before = stage.balance(acme.scope)
    stage.person(FRONT_DESK, talks=300)
    stage.ring(acme.e164, seconds=105)
    stage.renew()
    stage.carrier.run_until_idle()
    stage.settle()
    drawn = [row.amount_micros for row in stage.rows(PostingRow, acme.scope) if row.kind == "draw"]
    assert sorted(drawn) == [100, 120, 200]
    paid = before - stage.balance(acme.scope) - FULL_FEE
    assert paid == 100 * 50_000 // 60, "what lay before the upgrade"
    with stage.units.read() as uow:
        for line in statement.list_postings(uow, acme.scope).items:
            if line.kind in ("usage", "draw", "plan_change"):
                assert statement.explain(uow, acme.scope, line.id).recompute() == abs(
                    line.amount_micros
                )
    assert_nothing_differs(stage, acme)
    stage.prove_ledger()


def test_c5_where_the_overrun_is_priced_zero_it_costs_nothing(stage: World) -> None:
    zero = {"policy": "let_finish", "overrun_price": "zero"}
    acme = join(stage, publish(stage, in_call=zero))
    before = stage.balance(acme.scope)
    talk(stage, acme, 400)
    assert stage.balance(acme.scope) == before
    stage.renew()
    assert (plan_of(stage, acme), stage.balance(acme.scope)) == ("large", before - FULL_FEE)
    assert_nothing_differs(stage, acme)


def test_c12_fee_and_minutes_are_full_or_prorated_as_the_plan_says(stage: World) -> None:
    now = stage.carrier.clock.now()
    stage.wait_until((now.replace(day=1) + 40 * DAY).replace(day=16, hour=12))
    plan = publish(stage, {"fee": "prorated", "allowance": "prorated"})
    acme = join(stage, plan)
    stage.wait_until(stage.carrier.clock.now() + 5 * DAY)
    with stage.units.read() as uow:
        shown = plan_changes.preview(uow, acme.scope, plan.replace("small", "large")).change
    assert 0 < shown.fee_micros < FULL_FEE and 0 < shown.allowance_seconds < 600
    talk(stage, acme, 120)
    stage.renew()
    assert amounts(stage, acme.scope, "plan_change") == [shown.fee_micros]
    assert figures(stage, acme).remaining_seconds == shown.allowance_seconds
    talk(stage, acme, 30)
    assert_nothing_differs(stage, acme)


def test_c12_a_call_that_is_on_during_a_prorated_upgrade_keeps_the_cycles_own_minutes(
    stage: World,
) -> None:
    """The upgrade comes beside them: also the seconds after it draw what was there before."""
    now = stage.carrier.clock.now()
    stage.wait_until((now.replace(day=1) + 40 * DAY).replace(day=16, hour=12))
    plan = publish(stage, {"allowance": "prorated"})
    acme = join(stage, plan)
    stage.person(FRONT_DESK, talks=110)
    stage.ring(acme.e164, seconds=60)
    with stage.units.begin() as uow:
        accounts.update_account(
            uow, acme.scope, {"plan_code": plan.replace("small", "large")}, "Olga"
        )
    before = figures(stage, acme)
    assert before.remaining_seconds == before.allocated_seconds > 120
    stage.carrier.run_until_idle()
    talk(stage, acme, 20)
    drawn = [row.amount_micros for row in stage.rows(PostingRow, acme.scope) if row.kind == "draw"]
    assert sorted(drawn) == [10, 10, 110], "of the own minutes first, to their last second"
    seen = figures(stage, acme)
    assert seen.remaining_seconds == before.remaining_seconds - 130
    assert (seen.allocated_seconds, seen.used_seconds) == (before.allocated_seconds, 130)
    with stage.units.read() as uow:
        seen_as_it_was = what_if.what_if(
            uow, acme.scope, since=now, until=stage.carrier.clock.now() + DAY, version=None
        )
    assert seen_as_it_was.differing_legs == 0
    stage.prove_ledger()


def test_c5_many_drains_at_once_order_one_upgrade_and_carry_it_out_once(
    stage: World, ladder: str
) -> None:
    acme = join(stage, ladder)
    stage.person(FRONT_DESK, talks=50)
    for _ in range(6):
        stage.call(acme.e164)
    with ThreadPoolExecutor(4) as pool:
        for drained in [pool.submit(settlement.drain, stage.units) for _ in "1234"]:
            assert drained.result(60).failed == 0
        for renewed in [pool.submit(renewals.drain, stage.units) for _ in "1234"]:
            renewed.result(60)
    stage.settle()
    stage.renew()
    assert (state(stage, acme), plan_of(stage, acme)) == ("applied", "large")
    assert amounts(stage, acme.scope, "plan_change") == [FULL_FEE]
    assert len(mails(stage, acme, "your plan is")) == 1
    stage.prove_ledger()


def test_c5_a_crash_between_order_and_upgrade_leaves_the_order(
    stage: World, ladder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = join(stage, ladder)
    talk(stage, acme, 120)
    whole = plan_changes.move

    def dies(*args: Any, **more: Any) -> None:
        whole(*args, **more)
        raise RuntimeError("the power went out")

    monkeypatch.setattr(plan_changes, "move", dies)
    stage.renew()
    assert (state(stage, acme), plan_of(stage, acme)) == ("scheduled", "small")
    monkeypatch.undo()
    stage.renew()
    assert plan_of(stage, acme) == "large"
    assert amounts(stage, acme.scope, "plan_change") == [FULL_FEE]
    assert len(mails(stage, acme, "your plan is")) == 1
    stage.prove_ledger()


def test_c5_the_carriers_news_come_twice_and_change_nothing(stage: World, ladder: str) -> None:
    acme = join(stage, ladder)
    del stage.poster.seen[:]
    talk(stage, acme, 130)
    stage.renew()
    talk(stage, acme, 60)
    before = stage.ledger_digest(acme.scope)
    stage.repeat_webhooks()
    stage.settle()
    stage.renew()
    assert stage.ledger_digest(acme.scope) == before
    assert len(changes(stage, acme)) == 1


def test_c5_s4_09_what_the_balance_does_not_cover_waits_and_calls_are_refused_until_money_comes(
    stage: World, ladder: str
) -> None:
    acme = join(stage, ladder)
    set_balance(stage, acme.scope, 5_000_000)
    talk(stage, acme, 120)
    assert "<Dial" in stage.ask(acme.e164), "on its way"
    stage.renew()
    assert (state(stage, acme), plan_of(stage, acme)) == ("held", "small")
    assert "<Reject" in stage.ask(acme.e164)
    refused = [row.refused for row in stage.rows(CallRow, acme.scope)]
    assert refused.count("minutes_exhausted") == 1 and stage.status(acme.scope) == "active"
    (mail,) = mails(stage, acme, "new callers are turned away")
    assert "pay in 15.00 USD or more" in mail.body
    with stage.units.read() as uow:
        assert "pay in 15.00 USD" in (banners(uow, acme.scope).minutes_used_up or "")
    stage.top_up(acme.scope, 14_000_000)
    stage.renew()
    assert state(stage, acme) == "held", "a dollar is missing still"
    assert len(mails(stage, acme, "new callers are turned away")) == 1
    assert noted(stage, acme, "plan_change.held") == 2
    stage.top_up(acme.scope, 1_000_000)
    assert "<Dial" in stage.ask(acme.e164)
    stage.renew()
    assert (state(stage, acme), plan_of(stage, acme)) == ("applied", "large")
    assert stage.balance(acme.scope) == 0
    with stage.units.read() as uow:
        assert banners(uow, acme.scope).minutes_used_up is None
    stage.prove_ledger()


def test_c5_c13_while_the_upgrade_waits_people_may_choose_a_plan_themselves(
    stage: World, ladder: str
) -> None:
    medium = f"medium_{next(numbers)}"
    with stage.units.begin() as uow:
        plans.publish_plan(uow, medium, a_plan(5, "11.00"), "Olga")
    acme = join(stage, ladder)
    set_balance(stage, acme.scope, 5_000_000)
    talk(stage, acme, 120)
    stage.renew()
    assert state(stage, acme) == "held"
    with stage.units.begin() as uow:
        plan_changes.request(uow, acme.scope, medium, "Ann")
    stage.renew()
    assert plan_of(stage, acme) == "medium"
    stage.top_up(acme.scope, 50_000_000)
    stage.renew()
    assert plan_of(stage, acme) == "medium", "what was chosen stays"
    assert sorted(c.state for c in changes(stage, acme)) == ["applied", "canceled"]
    stage.prove_ledger()


def test_c5_staff_may_have_a_held_upgrade_tried_again_and_not_put_off(
    stage: World, ladder: str
) -> None:
    acme = join(stage, ladder)
    set_balance(stage, acme.scope, 5_000_000)
    talk(stage, acme, 120)
    stage.renew()
    with stage.units.begin() as uow:
        change = plan_changes.open_change(uow, acme.scope)
        assert change is not None and change.state == "held"
        again = plan_changes.schedule(uow, acme.scope, change.id, uow.now + 9 * DAY, "Olga")
        assert (again.state, again.effective_at) == ("scheduled", uow.now)
    stage.renew()
    assert (state(stage, acme), plan_of(stage, acme)) == ("held", "small")


def test_c5_an_upgrade_that_was_withdrawn_does_not_come_again(stage: World, ladder: str) -> None:
    acme = join(stage, ladder)
    talk(stage, acme, 120)
    with stage.units.begin() as uow:
        change = plan_changes.open_change(uow, acme.scope)
        assert change is not None
        plan_changes.cancel(uow, acme.scope, change.id, "Ann")
    stage.renew()
    assert "<Reject" in stage.ask(acme.e164)
    talk(stage, acme, 10)
    stage.top_up(acme.scope, 50_000_000)
    stage.renew()
    assert (state(stage, acme), plan_of(stage, acme)) == ("canceled", "small")


def test_c5_minutes_that_were_bought_meanwhile_make_it_needless_and_it_comes_when_they_are_gone(
    stage: World, ladder: str
) -> None:
    acme = join(stage, ladder)
    talk(stage, acme, 120)
    with stage.units.begin() as uow:
        bundles.buy(uow, acme.scope, 1, Purchaser("", "ann"), idempotency_key="k")
    stage.renew()
    assert (state(stage, acme), plan_of(stage, acme)) == ("canceled", "small")
    assert "<Dial" in stage.ask(acme.e164)
    talk(stage, acme, 60)
    assert state(stage, acme) == "scheduled"
    stage.renew()
    assert plan_of(stage, acme) == "large"
    stage.prove_ledger()


def test_c5_going_back_in_the_same_cycle_does_not_upgrade_in_a_loop(
    stage: World, ladder: str
) -> None:
    acme = join(stage, ladder)
    talk(stage, acme, 120)
    stage.renew()
    talk(stage, acme, 600)
    with stage.units.begin() as uow:
        accounts.update_account(uow, acme.scope, {"plan_code": ladder}, "Olga")
    assert "<Reject" in stage.ask(acme.e164), "this cycle had its upgrade"
    stage.renew()
    assert plan_of(stage, acme) == "small"
    assert amounts(stage, acme.scope, "plan_change") == [FULL_FEE]
    with stage.units.read() as uow:
        assert "choose a larger plan" in (banners(uow, acme.scope).minutes_used_up or "")
    stage.prove_ledger()


def test_c5_s4_06_a_new_cycle_brings_minutes_and_ends_the_wait(stage: World, ladder: str) -> None:
    acme = join(stage, ladder)
    set_balance(stage, acme.scope, 15_000_000)
    talk(stage, acme, 120)
    stage.renew()
    assert state(stage, acme) == "held"
    now = stage.carrier.clock.now()
    stage.wait_until((now.replace(day=1, hour=6) + 32 * DAY).replace(day=1))
    stage.renew()
    assert state(stage, acme) == "canceled"
    assert "<Dial" in stage.ask(acme.e164)
    talk(stage, acme, 120)
    assert [c.state for c in changes(stage, acme)].count("scheduled") == 1, "its own of this cycle"


def test_c5_cancelled_access_is_not_made_dearer_by_itself(stage: World, ladder: str) -> None:
    acme = join(stage, ladder)
    with stage.units.begin() as uow:
        subscriptions.cancel_renewal(uow, acme.scope, "Ann")
    talk(stage, acme, 120)
    stage.renew()
    assert state(stage, acme) == "held"
    with stage.units.begin() as uow:
        subscriptions.resume(uow, acme.scope, "Ann")
    stage.renew()
    assert plan_of(stage, acme) == "large"


def test_c5_c15_a_client_is_never_made_dearer_for_its_agency_by_a_plan_of_its_own(
    stage: World,
) -> None:
    """While it shares the billing, the agency's plan decides; a plan of its own without minutes
    left refuses calls, one that charges its rate does not."""
    agency = join(stage, "payg")
    careful, easy = (
        join(stage, plan, parent_id=agency.scope.account_id) for plan in (publish(stage), "payg")
    )
    for client in (careful, easy):
        with stage.units.begin() as uow:
            memberships.set_billing(uow, client.scope, "agency_shared", "Olga")
    talk(stage, careful, 130)
    stage.renew()
    assert changes(stage, careful) == [] and plan_of(stage, careful) == "small"
    assert "<Reject" in stage.ask(careful.e164) and "<Dial" in stage.ask(easy.e164)
    with stage.units.read() as uow:
        assert "your agency" in (banners(uow, careful.scope).minutes_used_up or "")
        assert banners(uow, easy.scope).minutes_used_up is None
    stage.prove_ledger()


def test_c5_c15_an_agency_upgrades_when_its_clients_use_up_its_minutes(stage: World) -> None:
    plan = publish(stage, shared=True)
    agency = join(stage, plan)
    without = a_plan(2, "0") | {"exhaustion": "charge_plan_rate"}
    without.pop("pool")
    with stage.units.begin() as uow:
        plans.publish_plan(uow, f"client_{plan}", without, "Olga")
    clients = []
    for area in ("212", "646"):
        client = stage.join(
            f"Client{next(numbers)}",
            plan=f"client_{plan}",
            document=ONE_PHONE,
            area_code=area,
            parent_id=agency.scope.account_id,
        )
        with stage.units.begin() as uow:
            memberships.set_billing(uow, client.scope, "agency_shared", "Olga")
        clients.append(client)
    before = stage.balance(agency.scope)
    stage.person(FRONT_DESK, talks=60)
    for client in clients:
        stage.call(client.e164)
    with ThreadPoolExecutor(2) as pool:
        for drained in [pool.submit(settlement.drain, stage.units) for _ in "12"]:
            drained.result(60)
    stage.settle()
    assert (state(stage, agency), plan_of(stage, agency)) == ("scheduled", "small")
    stage.renew()
    assert plan_of(stage, agency) == "large"
    assert stage.balance(agency.scope) == before - FULL_FEE
    assert all(changes(stage, client) == [] for client in clients)
    for member in (agency, *clients):
        talk(stage, member, 60)
    assert figures(stage, agency).remaining_seconds == 420
    for member in (agency, *clients):
        assert_nothing_differs(stage, member)
    stage.prove_ledger()


def test_m02_c5_a_period_with_an_upgrade_differs_by_nothing_under_the_plan_it_began_with(
    stage: World, ladder: str
) -> None:
    acme = join(stage, ladder)
    for seconds in (50, 110, 40):  # the second runs over; the third begins before the upgrade
        talk(stage, acme, seconds)
    stage.renew()
    for seconds in (33, 400):
        talk(stage, acme, seconds)
    assert plan_of(stage, acme) == "large"
    assert_nothing_differs(stage, acme)


def assert_nothing_differs(stage: World, member: Member) -> None:
    """Under the plans as they were, and under the plan that led to the others by itself."""
    now = stage.carrier.clock.now()
    with stage.units.read() as uow:
        account = accounts.get_account(uow, member.scope)
        code = account.plan_code.replace("large", "small")
        for version in (None, plans.get_plan(uow, code)):
            seen = what_if.what_if(
                uow,
                member.scope,
                since=account.created_at - DAY,
                until=now + DAY,
                version=version,
            )
            assert seen.calls.items and seen.differing_legs == 0
            assert seen.total.difference_micros == 0, version
