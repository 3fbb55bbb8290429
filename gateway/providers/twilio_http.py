"""How requests travel to Twilio: to which host, how long, and when they are sent again."""

import random
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from requests import RequestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response

TIMEOUT_SECONDS = 10.0
ATTEMPTS_MAX = 4
PAUSE_SECONDS = 0.5  # doubled each time, then a random part of it
TOO_MANY_REQUESTS = 429


class RedirectedHttpClient(TwilioHttpClient):  # type: ignore[misc]  # the SDK is untyped
    """The SDK's client, with every request sent to `api_url` where one is set.

    A 429 was not processed and is always safe to send again (twilio.com/docs/api/errors/20429).
    A GET that was lost is, too; a lost POST or DELETE never is, its outcome is unknown.
    """

    def __init__(self, api_url: str = "", sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__(timeout=TIMEOUT_SECONDS)
        self._base = urlsplit(api_url) if api_url else None
        self._sleep = sleep

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        url = self.redirected(url)
        for attempt in range(1, ATTEMPTS_MAX + 1):
            last = attempt == ATTEMPTS_MAX
            try:
                response: Response = super().request(method, url, *args, **kwargs)
            except RequestException:
                if last or method.upper() != "GET":
                    raise
            else:
                if last or not _worth_repeating(method, response.status_code):
                    return response
            # Full jitter: clients that failed together must not come back together.
            self._sleep(random.uniform(0, PAUSE_SECONDS * 2 ** (attempt - 1)))
        raise AssertionError("unreachable")

    def redirected(self, url: str) -> str:
        """Scheme and host replaced, path and query kept; so for every Twilio product's host."""
        if self._base is None:
            return url
        parts = urlsplit(url)
        path = self._base.path.rstrip("/") + parts.path
        return urlunsplit((self._base.scheme, self._base.netloc, path, parts.query, parts.fragment))


def _worth_repeating(method: str, status: int) -> bool:
    return status == TOO_MANY_REQUESTS or (status >= 500 and method.upper() == "GET")
