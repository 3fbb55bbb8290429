"""Texts in and out, end to end: the real application against the sandbox carrier."""

import itertools
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import requests
from world import CALLER, Member, World

from gateway.sandbox.callbacks import Callback, Faults
from gateway.sandbox.messages import Fate
from gateway.sandbox.poster import Reply
from gateway.services import message_settlement, message_sweeping, messages, numbers
from gateway.services.messages import NewText
from gateway.store.conversations import ConversationRow, OptOutRow
from gateway.store.ledger import PostingRow
from gateway.store.mail import MailRow
from gateway.store.messages import MessageRow
from gateway.store.receipts import ReceiptRow
from workers import carrier as carrier_queue
from workers import settle as settle_queue

OWNERS_PHONE = "+14155550177"
SEGMENT, FLAT = 15_000, 10_000  # of plan payg: a segment to the US, a text that came in
LONG = "x" * 307  # three segments


def send(stage: World, member: Member, body: str = "Hello", to: str = CALLER, **more: Any) -> Any:
    key = more.pop("key", str(uuid.uuid4()))
    with stage.units.begin() as uow:
        return messages.send(
            uow,
            member.scope,
            NewText(member.number.id, to, body),
            actor="ann@acme.test",
            idempotency_key=key,
        )


def deliver(stage: World) -> None:
    """Let the carrier queue do its deeds, the carrier its own, and settle what is due."""
    carrier_queue.drain(stage.tools)
    stage.carrier.run_for(10)
    carrier_queue.drain(stage.tools)
    stage.carrier.run_for(10)
    settle_queue.drain(stage.tools)


def texts(stage: World, member: Member) -> list[Any]:
    return sorted(stage.rows(MessageRow, member.scope), key=lambda row: row.id)


def lines(stage: World, member: Member) -> list[tuple[str, int]]:
    """Kind and amount of what texts moved."""
    return [
        (row.kind, row.amount_micros)
        for row in stage.rows(PostingRow, member.scope)
        if ":SM" in row.key
    ]


@pytest.fixture
def acme(stage: World) -> Member:
    return stage.join("Acme")


@pytest.fixture(autouse=True)
def proven(stage: World) -> Iterator[None]:
    yield
    stage.prove_ledger()


def test_s5_04_a_text_that_comes_in_costs_one_flat_price_however_long(
    stage: World, acme: Member
) -> None:
    stage.carrier.receive_message(CALLER, acme.e164, LONG)
    stage.carrier.run_until_idle()
    assert message_settlement.drain(stage.units).texts == 1
    (text,) = texts(stage, acme)
    assert (text.direction, text.peer, text.segments, text.status) == (
        "inbound", CALLER, 3, "received",
    )  # fmt: skip
    assert text.charge_micros == FLAT and text.cost_micros == 3 * 8_300
    assert lines(stage, acme) == [("sms", FLAT), ("carrier_cost", 24_900)]
    assert stage.balance(acme.scope) == 50_000_000 - FLAT
    (talk,) = stage.rows(ConversationRow, acme.scope)
    assert (talk.peer, talk.unread, talk.last_message_id) == (CALLER, 1, text.id)
    assert message_settlement.drain(stage.units).texts == 0


def test_s5_05_a_text_that_goes_out_is_charged_by_the_carriers_segments_once_it_arrived(
    stage: World, acme: Member
) -> None:
    draft = send(stage, acme, LONG)
    assert draft.status == "draft" and draft.quoted_micros == 3 * SEGMENT
    carrier_queue.drain(stage.tools)
    settle_queue.drain(stage.tools)
    assert lines(stage, acme) == [], "nothing is charged before its end is known"
    deliver(stage)
    (text,) = texts(stage, acme)
    assert (text.status, text.segments, text.metered) == ("delivered", 3, True)
    assert lines(stage, acme) == [("sms", 3 * SEGMENT), ("carrier_cost", 3 * 8_300)]
    assert stage.balance(acme.scope) == 50_000_000 - 3 * SEGMENT


