"""Texts on the pages: conversations, a thread, the price while typing, and why it cost that."""

from typing import Any

import pytest

from billing.messages import MessageStatus
from gateway.services import message_events, message_log, message_settlement
from gateway.services.message_events import IncomingText, TextNews
from gateway.store.base import Scope

PEER, SID = "+17025550111", "SM" + "7" * 32


def receive(world: Any, body: str = "Are you open?", sid: str = "1", peer: str = PEER) -> None:
    with world.units.begin() as uow:
        text = IncomingText(f"SM{sid:0>32}", peer, world.number.e164, body, 1, 0, uow.now)
        assert message_events.receive(uow, text, {"Body": body, "SmsStatus": "received"})
    message_settlement.drain(world.units)


def thread(world: Any, peer: str = PEER) -> str:
    return f"/messages/{world.number.id}/{peer}"


def sent(world: Any) -> Any:
    """The newest text that went out."""
    with world.units.read() as uow:
        return message_log.list_messages(uow, world.acme.scope, direction="outbound").items[0]


def deliver(world: Any, segments: int = 1) -> None:
    with world.units.begin() as uow:
        message = sent(world)
        news = TextNews(SID, MessageStatus.DELIVERED, segments=segments)
        params = {"MessageSid": SID, "MessageStatus": "delivered"}
        assert message_events.report(uow, message.tenant_id, message.id, news, params)
    message_settlement.drain(world.units)


def test_a_text_that_came_in_is_new_until_its_conversation_is_opened(world: Any, acme: Any) -> None:
    receive(world, "Are you open on Saturday?")
    listed = acme.page("/messages")
    assert "1 new" in listed and "Are you open on Saturday?" in listed
    opened = acme.page(thread(world))
    assert "Are you open on Saturday?" in opened and "$0.01" in opened
    assert "1 new" not in acme.page("/messages")


def test_an_answer_is_sent_once_however_often_send_is_pressed(world: Any, acme: Any) -> None:
    receive(world)
    form = {"body": "Yes,\r\nuntil noon.", "key": "k1"}
    first, second = (acme.post(thread(world), form) for _ in range(2))
    assert (first.status_code, second.status_code) == (302, 302)
    page = acme.page(first.location)
    assert page.count("until noon.") == 1 and "On its way" in page
    assert sent(world).body == "Yes,\nuntil noon.", "a browser's CR is no character of a text"


def test_a_delivered_text_shows_its_charge_and_why(world: Any, acme: Any) -> None:
    acme.post("/messages/new", {"number_id": str(world.number.id), "to": PEER, "body": "x" * 200})
    deliver(world, segments=2)
    page = acme.page(thread(world))
    assert "Delivered" in page and "$0.03" in page and "2 segments" in page
    why = acme.page(f"/messages/text/{sent(world).id}")
    assert "2 segments to United States &amp; Canada × $0.015" in why
    assert "counted by the carrier" in why and SID in why
    line = why.split('href="/billing/')[1].split('"')[0]
    statement = acme.page(f"/billing/{line}")
    assert "Text sent" in statement and "2 × 15000" in statement
    assert "Text sent" in acme.page("/billing?kind=texts")
    assert acme.get(f"/billing/{line}/text").location == f"/messages/text/{sent(world).id}"


@pytest.mark.parametrize(
    "body, to, words",
    [
        pytest.param("Hello", PEER, ["$0.015", "1 segment", "5 of 160"], id="S5-07 GSM-7"),
        pytest.param("Hi 🙂", PEER, ["$0.015", "of 70", "outside the phone alphabet"], id="UCS-2"),
        pytest.param("x" * 161, PEER, ["$0.03", "2 segments", "161 of 306"], id="two parts"),
        pytest.param("Hello", "+8613912345678", ["no price"], id="S5-05 no price"),
        pytest.param("Hello", "12", ["number"], id="no telephone"),
        pytest.param("", PEER, ["while you type"], id="nothing yet"),
    ],
)
def test_the_price_is_shown_while_somebody_types(
    world: Any, acme: Any, body: str, to: str, words: list[str]
) -> None:
    form = {"number_id": str(world.number.id), "to": to, "body": body}
    answer = acme.post("/messages/price", form)
    assert answer.status_code == 200 and 'id="price"' in answer.text
    for word in words:
        assert word in answer.text


