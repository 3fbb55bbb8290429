"""X-Twilio-Signature as the sender computes it, written from the documentation alone: an
independent peer of the SDK's validator on the other side."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit, urlunsplit

Params = Mapping[str, "str | Sequence[str]"]


def signed_url(url: str, *, voice: bool = True) -> str:
    """The URL that is sent and signed: no fragment, no user info. For voice over https the port is
    left out of the signature (twilio.com/docs/usage/security)."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if voice and parts.scheme == "https":
        host = host.partition(":")[0]
    return urlunsplit((parts.scheme, host, parts.path, parts.query, ""))


def sign(token: str, url: str, params: Params | None = None) -> str:
    """base64(HMAC-SHA1(token, url + name + value …)), names in byte order, the values of a repeated
    name sorted and once each."""
    text = url + "".join(
        name + value for name in sorted(params or {}) for value in _values((params or {})[name])
    )
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def _values(value: "str | Sequence[str]") -> Iterable[str]:
    return [value] if isinstance(value, str) else sorted(set(value))
