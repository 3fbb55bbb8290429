"""Cards: recharges, payments by hand, declines, the bank's questions, lost answers."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
import uuid
from typing import Any

import pytest
from world import FRONT_DESK, ONE_PHONE, Member, World

from billing.money import parse_amount
from billing.recharge import CHARGES_PER_DAY_MAX
from gateway.sandbox.card_events import signature
from gateway.sandbox.cards import ASKS_BANK, PAYS, SLOW, CardFaults
from gateway.services import (
    accounts,
    card_payments,
    charges,
    ledger,
    looks,
    payment_methods,
    recharge,
)
from gateway.services.accounts import get_account
from gateway.services.errors import Conflict, Invalid
from gateway.services.till import Till
from gateway.store.base import Scope
from gateway.store.charges import Charge, ChargeRow
from gateway.store.ledger import PostingRow
from gateway.store.mail import MailRow
from gateway.store.payment_methods import PaymentMethod
from gateway.store.recharge import RechargeRuleRow
from workers import carrier as carrier_queue

VISA, MASTERCARD = "pm_card_visa", "pm_card_mastercard"
BANK, LOST, POOR = "pm_card_authenticationRequired", "pm_card_lost", "pm_card_insufficientFunds"
PLAN = "prepaid_recharge"  # below 10.00 up to 50.00


def till(stage: World) -> Till:
    return stage.runtime.cards()


def card(stage: World, scope: Scope, token: str = VISA) -> PaymentMethod:
    return payment_methods.attach(
        stage.units,
        till(stage),
        scope,
        token=token,
        actor="Ann",
        idempotency_key=str(uuid.uuid4()),
    )


def recharges(stage: World, scope: Scope, **changes: Any) -> None:
    wanted: dict[str, Any] = {
        "minimum_micros": 10_000_000,
        "maximum_micros": 50_000_000,
        "daily_cap_micros": None,
        "monthly_cap_micros": None,
        "cooldown_seconds": 0,
        **changes,
    }
    with stage.units.begin() as uow:
        recharge.choose(uow, scope, on=True, actor="Ann", **wanted)


def member(stage: World, name: str, *cards: str, funds: int = 50_000_000, **more: Any) -> Member:
    """An account that recharges by its cards, first the default, then the backup."""
    joined = stage.join(name, funds=funds, plan=more.pop("plan", PLAN), document=ONE_PHONE, **more)
    for token in cards or (VISA,):
        card(stage, joined.scope, token)
    recharges(stage, joined.scope)
    stage.work()
    return joined


def spend(stage: World, scope: Scope, amount: str) -> None:
    with stage.units.begin() as uow:
        ledger.adjust(
            uow,
            scope,
            amount_micros=-parse_amount(amount),
            reason="spent",
            actor="test",
            idempotency_key=str(uuid.uuid4()),
        )


def later(stage: World, **passes: float) -> None:
    """Time passes, the news of the card network arrives, the queues are worked off."""
    stage.carrier.run_for(dt.timedelta(**passes).total_seconds())
    stage.work()


def of(stage: World, scope: Scope) -> list[Any]:
    return [row for row in stage.rows(ChargeRow, scope) if row.account_id == scope.account_id]


def mails(stage: World, scope: Scope, about: str) -> list[Any]:
    return [mail for mail in stage.rows(MailRow, scope) if about in mail.subject]


def notice(stage: World, scope: Scope) -> str | None:
    with stage.units.read() as uow:
        return get_account(uow, scope).payment_notice


def pays(stage: World, scope: Scope, amount: str, key: str = "", **more: Any) -> Charge:
    return card_payments.pay(
        stage.units,
        till(stage),
        scope,
        amount_micros=parse_amount(amount),
        method_id=more.get("method_id"),
        actor="Ann",
        idempotency_key=key or str(uuid.uuid4()),
    )


def taken(stage: World, scope: Scope) -> int:
    """What the card network took of an account, in micros."""
    with stage.units.read() as uow:
        customers = {one.customer_ref for one in payment_methods.listed(uow, scope)}
    return sum(stage.cards.taken(customer) for customer in customers) * 10_000


def credited(stage: World, scope: Scope) -> int:
    """What the ledger says came in by card, tax included."""
    keys = {f"{kind}:{one.id}" for one in of(stage, scope) for kind in ("topup", "vat")}
    return sum(row.amount_micros for row in stage.rows(PostingRow, scope) if row.key in keys)


# Recharge.


def test_s2_11_a_call_that_drops_the_balance_below_the_minimum_fills_it_to_the_maximum(
    stage: World,
) -> None:
    acme = member(stage, "Acme", funds=10_000_000)
    assert of(stage, acme.scope) == [], "exactly the minimum is not below it"
    stage.person(FRONT_DESK, talks=83)
    stage.call(acme.e164)
    stage.settle()
    low = stage.balance(acme.scope)
    assert low < 10_000_000
    stage.work()
    (charge,) = of(stage, acme.scope)
    assert (charge.state, charge.purpose) == ("ok", "recharge")
    assert 0 <= 50_000_000 - stage.balance(acme.scope) < 10_000, "less than a cent is left out"
    assert charge.net_micros == charge.credited_micros == stage.balance(acme.scope) - low
    assert taken(stage, acme.scope) == charge.net_micros
    (mail,) = mails(stage, acme.scope, f"receipt for {charge.net_micros / 1e6:.2f}")
    assert "Automatic recharge (visa ····4242)" in mail.body
    stage.prove_ledger()


def test_s2_11_the_amount_is_that_of_the_moment_of_the_charge(stage: World) -> None:
    acme = member(stage, "Acme")
    spend(stage, acme.scope, "41.00")
    spend(stage, acme.scope, "5.00")  # after the look was left due, before it was taken
    stage.work()
    (charge,) = of(stage, acme.scope)
    assert charge.net_micros == 46_000_000
    assert stage.balance(acme.scope) == 50_000_000


def test_c6_no_recharge_where_it_is_off_and_at_once_when_it_is_turned_on(stage: World) -> None:
    bolt = stage.join("Bolt", funds=1_000_000, plan=PLAN)
    card(stage, bolt.scope)
    stage.work()
    assert of(stage, bolt.scope) == []
    recharges(stage, bolt.scope)
    stage.work()
    assert stage.balance(bolt.scope) == 50_000_000


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(CardFaults(lose_answer=1.0), id="E1 charged, and the answer was lost"),
        pytest.param(CardFaults(lose_request=1.0), id="E1 the request was lost on its way"),
    ],
)
def test_e1_what_was_lost_is_found_by_asking_and_credited_once(
    stage: World, faults: CardFaults
) -> None:
    acme = member(stage, "Acme")
    stage.cards.events.lose = 10
    stage.cards.faults = faults
    spend(stage, acme.scope, "41.00")
    stage.work()
    (charge,) = of(stage, acme.scope)
    assert charge.state == "unknown" and stage.balance(acme.scope) == 9_000_000
    stage.cards.faults = CardFaults()
    for _ in range(4):
        later(stage, seconds=20)
    stage.cards.events.lose = 0
    (charge,) = of(stage, acme.scope)
    assert charge.state == "ok"
    assert stage.balance(acme.scope) == 50_000_000
    assert taken(stage, acme.scope) == 41_000_000, "and never twice"
    stage.prove_ledger()


def test_e1_a_worker_that_died_before_the_call_leaves_a_charge_that_goes_on(stage: World) -> None:
    acme = member(stage, "Acme")
    spend(stage, acme.scope, "41.00")
    with stage.units.begin() as uow:
        intended = recharge.decide(uow, till(stage), acme.scope)
    assert intended is not None and intended.state == "pending"
    stage.work()
    assert of(stage, acme.scope)[0].state == "pending", "it is not overtaken"
    later(stage, seconds=31)
    assert stage.balance(acme.scope) == 50_000_000
    assert taken(stage, acme.scope) == 41_000_000


def test_e1_after_a_day_nothing_is_sent_again(stage: World) -> None:
    acme = member(stage, "Acme")
    stage.cards.faults = CardFaults(lose_request=1.0)
    spend(stage, acme.scope, "41.00")
    for _ in range(30):
        later(stage, hours=1)
        if of(stage, acme.scope)[0].state == "failed":
            break
    first = of(stage, acme.scope)[0]
    assert (first.state, first.decline_code) == ("failed", "not_found")
    assert first.resolved_at - first.submitted_at >= dt.timedelta(hours=24)
    assert mails(stage, acme.scope, "declined") == [], "no card was declined"
    stage.cards.faults = CardFaults()
    for _ in range(4):
        later(stage, hours=3)
    assert stage.balance(acme.scope) == 50_000_000, "a new charge, with a new key"
    assert taken(stage, acme.scope) == 41_000_000


def test_money_that_came_after_all_is_credited_however_late(stage: World) -> None:
    acme = member(stage, "Acme")
    stage.cards.tell("4242", SLOW)
    spend(stage, acme.scope, "41.00")
    stage.work()
    (charge,) = of(stage, acme.scope)
    assert charge.state == "unknown", "the network has it and does not know yet"
    later(stage, seconds=30)
    assert stage.balance(acme.scope) == 50_000_000


def test_e2_many_workers_at_once_charge_once(stage: World) -> None:
    acme = member(stage, "Acme")
    spend(stage, acme.scope, "41.00")
    begin = threading.Barrier(12)

    def work() -> None:
        begin.wait()
        recharge.run(stage.units, till(stage), acme.scope)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [charge.state for charge in of(stage, acme.scope)] == ["ok"]
    assert stage.balance(acme.scope) == 50_000_000
    stage.prove_ledger()


def test_e3_a_runaway_account_is_charged_three_times_and_then_staff_looks(stage: World) -> None:
    acme = member(stage, "Acme")
    for _ in range(8):
        spend(stage, acme.scope, "45.00")
        later(stage, minutes=30)
    assert len(of(stage, acme.scope)) == CHARGES_PER_DAY_MAX
    assert notice(stage, acme.scope) == "too_many_charges"
    (mail,) = mails(stage, acme.scope, "recharge waits")
    assert "staff looks into it" in mail.body
    later(stage, days=2)
    assert len(of(stage, acme.scope)) == CHARGES_PER_DAY_MAX, "time alone lifts no brake"
    with stage.units.begin() as uow:
        assert acme.scope in [one.scope for one in recharge.paused(uow)]
    spend(stage, acme.scope, "-180.00")  # the plan's daily cap stands; staff makes up for the rest
    with stage.units.begin() as uow:
        recharge.lift(uow, acme.scope, "Olga", "a busy week, all right")
    stage.work()
    assert stage.balance(acme.scope) == 50_000_000
    assert notice(stage, acme.scope) is None


def test_e3_the_system_stops_when_charges_run_away_and_goes_on_when_staff_says_so(
    stage: World,
) -> None:
    members = [stage.join(f"Acme{n}", plan=PLAN) for n in range(14)]
    for one in members:
        card(stage, one.scope)
        recharges(stage, one.scope)
    later(stage, days=2)
    for one in members:
        spend(stage, one.scope, "41.00")
    stage.work()
    charged = [one for one in members if of(stage, one.scope)]
    assert 0 < len(charged) < 10, "the tenth in a minute is stopped"
    with stage.units.begin() as uow:
        assert recharge.brake(uow).stopped_at is not None
    waiting = [one for one in members if one not in charged]
    assert {notice(stage, one.scope) for one in waiting} == {"system_stopped"}
    later(stage, hours=3)
    assert not any(of(stage, one.scope) for one in waiting)
    with stage.units.begin() as uow:
        recharge.lift_all(uow, "Olga", "month's end")
    stage.work()
    assert {stage.balance(one.scope) for one in members} == {50_000_000}


def test_c6_a_cap_is_never_exceeded_and_ends_with_its_day(stage: World) -> None:
    acme = member(stage, "Acme")
    recharges(stage, acme.scope, daily_cap_micros=60_000_000)
    spend(stage, acme.scope, "41.00")
    later(stage, minutes=5)
    spend(stage, acme.scope, "41.00")
    later(stage, minutes=5)
    assert len(of(stage, acme.scope)) == 1
    assert notice(stage, acme.scope) == "daily_cap"
    later(stage, hours=24)
    assert len(of(stage, acme.scope)) == 2
    assert stage.balance(acme.scope) == 50_000_000
    assert notice(stage, acme.scope) is None


# Declines.


def test_s2_13_one_mail_for_a_decline_with_reason_and_link_and_the_card_tried_on_days_1_3_7(
    stage: World,
) -> None:
    acme = member(stage, "Acme", POOR)
    began = stage.carrier.clock.now()
    spend(stage, acme.scope, "41.00")
    stage.work()
    for _ in range(25):
        later(stage, hours=12)
    declined = of(stage, acme.scope)
    assert [charge.state for charge in declined] == ["failed"] * 4
    days = [(charge.created_at - began).total_seconds() / 86_400 for charge in declined]
    assert [round(day) for day in days] == [0, 1, 4, 11]
    letters = mails(stage, acme.scope, "declined")
    assert len(letters) == 4
    assert "not enough money on the card" in letters[0].body
    assert "/billing/cards" in letters[0].body and "tried again on" in letters[0].body
    assert notice(stage, acme.scope) == "declined"
    assert taken(stage, acme.scope) == 0


def test_e4_a_hard_decline_is_never_tried_again_and_another_card_ends_the_wait(
    stage: World,
) -> None:
    acme = member(stage, "Acme", LOST)
    spend(stage, acme.scope, "41.00")
    for _ in range(6):
        later(stage, days=6)
    assert len(of(stage, acme.scope)) == 1
    assert notice(stage, acme.scope) == "no_card"
    with pytest.raises(Invalid, match="refused this card for good"):
        pays(stage, acme.scope, "20.00")
    new = card(stage, acme.scope, VISA)
    with stage.units.begin() as uow:
        payment_methods.set_role(uow, acme.scope, new.id, "default", "Ann")
    stage.work()
    assert stage.balance(acme.scope) == 50_000_000
    assert notice(stage, acme.scope) is None


def test_the_backup_card_pays_where_the_default_is_declined(stage: World) -> None:
    acme = member(stage, "Acme", LOST, MASTERCARD)
    spend(stage, acme.scope, "41.00")
    stage.work()
    later(stage, seconds=1)
    assert [charge.state for charge in of(stage, acme.scope)] == ["failed", "ok"]
    assert stage.balance(acme.scope) == 50_000_000
    assert len(mails(stage, acme.scope, "declined")) == 1


# Payments by hand.


def test_s2_17_a_suspended_account_pays_by_card_and_its_callers_get_through(stage: World) -> None:
    bolt = stage.join("Bolt", funds=-1, plan=PLAN, document=ONE_PHONE)
    assert stage.status(bolt.scope) == "suspended"
    assert FRONT_DESK not in stage.ask(bolt.e164)
    card(stage, bolt.scope)
    began = time.monotonic()
    charge = pays(stage, bolt.scope, "25.00")
    assert (charge.state, stage.status(bolt.scope)) == ("ok", "active")
    assert time.monotonic() - began < 5
    assert FRONT_DESK in stage.ask(bolt.e164)
    stage.work()
    subjects = [mail.subject for mail in stage.rows(MailRow, bolt.scope)]
    assert sum("service is restored" in subject for subject in subjects) == 1
    assert sum("receipt for 25.00 USD" in subject for subject in subjects) == 1
    stage.prove_ledger()


def test_the_same_key_pays_once_and_a_second_payment_waits_for_the_first(stage: World) -> None:
    acme = stage.join("Acme", funds=0, plan=PLAN)
    card(stage, acme.scope)
    first = pays(stage, acme.scope, "20.00", key="form 1")
    assert pays(stage, acme.scope, "20.00", key="form 1").id == first.id
    assert stage.balance(acme.scope) == 20_000_000
    stage.cards.tell("4242", ASKS_BANK)
    waiting = pays(stage, acme.scope, "30.00", key="form 2")
    assert waiting.state == "requires_action" and waiting.action_url
    with pytest.raises(Conflict):
        pays(stage, acme.scope, "30.00", key="form 3")
    gone = charges.give_up(stage.units, till(stage), acme.scope, waiting.id, "Ann")
    assert (gone.state, gone.decline_code) == ("failed", "canceled")
    stage.cards.tell("4242", PAYS)
    assert pays(stage, acme.scope, "30.00", key="form 3").state == "ok"
    assert taken(stage, acme.scope) == 50_000_000


@pytest.mark.parametrize(
    "amount, words",
    [
        pytest.param("0.49", "0.50 or more", id="less than a card takes"),
        pytest.param("20.001", "multiple of 0.01", id="a part of a cent"),
        pytest.param("1000001", "at most", id="a typing error"),
    ],
)
def test_an_amount_that_no_card_takes_is_refused_before_anything(
    stage: World, amount: str, words: str
) -> None:
    acme = stage.join("Acme", funds=0, plan=PLAN)
    card(stage, acme.scope)
    with pytest.raises(Invalid, match=words):
        pays(stage, acme.scope, amount)
    assert of(stage, acme.scope) == []


@pytest.mark.parametrize(
    "agreed, state, balance",
    [
        pytest.param(True, "ok", 20_000_000, id="the payer confirms"),
        pytest.param(False, "failed", 0, id="the payer refuses"),
    ],
)
def test_a_payment_waits_for_the_payers_bank(
    stage: World, agreed: bool, state: str, balance: int
) -> None:
    acme = stage.join("Acme", funds=0, plan=PLAN)
    card(stage, acme.scope, BANK)
    charge = pays(stage, acme.scope, "20.00")
    assert charge.state == "requires_action" and stage.balance(acme.scope) == 0
    payment = stage.cards.payments[str(charge.provider_ref)]
    stage.cards.answer_bank(payment, agreed=agreed)
    later(stage, seconds=1)
    assert of(stage, acme.scope)[0].state == state
    assert stage.balance(acme.scope) == balance
    assert len(mails(stage, acme.scope, "declined")) == (not agreed)


def test_a_recharge_that_the_bank_asks_about_is_confirmed_from_the_mail(stage: World) -> None:
    acme = member(stage, "Acme", BANK)
    spend(stage, acme.scope, "41.00")
    stage.work()
    (charge,) = of(stage, acme.scope)
    assert charge.state == "requires_action" and notice(stage, acme.scope) == "action"
    (mail,) = mails(stage, acme.scope, "confirm a payment")
    assert f"/billing/charges/{charge.id}" in mail.body
    stage.cards.answer_bank(stage.cards.payments[str(charge.provider_ref)], agreed=True)
    later(stage, seconds=1)
    assert stage.balance(acme.scope) == 50_000_000
    assert notice(stage, acme.scope) is None


def test_an_unconfirmed_recharge_is_dropped_after_a_day_and_takes_nothing(stage: World) -> None:
    acme = member(stage, "Acme", BANK)
    spend(stage, acme.scope, "41.00")
    stage.work()
    later(stage, hours=25)
    first = of(stage, acme.scope)[0]
    assert (first.state, first.decline_code) == ("failed", "canceled")
    assert taken(stage, acme.scope) == 0


# News from the card network.


def test_e5_news_twice_late_forged_or_about_nothing_changes_nothing(stage: World) -> None:
    acme = member(stage, "Acme")
    spend(stage, acme.scope, "41.00")
    stage.work()
    later(stage, seconds=1)
    events = [one for one in stage.cards.events.told if one["type"] == "payment_intent.succeeded"]
    before = stage.ledger_digest(acme.scope)
    for event in events[-3:] * 3:
        assert stage.cards.events.again(event) == 204
    body = json.dumps(events[-1]).encode()
    secret = stage.settings.sandbox_card_secret
    now = int(time.time())
    for forged in (
        "",
        signature("whsec_other", body, now),
        signature(secret, body, now - 3_600),
        signature(secret, b"{}", now),
    ):
        answer = stage.app.test_client().post(
            "/webhooks/stripe", data=body, headers={"Stripe-Signature": forged}
        )
        assert answer.status_code == 403
    stage.work()
    assert stage.ledger_digest(acme.scope) == before
    assert len(of(stage, acme.scope)) == 1


def test_e5_a_dispute_pauses_the_recharge_until_staff_has_looked(stage: World) -> None:
    acme = member(stage, "Acme")
    spend(stage, acme.scope, "41.00")
    stage.work()
    (charge,) = of(stage, acme.scope)
    stage.cards.dispute(stage.cards.payments[str(charge.provider_ref)])
    later(stage, minutes=5)
    spend(stage, acme.scope, "41.00")
    later(stage, minutes=5)
    (charge,) = of(stage, acme.scope)
    assert charge.flag == "disputed"
    assert stage.balance(acme.scope) == 9_000_000
    with stage.units.begin() as uow:
        recharge.lift(uow, acme.scope, "Olga", "settled with the customer")
    stage.work()
    assert stage.balance(acme.scope) == 50_000_000


# Cards themselves.


def test_a_card_comes_from_the_providers_page_once(stage: World) -> None:
    acme = stage.join("Acme", plan=PLAN)
    visit = payment_methods.open_page(stage.units, till(stage), acme.scope, "Ann")
    assert visit.url and "/cards/new/" in visit.url
    done = payment_methods.finish_visit(stage.units, till(stage), acme.scope, visit.setup.id)
    assert done.method is None, "nobody has typed a card in"
    session = next(reversed(stage.cards.sessions.values()))
    stage.cards.complete_session(session, VISA)
    later(stage, seconds=1)
    with stage.units.read() as uow:
        (kept,) = payment_methods.listed(uow, acme.scope)
    assert (kept.brand, kept.last4, kept.role) == ("visa", "4242", "default")
    again = payment_methods.finish_visit(stage.units, till(stage), acme.scope, visit.setup.id)
    assert again.method == kept
    stage.prove_ledger()


def test_a_card_whose_news_was_lost_is_found_by_asking(stage: World) -> None:
    acme = stage.join("Acme", plan=PLAN)
    payment_methods.open_page(stage.units, till(stage), acme.scope, "Ann")
    stage.cards.events.lose = 1
    stage.cards.complete_session(next(reversed(stage.cards.sessions.values())), MASTERCARD)
    later(stage, minutes=3)
    with stage.units.read() as uow:
        assert [one.last4 for one in payment_methods.listed(uow, acme.scope)] == ["4444"]


def test_cards_change_places_and_a_removed_one_is_never_charged(stage: World) -> None:
    acme = stage.join("Acme", plan=PLAN)
    first, second = card(stage, acme.scope, VISA), card(stage, acme.scope, MASTERCARD)

    def roles() -> dict[str, str]:
        with stage.units.read() as uow:
            return {one.last4: one.role for one in payment_methods.listed(uow, acme.scope)}

    assert roles() == {"4242": "default", "4444": "backup"}
    with stage.units.begin() as uow:
        payment_methods.set_role(uow, acme.scope, second.id, "default", "Ann")
    assert roles() == {"4444": "default", "4242": "backup"}
    payment_methods.remove(stage.units, till(stage), acme.scope, second.id, "Ann")
    assert roles() == {"4242": "default"}
    assert stage.cards.methods[second.method_ref]["customer"] is None, "forgotten there too"
    assert pays(stage, acme.scope, "20.00").payment_method_id == first.id


# Every credit has its receipt.


@pytest.mark.parametrize(
    "country, vat_id, note, total",
    [
        pytest.param("US", "", "No VAT: the customer is in US.", "20.00", id="S5-19 no VAT"),
        pytest.param("DE", "", "VAT 19 % (DE).", "23.80", id="S5-19 private, Germany"),
        pytest.param("DE", "DE136695976", "Reverse charge", "20.00", id="S5-19 checked VAT id"),
    ],
)
def test_s5_19_the_receipt_of_a_card_payment_shows_its_vat_and_the_card_pays_it(
    stage: World, country: str, vat_id: str, note: str, total: str
) -> None:
    acme = stage.join("Acme", funds=1_000_000, plan=PLAN, country=country)
    if vat_id:
        with stage.units.begin() as uow:
            accounts.update_account(uow, acme.scope, {"vat_id": vat_id}, "ann")
            accounts.confirm_vat_id(uow, acme.scope, "VIES WAPIAAAA", "olga")
    card(stage, acme.scope)
    charge = pays(stage, acme.scope, "20.00")
    spend(stage, acme.scope, "3.00")  # before the mail leaves
    stage.work()
    (mail,) = mails(stage, acme.scope, "receipt for 20.00 USD")
    assert note in mail.body and f"Total with VAT:   {total} USD" in mail.body
    assert "Balance after it: 21.00 USD" in mail.body, "after this entry, not when it is sent"
    assert stage.balance(acme.scope) == 18_000_000
    assert taken(stage, acme.scope) == parse_amount(total) == charge.gross_micros
    tax = [row for row in stage.rows(PostingRow, acme.scope) if row.key == f"vat:{charge.id}"]
    assert [row.amount_micros for row in tax] == [
        amount for amount in [parse_amount(total) - 20_000_000] if amount
    ]
    stage.prove_ledger()


def test_s5_19_a_manual_credit_has_one_receipt_and_a_correction_is_called_so(stage: World) -> None:
    acme = stage.join("Acme", funds=0, plan=PLAN)
    stage.top_up(acme.scope, 30_000_000)
    spend(stage, acme.scope, "-2.50")
    spend(stage, acme.scope, "1.00")
    stage.work()
    (manual,) = mails(stage, acme.scope, "receipt for 30.00 USD")
    assert "Top-up (manual)" in manual.body and "VAT:" in manual.body
    (correction,) = mails(stage, acme.scope, "receipt for 2.50 USD")
    assert "not a payment: no VAT" in correction.body
    assert "Balance after it: 32.50 USD" in correction.body
    assert mails(stage, acme.scope, "receipt for -") == []


# A storm.


def test_e1_with_four_answers_in_ten_lost_charged_equals_credited(stage: World) -> None:
    """Accounts spend and recharge for weeks while requests and answers get lost, cards decline,
    news is lost, and every queue is worked twice."""
    spenders = [member(stage, f"Acme{n}", VISA, MASTERCARD) for n in range(4)]
    with stage.units.begin() as uow:
        recharge.lift_all(uow, "Olga", "the storm begins")
    stage.cards.faults = CardFaults(lose_request=0.2, lose_answer=0.25, seed=7)
    for day in range(21):
        stage.cards.tell("4242", "insufficient_funds" if day % 7 == 3 else PAYS)
        stage.cards.events.lose = 5 if day % 2 else 0
        for one in spenders[day % 2 :: 2]:
            spend(stage, one.scope, "42.00")
        for _ in range(3):
            later(stage, hours=8)
            carrier_queue.drain(stage.tools)
        for scope in (one.scope for one in spenders):
            with stage.units.begin() as uow:
                if recharge.brake(uow).stopped_at is not None:
                    recharge.lift_all(uow, "Olga", "only weather")
                recharge.lift(uow, scope, "Olga", "only weather")
    stage.cards.faults, stage.cards.events.lose = CardFaults(), 0
    stage.cards.tell("4242", PAYS)
    for _ in range(12):
        later(stage, hours=6)
    attempts = 0
    for one in spenders:
        made = of(stage, one.scope)
        attempts += len(made)
        assert all(charge.state in ("ok", "failed") for charge in made)
        assert taken(stage, one.scope) == credited(stage, one.scope)
        assert sum(c.credited_micros or 0 for c in made) == credited(stage, one.scope)
        assert stage.balance(one.scope) >= 10_000_000
    assert attempts > 30
    stage.prove_ledger()


def test_e3_settings_keep_their_row(stage: World) -> None:
    acme = member(stage, "Acme")
    (row,) = stage.rows(RechargeRuleRow, acme.scope)
    assert (row.min_micros, row.max_micros, row.enabled) == (10_000_000, 50_000_000, True)
    with pytest.raises(Invalid) as refused, stage.units.begin() as uow:
        recharge.choose(
            uow,
            acme.scope,
            on=True,
            minimum_micros=50_000_000,
            maximum_micros=50_000_000,
            daily_cap_micros=None,
            monthly_cap_micros=None,
            cooldown_seconds=0,
            actor="Ann",
        )
    assert [error.path for error in refused.value.errors] == ["/maximum"]


# Plans that are paid by card day by day.


def test_s3_09_a_business_days_use_is_put_on_the_card_once_the_day_is_over(stage: World) -> None:
    """Friday's calls and those of the weekend are two bills; a decline is tried again."""
    friday = dt.datetime(2026, 8, 7, 16, 0, tzinfo=dt.UTC)
    stage.wait_until(friday)
    cora = stage.join("Cora", funds=0, plan="small_teams", document=ONE_PHONE, needs_card=False)
    card(stage, cora.scope)
    looks.drain(stage.units, "US")
    stage.work()
    before = stage.balance(cora.scope)
    spend(stage, cora.scope, "12.345678")
    for _ in range(4):  # over the weekend: Friday is over, Saturday and Sunday are Monday's
        later(stage, hours=12)
        looks.drain(stage.units, "US")
        stage.work()
    bills = [charge for charge in of(stage, cora.scope) if charge.purpose == "daily"]
    assert [charge.state for charge in bills] == ["ok"]
    assert 0 <= stage.balance(cora.scope) < 10_000 or stage.balance(cora.scope) >= before
    assert taken(stage, cora.scope) == sum(one.net_micros + one.vat_micros for one in bills)
    looks.drain(stage.units, "US")
    later(stage, hours=6)
    assert len([one for one in of(stage, cora.scope) if one.purpose == "daily"]) == 1
    stage.prove_ledger()
