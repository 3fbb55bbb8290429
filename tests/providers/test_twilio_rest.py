"""The carrier through Twilio's own client library, against the sandbox carrier over HTTP."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask import Flask, Response, jsonify
from werkzeug.serving import make_server

from gateway.links import NumberUrls, PublicLinks
from gateway.providers.telephony import OutcomeUnknown, ProviderError
from gateway.providers.twilio_http import RedirectedHttpClient
from gateway.providers.twilio_rest import TwilioTelephony
from gateway.store.base import new_id

URLS = NumberUrls(
    "http://127.0.0.1:9/voice", "http://127.0.0.1:9/fallback", "http://127.0.0.1:9/status", ""
)
NOWHERE = "http://127.0.0.1:9"


def test_numbers_are_found_bought_found_again_moved_and_released(telephony: Any) -> None:
    offered = telephony.search_numbers(
        country="US", number_type="local", area_code="415", contains="", limit=3
    )
    assert len(offered) == 3
    assert {(one.country, one.region, one.number_type) for one in offered} == {
        ("US", "CA", "local")
    }
    assert all(one.e164.startswith("+1415") for one in offered)

    bought = telephony.buy_number(offered[0].e164, friendly_name="order-1", urls=URLS)
    assert (bought.e164, bought.friendly_name) == (offered[0].e164, "order-1")
    assert bought.urls.voice_fallback_url == URLS.voice_fallback_url
    assert telephony.find_number(friendly_name="order-1") == bought
    assert telephony.find_number(e164=bought.e164) == bought
    assert telephony.find_number(friendly_name="order-2") is None

    links = PublicLinks("https://calls.test").number(new_id())
    assert telephony.update_number(bought.sid, links).urls == links, "the fragment is kept"

    telephony.release_number(bought.sid)
    telephony.release_number(bought.sid)
    assert telephony.find_number(e164=bought.e164) is None


def test_toll_free_numbers_are_on_another_shelf(telephony: Any) -> None:
    offered = telephony.search_numbers(
        country="US", number_type="toll-free", area_code="", contains="", limit=2
    )
    assert len(offered) == 2 and {one.number_type for one in offered} == {"toll-free"}


def test_a_country_without_such_numbers_offers_none(telephony: Any) -> None:
    wanted = {"number_type": "mobile", "area_code": "", "contains": "", "limit": 2}
    assert telephony.search_numbers(country="US", **wanted) == ()


def test_a_number_that_is_taken_is_refused_for_good_in_words(telephony: Any) -> None:
    with pytest.raises(ProviderError) as refusal:
        telephony.buy_number("+15005550000", friendly_name="x", urls=URLS)
    assert (refusal.value.code, refusal.value.permanent) == (21422, True)
    assert "choose another one" in refusal.value.words
    assert not isinstance(refusal.value, OutcomeUnknown)


def test_wrong_credentials_name_the_setting(sandbox: Any) -> None:
    stranger = TwilioTelephony(
        account_sid="AC" + "5a" * 16, auth_token="wrong", api_url=sandbox.url
    )
    with pytest.raises(ProviderError, match="TWILIO_ACCOUNT_SID") as refusal:
        stranger.find_number(e164="+14155550100")
    assert refusal.value.permanent
    stranger._http.session.close()


def test_too_many_requests_are_sent_again_with_jitter(
    sandbox: Any, telephony: Any, pauses: list[float]
) -> None:
    sandbox.refuse_next(2)
    bought = telephony.buy_number("+14155550150", friendly_name="x", urls=URLS)
    assert bought.e164 == "+14155550150"
    assert len(pauses) == 2 and 0 <= pauses[0] <= 0.5 and 0 <= pauses[1] <= 1.0


def test_a_carrier_that_stays_busy_is_a_passing_failure(sandbox: Any, telephony: Any) -> None:
    sandbox.refuse_next(10)
    with pytest.raises(ProviderError, match="busy") as refusal:
        telephony.buy_number("+14155550150", friendly_name="x", urls=URLS)
    assert not refusal.value.permanent and not isinstance(refusal.value, OutcomeUnknown)
    sandbox.refuse_next(0)
    assert telephony.find_number(friendly_name="x") is None


def test_calls_are_read_with_their_durations_and_prices(sandbox: Any, telephony: Any) -> None:
    telephony.buy_number("+14155550150", friendly_name="x", urls=URLS)
    sid = sandbox.carrier.place_call("+12125550199", "+14155550150")
    sandbox.carrier.run_until_idle()
    call = telephony.fetch_call(sid)
    assert call is not None
    assert (call.sid, call.from_, call.to) == (sid, "+12125550199", "+14155550150")
    assert call.direction == "inbound" and call.parent_call_sid is None
    assert call.ended_at is not None and call.ended_at.tzinfo == dt.UTC
    assert telephony.child_calls(sid) == ()
    since = call.ended_at - dt.timedelta(hours=1)
    assert [one.sid for one in telephony.calls_since(since, to="+14155550150")] == [sid]
    telephony.end_call(sid)
    telephony.set_time_limit(sid, 60)
    assert telephony.fetch_call("CA" + "0" * 32) is None


def test_a_recording_that_is_not_there_may_come_later(telephony: Any) -> None:
    with pytest.raises(ProviderError) as refusal:
        telephony.fetch_recording("RE" + "0" * 32)
    assert not refusal.value.permanent


def test_a_message_is_sent(sandbox: Any, telephony: Any) -> None:
    telephony.buy_number("+14155550150", friendly_name="x", urls=URLS)
    sent = telephony.send_message(
        from_="+14155550150", to="+12125550199", body="hello" * 40, status_callback=""
    )
    assert sent.sid.startswith(("SM", "MM"))
    assert (sent.status, sent.segments, sent.is_inbound) == ("queued", 2, False)
    assert telephony.latest_messages(from_="+14155550150", to="+12125550199") == (sent,)
    found = telephony.fetch_message(sent.sid)
    assert found is not None and found.body == "hello" * 40
    assert telephony.fetch_message("SM" + "0" * 32) is None


def test_texts_that_came_in_are_listed_since_a_day(sandbox: Any, telephony: Any) -> None:
    telephony.buy_number("+14155550150", friendly_name="x", urls=URLS)
    sid = sandbox.carrier.receive_message("+12125550199", "+14155550150", "hello?")
    telephony.send_message(
        from_="+14155550150", to="+12125550199", body="hello!", status_callback=""
    )
    today = sandbox.carrier.clock.now()
    assert [text.sid for text in telephony.messages_received(today)] == [sid]
    assert list(telephony.messages_received(today + dt.timedelta(days=1))) == []


def test_a_lost_answer_to_a_text_is_an_unknown_outcome(sandbox: Any, telephony: Any) -> None:
    telephony.buy_number("+14155550150", friendly_name="x", urls=URLS)
    sandbox.app.config["LOSE_NEXT"] = 1
    with pytest.raises(OutcomeUnknown):
        telephony.send_message(
            from_="+14155550150", to="+12125550199", body="hello", status_callback=""
        )
    (sent,) = telephony.latest_messages(from_="+14155550150", to="+12125550199")
    assert sent.body == "hello"


def test_a_refused_connection_means_that_nothing_was_bought() -> None:
    away = TwilioTelephony(account_sid="AC" + "5a" * 16, auth_token="x", api_url=NOWHERE)
    with pytest.raises(ProviderError, match="cannot be reached") as failure:
        away.buy_number("+14155550150", friendly_name="x", urls=URLS)
    assert not isinstance(failure.value, OutcomeUnknown) and not failure.value.permanent
    away._http.session.close()


class BrokenCarrier:
    """Carries out what it is asked and then fails to say so."""

    def __init__(self) -> None:
        self.posts = self.gets = 0
        self.lines: list[str] = []
        app = Flask("broken")

        @app.post("/<path:path>")
        def post(path: str) -> Response:
            self.posts += 1
            return Response("oops", status=502)

        @app.get("/<path:path>")
        def get(path: str) -> Any:
            self.gets += 1
            self.lines.append(path)
            if self.gets < 3:
                return Response("oops", status=503)
            return jsonify(incoming_phone_numbers=[], page=0, page_size=20, next_page_uri=None)

        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def broken() -> Iterator[BrokenCarrier]:
    import threading

    carrier = BrokenCarrier()
    thread = threading.Thread(target=carrier.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield carrier
    carrier.server.shutdown()
    thread.join()
    carrier.server.server_close()


@pytest.fixture
def unlucky(broken: BrokenCarrier) -> Iterator[TwilioTelephony]:
    client = RedirectedHttpClient(broken.url + "/proxy/", sleep=lambda seconds: None)
    yield TwilioTelephony(account_sid="AC" + "5a" * 16, auth_token="x", http_client=client)
    client.session.close()


def test_a_purchase_answered_502_is_unknown_and_never_sent_twice(
    broken: BrokenCarrier, unlucky: TwilioTelephony
) -> None:
    with pytest.raises(OutcomeUnknown):
        unlucky.buy_number("+14155550150", friendly_name="x", urls=URLS)
    assert broken.posts == 1


def test_a_question_answered_503_is_asked_again(
    broken: BrokenCarrier, unlucky: TwilioTelephony
) -> None:
    assert unlucky.find_number(e164="+14155550150") is None
    assert broken.gets == 3
    assert broken.lines[0].startswith("proxy/2010-04-01/Accounts/AC"), "a path in front is kept"


def test_a_timeout_of_a_purchase_is_unknown(
    unlucky: TwilioTelephony, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*args: Any, **kwargs: Any) -> None:
        raise requests.ReadTimeout("15 s")

    monkeypatch.setattr(unlucky._http.session, "send", hang)
    with pytest.raises(OutcomeUnknown):
        unlucky.buy_number("+14155550150", friendly_name="x", urls=URLS)


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        pytest.param(
            "https://api.twilio.com/2010-04-01/x.json?a=1",
            "http://box:1/2010-04-01/x.json?a=1",
            id="the main API",
        ),
        pytest.param(
            "https://numbers.twilio.com/v1/Porting", "http://box:1/v1/Porting", id="another product"
        ),
    ],
)
def test_every_twilio_host_is_replaced_and_the_path_kept(asked: str, sent: str) -> None:
    client = RedirectedHttpClient("http://box:1")
    assert client.redirected(asked) == sent
    assert RedirectedHttpClient().redirected(asked) == asked
