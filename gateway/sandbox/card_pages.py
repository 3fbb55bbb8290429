"""The two pages that a payer sees: where a card is typed in, and where the bank asks back.

They have no log-in, as the real ones have none: their address is the secret.
"""

from flask import Blueprint, Response, redirect, render_template_string, request
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from gateway.sandbox.card_rest import the_network
from gateway.sandbox.cards import CARDS, CardRefusal

pages = Blueprint("card_pages", __name__, url_prefix="/cards")

SHOWN = ("amount", "currency", "description")
FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }} · Sandbox card network</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f2f4f7;color:#1b2430}
main{max-width:30rem;margin:8vh auto;padding:1.5rem;background:#fff;border-radius:12px}
h1{font-size:1.25rem;margin:0 0 .5rem} p{margin:.5rem 0 1rem}
button,a.button{display:block;width:100%;box-sizing:border-box;text-align:left;font:inherit;
margin:.4rem 0;padding:.6rem .8rem;border:1px solid #b9c2cf;border-radius:8px;background:#fff;
color:inherit;cursor:pointer;text-decoration:none}
button:hover,button:focus-visible{border-color:#1a56c4;outline:2px solid #1a56c4}
small{color:#4a5666}
</style></head><body><main><h1>{{ title }}</h1>{{ body }}</main></body></html>"""

CARD_PAGE = """<p>This is the sandbox: pick the card that you want to try.</p>
<form method="post">{% for card in cards %}
<button name="card" value="{{ card.token }}">{{ card.brand | capitalize }} ···· {{ card.last4 }}
<small>{{ card.words }}</small></button>{% endfor %}</form>
<p><a href="{{ cancel_url }}">Go back without a card</a></p>"""

BANK_PAGE = """<p>Your bank wants to know whether this payment is yours.</p>
<p><strong>{{ "%.2f" % (amount / 100) }} {{ currency | upper }}</strong> {{ description }}</p>
<form method="post"><button name="answer" value="yes">Yes, I pay this</button>
<button name="answer" value="no">No, refuse it</button></form>"""


@pages.get("/new/<session_id>")
def card_page(session_id: str) -> str | AnyResponse:
    cards = the_network()
    with cards.scheduler.lock:
        session = cards.get(cards.sessions, session_id, "page")
    if session["status"] != "open":
        return redirect(session["success_url"], 303)
    return _page("Your card", CARD_PAGE, cards=CARDS, cancel_url=session["cancel_url"])


@pages.post("/new/<session_id>")
def choose_card(session_id: str) -> AnyResponse:
    cards = the_network()
    with cards.scheduler.lock:
        session = cards.get(cards.sessions, session_id, "page")
        done = cards.complete_session(session, request.form.get("card", ""))
    return redirect(done["success_url"], 303)


@pages.get("/bank/<payment_id>")
def bank_page(payment_id: str) -> str | AnyResponse:
    cards = the_network()
    with cards.scheduler.lock:
        payment = cards.get(cards.payments, payment_id, "payment")
    if payment["status"] != "requires_action":
        return redirect(payment["return_url"], 303)
    return _page("Your bank", BANK_PAGE, **{k: payment[k] for k in SHOWN})


@pages.post("/bank/<payment_id>")
def answer_bank(payment_id: str) -> AnyResponse:
    cards = the_network()
    with cards.scheduler.lock:
        payment = cards.get(cards.payments, payment_id, "payment")
        cards.answer_bank(payment, agreed=request.form.get("answer") == "yes")
    return redirect(payment["return_url"], 303)


@pages.errorhandler(CardRefusal)
def _nothing_here(refusal: CardRefusal) -> Response:
    return Response("There is no such page.\n", 404, mimetype="text/plain")


def _page(title: str, body: str, **values: object) -> str:
    inner = Markup(render_template_string(body, **values))
    return render_template_string(FRAME, title=title, body=inner)
