"""The carrier's door: signed webhooks in, TwiML or 204 out.

May import floors 0-2 and Flask; never Redis, RQ, Twilio's REST client or another edge. Each
handler is three steps: parse (`params`), one service in one transaction, render (`replies`).
"""

from webhooks import legs, payment, recording, sms, voice
from webhooks.blueprint import blueprint
from webhooks.payment import payments

__all__ = ["blueprint", "legs", "payment", "payments", "recording", "sms", "voice"]
