"""Operator S5 charges both legs by the second, texts by country, and sends bills: its plans."""

import datetime as dt
import uuid
from typing import Any

import pytest
from world import BOTH_PHONES, CALLER, FRONT_DESK, MOBILE, ONE_PHONE, World

from billing.calendar import local_date, nth_period
from billing.messages import MessageStatus, MessageUsage, RatedMessage, rate_message
from billing.money import format_rate
from billing.rate_page import rate_page
from billing.rating import rate_leg
from billing.rentals import rent, rents_due
from billing.segments import segments as cut
from gateway.services import accounts, messages, numbers, statement, statements
from gateway.services.accounts import NewAccount
from gateway.services.messages import NewText
from gateway.store.ledger import PostingRow
from gateway.store.legs import LegRow
from gateway.store.mail import MailRow
from tests.billing.buckets import inbound
from tests.billing.plans import catalogue_plan
from tests.journeys.test_texts import deliver
from tests.rules.story import amounts, lines, midnight, owner_of, talk, today

CODE = "per_second_both_legs"
PLAN, POSTPAID = catalogue_plan(CODE), catalogue_plan("per_second_postpaid")
RENT, SECONDS_83 = 2_000_000, 69_166
assert PLAN.tariff.sms is not None
TEXTS = PLAN.tariff.sms


def test_s5_01_prices_are_shown_by_the_minute() -> None:
    rows = [row for row in rate_page(PLAN) if row.section in ("inbound", "outbound")]
    assert rows and {row.unit for row in rows} == {"minute"}
    assert "0.0500" in {format_rate(row.price_micros) for row in rows}


@pytest.mark.parametrize(
    "talked, charge",
    [
        pytest.param(83, SECONDS_83, id="S5-02 1 min 23 s is 83 s, nothing more"),
        pytest.param(0, 0, id="S5-02 answered and hung up at once"),
        pytest.param(1, 833, id="S5-02 one second is one second"),
        pytest.param(60, 50_000, id="S5-02 a minute is the price that is shown"),
    ],
)
def test_a_call_is_charged_by_the_second(talked: int, charge: int) -> None:
    assert rate_leg(inbound(talked), PLAN.tariff).charge_micros == charge


def test_s5_03_texts_are_charged_in_both_directions(stage: World) -> None:
    acme = stage.join("Acme", plan=CODE)
    stage.carrier.receive_message(CALLER, acme.e164, "Hello")
    with stage.units.begin() as uow:
        text = NewText(acme.number.id, CALLER, "Hello back")
        messages.send(uow, acme.scope, text, actor="Ann", idempotency_key="k")
    stage.carrier.run_until_idle()
    deliver(stage)
    assert sorted(amounts(stage, acme.scope, "sms")) == [10_000, 15_000]


@pytest.mark.parametrize("segments", [1, 2, 10], ids=lambda n: f"S5-04 {n} segments")
def test_a_text_that_comes_in_always_costs_a_cent(segments: int) -> None:
    rated = rate_message(MessageUsage("inbound", MessageStatus.RECEIVED, segments), TEXTS)
    assert isinstance(rated, RatedMessage) and rated.charge_micros == 10_000


def test_s5_05_a_text_out_costs_what_its_country_costs_and_none_goes_without_a_price() -> None:
    def charge(peer: str) -> int | None:
        usage = MessageUsage("outbound", MessageStatus.DELIVERED, 1, peer)
        rated = rate_message(usage, TEXTS)
        return rated.charge_micros if isinstance(rated, RatedMessage) else None

    prices = [charge(peer) for peer in (CALLER, "+442079460000")]
    assert prices[0] == 15_000 and prices[1] not in (None, 15_000)
    assert charge("+850212345678") is None, "refused, never free"


def test_s5_06_the_public_page_shows_the_price_that_is_billed(stage: World) -> None:
    acme = stage.join("Acme", plan=CODE, document=ONE_PHONE)
    page = owner_of(stage, acme).page("/billing/rates")
    talk(stage, acme, 60)
    (inbound_leg, outbound_leg) = lines(stage, acme.scope, "usage")
    for leg in (inbound_leg, outbound_leg):
        assert leg.amount_micros == leg.rate_micros
        assert format_rate(leg.rate_micros) in page


