"""Card payments given back (C10): lost answers, doubled news, refusals late and early."""

from __future__ import annotations

import io
import uuid
from typing import Any

import pytest
from pypdf import PdfReader
from world import ONE_PHONE, Member, World

from billing.catalogue import load_catalogue
from billing.money import parse_amount
from billing.refunds import refund_key
from gateway.sandbox.cards import ASKS_BANK, PAYS, SENDS_BACK, CardFaults
from gateway.services import (
    audit,
    charge_flags,
    credit_notes,
    plans,
    receipt_files,
    refunds,
    reversals,
    statement,
    statement_figures,
)
from gateway.services.errors import Conflict, Invalid, NotForSale, NotFound
from gateway.store.base import Scope
from gateway.store.charges import Charge, ChargeRow
from gateway.store.ledger import PostingRow
from gateway.store.refunds import Refund
from tests.journeys.test_cards import card, later, mails, pays, recharges, spend, till

PLAN = "gives_back"


@pytest.fixture(scope="module")
def stage(lasting_stage: World) -> World:
    """One for the whole file; each test opens accounts of its own."""
    document = load_catalogue()["prepaid_recharge"] | {"refunds": "card_payments"}
    with lasting_stage.units.begin() as uow:
        plans.publish_plan(uow, PLAN, document, "Olga")
        plans.publish_plan(uow, "with_credit", document | {"included": {"credit": "15.00"}}, "Olga")
    return lasting_stage


@pytest.fixture(autouse=True)
def _fair_weather(stage: World) -> Any:
    yield
    stage.cards.faults = CardFaults()
    stage.cards.tell("4242", PAYS)


def member(stage: World, *, plan: str = PLAN, **more: Any) -> Member:
    joined = stage.join("Acme", funds=0, plan=plan, document=ONE_PHONE, country="DE", **more)
    card(stage, joined.scope)
    return joined


def gives(stage: World, charge: Charge, amount: str, key: str = "", **more: Any) -> Refund:
    return refunds.refund(
        stage.units,
        till(stage),
        charge.scope,
        charge.id,
        amount_micros=parse_amount(amount),
        reason=more.get("reason", "paid twice"),
        actor="Olga",
        idempotency_key=key or str(uuid.uuid4()),
    )


def as_it_is(stage: World, refund: Refund) -> Refund:
    with stage.units.read() as uow:
        found = refunds.seen(uow, refund.scope, refund.charge_id).refunds
    return next(one for one in found if one.id == refund.id)


def at_the_card(stage: World, charge: Charge) -> int:
    """What the network gave back of a payment, in micros."""
    return stage.cards.given_back(stage.cards.payments[str(charge.provider_ref)]) * 10_000


def lines(stage: World, scope: Scope, word: str) -> dict[str, int]:
    rows = [row for row in stage.rows(PostingRow, scope) if word in row.key]
    return {f"{row.kind} {row.debit.split(':')[0]}": row.amount_micros for row in rows}


def flag(stage: World, charge: Charge) -> str | None:
    found: list[str | None] = [
        row.flag for row in stage.rows(ChargeRow, charge.scope) if row.id == charge.id
    ]
    return found[0]


def test_c10_a_part_and_then_the_rest_go_back_with_their_tax(stage: World) -> None:
    acme = member(stage)
    charge = pays(stage, acme.scope, "20.00")
    first = gives(stage, charge, "5.00")
    assert (first.state, first.net_micros, first.vat_micros) == ("ok", 5_000_000, 950_000)
    assert lines(stage, acme.scope, str(first.id)) == {
        "refund wallet": 5_000_000,
        "vat tax": 950_000,
    }
    rest = gives(stage, charge, "15.00")
    assert rest.state == "ok" and at_the_card(stage, charge) == charge.gross_micros == 23_800_000
    assert stage.balance(acme.scope) == 0
    with pytest.raises(Invalid, match="given back already"):
        gives(stage, charge, "0.01")
    later(stage, minutes=5)
    assert flag(stage, charge) is None, "the news of our own refunds raises no alarm"
    note, _ = mails(stage, acme.scope, "credit note")
    assert note.subject == "Acme: credit note for 5.95 USD"
    for words in ("Given back:       5.00 USD", "0.95 USD  (VAT 19 % (DE).)", "15.00 USD"):
        assert words in note.body
    assert note.attachments == [f"credit-note-{first.id}.pdf"]
    assert f"Reference:        refund:{first.id}" in note.body
    stage.prove_ledger()


