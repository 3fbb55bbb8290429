"""News of the card network: signed as Stripe signs them, sent again until they are taken.

docs.stripe.com/webhooks#verify-manually: `t=<seconds>,v1=<HMAC-SHA256 of "t.body">`.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import requests

from gateway.sandbox.clock import Scheduler

RETRY_AFTER_SECONDS = (5.0, 60.0, 600.0)
TIMEOUT_SECONDS = 10.0
TOLD_KEPT_MAX = 1_000

Send = Callable[[str, bytes, dict[str, str]], int]
"""URL, body, headers -> HTTP status; 0 where nobody answered."""


def send(url: str, body: bytes, headers: dict[str, str]) -> int:
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.post(
                url, data=body, headers=headers, timeout=TIMEOUT_SECONDS
            ).status_code
    except requests.RequestException:
        return 0


def signature(secret: str, body: bytes, at: int) -> str:
    signed = f"{at}.".encode() + body
    return f"t={at},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class CardEvents:
    """`url` empty: nobody is told. `lose` loses the next so many for good."""

    def __init__(self, scheduler: Scheduler, *, url: str, secret: str, send: Send = send) -> None:
        self.url, self.secret, self.send = url, secret, send
        self.lose = 0
        self.told: deque[dict[str, Any]] = deque(maxlen=TOLD_KEPT_MAX)
        self._scheduler = scheduler

    def tell(self, kind: str, about: dict[str, Any]) -> None:
        event = {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "type": kind,
            "created": int(self._scheduler.now().timestamp()),
            "livemode": False,
            "api_version": None,
            "data": {"object": dict(about)},
        }
        self.told.append(event)
        if self.lose > 0:
            self.lose -= 1
        elif self.url:
            self._post(json.dumps(event).encode(), tries=0)

    def again(self, event: dict[str, Any]) -> int:
        """Send one once more, now; the status that came back."""
        return self._send(json.dumps(event).encode())

    def _post(self, body: bytes, tries: int) -> None:
        def done(status: int) -> None:
            if not 200 <= status < 300 and tries < len(RETRY_AFTER_SECONDS):
                self._scheduler.after(
                    RETRY_AFTER_SECONDS[tries], lambda: self._post(body, tries + 1)
                )

        self._scheduler.background(lambda: self._send(body), done)

    def _send(self, body: bytes) -> int:
        # Signed with the real time whatever the sandbox's clock says: the other side compares it
        # with its own.
        headers = {
            "Content-Type": "application/json",
            "Stripe-Signature": signature(self.secret, body, int(time.time())),
        }
        return self.send(self.url, body, headers)