def test_after_a_stop_there_is_no_box_to_write_in(world: Any, acme: Any) -> None:
    receive(world, "STOP")
    page = acme.page(thread(world))
    assert "Has replied STOP" in page and "<textarea" not in page
    answer = acme.post(thread(world), {"body": "Hello?", "key": "k"})
    assert answer.status_code == 403 and "replied STOP" in answer.text
    receive(world, "START", "2")
    assert "<textarea" in acme.page(thread(world))


def test_a_short_code_is_read_and_not_answered(world: Any, acme: Any) -> None:
    receive(world, "Your code is 1234", peer="72975")
    page = acme.page(thread(world, "72975"))
    assert "Your code is 1234" in page and "short code" in page and "<textarea" not in page


def test_a_refusal_keeps_what_was_typed(world: Any, acme: Any) -> None:
    form = {"number_id": str(world.number.id), "to": "+8613912345678", "body": "Hello there"}
    answer = acme.post("/messages/new", form)
    assert answer.status_code == 422
    assert "Hello there" in answer.text and "no price" in answer.text


def test_what_people_write_is_text_and_no_markup(world: Any, acme: Any) -> None:
    receive(world, "<script>alert(1)</script>")
    for path in ("/messages", thread(world)):
        page = acme.page(path)
        assert "<script>alert" not in page and "&lt;script&gt;alert" in page


def test_a_number_says_who_gets_a_copy_of_its_texts(world: Any, acme: Any, member: Any) -> None:
    path = f"/numbers/{world.number.id}"
    assert acme.post(f"{path}/texts", {"texts_to": "ann@acme.test"}).status_code == 302
    assert 'value="ann@acme.test"' in acme.page(path)
    wrong = acme.post(f"{path}/texts", {"texts_to": world.number.e164})
    assert wrong.status_code == 422 and "tracking number" in wrong.text
    assert member.post(f"{path}/texts", {"texts_to": ""}).status_code == 403


def test_a_member_answers_customers(world: Any, member: Any) -> None:
    receive(world)
    assert member.post(thread(world), {"body": "Yes!", "key": "k"}).status_code == 302


def test_cobalt_sees_and_sends_nothing_of_acmes(world: Any, acme: Any, cobalt: Any) -> None:
    receive(world, "a secret")
    acme.post(thread(world), {"body": "an answer", "key": "k"})
    assert cobalt.get(thread(world)).status_code == 404
    assert cobalt.get(f"/messages/text/{sent(world).id}").status_code == 404
    assert cobalt.get(f"/billing/{world.posting_id}/text").status_code == 404
    assert acme.get(f"/billing/{world.posting_id}/text").status_code == 302
    assert cobalt.post(thread(world), {"body": "Hi", "key": "k"}).status_code == 404
    asked = {"number_id": str(world.number.id), "to": PEER, "body": "Hi"}
    assert cobalt.post("/messages/price", asked).status_code == 404
    assert cobalt.post("/messages/new", asked).status_code == 404
    assert cobalt.post(f"/numbers/{world.number.id}/texts", {"texts_to": ""}).status_code == 404
    for path in ("/messages", f"/messages?number={world.number.id}", "/messages/new"):
        page = cobalt.page(path)
        assert "a secret" not in page and world.number.e164 not in page
    with world.units.read() as uow:
        scope = Scope(world.cobalt.tenant_id, world.cobalt.id)
        assert message_log.list_messages(uow, scope).items == ()


@pytest.mark.parametrize("path", ["/messages", "/messages/new"])
def test_nobody_reads_texts_without_logging_in(world: Any, path: str) -> None:
    assert world.browser().get(path).location.startswith("/login")
