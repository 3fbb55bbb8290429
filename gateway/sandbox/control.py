"""The sandbox's own endpoints, under /sandbox: what no real carrier would let you do.

JSON in and out, the same Basic credentials as the REST API.
"""

import json
import random
from dataclasses import asdict, fields
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app, jsonify, request

from gateway.sandbox.callbacks import Faults
from gateway.sandbox.calls import call_from_document, to_document
from gateway.sandbox.cards import CARDS, CardFaults
from gateway.sandbox.current import the_carrier
from gateway.sandbox.errors import CarrierError
from gateway.sandbox.messages import Fate
from gateway.sandbox.people import Behaviour, CallerScript, Outcome
from gateway.sandbox.shapes import call_document
from gateway.sandbox.simulations import Simulations, simulation_document
from gateway.sandbox.traffic import Traffic, draw_caller, draw_text, lines_with_traffic

V = TypeVar("V", Behaviour, CallerScript)
Answer = Response | tuple[Response, int]
control = Blueprint("control", __name__, url_prefix="/sandbox")
FAULTS = ("duplicate", "delay", "reorder", "lose")


@control.get("/status")
def status() -> Answer:
    carrier = the_carrier()
    with carrier.scheduler.lock:
        return jsonify(
            now=carrier.clock.now().isoformat(),
            numbers=lines_with_traffic(carrier),
            calls=len(carrier.books.calls),
            live=len(carrier.books.live),
            billed_minutes=carrier.books.bill.minutes(),
            calls_per_minute=_traffic().calls_per_minute,
        )


@control.get("/calls")
def calls() -> Answer:
    """The newest first; `?limit=` of them, 50 if not said."""
    carrier = the_carrier()
    limit = int(_number(request.args.get("limit", 50), "limit", low=1, high=1000))
    with carrier.scheduler.lock:
        newest = list(carrier.books.calls.values())[: -limit - 1 : -1]
        return jsonify(calls=[call_document(call) for call in newest])


@control.post("/calls")
def place_call() -> Answer:
    """`{from?, to?, caller?: {...}, people?: {address: behaviour}}`: what is not said is drawn."""
    carrier, body = the_carrier(), _body()
    for address, behaviour in _mapping(body.get("people", {}), "people").items():
        carrier.people.tell(address, _value(Behaviour, behaviour, f"people/{address}"))
    lines = lines_with_traffic(carrier)
    to = body.get("to") or (lines[0] if lines else "")
    if not to:
        raise CarrierError(400, 20001, "to: no number has a VoiceUrl yet; buy one or name it")
    drawn = draw_caller(random.Random())
    script = _value(CallerScript, body["caller"], "caller") if "caller" in body else drawn.script
    sid = carrier.place_call(str(body.get("from") or drawn.from_), str(to), script)
    return jsonify(call_sid=sid), 201


@control.post("/history")
def remember_calls() -> Answer:
    """`{calls: [{sid, from_, to, direction, status, created_at, answered_at, ended_at, …}]}`: legs
    that are over, as if this carrier had carried them; one that it knows stays as it is."""
    carrier, body = the_carrier(), _body()
    documents = body.get("calls")
    if not isinstance(documents, list):
        raise CarrierError(400, 20001, "calls must be a list of legs")
    try:
        told = [
            call_from_document({"account_sid": carrier.account_sid, **one}) for one in documents
        ]
    except (TypeError, KeyError, ValueError) as error:
        raise CarrierError(400, 20001, f"calls: {error}") from error
    with carrier.scheduler.lock:
        for call in told:
            carrier.remember(call)
    return jsonify(calls=len(told)), 201


@control.post("/calls/<sid>/hangup")
def hang_up(sid: str) -> Answer:
    """The caller, or the callee of that leg, puts the telephone down."""
    carrier = the_carrier()
    with carrier.scheduler.lock:
        call = carrier.call(sid)
        leg = carrier.books.live.get(sid)
        if leg is not None:
            leg.hang_up(type(call.status).NO_ANSWER)
        return jsonify(call_document(call))


@control.post("/messages")
def receive_message() -> Answer:
    """`{from?, to?, body?}`: somebody texts a number; what is not said is drawn."""
    carrier, body = the_carrier(), _body()
    for name in ("from", "to", "body"):
        if not isinstance(body.get(name, "x"), str) or body.get(name) == "":
            raise CarrierError(400, 20001, f"{name} is text, or left out to be drawn")
    lines = lines_with_traffic(carrier)
    to = body.get("to") or (lines[0] if lines else "")
    if not to:
        raise CarrierError(400, 20001, "to: no number has a VoiceUrl yet; buy one or name it")
    drawn = draw_text(random.Random())
    sid = carrier.receive_message(
        body.get("from") or drawn.from_, to, body.get("body") or drawn.body
    )
    return jsonify(message_sid=sid), 201


@control.put("/texts/<path:address>")
def set_fate(address: str) -> Answer:
    """`{fate: delivered | undelivered | failed | silent}` of every text to that telephone."""
    fate = str(_body().get("fate", ""))
    if fate not in set(Fate):
        raise CarrierError(400, 20001, f"fate is one of {', '.join(Fate)}, not {fate!r}")
    the_carrier().messages.fates[address] = Fate(fate)
    return jsonify(fate=fate)


@control.put("/people/<path:address>")
def tell_person(address: str) -> Answer:
    behaviour = _value(Behaviour, _body(), address)
    the_carrier().people.tell(address, behaviour)
    return jsonify(asdict(behaviour))


@control.delete("/people/<path:address>")
def forget_person(address: str) -> Answer:
    the_carrier().people.forget(address)
    return Response(status=204)