@pytest.mark.parametrize(
    "body, segments",
    [
        pytest.param("x" * 160, 1, id="S5-07 160 letters fit"),
        pytest.param("x" * 161, 2, id="S5-07 161 are two, of 153"),
        pytest.param("€" * 81, 2, id="S5-07 a euro sign counts two"),
        pytest.param("ж" * 71, 2, id="S5-07 71 of another alphabet are two, of 67"),
        pytest.param("x" * 100 + "😀", 2, id="S5-07 one emoji flips the alphabet"),
    ],
)
def test_a_text_costs_by_its_segments(body: str, segments: int) -> None:
    counted = cut(body).count
    usage = MessageUsage("outbound", MessageStatus.DELIVERED, counted, CALLER)
    rated = rate_message(usage, TEXTS)
    assert isinstance(rated, RatedMessage)
    assert (counted, rated.charge_micros) == (segments, segments * 15_000)


def test_s5_08_tracking_is_free_look_ups_refused_calls_previews_and_log_rows(
    stage: World,
) -> None:
    acme = stage.join("Acme", plan=CODE, document={"pattern": "reject", "reason": "busy"})
    before = everything(stage, acme.scope)
    with stage.units.read() as uow:
        plan = accounts.get_account(uow, acme.scope)
        assert plan.balance_micros == stage.balance(acme.scope)
    numbers.search_available(stage.telephony, PLAN, number_type="local", area_code="415", limit=5)
    sid = stage.call(acme.e164)
    stage.call("+19995550100")
    stage.settle()
    browser = owner_of(stage, acme)
    for path in ("/calls", f"/calls/{sid}", "/calls.csv", "/numbers", "/"):
        assert browser.get(path).status_code == 200
    assert len([leg for leg in stage.rows(LegRow, acme.scope) if leg.call_sid == sid]) <= 1
    assert everything(stage, acme.scope) == before


def everything(stage: World, scope: Any) -> list[str]:
    return [row.key for row in stage.rows(PostingRow, scope)]


def test_s5_09_s5_10_s5_11_a_forwarded_call_is_two_charges_whoever_else_rang(
    stage: World,
) -> None:
    acme = stage.join("Acme", plan=CODE, document=BOTH_PHONES)
    stage.person(FRONT_DESK, talks=83, after=5)
    stage.nobody(MOBILE)
    sid = stage.call(acme.e164)
    stage.settle()
    legs = {leg.leg_sid: leg for leg in stage.rows(LegRow, acme.scope)}
    charged = lines(stage, acme.scope, "usage")
    assert [row.amount_micros for row in charged] == [SECONDS_83, SECONDS_83]
    kinds = {legs[row.leg_sid].kind: row.leg_sid for row in charged}
    assert kinds["inbound"] == sid, "S5-09"
    assert legs[kinds["forwarded"]].call_sid == sid, "S5-10"
    free = [leg for leg in legs.values() if leg.charge_micros == 0]
    assert [leg.to_address for leg in free] == [MOBILE], "S5-11: n - 1 zero lines"


def test_s5_12_s5_13_s5_14_the_first_number_is_free_for_seven_days_and_every_other_is_not(
    stage: World,
) -> None:
    acme = stage.join("Acme", plan=CODE, document=None)
    assert amounts(stage, acme.scope, "rental") == []
    bought_at = stage.carrier.clock.now()
    second = stage.buy(acme.scope)
    assert amounts(stage, acme.scope, "rental") == [RENT], "S5-14: during the trial"
    stage.wait_until(bought_at + dt.timedelta(hours=7 * 24, seconds=-1))
    stage.renew()
    assert amounts(stage, acme.scope, "rental") == [RENT]
    stage.wait_until(bought_at + dt.timedelta(hours=7 * 24))
    stage.renew()
    assert amounts(stage, acme.scope, "rental") == [RENT, RENT], "S5-13: 7 × 24 hours"
    stage.wait_until(midnight(nth_period(local_date(bought_at, "America/New_York"), 1)))
    stage.renew()
    of_second = [row for row in lines(stage, acme.scope, "rental") if str(second.id) in row.key]
    assert [row.amount_micros for row in of_second] == [RENT, RENT], "S5-12: the same each month"


def test_s5_13_a_number_bought_again_has_no_second_trial() -> None:
    again = rent(
        uuid.UUID(int=1),
        PLAN.tariff,
        purchased_at=dt.datetime(2026, 3, 3, tzinfo=dt.UTC),
        zone="UTC",
        numbers_bought_before=1,
    )
    assert len(rents_due(again, posted=-1, now=dt.datetime(2026, 3, 3, tzinfo=dt.UTC))) == 1


def test_s5_15_a_number_costs_what_its_country_and_kind_cost() -> None:
    prices = PLAN.tariff.rental
    assert prices["US", "local"] == RENT
    assert len({prices["US", "local"], prices["US", "toll-free"], prices["GB", "local"]}) == 3


