"""The REST API: numbers bought and released, calls watched and ended, refusals as Twilio's."""

import io
import wave

import pytest

from gateway.sandbox.calls import Status
from gateway.sandbox.people import Behaviour, CallerScript, Outcome

ACCOUNT_SID = "AC" + "5a" * 16
ACME_LINE, CALLER, FRONT_DESK = "+12125550100", "+17025550199", "+14155550101"


def refused(answer) -> tuple[int, int]:
    body = answer.get_json()
    assert body["status"] == answer.status_code
    assert body["more_info"] == f"https://www.twilio.com/docs/errors/{body['code']}"
    assert body["message"]
    return answer.status_code, body["code"]


@pytest.mark.parametrize(
    "auth",
    [
        pytest.param(None, id="no credentials"),
        pytest.param((ACCOUNT_SID, "wrong"), id="a wrong token"),
        pytest.param(("AC" + "0" * 32, "sandbox-token"), id="another account's SID"),
    ],
)
def test_a_stranger_is_refused_with_20003(api, auth):
    assert refused(api("GET", "Balance.json", auth=auth)) == (401, 20003)
    assert refused(api("GET", "/sandbox/status", auth=auth)) == (401, 20003)


def test_another_accounts_path_is_not_found(api):
    path = f"/2010-04-01/Accounts/AC{'0' * 32}/Balance.json"
    assert refused(api("GET", path)) == (404, 20404)


def test_too_many_requests_do_nothing(api, carrier):
    assert api("PUT", "/sandbox/refusals", json={"next": 1}).get_json() == {"next": 1}
    form = {"PhoneNumber": "+13125550100"}
    assert refused(api("POST", "IncomingPhoneNumbers.json", data=form)) == (429, 20429)
    assert "+13125550100" not in carrier.books.numbers.owned
    assert api("POST", "IncomingPhoneNumbers.json", data=form).status_code == 201


@pytest.mark.parametrize(
    "path, country, digits",
    [
        pytest.param("US/Local.json?AreaCode=415", "US", "+1415", id="San Francisco"),
        pytest.param("CA/Local.json?AreaCode=416", "CA", "+1416", id="Toronto"),
        pytest.param("US/TollFree.json?AreaCode=888", "US", "+1888", id="toll-free 888"),
        pytest.param("GB/Local.json?Contains=4420", "GB", "+4420", id="London"),
        pytest.param("GB/Mobile.json", "GB", "+447", id="a British mobile"),
        pytest.param("US/Local.json?Contains=702555", "US", "+1702555", id="by its digits"),
        pytest.param("US/Local.json?InRegion=NV&Contains=702", "US", "+1702", id="in Nevada"),
    ],
)
def test_numbers_for_sale_are_where_they_were_looked_for(api, path, country, digits):
    found = api("GET", f"AvailablePhoneNumbers/{path}").get_json()["available_phone_numbers"]
    assert found
    assert all(number["phone_number"].startswith(digits) for number in found)
    assert {number["iso_country"] for number in found} == {country}


def test_every_area_code_has_hundreds_and_no_number_twice(api):
    answer = api("GET", "AvailablePhoneNumbers/US/Local.json?AreaCode=307&PageSize=500")
    offered = [number["phone_number"] for number in answer.get_json()["available_phone_numbers"]]
    assert len(offered) == len(set(offered)) == 500


@pytest.mark.parametrize(
    "path, answer",
    [
        pytest.param("US/Local.json?AreaCode=999", [], id="an area code nobody has"),
        pytest.param("US/Local.json?AreaCode=416", [], id="a Canadian one among the American"),
    ],
)
def test_an_area_code_without_numbers_offers_none(api, path, answer):
    found = api("GET", f"AvailablePhoneNumbers/{path}").get_json()
    assert found["available_phone_numbers"] == answer