@control.get("/people")
def people() -> Answer:
    told = the_carrier().people.told()
    return jsonify({address: asdict(behaviour) for address, behaviour in told.items()})


@control.put("/faults")
def set_faults() -> Answer:
    body = _body()
    asked = {name: _number(body.get(name, 0), name, low=0, high=1) for name in FAULTS}
    the_carrier().faults = Faults(
        asked["duplicate"], asked["delay"], asked["reorder"], asked["lose"]
    )
    return jsonify(asked)


@control.put("/traffic")
def set_traffic() -> Answer:
    per_minute = _number(_body().get("calls_per_minute"), "calls_per_minute", low=0, high=6000)
    _traffic().set_rate(per_minute)
    return jsonify(calls_per_minute=per_minute)


@control.put("/refusals")
def refuse_next() -> Answer:
    """The next so many REST requests are answered 429."""
    current_app.config["REFUSE_NEXT"] = int(_number(_body().get("next"), "next", low=0, high=1000))
    return jsonify(next=current_app.config["REFUSE_NEXT"])


@control.put("/lost-answers")
def lose_next() -> Answer:
    """The next so many REST requests do what they ask, and their answer is lost."""
    current_app.config["LOSE_NEXT"] = int(_number(_body().get("next"), "next", low=0, high=1000))
    return jsonify(next=current_app.config["LOSE_NEXT"])


@control.put("/card-faults")
def set_card_faults() -> Answer:
    """`{lose_request, lose_answer}`: how often the way to the card network or back is lost."""
    body = _body()
    asked = {
        name: _number(body.get(name, 0), name, low=0, high=1)
        for name in ("lose_request", "lose_answer")
    }
    the_carrier().cards.faults = CardFaults(asked["lose_request"], asked["lose_answer"])
    return jsonify(asked)


@control.put("/cards/<last4>")
def tell_card(last4: str) -> Answer:
    """`{fate}`: pays, asks_bank, slow, sends_back, or the code that the card is declined with."""
    fate = str(_body().get("fate", ""))
    if not fate or last4 not in {card.last4 for card in CARDS}:
        raise CarrierError(400, 20001, "name a test card by its last digits, and its fate")
    with the_carrier().scheduler.lock:
        the_carrier().cards.tell(last4, fate)
    return jsonify(last4=last4, fate=fate)


@control.post("/simulations")
def simulate() -> Answer:
    """`{kind: "day"|"storm", calls?, over_seconds?, seed?}`; poll the answer's id."""
    body = _body()
    calls = int(_number(body.get("calls", 100), "calls", low=1, high=1_000_000))
    over = _number(body.get("over_seconds", 10), "over_seconds", low=0, high=3600)
    simulation = _simulations().start(str(body.get("kind")), calls, over, body.get("seed"))
    return jsonify(simulation_document(simulation)), 202


@control.get("/simulations/<int:simulation_id>")
def simulation(simulation_id: int) -> Answer:
    return jsonify(simulation_document(_simulations().get(simulation_id)))


@control.get("/billed")
def billed() -> Answer:
    bill = the_carrier().books.bill
    with the_carrier().scheduler.lock:
        return jsonify(
            minutes=bill.minutes(),
            calls_micros=bill.calls_micros(),
            balance_micros=bill.balance_micros(),
            lines=[asdict(line) for line in bill.lines()[-1000:]],
        )


@control.get("/callbacks")
def callbacks() -> Answer:
    """The newest last, each with what the customer answered to it."""
    with the_carrier().scheduler.lock:
        delivered = list(the_carrier().courier.delivered)[-200:]
    return jsonify(
        callbacks=[
            {
                **to_document(one.callback),
                "status": one.reply.status,
                "attempts": one.reply.attempts,
            }
            for one in delivered
        ]
    )


@control.get("/notifications")
def notifications() -> Answer:
    with the_carrier().scheduler.lock:
        return jsonify(notifications=[asdict(one) for one in the_carrier().books.notifications])


def _simulations() -> Simulations:
    simulations: Simulations = current_app.config["SIMULATIONS"]
    return simulations


def _traffic() -> Traffic:
    traffic: Traffic = current_app.config["TRAFFIC"]
    return traffic


def _body() -> dict[str, Any]:
    body = _mapping(request.get_json(silent=True, force=True), "the body")
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise CarrierError(400, 20001, "the body has half a character in it") from error
    return body


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CarrierError(400, 20001, f"{name} must be a JSON object")
    return value


def _number(value: Any, name: str, *, low: float, high: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise CarrierError(400, 20001, f"{name} must be a number") from error
    if not low <= number <= high:
        raise CarrierError(400, 20001, f"{name} is from {low} to {high}, not {number}")
    return number


def _value(kind: type[V], body: Any, name: str) -> V:
    """A Behaviour or a CallerScript from JSON; an unknown field is named, not ignored."""
    values = dict(_mapping(body, name))
    known = {item.name for item in fields(kind)}
    unknown = sorted(values.keys() - known)
    if unknown:
        raise CarrierError(
            400, 20001, f"{name}: {unknown[0]} is unknown; known are {', '.join(sorted(known))}"
        )
    try:
        if "outcome" in values:
            values["outcome"] = Outcome(values["outcome"])
        if "presses" in values:
            values["presses"] = tuple(map(str, values["presses"]))
        for key, value in values.items():
            if key.endswith("_seconds") and value is not None:
                values[key] = float(value)
    except (TypeError, ValueError) as error:
        raise CarrierError(400, 20001, f"{name}: {error}") from error
    return kind(**values)