def paper(stage: World, refund: Refund, scope: Scope | None = None) -> str:
    key = refund_key(refund.id)
    content = receipt_files.pdf(stage.units, scope or refund.scope, key, stage.runtime.settings)
    return PdfReader(io.BytesIO(content)).pages[0].extract_text()


def test_c10_a_credit_note_is_there_once_the_money_went_and_for_its_own_alone(
    stage: World,
) -> None:
    acme, other = member(stage), member(stage)
    charge = pays(stage, acme.scope, "20.00")
    stage.cards.faults = CardFaults(lose_request=1.0)
    refund = gives(stage, charge, "5.00")
    with pytest.raises(NotFound):
        paper(stage, refund)
    stage.cards.faults = CardFaults()
    later(stage, minutes=5)
    spend(stage, acme.scope, "2.00")
    found = paper(stage, refund)
    for words in ("Credit note", f"topup:{charge.id}", "5.95", "VAT 19 % (DE)", "15.00 USD"):
        assert words in found, words
    assert paper(stage, refund) == found
    with stage.units.read() as uow:
        assert credit_notes.known(uow, acme.scope, [refund]) == {refund.id}
        assert credit_notes.known(uow, other.scope, [refund]) == frozenset()
    with pytest.raises(NotFound):
        paper(stage, refund, other.scope)


def test_c10_its_lines_explain_themselves_and_the_statement_agrees(stage: World) -> None:
    acme = member(stage)
    charge = pays(stage, acme.scope, "20.00")
    spend(stage, acme.scope, "2.00")
    gives(stage, charge, "7.01", reason="paid twice")
    with stage.units.read() as uow:
        (line,) = statement.list_postings(uow, acme.scope, kinds=("refund",)).items
        why = statement.explain(uow, acme.scope, line.id)
        document = statement_figures.so_far(uow, acme.scope).figures
    assert (line.amount_micros, line.reverses_key) == (-7_010_000, f"topup:{charge.id}")
    assert why.recompute() == why.amount_micros == 7_010_000
    assert why.words.startswith("Refund (visa ····4242): $7.01, given back of the payment of 2026-")
    assert "the card gets $8.34, with VAT 19 % (DE), because: paid twice" in why.words
    back = next(one for one in document.credits if one.kind == "refund")
    assert back.amount_micros == -7_010_000
    assert document.vat_micros == charge.vat_micros - 1_330_000
    assert document.opening_micros - document.charges_micros + document.credits_micros == (
        document.closing_micros
    )
    assert document.closing_micros == stage.balance(acme.scope) == 10_990_000


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(CardFaults(lose_request=1.0), id="C10 lost on the way in"),
        pytest.param(CardFaults(lose_answer=1.0), id="C10 lost on the way out"),
    ],
)
def test_c10_a_lost_answer_is_asked_for_and_nothing_goes_back_twice(
    stage: World, faults: CardFaults
) -> None:
    acme = member(stage)
    charge = pays(stage, acme.scope, "20.00")
    stage.cards.faults = faults
    ordered = gives(stage, charge, "5.00", "once")
    assert ordered.state == "pending" and stage.balance(acme.scope) == 15_000_000
    assert gives(stage, charge, "5.00", "once").id == ordered.id
    assert mails(stage, acme.scope, "credit note") == []
    if faults.lose_request:
        for _ in range(10):
            later(stage, hours=3)
        assert as_it_is(stage, ordered).state == "pending"
        assert as_it_is(stage, ordered).asked > 10, "however long it takes"
    stage.cards._answers.clear()  # the provider remembers no key for ever
    stage.cards.faults = CardFaults()
    later(stage, hours=3)
    assert as_it_is(stage, ordered).state == "ok"
    assert at_the_card(stage, charge) == 5_950_000
    assert len(stage.cards.refunds_of(str(charge.provider_ref))) == 1
    assert stage.balance(acme.scope) == 15_000_000 and flag(stage, charge) is None
    later(stage, hours=3)
    assert len(mails(stage, acme.scope, "credit note")) == 1
    stage.prove_ledger()


def test_c10_among_many_lost_answers_the_network_gave_back_what_the_ledger_says(
    stage: World,
) -> None:
    acme = member(stage)
    charge = pays(stage, acme.scope, "20.00")
    stage.cards.faults = CardFaults(lose_request=0.3, lose_answer=0.4, seed=5)
    for n in range(12):
        gives(stage, charge, f"1.{n:02}", f"part {n}")
        later(stage, seconds=20)
    stage.cards.faults = CardFaults()
    later(stage, hours=3)
    told = [one for one in stage.cards.events.told if one["type"] == "charge.refunded"]
    for event in told[-12:] * 2:
        stage.cards.events.again(event)
    stage.work()
    with stage.units.read() as uow:
        found = refunds.seen(uow, acme.scope, charge.id).refunds
    assert {one.state for one in found} == {"ok"} and len(found) == 12
    assert at_the_card(stage, charge) == sum(one.gross_micros for one in found)
    assert stage.balance(acme.scope) == 20_000_000 - sum(one.net_micros for one in found)
    assert flag(stage, charge) is None
    stage.prove_ledger()


