"""The carrier's REST API on Twilio's paths: form in, JSON out, Basic auth."""

import hmac
from collections.abc import Mapping
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from werkzeug.exceptions import HTTPException

from gateway.sandbox.calls import Call
from gateway.sandbox.card_pages import pages as card_pages
from gateway.sandbox.card_rest import api as card_api
from gateway.sandbox.carrier import Carrier
from gateway.sandbox.control import control
from gateway.sandbox.current import the_carrier
from gateway.sandbox.errors import (
    CarrierError,
    authentication_failed,
    not_found,
    too_many_requests,
)
from gateway.sandbox.numbers import Search
from gateway.sandbox.pages import PAGE_SIZE, page
from gateway.sandbox.places import place_of
from gateway.sandbox.rates import BilledLine
from gateway.sandbox.recordings import Recording, mp3, wav
from gateway.sandbox.shapes import (
    account_path,
    available_document,
    call_document,
    message_document,
    number_document,
    recording_document,
    usage_document,
)
from gateway.sandbox.simulations import Simulations
from gateway.sandbox.traffic import Traffic

TIMES = ("StartTime", "EndTime")
FORM_BYTES_MAX = 256 * 1024
api = Blueprint("api", __name__, url_prefix="/2010-04-01/Accounts/<account_sid>")
Answer = Response | tuple[Response, int]