def test_s5_16_s5_17_every_account_has_a_bill_each_month_and_prepaid_owes_nothing(
    stage: World,
) -> None:
    busy = stage.join("Busy", plan=CODE, document=ONE_PHONE)
    idle = stage.join("Idle", plan=CODE, document=None)
    talk(stage, busy, 83)
    stage.wait_until(midnight(nth_period(today(stage).replace(day=1), 1)) + dt.timedelta(minutes=6))
    stage.renew()
    for member, used in ((busy, 2 * SECONDS_83), (idle, 0)):
        with stage.units.read() as uow:
            (bill,) = statements.list_statements(uow, member.scope).items
        calls = [line for line in bill.document["charges"] if line["kind"] == "usage"]
        assert sum(line["amount_micros"] for line in calls) == used
        assert bill.stored.owed_micros == 0, "S5-17"
        assert bill.stored.closing_micros == lines_until(stage, member.scope)


def lines_until(stage: World, scope: Any) -> int:
    """The balance after the last line of the month that is over."""
    first = midnight(today(stage).replace(day=1))
    every = lines(stage, scope, "topup", "adjustment", "usage", "rental")
    return [row for row in every if row.at < first][-1].balance_after_micros


def test_s5_18_a_postpaid_customer_buys_and_calls_before_paying_anything(stage: World) -> None:
    with stage.units.begin() as uow:
        new = NewAccount(name="Pia", billing_email="pia@pia.test", plan_code="per_second_postpaid")
        pia = accounts.create_account(uow, new, "test").scope
    stage.buy(pia)  # free at first
    number = stage.buy(pia)
    assert stage.balance(pia) == -RENT
    stage.publish(pia, number.id, ONE_PHONE)
    assert "<Dial" in stage.ask(number.e164)


def test_s5_18_a_postpaid_bill_says_what_is_owed_and_until_when(stage: World) -> None:
    acme = stage.join("Acme", plan="per_second_postpaid", funds=0, document=ONE_PHONE)
    talk(stage, acme, 600)
    stage.wait_until(midnight(nth_period(today(stage).replace(day=1), 1)) + dt.timedelta(minutes=6))
    stage.renew()
    with stage.units.read() as uow:
        (bill,) = statements.list_statements(uow, acme.scope).items
    assert bill.outstanding_micros == bill.stored.owed_micros == -bill.stored.closing_micros > 0
    assert bill.stored.due_on is not None and bill.stored.due_on > today(stage)
    stage.top_up(acme.scope, bill.outstanding_micros, method="transfer")
    with stage.units.read() as uow:
        (paid,) = statements.list_statements(uow, acme.scope).items
    assert paid.outstanding_micros == 0


def test_s5_19_each_credit_has_one_receipt_with_amount_tax_and_balance(stage: World) -> None:
    acme = stage.join("Acme", plan=CODE, funds=1_000_000, document=None)
    stage.work()
    already = len(receipts(stage, acme.scope))
    stage.top_up(acme.scope, 20_000_000)
    stage.top_up(acme.scope, 5_000_000)
    stage.work()
    first, second = receipts(stage, acme.scope)[already:]
    assert "20.00" in first.subject and "21.00" in first.body, "the balance after this entry"
    assert "5.00" in second.subject and "26.00" in second.body
    assert "VAT" in first.body


def receipts(stage: World, scope: Any) -> list[Any]:
    return [mail for mail in stage.rows(MailRow, scope) if "receipt" in mail.subject.lower()]


def test_s5_20_every_charge_is_explained_where_it_stands(stage: World) -> None:
    """In words and in sums that can be done again: the call's page shows those of its legs, the
    page of a line its own."""
    acme = stage.join("Acme", plan=CODE, document=ONE_PHONE)
    sid = talk(stage, acme, 83)
    stage.buy(acme.scope)
    stage.carrier.receive_message(CALLER, acme.e164, "Hello")
    stage.carrier.run_until_idle()
    deliver(stage)
    browser = owner_of(stage, acme)
    call_page = browser.page(f"/calls/{sid}")
    assert call_page.count("83 s × $0.0500/min") == 2, "one for each leg"
    with stage.units.read() as uow:
        charges = [
            line
            for line in statement.list_postings(uow, acme.scope, None, 200).items
            if line.kind in ("usage", "rental", "sms")
        ]
        explained = {line.id: statement.explain(uow, acme.scope, line.id) for line in charges}
    assert {line.kind for line in charges} == {"usage", "rental", "sms"}
    for line in charges:
        found = explained[line.id]
        assert found.recompute() == -line.amount_micros
        reason = found.words.partition(", caused by")[0]  # the page tells when in its own way
        assert reason in browser.page(f"/billing/{line.id}")
