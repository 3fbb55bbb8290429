"""The URLs that the carrier is told: every character of them is signed."""

import uuid

import pytest

from gateway.links import PublicLinks

TENANT = uuid.UUID("0197f000-0000-7000-8000-0000000000aa")
BASE = f"https://calls.test/webhooks/twilio/calls/{TENANT.hex}/CA1"


def test_a_number_gets_four_urls() -> None:
    urls = PublicLinks("https://calls.test").number(TENANT)
    assert urls.voice_url == "https://calls.test/webhooks/twilio/voice"
    assert urls.voice_fallback_url == "https://calls.test/webhooks/twilio/fallback"
    assert urls.sms_url == "https://calls.test/webhooks/twilio/sms#rc=5&rp=5xx,ct,rt"
    assert urls.status_callback == (
        f"https://calls.test/webhooks/twilio/status/{TENANT.hex}#rc=5&rp=5xx,ct,rt"
    )


@pytest.mark.parametrize(
    ("cursor", "encoded"),
    [
        pytest.param("!0", "%210", id="the first round"),
        pytest.param("/otherwise!1", "%2Fotherwise%211", id="a branch"),
        pytest.param("/rules/0/a~1b!2", "%2Frules%2F0%2Fa~1b%212", id="an escaped pointer"),
    ],
)
def test_a_cursor_is_one_query_value(cursor: str, encoded: str) -> None:
    links = PublicLinks("https://calls.test").call(TENANT, "CA1")
    assert links.action(cursor) == f"{BASE}/dial?at={encoded}"
    assert links.leg(cursor, 3) == f"{BASE}/leg?at={encoded}&n=3#rc=5&rp=5xx,ct,rt"
    assert links.whisper(cursor, 3) == f"{BASE}/whisper?at={encoded}&n=3"
    assert links.confirm(cursor, 3) == f"{BASE}/confirm?at={encoded}&n=3"


def test_only_callbacks_that_mean_money_are_sent_again_by_the_carrier() -> None:
    links = PublicLinks("https://calls.test").call(TENANT, "CA1")
    assert links.recording() == f"{BASE}/recording#rc=5&rp=5xx,ct,rt"
    assert links.voicemail_done() == f"{BASE}/voicemail"


def test_a_texts_callback_names_tenant_and_text_and_is_sent_again() -> None:
    url = PublicLinks("https://calls.test").message_status(TENANT, uuid.UUID(int=5))
    assert url == (
        f"https://calls.test/webhooks/twilio/messages/{TENANT.hex}/{5:032x}/status"
        "#rc=5&rp=5xx,ct,rt"
    )