def test_c10_what_the_provider_refuses_is_in_the_balance_again_and_staff_sees_why(
    stage: World,
) -> None:
    acme = member(stage)
    charge = pays(stage, acme.scope, "20.00")
    with stage.units.read() as uow:
        before = statement_figures.so_far(uow, acme.scope).figures
    stage.cards.events.lose = 1  # so that nobody here knows of it
    stage.cards.refund(stage.cards.payments[str(charge.provider_ref)], 2_000, {})
    failed = gives(stage, charge, "10.00")
    assert failed.state == "failed" and "greater than unrefunded amount" in failed.why
    assert stage.balance(acme.scope) == 20_000_000
    assert lines(stage, acme.scope, f"reverse:refund:{failed.id}") == {"reversal cash": 10_000_000}
    assert lines(stage, acme.scope, f"vat-refund:{failed.id}") == {
        "vat tax": 1_900_000,
        "reversal cash": 1_900_000,
    }
    later(stage, hours=3)
    assert mails(stage, acme.scope, "credit note") == []
    with stage.units.read() as uow:
        assert failed.id in [one.refund.id for one in refunds.watched(uow)]
        document = statement_figures.so_far(uow, acme.scope).figures
    assert document.charges == before.charges, "no charge comes of it"
    assert document.credits_micros == before.credits_micros
    assert document.vat_micros == before.vat_micros == 3_800_000
    stage.prove_ledger()


def test_c10_a_refund_that_comes_back_later_is_in_the_balance_again_once(stage: World) -> None:
    acme = member(stage)
    charge = pays(stage, acme.scope, "20.00")
    stage.cards.tell("4242", SENDS_BACK)
    done = gives(stage, charge, "5.00")
    assert done.state == "ok"
    later(stage, minutes=5)
    assert as_it_is(stage, done).state == "failed"
    assert as_it_is(stage, done).why == "lost or stolen card"
    assert stage.balance(acme.scope) == 20_000_000
    (event,) = [
        one
        for one in stage.cards.events.told
        if one["type"] == "refund.failed" and one["data"]["object"]["amount"] == 595
    ]
    for _ in range(2):
        stage.cards.events.again(event)
    stage.work()
    assert stage.balance(acme.scope) == 20_000_000 and flag(stage, charge) is None
    assert len(mails(stage, acme.scope, "5.95 USD could not be given back")) == 1
    stage.cards.tell("4242", PAYS)
    again = gives(stage, charge, "20.00")
    assert (again.state, again.vat_micros) == ("ok", 3_800_000)
    stage.prove_ledger()


def news(stage: World, charge: Charge, kind: str) -> dict[str, Any]:
    """The network's last words of that kind about the payment."""
    return next(
        one
        for one in reversed(stage.cards.events.told)
        if one["type"] == kind and one["data"]["object"]["payment_intent"] == charge.provider_ref
    )


@pytest.mark.parametrize("late", ["charge.refunded", "refund.failed"])
def test_c10_late_news_of_a_refund_that_failed_raises_no_false_alarm(
    stage: World, late: str
) -> None:
    """News is asked about, not added up: in whatever order it comes, and however often."""
    acme = member(stage)
    charge = pays(stage, acme.scope, "20.00")
    stage.cards.tell("4242", SENDS_BACK)
    stage.cards.events.lose = 2  # both pieces; they come below
    done = gives(stage, charge, "5.00")
    later(stage, minutes=5)
    assert as_it_is(stage, done).state == "ok", "nobody has told of its failure"
    order = ["refund.failed", "charge.refunded"]
    for kind in order if late == "charge.refunded" else order[::-1]:
        for _ in range(2):
            assert stage.cards.events.again(news(stage, charge, kind)) == 204
            stage.work()
        assert as_it_is(stage, done).state == "failed", "either of them leads there"
        assert flag(stage, charge) is None
    assert stage.balance(acme.scope) == 20_000_000
    stage.prove_ledger()


