"""Held against others: Twilio's own Python client, and Twilio's own OpenAPI description."""

import json
import threading
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from openapi_core import OpenAPI
from openapi_core.contrib.werkzeug import WerkzeugOpenAPIRequest, WerkzeugOpenAPIResponse
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from werkzeug.serving import make_server
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from gateway.sandbox.people import CallerScript
from gateway.sandbox.rest import create_sandbox_app

ACCOUNT_SID, AUTH_TOKEN = "AC" + "5a" * 16, "sandbox-token"
ACME_LINE, CALLER, FRONT_DESK = "+12125550100", "+17025550199", "+14155550101"


class Redirecting(TwilioHttpClient):
    """The client as it is, with scheme and host of every call replaced."""

    def __init__(self, base_url: str) -> None:
        super().__init__(timeout=5)
        self._base = urlsplit(base_url)

    def request(self, method: str, uri: str, *args: Any, **keywords: Any) -> Any:
        uri = urlunsplit(urlsplit(uri)._replace(scheme=self._base.scheme, netloc=self._base.netloc))
        return super().request(method, uri, *args, **keywords)


@pytest.fixture
def client(carrier):
    server = make_server("127.0.0.1", 0, create_sandbox_app(carrier), threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    http = Redirecting(f"http://127.0.0.1:{server.server_port}")
    yield Client(ACCOUNT_SID, AUTH_TOKEN, http_client=http)
    http.session.close()
    server.shutdown()
    server.server_close()


def test_twilios_client_buys_points_and_releases_a_number(client, carrier):
    offers = client.available_phone_numbers("US").local.list(area_code=415, limit=3)
    assert [offer.region for offer in offers] == ["CA"] * 3
    number = client.incoming_phone_numbers.create(
        phone_number=offers[0].phone_number, voice_url="https://gw.example/voice"
    )
    assert number.capabilities["voice"] is True
    assert number.date_created == datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    number.update(status_callback="https://gw.example/status")
    found = client.incoming_phone_numbers(number.sid).fetch()
    assert found.status_callback == "https://gw.example/status"
    assert {one.phone_number for one in client.incoming_phone_numbers.list()} == {
        ACME_LINE, number.phone_number,
    }  # fmt: skip
    assert number.delete() is True
    assert list(carrier.books.numbers.owned) == [ACME_LINE]


def test_twilios_client_reads_calls_page_by_page(client, carrier, customer, dial):
    customer.says("/voice", dial(FRONT_DESK))
    sids = {carrier.place_call(CALLER, ACME_LINE) for _ in range(4)}
    carrier.run_until_idle()
    calls = client.calls.list(to=ACME_LINE, status="completed", page_size=3)
    assert {call.sid for call in calls} == sids
    assert {(call.duration, call.price, call.price_unit) for call in calls} == {
        ("89", "-0.01700", "USD")
    }
    day = datetime(2026, 3, 2, tzinfo=UTC)
    children = client.calls.list(parent_call_sid=calls[0].sid, start_time_after=day)
    assert [(one.to, one.direction) for one in children] == [(FRONT_DESK, "outbound-dial")]


def test_twilios_client_ends_a_live_call(client, carrier, customer, dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    sid = carrier.place_call(CALLER, ACME_LINE)
    carrier.run_for(30)
    assert client.calls(sid).fetch().status == "in-progress"
    client.calls(sid).update(status="completed")
    carrier.run_until_idle()
    assert client.calls(sid).fetch().duration == "24"


def test_twilios_client_calls_texts_and_asks_for_its_balance(client, carrier, customer):
    call = client.calls.create(
        to=FRONT_DESK, from_=ACME_LINE, twiml="<Response><Pause/></Response>",
        status_callback=customer.url("/progress"),
        status_callback_event=["initiated", "ringing", "answered", "completed"],
    )  # fmt: skip
    text = client.messages.create(to=CALLER, from_=ACME_LINE, body="Hello")
    carrier.run_until_idle()
    assert client.calls(call.sid).fetch().duration == "1"
    assert client.messages(text.sid).fetch().status == "delivered"
    assert len(customer.told("/progress")) == 4
    assert client.balance.fetch().currency == "USD"
    assert client.usage.records.list(category="calls")[0].usage == "1"


@pytest.mark.parametrize(
    "number, status, code",
    [
        pytest.param(ACME_LINE, 400, 21422, id="21422 taken"),
        pytest.param("+1", 400, 21421, id="21421 invalid"),
    ],
)
def test_twilios_client_raises_the_refusal_with_its_code(client, number, status, code):
    with pytest.raises(TwilioRestException) as refusal:
        client.incoming_phone_numbers.create(phone_number=number)
    assert (refusal.value.status, refusal.value.code) == (status, code)


def test_twilios_client_with_a_wrong_token_is_refused(client):
    stranger = Client(ACCOUNT_SID, "wrong", http_client=client.http_client)
    with pytest.raises(TwilioRestException) as refusal:
        stranger.balance.fetch()
    assert (refusal.value.status, refusal.value.code) == (401, 20003)


# Twilio's OpenAPI description.


@pytest.fixture(scope="session")
def description(shared_data) -> OpenAPI:
    """api.twilio.com as twilio-oai describes it, cut to the paths that this carrier serves."""
    spec = json.loads((shared_data / "twilio-oai" / "twilio_api_v2010.json").read_text())
    served = (
        "/Calls.json", "/Calls/{Sid}.json", "/Messages.json", "/Messages/{Sid}.json",
        "/IncomingPhoneNumbers.json", "/IncomingPhoneNumbers/{Sid}.json", "/Balance.json",
        "/Recordings.json", "/Recordings/{Sid}.json", "/Usage/Records.json",
        "/AvailablePhoneNumbers/{CountryCode}/Local.json",
        "/AvailablePhoneNumbers/{CountryCode}/TollFree.json",
        "/AvailablePhoneNumbers/{CountryCode}/Mobile.json",
    )  # fmt: skip
    account = "/2010-04-01/Accounts/{AccountSid}"
    spec["paths"] = {account + path: spec["paths"][account + path] for path in served}
    return OpenAPI.from_dict(spec)


@pytest.fixture
def checked(api, description):
    """A request that must be valid, and whose answer must be."""

    def ask(method: str, path: str, form: dict[str, Any] | None = None) -> Any:
        full = f"/2010-04-01/Accounts/{ACCOUNT_SID}/{path}"
        builder = EnvironBuilder(
            full.partition("?")[0], "https://api.twilio.com", method=method, data=form,
            query_string=full.partition("?")[2], auth=(ACCOUNT_SID, AUTH_TOKEN),
        )  # fmt: skip
        request = WerkzeugOpenAPIRequest(Request(builder.get_environ()))
        description.validate_request(request)
        answer = api(method, full, data=form)
        assert answer.status_code < 300, answer.get_json()
        description.validate_response(request, WerkzeugOpenAPIResponse(answer))
        return answer.get_json(silent=True)

    return ask


def test_numbers_are_as_twilio_describes_them(checked):
    for search in ("US/Local.json?AreaCode=415", "US/TollFree.json", "GB/Mobile.json"):
        assert checked("GET", f"AvailablePhoneNumbers/{search}")["available_phone_numbers"]
    form = {"PhoneNumber": "+13125550100", "VoiceUrl": "https://gw.example/voice"}
    number = checked("POST", "IncomingPhoneNumbers.json", form)
    update = {"SmsUrl": "https://gw.example/sms", "SmsMethod": "POST"}
    checked("POST", f"IncomingPhoneNumbers/{number['sid']}.json", update)
    assert len(checked("GET", "IncomingPhoneNumbers.json")["incoming_phone_numbers"]) == 2
    assert (
        checked("GET", f"IncomingPhoneNumbers/{number['sid']}.json")["sms_url"] == update["SmsUrl"]
    )
    assert checked("DELETE", f"IncomingPhoneNumbers/{number['sid']}.json") is None


def test_calls_are_as_twilio_describes_them(checked, carrier, customer, dial):
    customer.says("/voice", dial(FRONT_DESK, "+14155550102"))
    sid = carrier.place_call(CALLER, ACME_LINE)
    assert checked("GET", f"Calls/{sid}.json")["status"] == "ringing"
    carrier.run_for(20)
    assert checked("GET", f"Calls/{sid}.json")["status"] == "in-progress"
    checked("POST", f"Calls/{sid}.json", {"Status": "completed"})
    carrier.run_until_idle()
    assert checked("GET", f"Calls/{sid}.json")["price"] == "-0.00850"
    assert len(checked("GET", "Calls.json?PageSize=2")["calls"]) == 2
    form = {"To": FRONT_DESK, "From": ACME_LINE, "Url": "https://gw.example/x"}
    assert checked("POST", "Calls.json", form)["status"] == "queued"


def test_messages_recordings_usage_and_balance_are_as_twilio_describes_them(
    checked, carrier, customer
):
    customer.says("/voice", f'<Record action="{customer.url("/after")}"/>')
    carrier.place_call(CALLER, ACME_LINE, CallerScript(message_seconds=3))
    form = {"To": CALLER, "From": ACME_LINE, "Body": "Hello"}
    text = checked("POST", "Messages.json", form)
    carrier.receive_message(CALLER, ACME_LINE, "Hi")
    carrier.run_until_idle()
    assert checked("GET", f"Messages/{text['sid']}.json")["status"] == "delivered"
    assert len(checked("GET", "Messages.json")["messages"]) == 2
    [recording] = checked("GET", "Recordings.json")["recordings"]
    assert checked("GET", f"Recordings/{recording['sid']}.json")["duration"] == "3"
    assert checked("GET", "Usage/Records.json")["usage_records"][0]["usage"] == "1"
    assert checked("GET", "Balance.json")["currency"] == "USD"
