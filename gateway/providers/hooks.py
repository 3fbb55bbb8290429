"""Posting JSON to an address that a customer named: signed, public hosts only, no redirects.

The host is resolved once and the connection made to that very address, so that a name cannot
point to a public address when it is looked at and to a private one when it is used.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from gateway.providers.telephony import ProviderError

TIMEOUT_SECONDS = 5
SIGNATURE_HEADER = "Ringledger-Signature"
GONE = 410  # the receiver wants no more of it


class Hooks(Protocol):
    def post(self, url: str, secret: str, event: Mapping[str, Any]) -> None:
        """Raises `ProviderError`; permanent where asking again cannot help."""


def signature(secret: str, body: bytes) -> str:
    """HMAC-SHA256 of the body, in hex: the receiver computes the same from what it got."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def addresses_of(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in found]


@dataclass(frozen=True, slots=True)
class HttpHooks:
    """`resolve` and `context` are arguments for tests; `is_allowed` decides about an address."""

    resolve: Callable[[str, int], list[str]] = addresses_of
    is_allowed: Callable[[str], bool] = lambda address: ipaddress.ip_address(address).is_global
    context: ssl.SSLContext | None = None

    def post(self, url: str, secret: str, event: Mapping[str, Any]) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        body = json.dumps(event, ensure_ascii=False, sort_keys=True).encode()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Ringledger",
            SIGNATURE_HEADER: signature(secret, body),
        }
        connection = _Pinned(host, port, self._address(host, port), self.context)
        try:
            connection.request("POST", path, body, headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise ProviderError(f"{host} could not be reached: {error}", permanent=False) from error
        finally:
            connection.close()
        if not 200 <= status < 300:
            raise ProviderError(f"{host} answered {status}.", permanent=status == GONE)

    def _address(self, host: str, port: int) -> str:
        try:
            addresses = self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise ProviderError(f"{host} is not known: {error}", permanent=False) from error
        if not addresses or not all(map(self.is_allowed, addresses)):
            raise ProviderError(f"{host} is not a public address.", permanent=True)
        return addresses[0]


class _Pinned(http.client.HTTPSConnection):
    """Connects to the address that was checked; the certificate is the name's."""

    def __init__(self, host: str, port: int, address: str, context: ssl.SSLContext | None) -> None:
        self._tls = context or ssl.create_default_context()
        super().__init__(host, port, timeout=TIMEOUT_SECONDS, context=self._tls)
        self._address = address

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), TIMEOUT_SECONDS)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