def test_c10_a_refund_that_failed_and_went_after_all_is_posted_once(stage: World) -> None:
    acme = member(stage)
    charge = pays(stage, acme.scope, "20.00")
    stage.cards.tell("4242", SENDS_BACK)
    failed = gives(stage, charge, "5.00")
    later(stage, minutes=5)
    assert as_it_is(stage, failed).state == "failed" and stage.balance(acme.scope) == 20_000_000
    made = stage.cards.refunds_of(str(charge.provider_ref))[0]
    stage.cards.refunds[made["id"]] = made | {"status": "succeeded"}
    stage.cards.events.tell("refund.updated", stage.cards.refunds[made["id"]])
    later(stage, minutes=5)
    for kind in ("charge.refunded", "refund.updated", "refund.failed"):
        stage.cards.events.again(news(stage, charge, kind))
        stage.work()
    with stage.units.read() as uow:
        first, late = refunds.seen(uow, acme.scope, charge.id).refunds
    assert (first.state, late.state, late.net_micros) == ("failed", "ok", 5_000_000)
    assert (late.reason, late.provider_ref) == (first.reason, first.provider_ref)
    assert stage.balance(acme.scope) == 15_000_000 and at_the_card(stage, charge) == 5_950_000
    assert flag(stage, charge) is None
    assert len(mails(stage, acme.scope, "credit note")) == 2, "of the first one, and of this"
    stage.cards.tell("4242", PAYS)
    rest = gives(stage, charge, "15.00")
    assert (rest.net_micros + late.net_micros, rest.vat_micros + late.vat_micros) == (
        charge.net_micros,
        charge.vat_micros,
    )
    stage.cards._send_back(made["id"])
    later(stage, minutes=5)
    assert stage.balance(acme.scope) == 5_000_000, "and when it comes back again, so does this"
    stage.prove_ledger()


def test_c10_as_much_given_back_elsewhere_as_failed_here_is_an_alarm(stage: World) -> None:
    acme = member(stage)
    charge = pays(stage, acme.scope, "20.00")
    stage.cards.tell("4242", SENDS_BACK)
    failed = gives(stage, charge, "5.00")
    later(stage, minutes=5)
    stage.cards.tell("4242", PAYS)
    stage.cards.refund(stage.cards.payments[str(charge.provider_ref)], 595, {})
    later(stage, minutes=5)
    assert as_it_is(stage, failed).state == "failed" and flag(stage, charge) == "refunded"


def test_c10_a_flag_is_cleared_with_a_reason_and_comes_again_only_for_more(stage: World) -> None:
    acme = member(stage)
    charge = pays(stage, acme.scope, "20.00")
    payment = stage.cards.payments[str(charge.provider_ref)]

    def clear(reason: str = "our own, at the dashboard") -> None:
        with stage.units.begin() as uow:
            charge_flags.clear(uow, acme.scope, charge.id, reason=reason, actor="Olga")

    with pytest.raises(Conflict, match="has no flag"):
        clear()
    stage.cards.refund(payment, 100, {})
    later(stage, minutes=5)
    with pytest.raises(Invalid, match="say why"):
        clear(" ")
    assert flag(stage, charge) == "refunded"
    clear()
    stage.cards.events.again(news(stage, charge, "charge.refunded"))
    stage.work()
    assert flag(stage, charge) is None, "no more went back than staff has seen"
    with pytest.raises(Conflict, match="went back at the provider: post an adjustment"):
        gives(stage, charge, "1.00")
    stage.cards.refund(payment, 50, {})
    later(stage, minutes=5)
    assert flag(stage, charge) == "refunded"
    clear()
    stage.cards.dispute(payment)
    later(stage, minutes=5)
    assert flag(stage, charge) == "disputed"
    clear()
    stage.cards.events.again(news(stage, charge, "charge.dispute.created"))
    stage.work()
    assert flag(stage, charge) is None, "the same dispute"
    stage.cards.dispute(payment)
    later(stage, minutes=5)
    assert flag(stage, charge) == "disputed", "another one"
    with stage.units.read() as uow:
        cleared = audit.of_action(uow, acme.scope, "charge.flag_cleared")
    assert [line.detail["flag"] for line in cleared] == ["disputed", "refunded", "refunded"]
    assert {line.actor for line in cleared} == {"Olga"}


def test_c10_a_refund_made_elsewhere_flags_the_payment_also_beside_one_of_ours(
    stage: World,
) -> None:
    acme = member(stage)
    charge = pays(stage, acme.scope, "20.00")
    payment = stage.cards.payments[str(charge.provider_ref)]
    stage.cards.faults = CardFaults(lose_request=1.0)
    ours = gives(stage, charge, "20.00")
    stage.cards.refund(payment, 100, {})
    later(stage, seconds=1)
    assert (as_it_is(stage, ours).state, flag(stage, charge)) == ("pending", "refunded")
    stage.cards.faults = CardFaults()
    later(stage, minutes=5)
    assert as_it_is(stage, ours).state == "failed", "not so much was left at the provider"
    assert flag(stage, charge) == "refunded"
    with pytest.raises(Conflict, match="refunded at the provider: post an adjustment"):
        gives(stage, charge, "1.00")