def test_c19_the_carriers_count_is_charged_and_not_ours(stage: World, acme: Member) -> None:
    send(stage, acme, "Hello")
    carrier_queue.drain(stage.tools)
    (text,) = texts(stage, acme)
    record = stage.carrier.messages.by_sid[text.carrier_sid]
    assert text.segments == record.segments == 1
    record.segments = 2  # what it says when asked, and what counts then
    with stage.units.begin() as uow:
        uow.connection.execute(MessageRow.__table__.update().values(metered=False))
    deliver(stage)
    stage.carrier.run_for(60)
    deliver(stage)
    assert lines(stage, acme)[0] == ("sms", 2 * SEGMENT)


@pytest.mark.parametrize(
    "fate, status, error_code, charged, cost",
    [
        pytest.param(Fate.UNDELIVERED, "undelivered", 30003, 0, 8_300, id="S5-03 undelivered"),
        pytest.param(Fate.FAILED, "failed", 30007, 0, 0, id="S5-03 failed"),
        pytest.param(Fate.DELIVERED, "delivered", None, SEGMENT, 8_300, id="S5-03 delivered"),
    ],
)
def test_s5_03_failed_texts_follow_the_plans_policy(
    stage: World,
    acme: Member,
    fate: Fate,
    status: str,
    error_code: int | None,
    charged: int,
    cost: int,
) -> None:
    stage.carrier.messages.fates[CALLER] = fate
    send(stage, acme)
    deliver(stage)
    (text,) = texts(stage, acme)
    assert (text.status, text.error_code) == (status, error_code)
    assert (text.charge_micros, text.cost_micros) == (charged, cost)
    assert (text.error is not None) == (error_code is not None)
    assert stage.balance(acme.scope) == 50_000_000 - charged


def test_a_text_of_which_nothing_more_is_heard_is_charged_as_sent_after_ten_hours(
    stage: World, acme: Member
) -> None:
    stage.carrier.messages.fates[CALLER] = Fate.SILENT
    send(stage, acme)
    deliver(stage)
    assert texts(stage, acme)[0].settled_at is None
    for _ in range(12):
        stage.carrier.run_for(3_600)
        carrier_queue.drain(stage.tools)
    settle_queue.drain(stage.tools)
    (text,) = texts(stage, acme)
    assert (text.status, text.charge_micros) == ("sent", SEGMENT)


# Any order, any repetition, any loss.


def callbacks_of(stage: World) -> list[Callback]:
    return [one for one in stage.carrier.captured if one.kind == "message"]


@pytest.mark.parametrize("twice", [False, True], ids=["once", "each twice"])
def test_status_callbacks_in_any_order_leave_the_same_text_and_the_same_money(
    stage: World, acme: Member, twice: bool
) -> None:
    """Every order of sent and delivered, also before the answer to the request is known here."""
    stage.carrier.courier.hold = True
    kinds = ["sent", "delivered"] * (2 if twice else 1)
    orders = sorted(set(itertools.permutations(kinds)))
    for order in orders:
        before = len(callbacks_of(stage))
        draft = send(stage, acme, LONG)
        carrier_queue.drain(stage.tools)
        stage.carrier.run_for(10)
        told = {one.params["MessageStatus"]: one for one in callbacks_of(stage)[before:]}
        for status in order:
            assert stage.carrier.courier.deliver(told[status]).status == 204
            settle_queue.drain(stage.tools)
        row = next(text for text in texts(stage, acme) if text.id == draft.id)
        assert (row.status, row.charge_micros, row.cost_micros) == ("delivered", 45_000, 24_900)
    assert lines(stage, acme).count(("sms", 45_000)) == len(orders)
    receipts = [r for r in stage.rows(ReceiptRow, acme.scope) if r.kind == "text"]
    assert len(receipts) == 2 * len(orders), "a repeated callback is the same receipt"


