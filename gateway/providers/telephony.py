"""The carrier as services see it: numbers, calls, recordings, messages.

Every deed that cannot be undone answers in one of three ways: it returns (done), raises
`ProviderError` (not done), or raises `OutcomeUnknown` (asked, but the answer was lost). The last
is resolved by asking the carrier what there is, never by doing the deed again (RELIABILITY R8).
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from gateway.links import NumberUrls


class ProviderError(Exception):
    """The carrier did not do it. `permanent`: asking again will not help. `code`: its own."""

    def __init__(self, words: str, *, permanent: bool, code: int | None = None) -> None:
        self.words, self.permanent, self.code = words, permanent, code
        super().__init__(words)


class OutcomeUnknown(ProviderError):
    """The request may or may not have been carried out."""

    def __init__(self, words: str) -> None:
        super().__init__(words, permanent=False)


@dataclass(frozen=True, slots=True)
class OfferedNumber:
    """On sale at the carrier right now; not a reservation."""

    e164: str
    locality: str
    region: str
    country: str
    number_type: str  # local, toll-free, mobile


@dataclass(frozen=True, slots=True)
class CarrierNumber:
    sid: str
    e164: str
    friendly_name: str
    urls: NumberUrls


@dataclass(frozen=True, slots=True)
class CarrierCall:
    """A call or a leg as the carrier's REST API tells it, in its own words for `status`.

    `duration_seconds` is talk time and None until the call has ended; `price_micros` comes late
    and is what the carrier takes (positive), None until it is known.
    """

    sid: str
    parent_call_sid: str | None
    from_: str
    to: str
    status: str
    direction: str
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    duration_seconds: int | None
    price_micros: int | None
    price_unit: str


@dataclass(frozen=True, slots=True)
class CarrierMessage:
    """A text as the carrier's REST API tells it; `segments` is its NumSegments, None while it has
    not counted them."""

    sid: str
    from_: str
    to: str
    body: str
    is_inbound: bool
    status: str
    segments: int | None
    media_count: int
    error_code: int | None
    created_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class CarrierUsage:
    """A line of the carrier's bill for one day, over all our numbers; `price_micros` is what it
    takes."""

    category: str
    count: int
    price_micros: int


class Telephony(Protocol):
    def search_numbers(
        self, *, country: str, number_type: str, area_code: str, contains: str, limit: int
    ) -> tuple[OfferedNumber, ...]: ...

    def buy_number(self, e164: str, *, friendly_name: str, urls: NumberUrls) -> CarrierNumber: ...

    def find_number(self, *, friendly_name: str = "", e164: str = "") -> CarrierNumber | None:
        """One of our numbers by the name that it was bought under, or by itself."""

    def update_number(self, sid: str, urls: NumberUrls) -> CarrierNumber: ...

    def release_number(self, sid: str) -> None:
        """Irreversible. A number that is already gone counts as released."""

    def fetch_call(self, sid: str) -> CarrierCall | None: ...

    def child_calls(self, sid: str) -> tuple[CarrierCall, ...]: ...

    def calls_since(self, since: dt.datetime, *, to: str = "") -> Iterator[CarrierCall]:
        """Oldest filter of the carrier is a whole UTC day: earlier calls of that day come too."""

    def calls_of_day(self, day: dt.date) -> Iterator[CarrierCall]:
        """Every call and leg that started on a UTC day, by the carrier's clock."""

    def usage_of_day(self, day: dt.date) -> tuple[CarrierUsage, ...]: ...

    def place_call(
        self, *, from_: str, to: str, document: str, ring_seconds: int, time_limit_seconds: int
    ) -> CarrierCall:
        """Ring a phone and play a TwiML document to whoever answers."""

    def end_call(self, sid: str) -> None:
        """Hang up a live call; one that has ended already is left alone."""

    def set_time_limit(self, sid: str, seconds: int) -> None: ...

    def fetch_recording(self, sid: str) -> tuple[str, bytes]:
        """Media type and sound."""

    def send_message(
        self, *, from_: str, to: str, body: str, status_callback: str = ""
    ) -> CarrierMessage:
        """Without `status_callback` nobody is told what becomes of it."""

    def fetch_message(self, sid: str) -> CarrierMessage | None: ...

    def latest_messages(self, *, from_: str, to: str) -> tuple[CarrierMessage, ...]:
        """From one number to another, newest first, sent or still waiting; a page of them."""

    def messages_received(self, since: dt.datetime) -> Iterator[CarrierMessage]:
        """Texts that came in to any of our numbers, newest first."""