def test_c10_a_payment_given_back_elsewhere_before_its_end_was_known_here_is_flagged(
    stage: World,
) -> None:
    acme = member(stage)
    stage.cards.tell("4242", ASKS_BANK)
    charge = pays(stage, acme.scope, "20.00")
    assert charge.state == "requires_action"
    payment = stage.cards.payments[str(charge.provider_ref)]
    stage.cards.events.lose = 1
    stage.cards.answer_bank(payment, agreed=True)
    stage.cards.refund(stage.cards.payments[payment["id"]], 100, {})
    later(stage, seconds=5)
    assert flag(stage, charge) == "refunded"


def test_c10_the_plan_gives_nothing_back_unless_it_says_so(stage: World) -> None:
    acme = member(stage, plan="prepaid_recharge")
    charge = pays(stage, acme.scope, "20.00")
    with pytest.raises(NotForSale, match="The plan gives nothing back: post an adjustment"):
        gives(stage, charge, "1.00")
    assert stage.balance(acme.scope) == 20_000_000
    assert stage.cards.refunds_of(str(charge.provider_ref)) == []


def test_c10_included_credit_is_not_the_customers_to_get_back(stage: World) -> None:
    acme = member(stage, plan="with_credit")
    charge = pays(stage, acme.scope, "20.00")
    assert stage.balance(acme.scope) == 20_000_000, "15.00 of it are included credit"
    spend(stage, acme.scope, "3.00")
    with stage.units.read() as uow:
        assert refunds.seen(uow, acme.scope, charge.id).most_micros == 2_000_000
    with pytest.raises(Invalid, match=r"At most 2\.00 can be given back"):
        gives(stage, charge, "2.01")
    assert gives(stage, charge, "2.00").state == "ok"
    with pytest.raises(Invalid, match="Nothing of the customer's own money is left"):
        gives(stage, charge, "0.01")


def test_c10_a_refund_does_not_make_the_card_pay_again(stage: World) -> None:
    acme = member(stage)
    charge = pays(stage, acme.scope, "20.00")
    recharges(stage, acme.scope)  # below 10.00
    with pytest.raises(Invalid, match="have the recharge turned off first"):
        gives(stage, charge, "10.01")
    assert gives(stage, charge, "10.00").state == "ok"
    later(stage, minutes=5)
    assert stage.balance(acme.scope) == 10_000_000


def test_c10_what_was_not_paid_or_is_not_theirs_is_not_given_back(stage: World) -> None:
    acme, other = member(stage), member(stage)
    charge = pays(stage, acme.scope, "20.00")
    with pytest.raises(NotFound):
        refunds.refund(
            stage.units, till(stage), other.scope, charge.id, amount_micros=1_000_000,
            reason="x", actor="Olga", idempotency_key="k",
        )  # fmt: skip
    with pytest.raises(Invalid, match="say why"):
        gives(stage, charge, "1.00", reason=" ")
    stage.cards.tell("4242", "insufficient_funds")
    declined = pays(stage, acme.scope, "20.00")
    with pytest.raises(Conflict, match="Only a payment that came in"):
        gives(stage, declined, "1.00")


def test_c10_a_payment_is_undone_or_given_back_not_both(stage: World) -> None:
    acme = member(stage)
    charge, undone = pays(stage, acme.scope, "20.00"), pays(stage, acme.scope, "30.00")
    gives(stage, charge, "5.00")

    def undo(one: str) -> None:
        with stage.units.begin() as uow:
            line = statement.get_by_key(uow, acme.scope, one)
            reversals.reverse_posting(uow, acme.scope, line.id, reason="x", actor="Olga")

    with pytest.raises(Conflict, match="Money of this payment was refunded"):
        undo(f"topup:{charge.id}")
    with stage.units.read() as uow:
        (refunded,) = refunds.seen(uow, acme.scope, charge.id).refunds
    with pytest.raises(Conflict, match="gave money back to a card"):
        undo(f"refund:{refunded.id}")
    undo(f"topup:{undone.id}")
    with pytest.raises(Conflict, match="was undone: post an adjustment"):
        gives(stage, undone, "1.00")
    stage.prove_ledger()
