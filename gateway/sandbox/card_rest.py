"""The card network's door, on Stripe's paths: forms in, JSON out, a bearer key."""

import hmac
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request, url_for

from gateway.sandbox.cards import CardNetwork, CardRefusal, Document

api = Blueprint("cards", __name__, url_prefix="/v1")
Answer = Response | tuple[Response, int]
LIMIT_MAX = 100


def the_network() -> CardNetwork:
    network: CardNetwork = current_app.config["CARRIER"].cards
    return network


@api.before_request
def check_key() -> Answer | None:
    given = request.headers.get("Authorization", "")
    right = f"Bearer {current_app.config['CARD_KEY']}"
    if hmac.compare_digest(given.encode(), right.encode()):
        return None
    return _refused(CardRefusal(401, "invalid_request_error", "", "Invalid API Key provided"))


@api.errorhandler(CardRefusal)
def _refused(refusal: CardRefusal) -> tuple[Response, int]:
    return jsonify(refusal.document), refusal.status


@api.post("/customers")
def make_customer() -> Answer:
    form = request.form
    return _once(
        lambda cards: cards.make_customer(
            form.get("name", ""), form.get("email", ""), _nested("metadata")
        )
    )


@api.post("/checkout/sessions")
def open_session() -> Answer:
    form = request.form

    def act(cards: CardNetwork) -> Document:
        session = cards.open_session(
            form.get("customer", ""), form["success_url"], form["cancel_url"], _nested("metadata")
        )
        session["url"] = url_for("card_pages.card_page", session_id=session["id"], _external=True)
        return session

    return _once(act)


@api.get("/checkout/sessions/<session_id>")
def session(session_id: str) -> Answer:
    cards = the_network()
    with cards.scheduler.lock:
        found = dict(cards.get(cards.sessions, session_id, "checkout.session"))
        if found["setup_intent"] and request.args.get("expand[0]"):
            setup = dict(cards.setups[found["setup_intent"]])
            setup["payment_method"] = cards.methods[setup["payment_method"]]
            found["setup_intent"] = setup
        return jsonify(found)


@api.post("/setup_intents")
def open_setup() -> Answer:
    return _once(lambda cards: cards.open_setup(request.form.get("customer", "")))


@api.post("/setup_intents/<setup_id>/confirm")
def confirm_setup(setup_id: str) -> Answer:
    token = request.form.get("payment_method", "")
    return _once(
        lambda cards: cards.confirm_setup(cards.get(cards.setups, setup_id, "setup_intent"), token)
    )


@api.get("/payment_methods/<method_id>")
def method(method_id: str) -> Answer:
    cards = the_network()
    with cards.scheduler.lock:
        return jsonify(cards.get(cards.methods, method_id, "payment_method"))


@api.post("/payment_methods/<method_id>/detach")
def detach(method_id: str) -> Answer:
    return _once(lambda cards: cards.detach(cards.get(cards.methods, method_id, "payment_method")))


@api.post("/payment_intents")
def pay() -> Answer:
    form = request.form

    def act(cards: CardNetwork) -> Document:
        payment = cards.pay(
            customer=form.get("customer", ""),
            method=form.get("payment_method", ""),
            amount=int(form["amount"]),
            currency=form["currency"],
            description=form.get("metadata[about]", ""),
            present=form.get("off_session") != "true",
            return_url=form.get("return_url", ""),
            metadata=_nested("metadata"),
        )
        return _with_page(payment)

    return _moves_money(act)


@api.get("/payment_intents")
def payments() -> Answer:
    cards, args = the_network(), request.args
    with cards.scheduler.lock:
        found = cards.list_payments(args.get("customer", ""), int(args.get("created[gte]", 0)))
    return _page([_with_page(payment) for payment in found], "/v1/payment_intents")


@api.get("/payment_intents/<payment_id>")
def payment(payment_id: str) -> Answer:
    cards = the_network()
    with cards.scheduler.lock:
        return jsonify(_with_page(cards.get(cards.payments, payment_id, "payment_intent")))


@api.post("/payment_intents/<payment_id>/confirm")
def confirm(payment_id: str) -> Answer:
    url = request.form.get("return_url", "")
    return _moves_money(
        lambda cards: _with_page(
            cards.confirm(cards.get(cards.payments, payment_id, "payment_intent"), url)
        )
    )


@api.post("/payment_intents/<payment_id>/cancel")
def cancel(payment_id: str) -> Answer:
    return _once(
        lambda cards: cards.cancel(cards.get(cards.payments, payment_id, "payment_intent"))
    )


@api.post("/refunds")
def refund() -> Answer:
    form = request.form
    return _moves_money(
        lambda cards: cards.refund(
            cards.get(cards.payments, form.get("payment_intent", ""), "payment_intent"),
            int(form["amount"]),
            _nested("metadata"),
        )
    )


@api.get("/refunds")
def refunds() -> Answer:
    cards = the_network()
    with cards.scheduler.lock:
        found = cards.refunds_of(request.args.get("payment_intent", ""))
    return _page(found, "/v1/refunds")


def _page(found: list[Document], url: str) -> Answer:
    """A page of what was found, behind `starting_after`."""
    limit = min(int(request.args.get("limit", 10)), LIMIT_MAX)
    ids, after = [one["id"] for one in found], request.args.get("starting_after")
    first = ids.index(after) + 1 if after in ids else 0
    shown, rest = found[first : first + limit], found[first + limit :]
    return jsonify(object="list", url=url, data=shown, has_more=bool(rest))


def _with_page(payment: Document) -> Document:
    """Where the payer meets the bank."""
    if payment["status"] != "requires_action":
        return payment
    page = url_for("card_pages.bank_page", payment_id=payment["id"], _external=True)
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": page}}
    return payment | {"next_action": action}


def _moves_money(act: Callable[[CardNetwork], Document]) -> Answer:
    """Lost as the faults have it, before or after the deed."""
    faults = the_network().faults
    if faults.loses_request():
        return Response("Bad gateway", 502)
    answer = _once(act)
    return Response("Bad gateway", 502) if faults.loses_answer() else answer


def _once(act: Callable[[CardNetwork], Document]) -> Answer:
    """The same key answers what it answered first, refusals of a card too."""
    cards, key = the_network(), request.headers.get("Idempotency-Key")
    asked = repr((request.path, sorted(request.form.items(multi=True))))
    with cards.scheduler.lock:
        kept = cards.kept_answer(key, asked) if key else None
        if kept is not None:
            return jsonify(kept[1]), kept[0]
        try:
            status, body = 200, act(cards)
        except CardRefusal as refusal:
            status, body = refusal.status, refusal.document
        if key:
            cards.keep_answer(key, asked, status, body)
        return jsonify(body), status


def _nested(name: str) -> dict[str, str]:
    """`name[key]=value` of Stripe's forms."""
    start, found = f"{name}[", dict[str, Any]()
    for field, value in request.form.items():
        if field.startswith(start) and field.endswith("]"):
            found[field[len(start) : -1]] = value
    return found