@pytest.mark.parametrize("lost", [("sent",), ("delivered",), ("sent", "delivered")])
def test_lost_status_callbacks_are_made_good_by_asking(
    stage: World, acme: Member, lost: Sequence[str]
) -> None:
    def script(callback: Callback) -> list[float]:
        return [] if callback.params.get("MessageStatus") in lost else [0.0]

    stage.carrier.faults = Faults(script=script)
    send(stage, acme)
    carrier_queue.drain(stage.tools)
    stage.carrier.run_for(300)
    deliver(stage)
    (text,) = texts(stage, acme)
    assert (text.status, text.charge_micros) == ("delivered", SEGMENT)
    assert lines(stage, acme) == [("sms", SEGMENT), ("carrier_cost", 8_300)]


def test_r8_a_lost_answer_is_found_by_listing_and_never_sent_again(
    stage: World, acme: Member
) -> None:
    """Callbacks are lost too, so that only the list tells of it; the twin text stays its own."""
    stage.carrier.faults = Faults(lose=1)
    twin = send(stage, acme, "Hello")
    carrier_queue.drain(stage.tools)
    draft = send(stage, acme, "Hello")
    lose_answers(stage, 1)
    carrier_queue.drain(stage.tools)
    assert [text.carrier_sid is None for text in texts(stage, acme)] == [False, True]
    stage.carrier.run_for(300)
    deliver(stage)
    stage.carrier.run_for(300)
    deliver(stage)
    first, second = texts(stage, acme)
    assert (first.id, second.id) == (twin.id, draft.id)
    assert {first.carrier_sid, second.carrier_sid} == set(stage.carrier.messages.by_sid)
    assert {text.status for text in (first, second)} == {"delivered"}
    assert lines(stage, acme).count(("sms", SEGMENT)) == 2


def test_a_lost_answer_is_recognised_by_the_first_callback(stage: World, acme: Member) -> None:
    """The callback names the text by our id; NumSegments is asked for before it is charged."""
    send(stage, acme, LONG)
    lose_answers(stage, 1)
    carrier_queue.drain(stage.tools)
    stage.carrier.run_for(4)
    (text,) = texts(stage, acme)
    assert (text.status, text.metered, text.due_at) == ("delivered", False, None)
    deliver(stage)
    stage.carrier.run_for(60)
    deliver(stage)
    (text,) = texts(stage, acme)
    assert text.metered and text.charge_micros == 3 * SEGMENT
    assert len(stage.carrier.messages.by_sid) == 1


def test_a_text_that_the_carrier_never_received_is_given_up_and_free(
    stage: World, acme: Member
) -> None:
    draft = send(stage, acme)
    with stage.units.begin() as uow:  # a worker died between its mark and the carrier
        now = uow.now
        uow.connection.execute(MessageRow.__table__.update().values(attempted_at=now, check_at=now))
    for _ in range(30):
        stage.carrier.run_for(60)
        carrier_queue.drain(stage.tools)
    (text,) = texts(stage, acme)
    assert (text.id, text.status, text.charge_micros) == (draft.id, "lost", 0)
    assert stage.carrier.messages.by_sid == {}
    late = {"MessageSid": "SM" + "1" * 32, "MessageStatus": "delivered"}
    path = f"/webhooks/twilio/messages/{acme.scope.tenant_id.hex}/{draft.id.hex}/status"
    assert stage.post(path, late).status_code == 204
    (text,) = texts(stage, acme)
    assert (text.status, text.settled_at) == ("delivered", None), "it was sent after all"


def test_a_busy_carrier_is_asked_again_and_sends_one_text(stage: World, acme: Member) -> None:
    send(stage, acme)
    refuse_next(stage, 4)  # all tries of one deed
    carrier_queue.drain(stage.tools)
    assert stage.carrier.messages.by_sid == {}
    stage.carrier.run_for(30)
    deliver(stage)
    assert len(stage.carrier.messages.by_sid) == 1
    assert texts(stage, acme)[0].status == "delivered"


