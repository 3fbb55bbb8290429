"""Is this request the carrier's? The check that stands before every handler.

The signed URL is the configured public base and the raw path as it came over the wire: Flask's
`request.url` un-escapes parts of the query and believes the Host header (twilio-python#751).
A signature does not stop a replay; receipts with unique keys do.
"""

from __future__ import annotations

import hmac
from urllib.parse import quote

from flask import Request
from twilio.request_validator import RequestValidator

SIGNATURE = "X-Twilio-Signature"
# Present when the request is signed with a SharedKey instead of the AuthToken (twilio-python
# 9.13 request_validator.get_signature_algorithm). We hold no such key: refuse, do not guess.
SIGNATURE_SETTINGS = "X-Twilio-Webhooks-Signature-Settings"


class Signature:
    """Checks one account's requests; built once per process."""

    def __init__(self, *, account_sid: str, auth_token: str, public_url: str) -> None:
        self._account_sid = account_sid
        self._validator = RequestValidator(auth_token)
        self._public_url = public_url.rstrip("/")

    def holds(self, request: Request) -> bool:
        """Never raises: a missing header, a strange body or a foreign account is just False."""
        signature = request.headers.get(SIGNATURE, "")
        if not signature or SIGNATURE_SETTINGS in request.headers:
            return False
        form = request.form
        if not hmac.compare_digest(
            form.get("AccountSid", "").encode("utf-8", "replace"), self._account_sid.encode()
        ):
            return False
        path = raw_path(request)
        if not path.startswith("/"):
            return False
        url = self._public_url + path
        try:
            # The MultiDict itself: a plain dict would lose repeated keys (twilio-python#613).
            if self._validator.validate(url, form, signature):
                return True
            # Once more over the URL as it is: `validate` rebuilds it, and loses a bare "?".
            return hmac.compare_digest(self._validator.compute_signature(url, form), signature)
        except (TypeError, ValueError, UnicodeError):
            return False


def raw_path(request: Request) -> str:
    """Path and query exactly as sent: gunicorn and werkzeug both keep them."""
    environ = request.environ
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if isinstance(raw, str) and raw:
        return raw
    query = environ.get("QUERY_STRING", "")
    return quote(environ.get("PATH_INFO", "/")) + (f"?{query}" if query else "")