def create_sandbox_app(carrier: Carrier) -> Flask:
    """`app.config["REFUSE_NEXT"]` requests are answered 429 (20429) before they do anything; of
    `LOSE_NEXT` requests that made something the answer is lost on its way back (502)."""
    app = Flask("gateway.sandbox", static_folder=None)
    app.config.update(
        CARRIER=carrier,
        TRAFFIC=Traffic(carrier),
        SIMULATIONS=Simulations(carrier),
        CARD_KEY=f"sk_sandbox_{carrier.auth_token}",
        REFUSE_NEXT=0,
        LOSE_NEXT=0,
        MAX_CONTENT_LENGTH=FORM_BYTES_MAX,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.register_blueprint(api)
    app.register_blueprint(control)
    app.register_blueprint(card_api)
    app.register_blueprint(card_pages)
    app.before_request(_check_credentials)
    app.register_error_handler(CarrierError, _refuse)
    app.register_error_handler(HTTPException, _refuse_http)
    app.add_url_rule("/healthz", "healthz", lambda: jsonify(status="ok"))
    return app


def _check_credentials() -> None:
    """Both halves of the Basic credentials, in constant time; the account in the path is ours."""
    if request.path == "/healthz" or request.blueprint in ("cards", "card_pages"):
        return
    app, carrier = current_app, the_carrier()
    given = request.authorization
    user = (given.username or "") if given else ""
    password = (given.password or "") if given else ""
    right = hmac.compare_digest(user.encode(), carrier.account_sid.encode())
    if not (hmac.compare_digest(password.encode(), carrier.auth_token.encode()) and right):
        raise authentication_failed()
    if g.get("account_sid", carrier.account_sid) != carrier.account_sid:
        raise not_found(request.path)
    if app.config["REFUSE_NEXT"] > 0 and request.blueprint == "api":
        app.config["REFUSE_NEXT"] -= 1
        raise too_many_requests()


@api.url_value_preprocessor
def _take_account(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Out of the path before the credentials are checked; no route needs it as an argument."""
    if values:
        g.account_sid = values.pop("account_sid")
        g.account_path = account_path(g.account_sid)


@api.after_request
def _lose_answer(response: Response) -> Response:
    if response.status_code == 201 and current_app.config["LOSE_NEXT"] > 0:
        current_app.config["LOSE_NEXT"] -= 1
        return Response("Bad gateway", 502)
    return response


def _refuse(error: CarrierError) -> tuple[Response, int]:
    return jsonify(error.document()), error.status


def _refuse_http(error: HTTPException) -> tuple[Response, int]:
    status = error.code or 500
    code = {404: 20404, 405: 20004, 401: 20003}.get(status, 20001)
    return _refuse(CarrierError(status, code, error.description or error.name))


@api.get(".json")
def account() -> Answer:
    carrier = the_carrier()
    return jsonify(
        sid=carrier.account_sid,
        friendly_name="Sandbox carrier",
        status="active",
        type="Full",
        auth_token=carrier.auth_token,
        owner_account_sid=carrier.account_sid,
        date_created=None,
        date_updated=None,
        subresource_uris={},
        uri=f"{g.account_path}.json",
    )


@api.get("/Balance.json")
def balance() -> Answer:
    carrier = the_carrier()
    micros = carrier.books.bill.balance_micros()
    text = f"{micros // 1_000_000}.{micros % 1_000_000 // 10:05d}"
    return jsonify(account_sid=carrier.account_sid, balance=text, currency="USD")


@api.get("/Usage/Records.json")
def usage() -> Answer:
    carrier, args = the_carrier(), request.args
    first, last = args.get("StartDate", ""), args.get("EndDate", "")
    lines = [
        line
        for line in carrier.books.bill.lines()
        if (not first or line.started_at[:10] >= first)
        and (not last or line.started_at[:10] <= last)
    ]
    by_category: dict[str, list[BilledLine]] = {
        "calls": lines,
        "calls-inbound": [line for line in lines if line.direction == "inbound"],
        "calls-outbound": [line for line in lines if line.direction != "inbound"],
    }
    asked = [name for name in by_category if args.get("Category", name) == name]
    now = carrier.clock.now()
    return _page(
        asked, "usage_records", "Usage/Records", sid=str,
        shape=lambda name: usage_document(carrier.account_sid, name, by_category[name], now),
    )  # fmt: skip


# Numbers.


@api.get("/AvailablePhoneNumbers/<country>/<kind>.json")
def available(country: str, kind: str) -> Answer:
    args = request.args
    near = place_of(args.get("NearNumber", ""))
    search = Search(
        country=country.upper(),
        kind=kind,
        area_code=args.get("AreaCode", ""),
        contains=args.get("Contains", ""),
        region=args.get("InRegion", "") or near.region,
        locality=args.get("InLocality", ""),
        postal_code=args.get("InPostalCode", ""),
        limit=min(int(args["PageSize"]), 1_000)
        if args.get("PageSize", "").isdigit()
        else PAGE_SIZE,
    )
    with the_carrier().scheduler.lock:
        found = the_carrier().books.numbers.search(search)
    return jsonify(
        uri=f"{g.account_path}/AvailablePhoneNumbers/{country}/{kind}.json",
        available_phone_numbers=[available_document(e164) for e164 in found],
    )


@api.get("/IncomingPhoneNumbers.json")
def numbers() -> Answer:
    carrier, args = the_carrier(), request.args
    with carrier.scheduler.lock:
        owned = list(carrier.books.numbers.owned.values())
    asked = [
        number
        for number in reversed(owned)
        if args.get("PhoneNumber", "").strip("*").lstrip("+") in number.phone_number
        and args.get("FriendlyName", number.friendly_name) == number.friendly_name
    ]
    return _page(
        asked, "incoming_phone_numbers", "IncomingPhoneNumbers", sid=lambda number: number.sid,
        shape=lambda number: number_document(number, carrier.account_sid),
    )  # fmt: skip


@api.post("/IncomingPhoneNumbers.json")
@api.post("/IncomingPhoneNumbers/Local.json")
@api.post("/IncomingPhoneNumbers/TollFree.json")
@api.post("/IncomingPhoneNumbers/Mobile.json")
def buy_number() -> Answer:
    number = the_carrier().buy_number(request.form.to_dict())
    return jsonify(number_document(number, the_carrier().account_sid)), 201


@api.route("/IncomingPhoneNumbers/<sid>.json", methods=["GET", "POST"])
def number(sid: str) -> Answer:
    carrier = the_carrier()
    with carrier.scheduler.lock:
        if request.method == "POST":
            form = request.form.to_dict()
            number = carrier.books.numbers.update(sid, form, carrier.clock.now())
        else:
            number = carrier.books.numbers.get(sid)
        return jsonify(number_document(number, carrier.account_sid))


@api.delete("/IncomingPhoneNumbers/<sid>.json")
def release_number(sid: str) -> Answer:
    with the_carrier().scheduler.lock:
        the_carrier().books.numbers.release(sid)
    return _nothing()


# Calls.


@api.get("/Calls.json")
def calls() -> Answer:
    carrier = the_carrier()
    with carrier.scheduler.lock:
        every = list(carrier.books.calls.values())
    days = {
        name: _day(text)
        for name, text in request.args.items()
        if name[:-1] in TIMES or name in TIMES
    }
    asked = [call for call in reversed(every) if _matches(call, request.args, days)]
    return _page(asked, "calls", "Calls", sid=lambda call: call.sid, shape=call_document)


def _matches(call: Call, args: Mapping[str, str], asked: Mapping[str, date]) -> bool:
    """Times are compared by whole UTC days, as the real API does."""
    exact = {
        "To": call.to, "From": call.from_, "Status": call.status.value,
        "ParentCallSid": call.parent_call_sid,
    }  # fmt: skip
    if any(args.get(name) and args[name] != value for name, value in exact.items()):
        return False
    days = {"StartTime": call.created_at.date()}
    days["EndTime"] = call.ended_at.date() if call.ended_at else date.max
    for name, day in days.items():
        since, until = asked.get(f"{name}>", date.min), asked.get(f"{name}<", date.max)
        if asked.get(name, day) != day or not since <= day <= until:
            return False
    return True


def _day_or(text: str | None, otherwise: date) -> date:
    return _day(text) if text else otherwise


def _day(text: str) -> date:
    try:
        at = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
    except ValueError as error:
        raise CarrierError(400, 20001, f"{text!r} is not a date") from error
    return (at.astimezone(UTC) if at.tzinfo else at).date()


@api.post("/Calls.json")
def create_call() -> Answer:
    events = tuple(request.form.getlist("StatusCallbackEvent"))
    call = the_carrier().create_call(request.form.to_dict(), events)
    return jsonify(call_document(call)), 201


@api.get("/Calls/<sid>.json")
def call(sid: str) -> Answer:
    with the_carrier().scheduler.lock:
        return jsonify(call_document(the_carrier().call(sid)))


@api.post("/Calls/<sid>.json")
def update_call(sid: str) -> Answer:
    return jsonify(call_document(the_carrier().update_call(sid, request.form.to_dict())))


# Messages.


@api.get("/Messages.json")
def messages() -> Answer:
    carrier, args = the_carrier(), request.args
    with carrier.scheduler.lock:
        every = list(carrier.messages.by_sid.values())
    since, until = (
        _day_or(args.get("DateSent>"), date.min),
        _day_or(args.get("DateSent<"), date.max),
    )
    asked = [
        message
        for message in reversed(every)
        if args.get("To", message.to) == message.to
        and args.get("From", message.from_) == message.from_
        and since <= (message.sent_at or message.created_at).date() <= until
    ]
    return _page(
        asked, "messages", "Messages", sid=lambda message: message.sid, shape=message_document
    )


@api.post("/Messages.json")
def send_message() -> Answer:
    carrier = the_carrier()
    with carrier.scheduler.lock:
        return jsonify(message_document(carrier.messages.send(request.form.to_dict()))), 201


@api.get("/Messages/<sid>.json")
def message(sid: str) -> Answer:
    with the_carrier().scheduler.lock:
        found = the_carrier().messages.by_sid.get(sid)
        if found is None:
            raise not_found(request.path)
        return jsonify(message_document(found))


# Recordings.


@api.get("/Recordings.json")
@api.get("/Calls/<call_sid>/Recordings.json")
def recordings(call_sid: str = "") -> Answer:
    carrier = the_carrier()
    asked_sid = call_sid or request.args.get("CallSid", "")
    with carrier.scheduler.lock:
        every = list(carrier.books.recordings.values())
    asked = [one for one in reversed(every) if asked_sid in ("", one.call_sid)]
    base_url = carrier.exchange.base_url
    return _page(
        asked, "recordings", "Recordings", sid=lambda one: one.sid,
        shape=lambda one: recording_document(one, base_url),
    )  # fmt: skip


@api.get("/Recordings/<sid>.json")
def recording(sid: str) -> Answer:
    return jsonify(recording_document(_recording(sid), the_carrier().exchange.base_url))


@api.delete("/Recordings/<sid>.json")
def delete_recording(sid: str) -> Answer:
    carrier = the_carrier()
    with carrier.scheduler.lock:
        del carrier.books.recordings[_recording(sid).sid]
        carrier.books.store.delete("recording", sid)
    return _nothing()


@api.get("/Recordings/<sid>")
@api.get("/Recordings/<sid>.<form>")
def media(sid: str, form: str = "wav") -> Answer:
    """The bare URL serves WAV, as RecordingUrl does; a file that is not ready yet is a 404."""
    found = _recording(sid)
    if found.status != "completed" or form not in ("wav", "mp3"):
        raise not_found(request.path)
    if form == "mp3":
        return Response(mp3(found.duration_seconds), mimetype="audio/mpeg")
    return Response(wav(found.duration_seconds, found.channels), mimetype="audio/x-wav")


def _recording(sid: str) -> Recording:
    found = the_carrier().books.recordings.get(sid)
    if found is None:
        raise not_found(request.path)
    return found


def _page(items: list[Any], key: str, path: str, *, sid: Any, shape: Any) -> Response:
    with the_carrier().scheduler.lock:
        args = request.args.to_dict()
        uri = f"{g.account_path}/{path}.json"
        return jsonify(page(items, key=key, path=uri, args=args, sid=sid, shape=shape))


def _nothing() -> Response:
    return Response(status=204)