@pytest.mark.parametrize("path", ["XX/Local.json", "US/Mobile.json"])
def test_a_country_or_kind_that_is_not_sold_is_20404(api, path):
    assert refused(api("GET", f"AvailablePhoneNumbers/{path}")) == (404, 20404)


@pytest.mark.parametrize(
    "form, refusal",
    [
        pytest.param({"PhoneNumber": ACME_LINE}, (400, 21422), id="21422 owned already"),
        pytest.param({"PhoneNumber": "+15005550000"}, (400, 21422), id="21422 the magic number"),
        pytest.param({"PhoneNumber": "+15005550001"}, (400, 21421), id="21421 the magic number"),
        pytest.param({"PhoneNumber": "hello"}, (400, 21421), id="21421 no number"),
        pytest.param({}, (400, 21421), id="21421 nothing asked for"),
        pytest.param({"AreaCode": "999"}, (400, 21452), id="21452 nothing in the area code"),
        pytest.param(
            {"PhoneNumber": "+13125550100", "VoiceUrl": "ftp://x"}, (400, 21402), id="21402 bad URL"
        ),
    ],
)
def test_a_number_that_cannot_be_bought_is_refused(api, carrier, form, refusal):
    before = carrier.books.bill.balance_micros()
    assert refused(api("POST", "IncomingPhoneNumbers.json", data=form)) == refusal
    assert list(carrier.books.numbers.owned) == [ACME_LINE]
    assert carrier.books.bill.balance_micros() == before


def test_a_bought_number_is_no_longer_for_sale_until_it_is_released(api):
    search = "AvailablePhoneNumbers/US/Local.json?AreaCode=212&PageSize=1"

    def first_offer() -> str:
        return api("GET", search).get_json()["available_phone_numbers"][0]["phone_number"]

    offer = first_offer()
    bought = api("POST", "IncomingPhoneNumbers.json", data={"PhoneNumber": offer}).get_json()
    assert bought["phone_number"] == offer and first_offer() != offer
    answer = api("DELETE", f"IncomingPhoneNumbers/{bought['sid']}.json")
    assert (answer.status_code, answer.data) == (204, b"")
    assert first_offer() == offer
    assert refused(api("GET", f"IncomingPhoneNumbers/{bought['sid']}.json")) == (404, 20404)


def test_the_first_month_of_a_number_is_taken_when_it_is_bought(api):
    before = api("GET", "Balance.json").get_json()["balance"]
    api("POST", "IncomingPhoneNumbers.json", data={"PhoneNumber": "+18885550100"})
    after = api("GET", "Balance.json").get_json()
    assert (before, after["balance"], after["currency"]) == ("9998.85000", "9996.70000", "USD")


def test_a_number_is_pointed_elsewhere(api, carrier):
    sid = carrier.books.numbers.owned[ACME_LINE].sid
    form = {"VoiceUrl": "https://gw.example/voice", "FriendlyName": "Front desk"}
    changed = api("POST", f"IncomingPhoneNumbers/{sid}.json", data=form).get_json()
    assert (changed["voice_url"], changed["friendly_name"]) == (form["VoiceUrl"], "Front desk")
    assert changed["status_callback"]  # what was not named stays
    listed = api("GET", f"IncomingPhoneNumbers.json?PhoneNumber={ACME_LINE}".replace("+", "%2B"))
    assert [one["sid"] for one in listed.get_json()["incoming_phone_numbers"]] == [sid]


