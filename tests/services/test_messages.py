"""Sending and charging texts: once, by the plan of the moment, from money that is really free."""

import dataclasses
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from billing.catalogue import load_catalogue
from billing.messages import MessageStatus
from gateway.services import (
    accounts,
    audit,
    message_events,
    message_log,
    message_settlement,
    messages,
    numbers,
    plans,
    statement,
)
from gateway.services.accounts import Account
from gateway.services.errors import BalanceTooLow, Conflict, Forbidden, Invalid, NotFound
from gateway.services.message_events import IncomingText, TextNews
from gateway.services.messages import NewText
from gateway.services.numbers import Number
from gateway.store.messages import Message
from gateway.uow import UnitsOfWork
from tests.services.conftest import OLGA

PEER, SEGMENT, FLAT = "+17025550111", 15_000, 10_000


def send(units: UnitsOfWork, number: Number, body: str = "Hello", **more: Any) -> Message:
    key = more.pop("key", str(uuid.uuid4()))
    with units.begin() as uow:
        text = NewText(number.id, more.pop("to", PEER), body)
        return messages.send(uow, number.scope, text, actor="ann", idempotency_key=key)


def receive(units: UnitsOfWork, number: Number, sid: int = 1, segments: int = 1) -> None:
    with units.begin() as uow:
        text = IncomingText(f"SM{sid:032x}", PEER, number.e164, "Hi", segments, 0, uow.now)
        assert message_events.receive(uow, text, {"Body": "Hi"})


def deliver(units: UnitsOfWork, message: Message, segments: int) -> None:
    sid = f"SM{message.id.hex}"
    with units.begin() as uow:
        news = TextNews(sid, MessageStatus.DELIVERED, segments=segments)
        assert message_events.report(uow, message.tenant_id, message.id, news, {})


def balance(units: UnitsOfWork, account: Account) -> int:
    with units.read() as uow:
        return accounts.get_account(uow, account.scope).balance_micros


def move_to(units: UnitsOfWork, account: Account, change: Callable[[Any], None]) -> None:
    """A plan of its own for the account: the shipped one with a change."""
    document: Any = load_catalogue()["payg"]
    change(document)
    with units.begin() as uow:
        plans.publish_plan(uow, "special", document, OLGA)
        accounts.update_account(uow, account.scope, {"plan_code": "special"}, OLGA)