def test_a_text_that_came_in_while_nobody_was_there_is_looked_for_once(
    stage: World, acme: Member
) -> None:
    known = stage.carrier.receive_message(CALLER, acme.e164, "first")
    stage.carrier.run_until_idle()
    poster = stage.carrier.exchange.poster
    stage.carrier.exchange.poster = lambda _request: _nobody()
    missed = stage.carrier.receive_message(CALLER, acme.e164, "second")
    stage.carrier.run_until_idle()
    stage.carrier.exchange.poster = poster
    assert [text.carrier_sid for text in texts(stage, acme)] == [known]
    message_sweeping.recheck_open_texts(stage.units)
    stage.carrier.run_for(10)
    carrier_queue.drain(stage.tools)
    settle_queue.drain(stage.tools)
    assert [text.carrier_sid for text in texts(stage, acme)] == [known, missed]
    assert stage.balance(acme.scope) == 50_000_000 - 2 * FLAT
    stage.carrier.run_for(3_700)  # the next look orders itself, and finds nothing new
    carrier_queue.drain(stage.tools)
    assert len(texts(stage, acme)) == 2


def _nobody() -> Reply:
    return Reply(503, error_code=11200)


def lose_answers(stage: World, count: int) -> None:
    _control(stage, "lost-answers", {"next": count})


def refuse_next(stage: World, count: int) -> None:
    _control(stage, "refusals", {"next": count})


def _control(stage: World, path: str, body: Any) -> None:
    http = stage.telephony._http
    answer = requests.put(
        http.redirected(f"https://api.twilio.com/sandbox/{path}"),
        json=body,
        auth=stage.telephony._auth,
        timeout=5,
    )
    assert answer.status_code == 200, answer.text


# STOP and START.


def test_stop_refuses_every_further_text_and_start_lifts_it(stage: World, acme: Member) -> None:
    stage.carrier.receive_message(CALLER, acme.e164, " Stop ")
    stage.carrier.run_until_idle()
    assert [row.peer for row in stage.rows(OptOutRow, acme.scope)] == [CALLER]
    with pytest.raises(messages.OptedOut, match="replied STOP"):
        send(stage, acme)
    stage.carrier.receive_message(CALLER, acme.e164, "stop it please")
    stage.carrier.receive_message(CALLER, acme.e164, "HELP")
    stage.carrier.run_until_idle()
    assert len(stage.rows(OptOutRow, acme.scope)) == 1, "only the bare word counts"
    stage.carrier.receive_message(CALLER, acme.e164, "start")
    stage.carrier.run_until_idle()
    send(stage, acme)
    deliver(stage)
    assert texts(stage, acme)[-1].status == "delivered"


def test_a_stop_that_comes_between_the_row_and_the_carrier_stops_the_text(
    stage: World, acme: Member
) -> None:
    send(stage, acme)
    stage.carrier.receive_message(CALLER, acme.e164, "STOP")
    stage.carrier.run_until_idle()
    deliver(stage)
    draft = next(text for text in texts(stage, acme) if text.direction == "outbound")
    assert (draft.status, draft.charge_micros) == ("refused", 0)
    assert "STOP" in draft.error
    assert {m.direction for m in stage.carrier.messages.by_sid.values()} == {"inbound"}


def test_a_stop_that_only_the_carrier_knows_is_learnt_from_its_refusal(
    stage: World, acme: Member
) -> None:
    stage.carrier.messages._stopped.add((CALLER, acme.e164))
    send(stage, acme)
    deliver(stage)
    (text,) = texts(stage, acme)
    assert (text.status, text.error_code, text.charge_micros) == ("refused", 21610, 0)
    with pytest.raises(messages.OptedOut):
        send(stage, acme)


# Handing on.


def hand_on(stage: World, member: Member, to: str) -> None:
    with stage.units.begin() as uow:
        numbers.set_texts_to(uow, member.scope, member.number.id, to, "ann@acme.test")


def test_an_inbound_text_is_handed_on_to_a_phone_and_charged_like_any_other(
    stage: World, acme: Member
) -> None:
    hand_on(stage, acme, OWNERS_PHONE)
    stage.carrier.receive_message(CALLER, acme.e164, "Are you open?")
    stage.carrier.run_until_idle()
    deliver(stage)
    deliver(stage)
    received, copy = texts(stage, acme)
    assert (copy.peer, copy.forward_of, copy.status) == (OWNERS_PHONE, received.id, "delivered")
    assert copy.body == "(702) 555-0111: Are you open?"
    assert stage.balance(acme.scope) == 50_000_000 - FLAT - SEGMENT
    assert len(stage.rows(ConversationRow, acme.scope)) == 1
    stage.carrier.receive_message(OWNERS_PHONE, acme.e164, "ok")
    stage.carrier.run_until_idle()
    deliver(stage)
    assert len(texts(stage, acme)) == 3, "nothing goes back to where it came from"