def test_a_finished_call_shows_its_seconds_and_later_its_price(api, carrier, customer, dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    sid = carrier.place_call(CALLER, ACME_LINE)
    carrier.run_for(30)
    live = api("GET", f"Calls/{sid}.json").get_json()
    assert (live["status"], live["duration"], live["price"]) == ("in-progress", None, None)
    carrier.run_until_idle()
    over = api("GET", f"Calls/{sid}.json").get_json()
    assert (over["status"], over["duration"], over["price"]) == ("completed", "83", "-0.01700")
    assert over["start_time"] == "Mon, 02 Mar 2026 15:00:00 +0000"
    assert over["end_time"] == "Mon, 02 Mar 2026 15:01:29 +0000"
    children = api("GET", f"Calls.json?ParentCallSid={sid}").get_json()["calls"]
    assert [(child["to"], child["price"]) for child in children] == [(FRONT_DESK, "-0.02800")]


def test_calls_are_filtered_and_paged_newest_first(api, carrier, customer):
    customer.says("/voice", "<Reject/>")
    sids = [carrier.place_call(CALLER, ACME_LINE) for _ in range(7)]
    carrier.run_until_idle()
    first = api("GET", "Calls.json?PageSize=3&Status=no-answer").get_json()
    sids.append(carrier.place_call(CALLER, ACME_LINE))  # a new call must not shift the next page
    carrier.run_until_idle()
    second = api("GET", first["next_page_uri"]).get_json()
    third = api("GET", second["next_page_uri"]).get_json()
    seen = [call["sid"] for page in (first, second, third) for call in page["calls"]]
    assert seen == sids[6::-1]
    assert third["next_page_uri"] is None
    assert api("GET", "Calls.json?Status=completed").get_json()["calls"] == []


@pytest.mark.parametrize(
    "query, found",
    [
        pytest.param({"StartTime": "2026-03-02"}, 1, id="that day"),
        pytest.param({"StartTime": "2026-03-01"}, 0, id="the day before"),
        pytest.param({"StartTime>": "2026-03-02T23:59:00Z"}, 1, id="since later that day"),
        pytest.param({"StartTime>": "2026-03-03"}, 0, id="since the day after"),
        pytest.param({"StartTime<": "2026-03-02"}, 1, id="until that day"),
        pytest.param({"To": ACME_LINE, "From": CALLER}, 1, id="from and to"),
        pytest.param({"To": CALLER}, 0, id="to somebody else"),
    ],
)
def test_times_are_compared_by_whole_utc_days(api, carrier, customer, query, found):
    carrier.place_call(CALLER, ACME_LINE)
    carrier.run_until_idle()
    assert len(api("GET", "Calls.json", query_string=query).get_json()["calls"]) == found


@pytest.mark.parametrize("query", ["PageSize=x", "StartTime=2026-99-99", "PageToken=PAnone"])
def test_a_senseless_filter_is_refused(api, query):
    assert refused(api("GET", f"Calls.json?{query}")) == (400, 20001)


def test_a_live_call_is_ended_by_rest(api, carrier, customer, dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    sid = carrier.place_call(CALLER, ACME_LINE)
    carrier.run_for(6 + 40)
    assert api("POST", f"Calls/{sid}.json", data={"Status": "completed"}).status_code == 200
    carrier.run_until_idle()
    assert carrier.call(sid).duration_seconds == 40
    assert carrier.children(sid)[0].duration_seconds == 40
    again = api("POST", f"Calls/{sid}.json", data={"Status": "completed"})
    assert again.get_json()["status"] == "completed"


def test_a_live_call_gets_a_time_limit_by_rest(api, carrier, customer, dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    sid = carrier.place_call(CALLER, ACME_LINE)
    carrier.run_for(10)
    api("POST", f"Calls/{sid}.json", data={"TimeLimit": "50"})
    carrier.run_until_idle()
    assert carrier.call(sid).duration_seconds == 50


def test_a_live_call_is_sent_to_another_document(api, carrier, customer, dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    sid = carrier.place_call(CALLER, ACME_LINE)
    carrier.run_for(16)
    form = {"Twiml": '<Response><Pause length="5"/></Response>'}
    assert api("POST", f"Calls/{sid}.json", data=form).status_code == 200
    carrier.run_until_idle()
    assert (carrier.call(sid).duration_seconds, carrier.children(sid)[0].duration_seconds) == (
        15,
        10,
    )


@pytest.mark.parametrize(
    "seconds, form, refusal",
    [
        pytest.param(200, {"Status": "canceled"}, (400, 21220), id="21220 it is over"),
        pytest.param(20, {"Status": "canceled"}, (400, 21220), id="21220 it is in progress"),
        pytest.param(3, {"Url": "http://gw/x"}, (400, 21220), id="21220 it still rings"),
        pytest.param(3, {"Status": "paused"}, (400, 20001), id="20001 no such status"),
    ],
)
def test_a_call_in_the_wrong_state_is_not_changed(
    api, carrier, customer, dial, seconds, form, refusal
):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    sid = carrier.place_call(CALLER, ACME_LINE)
    carrier.run_for(seconds)
    assert refused(api("POST", f"Calls/{sid}.json", data=form)) == refusal
    assert refused(api("POST", f"Calls/CA{'0' * 32}.json", data=form)) == (404, 20404)


def test_an_outgoing_call_rings_plays_and_tells(api, carrier, customer):
    carrier.people.tell("+13105550100", Behaviour(answers_after_seconds=4, talks_seconds=None))
    customer.says("/outgoing", '<Pause length="20"/>')
    form = {
        "To": "+13105550100", "From": ACME_LINE, "Url": customer.url("/outgoing"),
        "StatusCallback": customer.url("/progress"),
        "StatusCallbackEvent": ["ringing", "answered", "completed"],
    }  # fmt: skip
    created = api("POST", "Calls.json", data=form)
    assert (created.status_code, created.get_json()["status"]) == (201, "queued")
    carrier.run_until_idle()
    assert customer.told("/outgoing")[0]["CallStatus"] == "in-progress"
    told = customer.told("/progress")
    assert [one["CallStatus"] for one in told] == ["ringing", "in-progress", "completed"]
    assert told[-1]["CallDuration"] == "20"


def test_an_outgoing_call_that_nobody_answers_gives_up(api, carrier):
    carrier.people.tell("+13105550100", Behaviour(Outcome.NO_ANSWER))
    form = {"To": "+13105550100", "From": ACME_LINE, "Twiml": "<Response/>", "Timeout": "15"}
    sid = api("POST", "Calls.json", data=form).get_json()["sid"]
    carrier.run_until_idle()
    call = carrier.call(sid)
    assert (call.status, (call.ended_at - call.created_at).total_seconds()) == (
        Status.NO_ANSWER, 15,
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes, refusal",
    [
        pytest.param({"To": ""}, (400, 21201), id="21201 no destination"),
        pytest.param({"To": "bob"}, (400, 21211), id="21211 a bad destination"),
        pytest.param({"From": ""}, (400, 21213), id="21213 no caller ID"),
        pytest.param({"From": CALLER}, (400, 21210), id="21210 somebody else's caller ID"),
        pytest.param({"Twiml": ""}, (400, 21205), id="21205 nothing to play"),
    ],
)
def test_a_call_that_cannot_be_made_is_refused(api, changes, refusal):
    form = {"To": "+13105550100", "From": ACME_LINE, "Twiml": "<Response/>"} | changes
    assert refused(api("POST", "Calls.json", data=form)) == refusal


def test_a_recording_is_played_back(api, carrier, customer):
    customer.says("/voice", f'<Record action="{customer.url("/after")}"/>')
    sid = carrier.place_call(CALLER, ACME_LINE, CallerScript(message_seconds=3))
    carrier.run_until_idle()
    [recording] = api("GET", f"Calls/{sid}/Recordings.json").get_json()["recordings"]
    assert (recording["duration"], recording["status"]) == ("3", "completed")
    url = customer.told("/after")[0]["RecordingUrl"].partition("8001")[2]
    with wave.open(io.BytesIO(api("GET", url).data)) as file:
        assert file.getnframes() / file.getframerate() == 3
    mp3 = api("GET", url + ".mp3")
    assert (mp3.mimetype, mp3.data[:2]) == ("audio/mpeg", b"\xff\xfb")
    assert api("DELETE", f"Recordings/{recording['sid']}.json").status_code == 204
    assert refused(api("GET", url + ".wav")) == (404, 20404)


def test_usage_counts_billed_minutes_not_seconds(api, carrier, customer, dial):
    customer.says("/voice", dial(FRONT_DESK, attributes='answerOnBridge="true"'))
    carrier.place_call(CALLER, ACME_LINE)
    carrier.run_until_idle()
    records = api("GET", "Usage/Records.json").get_json()["usage_records"]
    by_category = {record["category"]: record for record in records}
    assert (by_category["calls"]["count"], by_category["calls"]["usage"]) == ("2", "4")
    assert by_category["calls-inbound"]["price"] == 0.017


def test_a_text_is_sent_and_its_progress_is_told(api, carrier, customer):
    form = {
        "To": CALLER, "From": ACME_LINE, "Body": "Hello €",
        "StatusCallback": customer.url("/text"),
    }  # fmt: skip
    sent = api("POST", "Messages.json", data=form).get_json()
    assert (sent["status"], sent["num_segments"], sent["price"]) == ("queued", "1", None)
    carrier.run_until_idle()
    assert [one["MessageStatus"] for one in customer.told("/text")] == ["sent", "delivered"]
    found = api("GET", f"Messages/{sent['sid']}.json").get_json()
    assert (found["status"], found["price"]) == ("delivered", "-0.00830")


@pytest.mark.parametrize(
    "changes, refusal",
    [
        pytest.param({"To": "bob"}, (400, 21211), id="21211 a bad destination"),
        pytest.param({"From": CALLER}, (400, 21606), id="21606 not our number"),
        pytest.param({"From": ""}, (400, 21603), id="21603 no sender"),
        pytest.param({"Body": ""}, (400, 21602), id="21602 nothing to say"),
        pytest.param({"Body": "x" * 1601}, (400, 21617), id="21617 too long"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused(api, changes, refusal):
    form = {"To": CALLER, "From": ACME_LINE, "Body": "Hello"} | changes
    assert refused(api("POST", "Messages.json", data=form)) == refusal


def test_whoever_texted_stop_is_not_texted_again(api, carrier, customer):
    carrier.receive_message(CALLER, ACME_LINE, " Stop ")
    form = {"To": CALLER, "From": ACME_LINE, "Body": "Hello"}
    assert refused(api("POST", "Messages.json", data=form)) == (400, 21610)
    carrier.receive_message(CALLER, ACME_LINE, "START")
    assert api("POST", "Messages.json", data=form).status_code == 201


def test_an_incoming_text_is_told_and_answered(api, carrier, customer):
    customer.says("/sms", "<Message>Thank you</Message>")
    carrier.receive_message(CALLER, ACME_LINE, "Are you open?")
    carrier.run_until_idle()
    [form] = customer.told("/sms")
    assert (form["Body"], form["NumSegments"], form["FromState"]) == ("Are you open?", "1", "NV")
    assert form["MessageSid"] == form["SmsSid"]
    texts = api("GET", f"Messages.json?To={CALLER}".replace("+", "%2B")).get_json()["messages"]
    assert [(one["body"], one["direction"]) for one in texts] == [("Thank you", "outbound-reply")]
    assert customer.unsigned == []


@pytest.mark.parametrize(
    "method, path, refusal",
    [
        pytest.param("GET", "Nothing.json", (404, 20404), id="20404 no such resource"),
        pytest.param("GET", f"Calls/CA{'0' * 32}.json", (404, 20404), id="20404 no such call"),
        pytest.param("PUT", "Calls.json", (405, 20004), id="20004 no such method"),
    ],
)
def test_what_does_not_exist_says_so_in_twilios_words(api, method, path, refusal):
    assert refused(api(method, path)) == refusal