def test_the_same_key_sends_one_text_also_from_sixteen_threads(
    units: UnitsOfWork, desk: Number
) -> None:
    sent: list[uuid.UUID] = []

    def one() -> None:
        sent.append(send(units, desk, key="k").id)

    threads = [threading.Thread(target=one) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == 16 and len(set(sent)) == 1
    with pytest.raises(Conflict, match="another text"):
        send(units, desk, "Bye", key="k")


def test_texts_that_are_sent_at_once_cannot_spend_the_same_money(
    units: UnitsOfWork, acme: Account, desk: Number
) -> None:
    """48.00 pays for sixteen texts at 3.00."""
    refused: list[int] = []
    move_to(units, acme, lambda plan: plan["tariff"]["sms"]["outbound"][0].update(price="3.00"))
    assert balance(units, acme) == 48_000_000

    def one() -> None:
        try:
            send(units, desk)
        except BalanceTooLow as refusal:
            refused.append(refusal.balance_micros)

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 4 and set(refused) == {0}


def test_two_drains_charge_a_text_once(units: UnitsOfWork, acme: Account, desk: Number) -> None:
    for sid in range(30):
        receive(units, desk, sid)
    settled: list[int] = []

    def one() -> None:
        settled.append(message_settlement.drain(units).texts)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(settled) + message_settlement.drain(units).texts == 30
    assert balance(units, acme) == 48_000_000 - 30 * FLAT


def test_a_text_keeps_the_plan_that_it_was_sent_under(
    units: UnitsOfWork, acme: Account, desk: Number
) -> None:
    draft = send(units, desk)
    move_to(units, acme, lambda plan: plan["tariff"]["sms"]["outbound"][0].update(price="9.00"))
    deliver(units, draft, segments=2)
    message_settlement.drain(units)
    assert balance(units, acme) == 48_000_000 - 2 * SEGMENT


@pytest.mark.parametrize(
    "unit, charged",
    [
        pytest.param("segment", 3 * SEGMENT, id="C19 by the segment"),
        pytest.param("message", SEGMENT, id="C19 by the message"),
    ],
)
def test_c19_a_plan_counts_segments_or_messages(
    units: UnitsOfWork, acme: Account, desk: Number, unit: str, charged: int
) -> None:
    move_to(units, acme, lambda plan: plan["tariff"]["sms"].update(unit=unit))
    draft = send(units, desk, "x" * 400)
    assert draft.quoted_micros == charged
    deliver(units, draft, segments=3)
    message_settlement.drain(units)
    assert balance(units, acme) == 48_000_000 - charged


def test_s2_09_every_text_has_its_line_and_every_line_its_explanation(
    units: UnitsOfWork, acme: Account, desk: Number
) -> None:
    receive(units, desk, segments=4)
    deliver(units, send(units, desk, "x" * 200), segments=2)
    message_settlement.drain(units)
    with units.read() as uow:
        lines = statement.list_postings(uow, acme.scope, kinds=("sms",)).items
        told = [statement.explain(uow, acme.scope, line.id) for line in lines]
    assert [line.amount_micros for line in lines] == [-2 * SEGMENT, -FLAT]
    assert [one.recompute() for one in told] == [2 * SEGMENT, FLAT]
    assert "2 segments to United States & Canada" in told[0].words
    assert "1 message × $0.01" in told[1].words and "(4 segments)" in told[1].words


def test_a_plan_that_sells_no_texts_lets_none_out_and_reports_what_comes_in(
    units: UnitsOfWork, acme: Account, desk: Number
) -> None:
    move_to(units, acme, lambda plan: plan["tariff"].pop("sms"))
    with pytest.raises(Invalid, match="sells no messages"):
        send(units, desk)
    receive(units, desk)
    message_settlement.drain(units)
    assert balance(units, acme) == 48_000_000
    with units.read() as uow:
        actions = [line.action for line in audit.trail(uow, acme.scope)]
    assert "message.unrated" in actions


def test_s4_08_where_an_overrun_is_free_a_text_takes_no_more_than_is_left(
    units: UnitsOfWork, acme: Account, desk: Number
) -> None:
    def change(plan: Any) -> None:
        plan["in_call"]["overrun_price"] = "zero"
        plan["suspend_when"] = "lte_zero"
        plan["tariff"]["sms"]["inbound_flat"] = "50.00"

    move_to(units, acme, change)
    receive(units, desk)
    message_settlement.drain(units)
    assert balance(units, acme) == 0
    with units.read() as uow:
        (line,) = statement.list_postings(uow, acme.scope, kinds=("sms",)).items
        told = statement.explain(uow, acme.scope, line.id)
    assert told.recompute() == 48_000_000 and "past zero is free" in told.words


@pytest.mark.parametrize(
    "to, body, error",
    [
        pytest.param("+8613912345678", "Hi", Invalid, id="S5-05 no price: refused"),
        pytest.param("12", "Hi", Invalid, id="no telephone"),
        pytest.param("+14155550100", "Hi", Invalid, id="the number itself"),
        pytest.param(PEER, "  ", Invalid, id="nothing to say"),
        pytest.param(PEER, "x" * 1601, Invalid, id="21617 too long"),
    ],
)
def test_what_may_not_go_leaves_no_trace(
    units: UnitsOfWork, acme: Account, desk: Number, to: str, body: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        send(units, desk, body, to=to)
    with units.read() as uow:
        assert message_log.list_messages(uow, acme.scope).items == ()


def test_a_number_that_is_being_given_back_sends_nothing(
    units: UnitsOfWork, acme: Account, desk: Number
) -> None:
    with units.begin() as uow:
        numbers.request_release(uow, acme.scope, desk.id, "ann")
    with pytest.raises(Conflict, match="not in service"):
        send(units, desk)


def test_toll_free_parts_hold_one_unit_less(desk: Number) -> None:
    toll_free = dataclasses.replace(desk, number_type="toll-free")
    assert [messages.count(n, "x" * 306).count for n in (desk, toll_free)] == [2, 3]
    british = dataclasses.replace(toll_free, country="GB")
    assert messages.count(british, "x" * 306).count == 2


def test_a_conversation_counts_what_is_new_until_it_is_read_or_answered(
    units: UnitsOfWork, acme: Account, desk: Number
) -> None:
    def talk() -> Any:
        with units.read() as uow:
            return message_log.list_conversations(uow, acme.scope).items[0]

    receive(units, desk, 1)
    receive(units, desk, 2)
    receive(units, desk, 2)  # told twice
    assert (talk().unread, talk().peer, talk().direction) == (2, PEER, "inbound")
    with units.begin() as uow:
        message_log.mark_read(uow, acme.scope, desk.id, PEER)
    assert talk().unread == 0
    receive(units, desk, 3)
    send(units, desk)
    assert (talk().unread, talk().direction) == (0, "outbound")


def test_cobalt_reaches_no_text_of_acmes(units: UnitsOfWork, cobalt: Account, desk: Number) -> None:
    receive(units, desk)
    sent = send(units, desk)
    deeds: Mapping[str, Callable[[Any], object]] = {
        "send": lambda uow: messages.send(
            uow, cobalt.scope, NewText(desk.id, PEER, "x"), actor="eve", idempotency_key="k"
        ),
        "quote": lambda uow: messages.quote(uow, cobalt.scope, NewText(desk.id, PEER, "x")),
        "read": lambda uow: message_log.get_message(uow, cobalt.scope, sent.id),
        "open": lambda uow: message_log.open_thread(uow, cobalt.scope, desk.id, PEER),
        "set": lambda uow: numbers.set_texts_to(uow, cobalt.scope, desk.id, "", "eve"),
    }
    for deed in deeds.values():
        with pytest.raises(NotFound), units.begin() as uow:
            deed(uow)
    with units.begin() as uow:
        assert message_log.list_messages(uow, cobalt.scope, did_id=desk.id).items == ()
        assert message_log.list_conversations(uow, cobalt.scope, did_id=desk.id).items == ()
        message_log.mark_read(uow, cobalt.scope, desk.id, PEER)
    with units.read() as uow:
        assert message_log.list_conversations(uow, desk.scope).items[0].unread == 0


def test_a_suspended_account_sends_nothing(units: UnitsOfWork, acme: Account, desk: Number) -> None:
    move_to(units, acme, lambda plan: plan["tariff"]["sms"].update(inbound_flat="60.00"))
    receive(units, desk)
    message_settlement.drain(units)
    with pytest.raises(Forbidden, match="suspended"):
        send(units, desk)