def test_a_text_that_cannot_be_handed_on_says_why_beside_itself(stage: World) -> None:
    bolt = stage.join("Bolt", funds=FLAT)
    hand_on(stage, bolt, OWNERS_PHONE)
    stage.carrier.receive_message(CALLER, bolt.e164, "Are you open?")
    stage.carrier.run_until_idle()
    deliver(stage)
    _, copy = texts(stage, bolt)
    assert (copy.status, copy.charge_micros) == ("refused", 0)
    assert "top up" in copy.error


def test_an_inbound_text_is_handed_on_by_mail(stage: World, acme: Member) -> None:
    hand_on(stage, acme, "ann@acme.test")
    stage.carrier.receive_message(CALLER, acme.e164, "Line one\nBcc: everybody@example.com")
    stage.carrier.run_until_idle()
    stage.work()
    stage.work()
    mails = stage.rows(MailRow, acme.scope)
    (mail,) = [mail for mail in mails if mail.key.startswith("text_received:")]
    assert mail.to_address == "ann@acme.test"
    assert mail.subject.startswith("Text from (702) 555-0111")
    assert "Line one" in mail.body and "Bcc" not in mail.subject


# Money at its end.


def test_a_suspended_account_sends_nothing_but_keeps_what_comes_in(stage: World) -> None:
    bolt = stage.join("Bolt", funds=5_000)
    stage.carrier.receive_message(CALLER, bolt.e164, "hello?")
    stage.carrier.run_until_idle()
    settle_queue.drain(stage.tools)
    assert stage.status(bolt.scope) == "suspended"
    assert [text.body for text in texts(stage, bolt)] == ["hello?"]
    with pytest.raises(messages.Forbidden, match="suspended"):
        send(stage, bolt)
    stage.top_up(bolt.scope, 1_000_000)
    send(stage, bolt)
    deliver(stage)
    assert texts(stage, bolt)[-1].status == "delivered"


def test_texts_on_their_way_cannot_spend_the_same_balance(stage: World) -> None:
    bolt = stage.join("Bolt", funds=2 * SEGMENT)
    send(stage, bolt)
    send(stage, bolt)
    with pytest.raises(messages.BalanceTooLow):
        send(stage, bolt)
    deliver(stage)
    assert stage.balance(bolt.scope) == 0


def test_a_day_of_texts_told_twice_leaves_the_same_ledger(stage: World, acme: Member) -> None:
    stage.carrier.faults = Faults(duplicate=0.5, delay=0.5, reorder=0.3, lose=0.2, seed=7)
    for n in range(20):
        stage.carrier.receive_message(f"+170255501{n:02}", acme.e164, "x" * (n * 40 + 1))
        if n % 2:
            send(stage, acme, "y" * (n * 30 + 1), to=f"+170255501{n:02}")
        deliver(stage)
    stage.carrier.run_for(3_600)
    message_sweeping.recheck_open_texts(stage.units)
    for _ in range(4):
        stage.carrier.run_for(60)
        deliver(stage)
    digest, balance = stage.ledger_digest(acme.scope), stage.balance(acme.scope)
    for one in list(stage.carrier.captured):
        stage.carrier.courier.deliver(one)
    deliver(stage)
    assert (stage.ledger_digest(acme.scope), stage.balance(acme.scope)) == (digest, balance)
    inbound = [text for text in texts(stage, acme) if text.direction == "inbound"]
    outbound = [text for text in texts(stage, acme) if text.direction == "outbound"]
    assert (len(inbound), len(outbound)) == (20, 10)
    charged = 20 * FLAT + sum(text.segments * SEGMENT for text in outbound)
    assert balance == 50_000_000 - charged
