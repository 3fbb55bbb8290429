"""Requests from the carrier to its customer: signed, timed and retried as Twilio does."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Protocol
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import requests

from gateway.sandbox.signature import sign, signed_url

# twilio.com/docs/usage/webhooks/webhooks-connection-overrides: milliseconds, and their ceilings
CONNECT_MS, READ_MS, TOTAL_MS = 5_000, 15_000, 15_000
RETRIES_MAX = 5
REDIRECTS_MAX = 10  # then 11215: twilio.com/docs/voice/twiml
BODY_BYTES_MAX = 64 * 1024  # then 11750


@dataclass(frozen=True, slots=True)
class Request:
    url: str
    params: Mapping[str, str]
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Reply:
    """`error_code` is Twilio's: 0 where the answer can be used."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error_code: int = 0
    attempts: int = 1


class Poster(Protocol):
    def __call__(self, request: Request) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the fragment of a URL asks for, e.g. `#rc=5&rp=5xx,ct,rt`."""

    connect_ms: int = CONNECT_MS
    read_ms: int = READ_MS
    total_ms: int = TOTAL_MS
    retries: int = 1
    policy: frozenset[str] = frozenset({"ct"})


def overrides(url: str) -> Overrides:
    """A key that is missing or out of its range keeps Twilio's default."""
    asked = {key: values[-1] for key, values in parse_qs(urlsplit(url).fragment).items()}

    def number(key: str, low: int, high: int, default: int) -> int:
        text = asked.get(key, "")
        return (
            int(text) if text.isascii() and text.isdigit() and low <= int(text) <= high else default
        )

    return Overrides(
        connect_ms=number("ct", 100, 10_000, CONNECT_MS),
        read_ms=number("rt", 100, READ_MS, READ_MS),
        total_ms=number("tt", 100, TOTAL_MS, TOTAL_MS),
        retries=number("rc", 0, RETRIES_MAX, 1),
        policy=frozenset(asked["rp"].split(",")) if "rp" in asked else frozenset({"ct"}),
    )


class HttpPoster:
    """Real HTTP. Every retry of one request carries the same I-Twilio-Idempotency-Token."""

    def __init__(self, auth_token: str, *, user_agent: str = "TwilioProxy/1.1") -> None:
        self._token = auth_token
        self._user_agent = user_agent

    def __call__(self, request: Request) -> Reply:
        asked = overrides(request.url)
        give_up_at = monotonic() + asked.total_ms / 1000
        idempotency_token = str(uuid.uuid4())
        attempts = 0
        while True:
            attempts += 1
            seconds_left = give_up_at - monotonic()
            reply, failure = self._once(request, asked, seconds_left, idempotency_token)
            retry = failure in asked.policy or (failure and "all" in asked.policy)
            if not retry or attempts > asked.retries or give_up_at - monotonic() <= 0.05:
                return replace(reply, attempts=attempts)

    def _once(
        self, request: Request, asked: Overrides, seconds_left: float, idempotency_token: str
    ) -> tuple[Reply, str]:
        """The reply and, where it failed, the name the retry policy knows the failure by."""
        url, body = _address(request)
        headers = {
            "User-Agent": self._user_agent,
            "X-Home-Region": "us1",
            "Accept": "*/*",
            "I-Twilio-Idempotency-Token": idempotency_token,
            "X-Twilio-Signature": sign(
                self._token, signed_url(url), request.params if body is not None else None
            ),
        }
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        connect = min(asked.connect_ms / 1000, seconds_left)
        read = min(asked.read_ms / 1000, seconds_left)
        try:
            with requests.Session() as session:
                session.max_redirects = REDIRECTS_MAX
                session.trust_env = False
                answer = session.request(
                    request.method, url, data=body, headers=headers, timeout=(connect, read)
                )
        except requests.exceptions.TooManyRedirects:
            return Reply(0, error_code=11215), ""
        except (requests.exceptions.ConnectTimeout, requests.exceptions.SSLError):
            return Reply(0, error_code=11205), "ct"
        except requests.exceptions.Timeout:
            return Reply(0, error_code=11200), "rt"
        except requests.exceptions.ConnectionError:
            return Reply(0, error_code=11205), "ct"
        except (requests.exceptions.RequestException, ValueError):  # a URL nobody can ask
            return Reply(0, error_code=11100), ""
        return _read(answer)


def _address(request: Request) -> tuple[str, bytes | None]:
    """Where it goes on the wire, without the fragment, and the body of a POST."""
    scheme, host, path, query, _fragment = urlsplit(request.url)
    if request.method == "POST":
        return urlunsplit((scheme, host, path, query, "")), urlencode(request.params).encode()
    query = "&".join(filter(None, [query, urlencode(request.params)]))
    return urlunsplit((scheme, host, path, query, "")), None


def _read(answer: requests.Response) -> tuple[Reply, str]:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if answer.status_code >= 500:
        return Reply(answer.status_code, headers, answer.content, 11200), "5xx"
    if answer.status_code >= 400:
        return Reply(answer.status_code, headers, answer.content, 11200), "4xx"
    if len(answer.content) > BODY_BYTES_MAX:
        return Reply(answer.status_code, headers, b"", 11750), ""
    return Reply(answer.status_code, headers, answer.content), ""
