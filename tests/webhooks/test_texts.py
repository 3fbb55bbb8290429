"""Texts at the carrier's door: what is counted, what is refused, and by whom it is not."""

import pytest
from world import CALLER, World

from gateway.services import messages
from gateway.services.messages import NewText
from gateway.store.messages import MessageRow
from gateway.store.receipts import ReceiptRow

SMS = "/webhooks/twilio/sms"
SID = "SM" + "3" * 32


@pytest.fixture(scope="module")
def stage(lasting_stage: World) -> World:
    return lasting_stage


def form(to: str, **changes: str) -> dict[str, str]:
    return {
        "MessageSid": SID, "From": CALLER, "To": to, "Body": "Hello", "NumSegments": "1",
        "NumMedia": "0",
    } | changes  # fmt: skip


def test_a_text_is_answered_with_silence_and_kept_once(stage: World) -> None:
    acme = stage.join("Acme")
    answers = [stage.post(SMS, form(acme.e164, NumMedia="2")) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.text.endswith("<Response />") for answer in answers} == {True}
    (text,) = stage.rows(MessageRow, acme.scope)
    assert (text.body, text.segments, text.media_count, text.metered) == ("Hello", 1, 2, True)
    (receipt,) = stage.rows(ReceiptRow, acme.scope)
    assert (receipt.key, receipt.params["Body"]) == (f"text:{SID}", "Hello")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"MessageSid": "CA" + "3" * 32}, id="another kind of sid"),
        pytest.param({"MessageSid": ""}, id="no sid"),
        pytest.param({"NumSegments": "-1"}, id="less than no segments"),
        pytest.param({"NumSegments": "999"}, id="more segments than a text has"),
        pytest.param({"NumSegments": "1e2"}, id="no whole number"),
        pytest.param({"NumMedia": "many"}, id="no count of pictures"),
    ],
)
def test_a_text_of_another_shape_is_refused_and_stored_nowhere(
    stage: World, changes: dict[str, str]
) -> None:
    acme = stage.join("Acme")
    assert stage.post(SMS, form(acme.e164, **changes)).status_code == 400
    assert stage.rows(MessageRow, acme.scope) == stage.rows(ReceiptRow, acme.scope) == []


@pytest.mark.parametrize(
    "sender, peer",
    [
        pytest.param("72975", "72975", id="a short code"),
        pytest.param("ACME BANK", "ACME BANK", id="a name"),
        pytest.param("", "unknown", id="nobody"),
        pytest.param("\x00<b>+1" + "4" * 60, "<b>+144444444444"[:16], id="nonsense, cut"),
    ],
)
def test_a_sender_need_not_be_a_telephone(stage: World, sender: str, peer: str) -> None:
    acme = stage.join("Acme")
    assert stage.post(SMS, form(acme.e164, From=sender)).status_code == 200
    (text,) = stage.rows(MessageRow, acme.scope)
    assert text.peer == peer


def test_a_text_to_nobodys_number_is_answered_and_forgotten(stage: World) -> None:
    answer = stage.post(SMS, form("+14155550199"))
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")


def test_a_forged_text_is_nobodys(stage: World) -> None:
    acme = stage.join("Acme")
    assert stage.post(SMS, form(acme.e164), signature="x" * 28).status_code == 403
    assert stage.rows(MessageRow, acme.scope) == []


@pytest.mark.parametrize("status", ["draft", "refused", "lost", "received", "eaten", ""])
def test_only_the_carriers_own_words_are_news_of_a_text(stage: World, status: str) -> None:
    tenant = "0" * 32
    news = {"MessageSid": SID, "MessageStatus": status}
    path = f"/webhooks/twilio/messages/{tenant}/{'1' * 32}/status"
    assert stage.post(path, news).status_code == 400


def test_one_tenants_callback_reaches_no_text_of_anothers(stage: World) -> None:
    acme, cobalt = stage.join("Acme"), stage.join("Cobalt", area_code="212")
    with stage.units.begin() as uow:
        text = messages.send(
            uow,
            acme.scope,
            NewText(acme.number.id, CALLER, "Hello"),
            actor="ann",
            idempotency_key="k",
        )
    news = {"MessageSid": SID, "MessageStatus": "delivered"}
    path = f"/webhooks/twilio/messages/{cobalt.scope.tenant_id.hex}/{text.id.hex}/status"
    assert stage.post(path, news).status_code == 204
    (row,) = stage.rows(MessageRow, acme.scope)
    assert (row.status, row.carrier_sid) == ("draft", None)


def test_a_callback_under_another_sid_changes_nothing(stage: World) -> None:
    acme = stage.join("Acme")
    with stage.units.begin() as uow:
        text = messages.send(
            uow,
            acme.scope,
            NewText(acme.number.id, CALLER, "Hello"),
            actor="ann",
            idempotency_key="k",
        )
    path = f"/webhooks/twilio/messages/{acme.scope.tenant_id.hex}/{text.id.hex}/status"
    stage.post(path, {"MessageSid": SID, "MessageStatus": "queued"})
    stage.post(path, {"MessageSid": "SM" + "9" * 32, "MessageStatus": "failed"})
    (row,) = stage.rows(MessageRow, acme.scope)
    assert (row.status, row.carrier_sid) == ("queued", SID)


def test_later_news_wins_whatever_its_order(stage: World) -> None:
    acme = stage.join("Acme")
    with stage.units.begin() as uow:
        text = messages.send(
            uow,
            acme.scope,
            NewText(acme.number.id, CALLER, "Hello"),
            actor="ann",
            idempotency_key="k",
        )
    path = f"/webhooks/twilio/messages/{acme.scope.tenant_id.hex}/{text.id.hex}/status"
    for status in ("undelivered", "queued", "sent", "undelivered"):
        code = {"ErrorCode": "30003"} if status == "undelivered" else {}
        assert (
            stage.post(path, {"MessageSid": SID, "MessageStatus": status} | code).status_code == 204
        )
    (row,) = stage.rows(MessageRow, acme.scope)
    assert (row.status, row.error_code) == ("undelivered", 30003)
    assert "could not be reached" in row.error
